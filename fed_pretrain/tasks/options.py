"""What a user may choose about a task besides its dataset and its model."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """None means: as the task (and the start's weights) have it.

    preprocessing: a name of models/preprocessing.py; it belongs to the model-start pair.
    input_size: images are resized to this height and width before the model.
    sequence_length: tokens, characters or window length of a text example.
    vocabulary: file of the words or subwords (or a name the task knows).
    vocabulary_size: only the first so many words.
    merges: file of the byte-pair merges, beside `vocabulary`.
    cache_megabytes: how much memory the encoded clients that recur may take.
    """

    preprocessing: str | None = None
    input_size: int | None = None
    sequence_length: int | None = None
    vocabulary: str | None = None
    vocabulary_size: int | None = None
    merges: str | None = None
    cache_megabytes: int = 512
