"""The network, as a polite and wary client: hosts, tokens, pace, bounds, and files that come whole."""
