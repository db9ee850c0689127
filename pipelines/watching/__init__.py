"""A local page over a study or a run in progress."""
