"""`python -m landstream`."""

from landstream.cli import main

main()
