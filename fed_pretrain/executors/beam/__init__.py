"""Client work as a Beam job a round."""
