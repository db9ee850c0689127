"""A dataset with its model, loss, metrics and preprocessing."""

import importlib

_HOMES = {
    "ExpectedFeature": "definition",
    "ModelChoice": "definition",
    "TaskDefaults": "definition",
    "TaskDefinition": "definition",
    "TaskOptions": "definition",
    "register": "known_tasks",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
