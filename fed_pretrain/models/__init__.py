"""Architectures by name, and the weights of a model as arrays."""

import importlib

_HOMES = {"ModelSpec": "known_models", "register": "known_models"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
