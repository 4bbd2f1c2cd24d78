"""Identifies, verifies and unpacks what lies in `landing/`, and registers it as the item of a scene or of labels."""
