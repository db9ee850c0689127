"""Ways to read files that several sources share."""
