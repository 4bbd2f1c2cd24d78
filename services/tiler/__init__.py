"""Cloud masks with their scenes, OLCI grids and labels go in; the merged cube and an update item come out."""
