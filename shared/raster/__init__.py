"""Rasters: the lattice of pixels, the writer of cloud-optimised GeoTIFFs, and what GDAL is allowed."""
