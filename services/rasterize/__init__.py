"""Burns the label polygons of a delivery at 10 m on the area's grid, one raster of classes."""
