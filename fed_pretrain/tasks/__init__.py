"""A dataset with its model, loss, metrics and preprocessing."""

from groundwork import late_imports

_OF_DEFINITION = ("ExpectedFeature", "ModelChoice", "TaskDefaults", "TaskDefinition", "TaskOptions")
__getattr__ = late_imports.names_from(
    __name__, {"register": "known_tasks", **dict.fromkeys(_OF_DEFINITION, "definition")}
)
