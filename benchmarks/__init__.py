"""How fast and how large it is; each program prints its machine, its command and its figures."""

# Prepares what TensorFlow and TFF need, before a benchmark imports them.
import fed_pretrain  # noqa: F401
