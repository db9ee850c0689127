"""The tests behind the verdicts, on arrays: values by seed, or seed × algorithm."""
