"""Eight heads on five tasks: accuracy, bytes, seconds, and the round in which FedAdam passes them.

    python -m benchmarks.heads --workdir=runs/heads            again, it goes on where it stopped
    python -m benchmarks.heads --workdir=runs/heads --page     and writes the table of docs/heads.md
    python -m benchmarks.heads --workdir=runs/large --bodies=large   SqueezeNet's and MiniLM's
    python -m benchmarks.heads --smoke                         one task, two heads, one round

Each cell is a file of the work directory. Small bodies are trained centrally on another of the
tasks first; large ones are those of ImageNet and MiniLM (`make embedded-large`). Bytes are those of
all clients, down and up; seconds are CPU time of the process, with what is traced and compiled.
Fashion-MNIST is there after `make fashion-mnist`; a task that lacks its data is left out with a
sentence.
"""

import argparse
import csv
import dataclasses
import json
import os
import shutil
import struct
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks import machine, smoke
from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.evaluations import Evaluations
from fed_pretrain.experiment.assembly.run_config import (
    EvaluationConfig,
    RunConfig,
    SavingConfig,
    WorkConfig,
)
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.experiment.training.run import train
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.pretraining.central_training import PretrainConfig, pretrain
from fed_pretrain.pretraining.pretrain_config import CentralConfig
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks.definition import TaskOptions
from groundwork import embedded_packages, files
from groundwork.errors import UserError
from tools import page_tables

PAGE = page_tables.ROOT / "docs" / "heads.md"
KEPT, LP_FT, FEDADAM = "kept", "LP-FT", "FedAdam"
# What trains nothing: the start and its head.
ONE_PASS: Mapping[str, tuple[bool, str]] = {
    "random head": (True, "new"),
    "ncm": (True, "ncm"),
    "cof": (True, "cof"),
    "gaussian": (True, "gaussian"),
    "ridge": (True, "ridge"),
    "random features": (False, "ridge"),
}
HEADS = (*ONE_PASS, KEPT, LP_FT, FEDADAM)


@dataclasses.dataclass(frozen=True)
class Setting:
    """A task with its data, its model, and what its body is pre-trained on.

    body: a start; without one it is trained centrally on the task `proxy`, whose classes may be the
    same.
    """

    task: str
    model: str
    data: Callable[[Path], Mapping[str, Any]]
    body: str | None = None
    proxy: str | None = None
    same_classes: bool = False
    options: TaskOptions = dataclasses.field(default_factory=TaskOptions)
    clients_per_round: int = 8


def _embedded(**settings: Any) -> Callable[[Path], Mapping[str, Any]]:
    return lambda folder: settings


_CLIENTS = {"partition": "dirichlet", "num_clients": 30, "alpha": 0.1}
_SPLIT = {"split": "by_example", "split_fractions": (0.7, 0.1, 0.2)}
_SHORT = TaskOptions(sequence_length=16)
_IMAGES, _TEXTS, _CLASSES, _SPEAKERS = 1_000, 600, 8, 30


def _fashion(folder: Path) -> Mapping[str, Any]:
    """The first images of Fashion-MNIST."""
    source = embedded_packages.path("fashion_mnist")
    for part, count in (("train", _IMAGES), ("t10k", _IMAGES // 4)):
        for kind, header, size in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            name = f"{part}-{kind}-ubyte"
            content = _unpacked(source / f"{name}.gz")
            counted = content[:4] + struct.pack(">I", count) + content[8:header]
            (folder / name).write_bytes(counted + content[header : header + count * size])
    return {"source": "fashion_mnist", "input": str(folder), **_CLIENTS}


def _unpacked(path: Path) -> bytes:
    import gzip

    return gzip.decompress(path.read_bytes())


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


_DIGITS = _embedded(source="digits", partition="natural")
_MNIST5K = _embedded(source="mnist5k", **_CLIENTS, **_SPLIT)
_PROMPTS, _PLAYS = _labelled_texts("chitchat", "prompt"), _labelled_texts("shakespeare", "title")
_IMAGE, _TEXT = ("squeezenet1_1", "package:ndf"), ("bert_encoder", "package:minilm")


def _small(task: str, data: Callable[[Path], Mapping[str, Any]], **more: Any) -> Setting:
    return Setting(task, "word_bag" if task == "text_classification" else "edge_cnn", data, **more)


def _large(task: str, data: Callable[[Path], Mapping[str, Any]], **more: Any) -> Setting:
    if task == "text_classification":
        return Setting(task, _TEXT[0], data, _TEXT[1], options=_SHORT, clients_per_round=4)
    return Setting(task, _IMAGE[0], data, _IMAGE[1], **more)


def _settings(setting: Callable[..., Setting]) -> Mapping[str, Setting]:
    same = {"same_classes": True}
    return {
        "digits": setting("digits", _DIGITS, proxy="mnist5k", **same),
        "mnist5k": setting("mnist5k", _MNIST5K, proxy="digits", **same),
        "fashion_mnist": setting("fashion_mnist", _fashion, proxy="mnist5k"),
        "chat prompts": setting("text_classification", _PROMPTS, proxy="plays"),
        "plays": setting("text_classification", _PLAYS, proxy="chat prompts"),
    }


BODIES: Mapping[str, Mapping[str, Setting]] = {
    "small": _settings(_small),
    "large": _settings(_large),
}
TASKS = tuple(BODIES["small"])
# Small enough for a check that a benchmark works.
SMOKE = dataclasses.replace(BODIES["small"]["digits"], body="random")


def prepared(setting: Setting, folder: Path) -> Path:
    """The setting's dataset, in its own folder."""
    output = folder / "dataset"
    if not (output / "manifest.json").exists():
        raw = folder / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        prepare(PrepareConfig(**setting.data(raw), output=str(output)))
    return output


class Cells:
    """The cells of one task; `rounds` of FedAdam, of which half are of the head alone in LP-FT."""

    def __init__(self, name: str, settings: Mapping[str, Setting], root: Path, rounds: int) -> None:
        self._setting, self._settings, self._rounds = settings[name], settings, rounds
        self._root, self._folder = root, _folder(root, name)
        self._session = Session()

    def measured(self, head: str) -> Mapping[str, Any]:
        """The cell's figures, from its file if it is there."""
        file = self._folder / f"{head.replace(' ', '_')}.json"
        if not file.exists():
            files.write_json(file, self._measure(head))
        found: Mapping[str, Any] = json.loads(file.read_text())
        return found

    def close(self) -> None:
        self._session.close()

    def _measure(self, head: str) -> Mapping[str, Any]:
        if head in ONE_PASS:
            pre_trained, kind = ONE_PASS[head]
            spec = self._body() if pre_trained else "random"
            return self._at_once(StartConfig(spec=spec, head=kind))
        if head == KEPT:
            if not self._setting.same_classes:
                return {"reason": "no weights know these classes"}
            return self._at_once(StartConfig(spec=self._proxy(), head="keep"))
        start = StartConfig(spec=self._body(), head="new")
        return self._trained(head, start, self._rounds // 2 if head == LP_FT else 0)

    def _at_once(self, start: StartConfig) -> Mapping[str, Any]:
        began = time.process_time()
        assembly = assemble(self._config(start, "unused"), self._session)
        seconds = time.process_time() - began
        facts = assembly.start.report.facts
        each = sum(facts.get(f"head_bytes_{way}_per_client", 0) for way in ("down", "up"))
        row = Evaluations(assembly).row(ModelArrays(*assembly.start.weights), [])
        return {
            "accuracy": row["eval_accuracy"],
            "bytes": each * facts.get("head_clients", 0),
            "seconds": seconds,
        }

    def _body(self) -> str:
        return self._setting.body or self._proxy()

    def _proxy(self) -> str:
        """Central training on the proxy's data, done once."""
        setting, name = self._setting, str(self._setting.proxy)
        proxy = dataclasses.replace(self._settings[name], body=None)
        place = self._folder / "proxy"
        pretrain(
            PretrainConfig(
                proxy.task,
                str(place),
                dataset=str(prepared(proxy, _folder(self._root, name))),
                model=setting.model,
                options=setting.options,
                start=StartConfig(spec=setting.body or "random"),
                central=CentralConfig(epochs=5, proxy_examples=_IMAGES, batch_size=32),
            )
        )
        return f"checkpoint:{place}"

    def _trained(self, head: str, start: StartConfig, probing: int) -> Mapping[str, Any]:
        settings = (("head_rounds", probing),) if probing else ()
        began = time.process_time()
        rows = train(self._config(start, head, settings), session=self._session).rows
        evaluated = [row for row in rows if row.get("eval_accuracy") is not None]
        return {
            "accuracy": evaluated[-1]["eval_accuracy"],
            "bytes": sum(row["bytes_down"] + row["bytes_up"] for row in rows),
            "seconds": time.process_time() - began,
            "curve": [[row["round"], row["eval_accuracy"]] for row in evaluated],
        }

    def _config(
        self, start: StartConfig, place: str, settings: tuple[tuple[str, Any], ...] = ()
    ) -> RunConfig:
        setting = self._setting
        return RunConfig(
            task=setting.task,
            dataset=str(prepared(setting, self._folder)),
            workdir=str(self._folder / place.replace(" ", "_")),
            model=setting.model,
            start=start,
            options=setting.options,
            algorithm_name="fedadam",
            algorithm_settings=settings,
            work=WorkConfig(
                rounds=self._rounds,
                clients_per_round=setting.clients_per_round,
                batch_size=8,
                max_examples=24,
            ),
            evaluation=EvaluationConfig(evaluate_every=2),
            saving=SavingConfig(checkpoint_every=1000, tensorboard=False),
        )


def missing(name: str, setting: Setting) -> str | None:
    """The command that fetches what a task needs, where it is not there."""
    needs = {"fashion_mnist": ("fashion_mnist", "make fashion-mnist")}
    needs |= {name: ("minilm", "make embedded-large")} if setting.body == _TEXT[1] else {}
    package, command = needs.get(name, ("digits", ""))
    try:
        embedded_packages.path(package)
    except UserError:
        return command
    return None


def _folder(root: Path, name: str) -> Path:
    return root / name.replace(" ", "_")


def table(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """A row a task and head."""
    rows = []
    for name, cells in found.items():
        curve = cells.get(FEDADAM, {}).get("curve", [])
        for head, cell in cells.items():
            rows.append((name, head, *_figures(cell, curve if head != FEDADAM else None)))
    header = (
        "task",
        "head",
        "accuracy",
        "MB sent",
        "CPU seconds",
        "FedAdam passes it in round",
    )
    return page_tables.markdown(header, rows)


def _figures(cell: Mapping[str, Any], curve: Sequence[Any] | None) -> tuple[str, ...]:
    if "reason" in cell:
        return (cell["reason"], "", "", "")
    passing = ""
    if curve:
        above = [number for number, accuracy in curve if accuracy > cell["accuracy"]]
        passing = str(above[0]) if above else f"more than {curve[-1][0]}"
    sent, seconds = f"{cell['bytes'] / 1e6:.1f}", f"{cell['seconds']:.0f}"
    return f"{cell['accuracy']:.3f}", sent, seconds, passing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=None)
    parser.add_argument("--tasks", default=",".join(TASKS), help="some of the tasks")
    parser.add_argument("--bodies", choices=tuple(BODIES), default="small")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--page", action="store_true", help="write the table of docs/heads.md")
    smoke.add(parser)
    arguments = parser.parse_args()
    said = machine.describe()
    print("\n".join(said.values()), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.workdir or Path(temporary)
        if arguments.smoke:
            cells = Cells("smoke", {"smoke": SMOKE}, root, rounds=1)
            heads = ("ncm", FEDADAM)
            figures = {head: cells.measured(head)["accuracy"] for head in heads}
            cells.close()
            smoke.check(figures, len(heads))
            return
        settings = BODIES[arguments.bodies]
        found = measured(root, settings, arguments.tasks.split(","), arguments.rounds)
    print(table(found), flush=True)
    if arguments.page:
        lines = f"{said['machine']}; `{said['command']}`\n\n"
        text = page_tables.fresh(PAGE.read_text(), {"heads": lambda: lines + table(found)})
        files.write_text(PAGE, text)


def measured(
    root: Path, settings: Mapping[str, Setting], tasks: Sequence[str], rounds: int
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Every cell that can be had."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name in tasks:
        command = missing(name, settings[name])
        if command is not None:
            print(f"{name}: left out; `{command}` fetches what it needs", file=sys.stderr)
            continue
        cells = Cells(name, settings, root, rounds)
        found[name] = {}
        for head in HEADS:
            found[name][head] = cells.measured(head)
            print(f"{name}, {head}: {_figures(found[name][head], None)}", flush=True)
        cells.close()
    return found


if __name__ == "__main__":
    main()
