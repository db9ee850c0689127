"""Whose names the weights have, and how those translate to ours."""
