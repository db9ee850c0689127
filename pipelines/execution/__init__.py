"""Steps run by worker processes."""
