"""Whether a dataset fits a task, and a sentence that says where not."""

from typing import Any

from fed_pretrain.clients.encoder import Encoder
from fed_pretrain.tasks.definition import ExpectedFeature, TaskDefinition
from groundwork.errors import UserError


def check_features(definition: TaskDefinition, dataset: Any) -> None:
    """Refuses a dataset that lacks a field of the task or holds it in another form."""
    stored = {feature.name: feature for feature in dataset.manifest.features}
    for expected in definition.expects:
        feature = stored.get(expected.name)
        if feature is None:
            raise UserError(
                f"dataset {where(dataset)} does not fit task {definition.name!r}: it has no field "
                f"{expected.name!r}; the dataset has {_listed(stored.values())}, the task expects "
                f"{_listed(definition.expects)}"
            )
        if not _fits(expected, feature):
            raise UserError(
                f"dataset {where(dataset)} does not fit task {definition.name!r}: field "
                f"{expected.name!r} is {_spec(feature)} in the dataset, the task expects "
                f"{_spec(expected)}"
            )


def check_labels(definition: TaskDefinition, dataset: Any, encoder: Encoder) -> None:
    """Refuses a dataset whose labels are not the task's."""
    names = dataset.manifest.label_names
    if encoder.label_names is None or names is None:
        return
    if len(names) != encoder.num_classes:
        raise UserError(
            f"dataset {where(dataset)} does not fit task {definition.name!r}: field 'label' has "
            f"{len(names)} classes in the dataset, the task expects {encoder.num_classes}"
        )


def where(dataset: Any) -> str:
    """The dataset's folder, as far as it has one."""
    return str(getattr(dataset, "path", "(in memory)"))


def _fits(expected: ExpectedFeature, feature: Any) -> bool:
    shape = tuple(feature.shape)
    return (
        feature.kind == expected.kind
        and len(shape) == len(expected.shape)
        and all(want in (None, have) for want, have in zip(expected.shape, shape, strict=True))
    )


def _spec(feature: Any) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in feature.shape)
    return f"{feature.kind} [{sizes}]"


def _listed(features: Any) -> str:
    return "; ".join(f"{feature.name}: {_spec(feature)}" for feature in features) or "no fields"
