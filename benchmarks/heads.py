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
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks import machine, smoke
from benchmarks.embedded_tasks import BODIES, IMAGES, SMOKE, Setting
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.evaluations import Evaluations
from fed_pretrain.experiment.assembly.run_config import EvaluationConfig, RunConfig
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.experiment.training.run import train
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.pretraining.central_training import PretrainConfig, pretrain
from fed_pretrain.pretraining.pretrain_config import CentralConfig
from fed_pretrain.starts.start_config import StartConfig
from groundwork import files
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
                dataset=str(proxy.prepared(_folder(self._root, name))),
                model=setting.model,
                options=setting.options,
                start=StartConfig(spec=setting.body or "random"),
                central=CentralConfig(epochs=5, proxy_examples=IMAGES, batch_size=32),
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
        return self._setting.run(
            self._folder,
            place.replace(" ", "_"),
            start,
            {"rounds": self._rounds},
            EvaluationConfig(evaluate_every=2),
            algorithm_name="fedadam",
            algorithm_settings=settings,
        )


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
    parser.add_argument("--tasks", default=",".join(BODIES["small"]), help="some of the tasks")
    parser.add_argument("--bodies", choices=tuple(BODIES), default="small")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--page", action="store_true", help="write the table of docs/heads.md")
    smoke.add(parser)
    arguments = parser.parse_args()
    machine.announce()
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
        block = f"heads_{arguments.bodies}"
        page_tables.rewrite(PAGE, {block: lambda: machine.said_above(table(found))})


def measured(
    root: Path, settings: Mapping[str, Setting], tasks: Sequence[str], rounds: int
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Every cell that can be had."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name in tasks:
        command = settings[name].missing()
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
