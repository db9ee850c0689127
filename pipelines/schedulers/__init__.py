"""Steps for other schedulers."""
