"""What two services must agree on: events, items, stores, buses, stages, grids and the cube."""
