"""The rounds of a run, and how it ends."""
