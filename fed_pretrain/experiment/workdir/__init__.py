"""What is on disk in a work directory."""
