"""A model server on a store's champion, for whoever asks from this machine."""
