"""`landstream split`: which blocks of an area models learn from, and which they are tested on."""
