"""One module a measurement, taken in a round or at a checkpoint."""
