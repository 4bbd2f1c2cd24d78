"""Measurements: hot paths against named peers (`make bench`), and what a store, a season or a model costs."""
