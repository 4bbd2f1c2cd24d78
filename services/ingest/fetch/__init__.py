"""Fetches products from catalogues into `landing/`: a process beside ingest, without a stage."""
