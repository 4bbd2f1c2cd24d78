"""Simulated Sentinel-2, OLCI and Corine products of one landscape, in ESA's and Copernicus' own formats."""
