"""One client of a round: its rows, its work, its payload, and how clients are drawn."""
