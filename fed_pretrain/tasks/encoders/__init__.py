"""Stored features to the rows of a model."""
