"""The format of a prepared dataset: records, index, manifest, reader and writer."""
