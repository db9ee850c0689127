"""Eigenvalues, densities and traces of any linear operator, and of a loss."""
