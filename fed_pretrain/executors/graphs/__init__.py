"""TFF computations as plain TensorFlow graphs."""
