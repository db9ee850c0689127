"""The life of a run, from what was asked to its last file."""
