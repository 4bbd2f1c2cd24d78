"""Land cover of any GeoTIFF with the bands of Sentinel-2, by a store's champion or a model server."""
