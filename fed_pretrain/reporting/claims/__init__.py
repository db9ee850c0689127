"""What a study claims, and the statistics that decide it."""
