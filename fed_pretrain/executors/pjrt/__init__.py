"""Client work compiled by a current JAX, in worker processes with their own environment."""
