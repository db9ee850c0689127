"""A dataset with its model, loss, metrics and preprocessing."""
