"""What `python -m benchmarks.faults` does to our programs, and how it judges what comes of it."""
