"""What both sides must agree on."""

JAX = "0.10.2"
"""The version that `environments/pjrt*.in` pin: the worker takes private parts of JAX."""
PROTOCOL = 1
