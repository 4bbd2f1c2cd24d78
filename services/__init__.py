"""The seven stages; each package is one service and imports no other."""
