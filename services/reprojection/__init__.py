"""Puts an OLCI EFR frame on a fixed EPSG:4326 lattice: 21 radiance bands, view zenith and flags, nearest neighbour."""
