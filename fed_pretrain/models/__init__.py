"""Architectures by name, and the weights of a model as arrays."""

from groundwork import late_imports

__getattr__ = late_imports.names_from(
    __name__, {"ModelSpec": "known_models", "register": "known_models"}
)
