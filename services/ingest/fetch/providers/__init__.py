"""Who is asked for products: each kind of `source:`, and how it describes what it has."""
