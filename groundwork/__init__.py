"""What every room uses: files, locks, randomness, progress, settings, how programs start."""
