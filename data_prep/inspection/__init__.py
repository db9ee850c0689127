"""What is done with a finished dataset: describe, export, verify."""
