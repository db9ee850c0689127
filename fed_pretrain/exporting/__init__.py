"""A trained model as a file, and its predictions."""
