"""The networks, one file each, all from the cube's own encoding to logits of the classes."""
