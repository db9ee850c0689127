"""What everything stands on: whole-or-absent files, locks, randomness, progress, settings and flags."""
