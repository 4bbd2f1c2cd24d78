"""Lists what is due and hints it again, requests training and promotes: alone it completes any run after any crash."""
