"""What a notebook calls: arrays, Keras models and names, turned into configs of the library."""
