"""Raw input to a prepared dataset of per-client TFRecords."""
