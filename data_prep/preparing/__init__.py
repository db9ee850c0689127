"""From a request to a finished dataset: what to read, what it costs, and the run."""
