"""Which file format holds them."""
