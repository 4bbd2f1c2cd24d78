"""Draws a delivery of labels at 10 m on the area's grid: classes, distances to their edges, polygons."""
