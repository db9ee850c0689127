"""Learning rates for a run, found on its validation split."""
