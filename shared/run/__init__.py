"""How a stage runs: the runner, its worker child, what crosses between them, and failure records."""
