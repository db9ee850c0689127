"""The only modules that import the private parts of TensorFlow and TFF."""
