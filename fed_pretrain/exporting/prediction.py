"""A first look at a trained model: the likeliest classes of an image, or of a text's next token."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fed_pretrain.clients.encoder import PADDING_LABEL
from fed_pretrain.exporting import model_files
from fed_pretrain.exporting.model_files import class_names
from fed_pretrain.tasks import embedded_datasets, known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.encoders.text_labels import LabelledEncoder
from fed_pretrain.tasks.task import Task
from groundwork import from_json, named_text, plugins
from groundwork.errors import UserError, words_of
from groundwork.untyped import Feature, Json

TOP = 5


@dataclasses.dataclass(frozen=True)
class Prediction:
    """`classes` are (label, probability), the likeliest first."""

    of: str
    classes: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        lines = [f"  {probability:7.2%}  {label!r}" for label, probability in self.classes]
        return "\n".join([self.of, *lines])


def predict(run: Path, which: str, file: Path) -> list[Prediction]:
    """One prediction for an image, one for each line of a text file."""
    model, labels = model_files.load(run, which)
    task = task_of(run)
    labels = labels or class_names(task)
    predictions = []
    for name, row, position in _rows(task, file):
        logits = np.asarray(model(row[np.newaxis], training=False))[0]
        predictions.append(Prediction(name, _likeliest(logits[position], labels)))
    return predictions


def task_of(run: Path) -> Task:
    """The task that a run's config.json names, on its dataset."""
    try:
        config = from_json.record(run / "config.json")["config"]
        stored = list(config.get("plugins") or filter(None, [config.get("task_module")]))
        name, folder, model = (config[key] for key in ("task", "dataset", "model"))
        options = TaskOptions(**config["options"])
        if not all(isinstance(text, str) for text in (name, *stored, folder or "", model or "")):
            raise ValueError("a name in it is not text")
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise UserError(f"--run={run}: config.json cannot be read ({error})") from error
    plugins.report_unloaded(f"--run={run}", stored)
    return known_tasks.load(name, embedded_datasets.open_for_task(name, folder), model, options)


def _likeliest(logits: np.ndarray, labels: Sequence[str]) -> tuple[tuple[str, float], ...]:
    powers = np.exp(logits - logits.max())
    probabilities = powers / powers.sum()
    best = np.argsort(-probabilities, kind="stable")[:TOP]
    return tuple((labels[i] if i < len(labels) else str(i), float(probabilities[i])) for i in best)


def _rows(task: Task, file: Path) -> Iterator[tuple[str, np.ndarray, Feature]]:
    """(what it is, the model's input, where in the output the prediction is)."""
    if task.kind == "image":
        yield str(file), read_image(file, task.encoder.x_shape), ...
    elif task.kind == "text":
        for line in _lines(file):
            yield line, *_text_row(task, line)
    else:
        raise UserError(f"--predict: task {task.name} reads neither images nor texts")


def read_image(file: Path, shape: Sequence[int | None]) -> np.ndarray:
    """The image in the size and channels of the stored ones, uint8.

    A transparent image gets a white background.
    """
    from PIL import Image

    height, width, channels = shape
    try:
        with Image.open(file) as image:
            opaque = Image.new("RGBA", image.size, "white")
            opaque.alpha_composite(image.convert("RGBA"))
    except FileNotFoundError as error:
        raise UserError(f"--predict={file}: there is no such file") from error
    except Exception as error:  # Pillow's readers meet damage in many ways.
        raise UserError(f"--predict={file}: not a readable image ({words_of(error)})") from error
    plain = opaque.convert("L" if channels == 1 else "RGB")
    size = (width or plain.width, height or plain.height)
    pixels = np.asarray(plain.resize(size, Image.Resampling.BILINEAR), np.uint8)
    return pixels.reshape(size[1], size[0], channels or 3)


def _lines(file: Path) -> list[str]:
    text = named_text.read("--predict", file)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError(f"--predict={file}: the file has no line of text")
    return lines


def _text_row(task: Task, line: str) -> tuple[np.ndarray, Feature]:
    """The last row of the text; in a sequence of outputs, what follows its last token."""
    features: dict[str, Json] = {"text": np.array([line.encode("utf-8")], object)}
    features["target"] = features["text"]
    if isinstance(task.encoder, LabelledEncoder):
        # The encoder leaves out what has no label: any known one will do.
        known = task.encoder.labels
        label: Feature = 0 if known.numbered else known.names[0].encode("utf-8")
        features[known.field] = np.array([label], np.int64 if known.numbered else object)
    x, y = task.encode(features)
    if not len(x):
        raise UserError(f"--predict: {line!r} gives no input for task {task.name}")
    if not task.encoder.y_shape:
        return x[-1], ...
    scored = np.flatnonzero(y[-1] != PADDING_LABEL)
    return x[-1], int(scored[-1]) if len(scored) else 0
