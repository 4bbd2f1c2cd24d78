"""Burns the label polygons of a delivery at 10 m on the area's grid: classes, distances to their edges, polygons."""
