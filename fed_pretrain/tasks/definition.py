"""What a task is before it meets a dataset, and whether a dataset fits it."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from data_prep.store.features import FeatureSpec
from fed_pretrain.clients.encoder import Encoder
from groundwork.errors import UserError
from groundwork.settings import setting
from groundwork.untyped import Json

if TYPE_CHECKING:
    import tensorflow as tf

    from data_prep.store.reader import PreparedDataset
    from fed_pretrain.tasks.objective import Objective


@dataclasses.dataclass(frozen=True)
class TaskDefaults:
    """Every definition states the origin of its values beside them."""

    clients_per_round: int = 10
    batch_size: int = 20
    epochs: int = 1
    rounds: int = 100
    evaluate_every: int = 10
    evaluation_batch_size: int = 256
    max_examples: int | None = None
    evaluation_examples: int | None = None


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """None means: as the task (and the start's weights) have it. Each becomes a flag."""

    preprocessing: str | None = setting(
        None,
        "How pixels are normalised in front of the model (a name of models/preprocessing.py); "
        "by default what the start's weights want.",
    )
    input_size: int | None = setting(
        None, "Side in pixels to which images are resized in front of the model.", lower_bound=1
    )
    input_margin: int = setting(
        0,
        "Empty pixels kept on each side of that size, so that proxy images are framed as those of "
        "the later task: MNIST's and FEMNIST's digits fill 20 of 28 pixels, a margin of 4.",
        lower_bound=0,
    )
    sequence_length: int | None = setting(
        None, "Words, subwords or characters in a row of a text task.", lower_bound=1
    )
    vocabulary: str | None = setting(
        None,
        "File of the text task's words, characters or subwords; 'glove' takes the words of the "
        "embedded public vectors, and hub:NAME[@REVISION] the subwords of a published model.",
        url=True,
    )
    vocabulary_size: int | None = setting(
        None, "How many words of the vocabulary are used, the first ones.", lower_bound=1
    )
    merges: str | None = setting(
        None, "File of the byte-pair merges that go with --vocabulary.", url=True
    )
    cache_megabytes: int = setting(
        512,
        "Megabytes for encoded clients, which are kept because clients recur.",
        lower_bound=0,
        moves_numbers=False,
    )


Kind = Literal["image", "text", "vector"]
MakeEncoder = Callable[["PreparedDataset", TaskOptions], Encoder]


@dataclasses.dataclass(frozen=True)
class ExpectedFeature:
    """A field the dataset must hold; None in the shape fits any size."""

    name: str
    kind: str
    shape: tuple[int | None, ...] = ()


@dataclasses.dataclass(frozen=True)
class ModelChoice:
    """A model a task can train, and how the task's rows must look for it.

    name: a name of models/known_models.py, or any name when `build` is given.
    encoder: makes the rows this model reads; None takes the task's own.
    start: the start the task expects this model to have, shown to the user.
    preprocessing, input_size, channels: of images, unless the options say otherwise.
    arguments: further arguments of the model's builder.
    build: builds the model from outside models/known_models.py, with the same arguments.
    whole: builds all of it from the rows on, given the number of classes; nothing goes in front.
    defaults: where this model's rows ask for others than the task's.
    """

    name: str
    encoder: MakeEncoder | None = None
    start: str = "random"
    preprocessing: str = "unit"
    input_size: int | None = None
    channels: int | None = None
    arguments: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    build: "Callable[..., tf.keras.Model] | None" = None
    whole: "Callable[[int], tf.keras.Model] | None" = None
    defaults: TaskDefaults | None = None


@dataclasses.dataclass(frozen=True)
class TaskDefinition:
    """A task by name; its functions are module-level, so that tasks pickle.

    prepare: the settings with which data_prep prepares the embedded dataset of this task;
        None where the user brings the data.
    background: the pixel value of empty paper the model shall see; a dataset whose manifest says
        another one is inverted in front of the model.
    build, objective: for tasks that are neither images nor text with softmax cross-entropy.
    of_logits: whether a model that ends in probabilities is a mistake.
    """

    name: str
    title: str
    kind: Kind
    expects: tuple[ExpectedFeature, ...]
    encoder: MakeEncoder
    models: tuple[ModelChoice, ...]
    defaults: TaskDefaults = dataclasses.field(default_factory=TaskDefaults)
    prepare: Mapping[str, Json] | None = None
    background: int | None = None
    build: "Callable[[OpenTask, int], tf.keras.Model] | None" = None
    objective: "Callable[[OpenTask], Objective] | None" = None
    of_logits: bool = True

    def choice(self, model: str | None) -> ModelChoice | None:
        """The named model, the first one for None, nothing for a name that is not listed."""
        if model is None:
            return self.models[0]
        return next((choice for choice in self.models if choice.name == model), None)


class OpenTask(Protocol):
    """A task on its dataset, as far as models and objectives are made from it."""

    @property
    def definition(self) -> TaskDefinition: ...

    @property
    def dataset(self) -> "PreparedDataset": ...

    @property
    def choice(self) -> ModelChoice: ...

    @property
    def options(self) -> TaskOptions: ...

    @property
    def encoder(self) -> Encoder: ...

    @property
    def preprocessing(self) -> str: ...

    @property
    def input_size(self) -> int | None: ...


def misfit(definition: TaskDefinition, features: Sequence[FeatureSpec]) -> str | None:
    """What of these features is not as the task expects it."""
    stored = {feature.name: feature for feature in features}
    for expected in definition.expects:
        feature = stored.get(expected.name)
        if feature is None:
            return (
                f"it has no field {expected.name!r}; the dataset has {_listed(features)}, the task"
                f" expects {_listed(definition.expects)}{_of_a_table(expected.name)}"
            )
        if not _fits(expected, feature):
            return (
                f"field {expected.name!r} is {_spec(feature)} in the dataset, the task expects"
                f" {_spec(expected)}"
            )
    return None


def check_labels(definition: TaskDefinition, dataset: "PreparedDataset", encoder: Encoder) -> None:
    """Refuses a dataset whose labels are not the task's."""
    names = dataset.manifest.label_names
    if encoder.label_names is None or names is None:
        return
    if len(names) != encoder.num_classes:
        raise UserError(
            f"dataset {where(dataset)} does not fit task {definition.name!r}: field 'label' has "
            f"{len(names)} classes in the dataset, the task expects {encoder.num_classes}"
        )


def where(dataset: "PreparedDataset") -> str:
    """The dataset's folder, as far as it has one."""
    return str(getattr(dataset, "path", "(in memory)"))


def _of_a_table(name: str) -> str:
    """How a column of the user's gets the name of a field."""
    if name not in ("text", "label"):
        return ""
    return f" (of a table, `prepare --source_options={name}=COLUMN` names it)"


def _fits(expected: ExpectedFeature, feature: FeatureSpec) -> bool:
    shape = tuple(feature.shape)
    return (
        feature.kind == expected.kind
        and len(shape) == len(expected.shape)
        and all(want in (None, have) for want, have in zip(expected.shape, shape, strict=True))
    )


def _spec(feature: ExpectedFeature | FeatureSpec) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in feature.shape)
    return f"{feature.kind} [{sizes}]"


def _listed(features: Iterable[ExpectedFeature | FeatureSpec]) -> str:
    return "; ".join(f"{feature.name}: {_spec(feature)}" for feature in features) or "no fields"
