"""From the text of a plan to its steps."""
