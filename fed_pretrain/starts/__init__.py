"""From `--start` to the first weights of a run."""
