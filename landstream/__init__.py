"""The command line of Landstream; it imports everything and is imported by nothing."""
