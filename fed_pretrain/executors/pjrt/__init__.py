"""Client work compiled by a current JAX, in worker processes with an environment of their own."""
