"""Refuses steps whose data, task, model, start and clients do not fit, before anything runs.

What a dataset will hold is known from its source before it is prepared; what is not known yet is
left to the step itself. It imports no TensorFlow.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundwork.errors import UserError
from groundwork.untyped import Json
from pipelines.execution import flag_check
from pipelines.execution.flag_check import Mistake
from pipelines.plan.document import Document
from pipelines.plan.steps import Input, Step

if TYPE_CHECKING:
    from data_prep.store.features import FeatureSpec

_TRAIN_SPLIT = "train"


@dataclass(frozen=True)
class _Data:
    """What is known of a dataset; `clients`: no more than these train."""

    features: "Sequence[FeatureSpec]"
    clients: int | None


def check(asked: Sequence[Step], steps: Sequence[Step], document: Document) -> None:
    """Raises the first mistake in the plan; `steps` are all, for what `asked` read."""
    known = {step.step_id: step for step in steps}
    flag_check.refuse(_mistakes(asked, known), document)


def _mistakes(asked: Sequence[Step], steps: Mapping[str, Step]) -> Iterator[Mistake]:
    for step in asked:
        if "task" not in step.flags:
            continue
        try:
            data = _data_of(step, steps)
            if data is not None:
                _check_features(step, data)
                _check_clients(step, data)
            _check_start(step, steps)
        except UserError as error:
            yield Mistake(step, str(error))


def _data_of(step: Step, steps: Mapping[str, Step]) -> _Data | None:
    """Of the folder, of the step that prepares it, or of the task's own; None where unknown."""
    from fed_pretrain.tasks import known_tasks

    dataset = step.flags.get("dataset")
    if isinstance(dataset, str):
        return _stored(dataset)
    if isinstance(dataset, Input):
        return _announced(steps[dataset.step_id].flags)
    prepare = known_tasks.get(step.flags["task"]).prepare
    return None if prepare is None else _announced(prepare)


def _stored(folder: str) -> _Data:
    from data_prep.store.reader import open_dataset

    try:
        dataset = open_dataset(folder)
    except UserError as error:
        raise UserError(f"--dataset={folder}: {error}") from error
    splits = dataset.manifest.splits
    clients = splits[_TRAIN_SPLIT].clients if _TRAIN_SPLIT in splits else 0
    return _Data(dataset.manifest.features, clients)


def _announced(prepare: Mapping[str, Json]) -> _Data | None:
    """By a source that can be opened here; one that comes by the network is not asked."""
    from data_prep.sources import known_sources
    from data_prep.sources.source import resolve_options

    name, pattern = str(prepare["source"]), str(prepare.get("input", ""))
    source = known_sources.get(name)
    if source.prefix or (source.needs_input and not Path(pattern).exists()):
        return None
    options = dict(
        text.split("=", 1) for text in str(prepare.get("source_options", "")).split(",") if text
    )
    try:
        reader = source.open(pattern, resolve_options(source, options))
    except UserError:
        return None
    made_up = prepare.get("num_clients")
    return _Data(reader.features, int(made_up) if made_up else source.clients)


def _check_features(step: Step, data: _Data) -> None:
    from fed_pretrain.tasks import known_tasks

    misfit = known_tasks.misfit_of(known_tasks.get(step.flags["task"]), data.features)
    if misfit is not None:
        raise UserError(f"the dataset does not fit --task={step.flags['task']}: {misfit}")


def _check_clients(step: Step, data: _Data) -> None:
    wanted = step.flags.get("clients_per_round")
    if wanted is None or data.clients is None or step.flags.get("sampling") == "all":
        return
    if int(wanted) > data.clients:
        raise UserError(
            f"--clients_per_round={wanted}: the dataset has only {data.clients} training clients"
        )


def _check_start(step: Step, steps: Mapping[str, Step]) -> None:
    """Another architecture, or another number of colours, has other weights."""
    from fed_pretrain.starts.origins import origin

    start = step.flags.get("start", "random")
    if step.flags.get("allow_partial_start"):
        return
    model = _model(step)
    if isinstance(start, str):
        wanted = origin.model_of(start)
        if wanted is not None and wanted != model:
            raise UserError(
                f"--start={start} holds the weights of {wanted}, the run trains {model}"
            )
        return
    if start.step_id.startswith("pretrain/"):
        _check_pretrained(step, steps[start.step_id], steps)


def _check_pretrained(step: Step, pretraining: Step, steps: Mapping[str, Step]) -> None:
    place = f"--start: {pretraining.step_id} pre-trains"
    trained, wanted = _model(pretraining), _model(step)
    if trained != wanted:
        raise UserError(f"{place} {trained}, the run trains {wanted}: give both the same --model")
    trained_on, colours = _channels(pretraining, steps), _channels(step, steps)
    if None not in (trained_on, colours) and trained_on != colours:
        raise UserError(
            f"{place} on images of {trained_on} channels, the run reads {colours}: pre-train on"
            " images of the same"
        )


def _model(step: Step) -> str:
    from fed_pretrain.tasks import known_tasks

    return str(step.flags.get("model") or known_tasks.get(step.flags["task"]).models[0].name)


def _channels(step: Step, steps: Mapping[str, Step]) -> int | None:
    """Of the images that reach the model's first layer; None where unknown or of no images."""
    from fed_pretrain.tasks import known_tasks

    data = _data_of(step, steps)
    image = next((f for f in data.features if f.kind == "image"), None) if data else None
    if data is None or image is None:
        return None
    definition = known_tasks.get(step.flags["task"])
    choice = known_tasks.choice(definition, data.features, step.flags.get("model"))
    return choice.channels or image.shape[-1]
