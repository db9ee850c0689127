"""What runs a TFF computation: this process, TFF's own worker, a Beam job, or workers with JAX."""
