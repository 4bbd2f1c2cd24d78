"""`landstream cube`: what the cube holds, for people and for other programs."""
