"""Is this machine fit to run Landstream, and is the store well: findings, each with what to do."""
