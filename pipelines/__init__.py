"""Studies: a plan of steps, run here, on a schedule, or by another scheduler."""
