"""Turns a Sentinel-2 scene's SCL (L2A) or its reflectance (L1C) into one cloud mask with a dilated clear band."""
