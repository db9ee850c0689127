"""The embedded tasks that benchmarks of starts share: data, a small and a large body, and a run.

Small bodies are a CNN and a bag of words; large ones are SqueezeNet with ImageNet's weights and
MiniLM (`make embedded-large`). Fashion-MNIST is there after `make fashion-mnist`.
"""

import csv
import dataclasses
import gzip
import shutil
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.experiment.assembly.run_config import (
    EvaluationConfig,
    RunConfig,
    SavingConfig,
    WorkConfig,
)
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks.definition import TaskOptions
from groundwork import embedded_packages
from groundwork.errors import UserError


@dataclasses.dataclass(frozen=True)
class Setting:
    """A task with its data, its model, and what its body is pre-trained on.

    body: a start; without one it is trained centrally on the task `proxy`, whose classes may be the
    same. needs: packages that are not there by themselves, each with the command that fetches it.
    """

    task: str
    model: str
    data: Callable[[Path], Mapping[str, Any]]
    body: str | None = None
    proxy: str | None = None
    same_classes: bool = False
    options: TaskOptions = dataclasses.field(default_factory=TaskOptions)
    clients_per_round: int = 8
    needs: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def run(
        self,
        folder: Path,
        place: str,
        start: StartConfig,
        work: Mapping[str, Any],
        evaluation: EvaluationConfig,
        **more: Any,
    ) -> RunConfig:
        """A run in a place of `folder`, on the dataset that is prepared there once."""
        usual = {"clients_per_round": self.clients_per_round, "batch_size": 8, "max_examples": 24}
        return RunConfig(
            task=self.task,
            dataset=str(self.prepared(folder)),
            workdir=str(folder / place),
            model=self.model,
            start=start,
            options=self.options,
            work=WorkConfig(**{**usual, **work}),
            evaluation=evaluation,
            saving=SavingConfig(checkpoint_every=1000, tensorboard=False),
            **more,
        )

    def prepared(self, folder: Path) -> Path:
        """The dataset, in its own folder."""
        output = folder / "dataset"
        if not (output / "manifest.json").exists():
            raw = folder / "raw"
            raw.mkdir(parents=True, exist_ok=True)
            prepare(PrepareConfig(**self.data(raw), output=str(output)))
        return output

    def missing(self) -> str | None:
        """The command that fetches what the task needs, where it is not there."""
        for package, command in self.needs.items():
            try:
                embedded_packages.path(package)
            except UserError:
                return command
        return None


def embedded(**settings: Any) -> Callable[[Path], Mapping[str, Any]]:
    return lambda folder: settings


_CLIENTS = {"partition": "dirichlet", "num_clients": 30, "alpha": 0.1}
_SPLIT = {"split": "by_example", "split_fractions": (0.7, 0.1, 0.2)}
_SHORT = TaskOptions(sequence_length=16)
IMAGES, _TEXTS, _CLASSES, _SPEAKERS = 1_000, 600, 8, 30


def _fashion(folder: Path) -> Mapping[str, Any]:
    """The first images of Fashion-MNIST."""
    source = embedded_packages.path("fashion_mnist")
    for part, count in (("train", IMAGES), ("t10k", IMAGES // 4)):
        for kind, header, size in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            name = f"{part}-{kind}-ubyte"
            content = gzip.decompress((source / f"{name}.gz").read_bytes())
            counted = content[:4] + struct.pack(">I", count) + content[8:header]
            (folder / name).write_bytes(counted + content[header : header + count * size])
    return {"source": "fashion_mnist", "input": str(folder), **_CLIENTS}


def _labelled_texts(source: str, label: str) -> Callable[[Path], Mapping[str, Any]]:
    """Texts of the commonest classes, from the clients that have most of them, as a CSV file."""

    def write(folder: Path) -> Mapping[str, Any]:
        whole = folder / "whole"
        prepare(PrepareConfig(source=source, output=str(whole), vocabulary="none"))
        found = list(_rows(whole, label))
        classes = [name for name, _ in Counter(row[2] for row in found).most_common(_CLASSES)]
        kept = [row for row in found if row[2] in classes]
        own = defaultdict(list)
        for row in kept:
            own[row[0]].append(row)
        most = sorted(own, key=lambda client: (-len(own[client]), client))[:_SPEAKERS]
        with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
            written = csv.writer(file)
            written.writerow(("client", "text", "label"))
            for client in most:
                written.writerows(own[client][: _TEXTS // _SPEAKERS])
        shutil.rmtree(whole)
        options = {name: name for name in ("client", "text", "label")}
        return {
            "source": "csv",
            "input": str(folder / "texts.csv"),
            "source_options": options,
            "vocabulary": "none",
            **_SPLIT,
        }

    return write


def _rows(dataset: Path, label: str) -> Iterator[tuple[str, str, str]]:
    from data_prep.store.reader import open_dataset

    opened = open_dataset(str(dataset))
    for client in opened.index("train").client_ids:
        features = opened.read_client("train", client)
        texts, labels = (features[name].numpy() for name in ("text", label))
        for text, name in zip(texts, labels, strict=True):
            if name and text.strip() and name != b"(no prompt)":
                yield str(client), text.decode(), name.decode()


_DIGITS = embedded(source="digits", partition="natural")
_MNIST5K = embedded(source="mnist5k", **_CLIENTS, **_SPLIT)
_PROMPTS, _PLAYS = _labelled_texts("chitchat", "prompt"), _labelled_texts("shakespeare", "title")
_IMAGE, _TEXT = ("squeezenet1_1", "package:ndf"), ("bert_encoder", "package:minilm")


def _small(task: str, data: Callable[[Path], Mapping[str, Any]], **more: Any) -> Setting:
    return Setting(task, "word_bag" if task == "text_classification" else "edge_cnn", data, **more)


def _large(task: str, data: Callable[[Path], Mapping[str, Any]], **more: Any) -> Setting:
    if task == "text_classification":
        needs = {"minilm": "make embedded-large"}
        return Setting(
            task, _TEXT[0], data, _TEXT[1], options=_SHORT, clients_per_round=4, needs=needs
        )
    return Setting(task, _IMAGE[0], data, _IMAGE[1], **more)


def _settings(setting: Callable[..., Setting]) -> Mapping[str, Setting]:
    same = {"same_classes": True}
    fetched = {"needs": {"fashion_mnist": "make fashion-mnist"}}
    return {
        "digits": setting("digits", _DIGITS, proxy="mnist5k", **same),
        "mnist5k": setting("mnist5k", _MNIST5K, proxy="digits", **same),
        "fashion_mnist": setting("fashion_mnist", _fashion, proxy="mnist5k", **fetched),
        "chat prompts": setting("text_classification", _PROMPTS, proxy="plays"),
        "plays": setting("text_classification", _PLAYS, proxy="chat prompts"),
    }


BODIES: Mapping[str, Mapping[str, Setting]] = {
    "small": _settings(_small),
    "large": _settings(_large),
}
# Small enough for a check that a benchmark works.
SMOKE = dataclasses.replace(BODIES["small"]["digits"], body="random")
