"""Client work in TFF's own worker."""
