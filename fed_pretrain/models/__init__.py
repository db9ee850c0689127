"""Architectures by name, and the weights of a model as arrays."""
