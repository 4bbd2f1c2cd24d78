"""Writes what deployment repeats of the services' declarations: compose, manifests, users, targets, tables.

`make deploy-files` runs it; `python -m tools.deploy_files --check` says what it would change, and changes nothing.
One module an output; each gives the whole text that its files should have.
"""
