"""The two-layer laboratory of "Initialization Matters"; it knows nothing of the rest."""
