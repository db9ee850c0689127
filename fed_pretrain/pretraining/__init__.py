"""Central training on proxy data."""
