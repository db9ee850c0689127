"""Images that are computed, for pre-training without anybody's data."""
