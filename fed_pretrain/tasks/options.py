"""What a user may choose about a task besides its dataset and its model."""

import dataclasses
from typing import Any


def _option(default: Any, text: str, **metadata: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": text, **metadata})


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """None means: as the task (and the start's weights) have it. Each becomes a flag."""

    preprocessing: str | None = _option(
        None,
        "how pixels are normalised in front of the model (a name of models/preprocessing.py); "
        "by default what the start's weights want",
    )
    input_size: int | None = _option(
        None, "side in pixels to which images are resized in front of the model", lower_bound=1
    )
    input_margin: int = _option(
        0,
        "empty pixels kept on each side of that size, so that proxy images are framed as those of "
        "the later task: MNIST's and FEMNIST's digits fill 20 of 28 pixels, a margin of 4",
        lower_bound=0,
    )
    sequence_length: int | None = _option(
        None, "words, subwords or characters in a row of a text task", lower_bound=1
    )
    vocabulary: str | None = _option(
        None,
        "file of the text task's words, characters or subwords; 'glove' takes the words of the "
        "embedded public vectors",
    )
    vocabulary_size: int | None = _option(
        None, "how many words of the vocabulary are used, the first ones", lower_bound=1
    )
    merges: str | None = _option(None, "file of the byte-pair merges that go with --vocabulary")
    cache_megabytes: int = _option(
        512, "memory for encoded clients, which are kept because clients recur", lower_bound=0
    )
