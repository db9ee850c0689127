"""One module a client update."""
