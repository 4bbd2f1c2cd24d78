"""STAC items: keys, ids, digests, what is current, and how items and collections are written."""
