"""What trains of a language model: its head, low-rank adapters of three kinds, or all of it.

    python -m benchmarks.adapters --workdir=runs/adapters          goes on where it stopped
    python -m benchmarks.adapters --workdir=runs/adapters --page   writes docs/adapters.md's table
    python -m benchmarks.adapters --smoke                          a small CNN, one round

MiniLM (`make embedded-large`) learns which of eight prompts a chat message answers; a GPT-2 of two
blocks, trained centrally on some of the clients first, the next word of the others' messages.
Clients take steps of Adam; each kind has the rate, of two, with the lowest loss on the validation
split after a third of the rounds. Figures are of the test split, before the first round and after
the last one, and bytes of a client and round on average, what comes down once included.
"""

import argparse
import dataclasses
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks import embedded_tasks, machine, smoke
from benchmarks.embedded_tasks import Setting
from fed_pretrain.experiment.assembly.run_config import ALWAYS, EvaluationConfig
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.experiment.training.run import train
from fed_pretrain.models import gpt2
from fed_pretrain.models.known_models import ModelSpec, register
from fed_pretrain.pretraining.central_training import PretrainConfig, pretrain
from fed_pretrain.pretraining.pretrain_config import CentralConfig
from fed_pretrain.starts.start_config import LORA_AVERAGES, StartConfig
from fed_pretrain.tasks.definition import TaskOptions
from groundwork import files
from groundwork.errors import UserError
from tools import page_tables

PAGE = page_tables.ROOT / "docs" / "adapters.md"
RANK, WORDS = 4, 2_000
HEAD, ALL = "head", "all"
_TINY = gpt2.Size(blocks=2, width=64, heads=4, positions=64)
Rates = Sequence[float]


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, the rates to try for each of what trains, and where all of these begin."""

    name: str
    setting: Setting
    rates: Mapping[str, Rates]
    rounds: int
    begin: Callable[[Setting, Path], str]
    eval_examples: int | None = None


def _published(setting: Setting, folder: Path) -> str:
    return str(setting.body)


def _centrally(examples: int) -> Callable[[Setting, Path], str]:
    """Central training on a part of the clients, whom the rounds leave out."""

    def begin(setting: Setting, folder: Path) -> str:
        config = PretrainConfig(
            setting.task,
            str(folder / "proxy"),
            dataset=str(setting.prepared(folder)),
            model=setting.model,
            options=setting.options,
            central=CentralConfig(epochs=3, proxy_clients=0.3, proxy_examples=examples),
        )
        pretrain(config)
        return f"checkpoint:{config.workdir}"

    return begin


_LORA: Rates = (0.003, 0.01)
_MESSAGES = embedded_tasks.embedded(
    source="chitchat",
    vocabulary=f"count:{WORDS}",
    split="by_example",
    split_fractions=(0.7, 0.1, 0.2),
)
_GPT = Setting(
    "next_word",
    "tiny_gpt2",
    _MESSAGES,
    options=TaskOptions(vocabulary_size=WORDS),
)
CASES = (
    Case(
        "MiniLM",
        embedded_tasks.BODIES["large"]["chat prompts"],
        {
            HEAD: (0.01, 0.03),
            ALL: (0.0003, 0.001),
            **dict.fromkeys(LORA_AVERAGES, _LORA),
        },
        30,
        _published,
    ),
    Case(
        "tiny GPT-2",
        _GPT,
        {**dict.fromkeys(LORA_AVERAGES, _LORA), ALL: (0.001, 0.003)},
        30,
        _centrally(10_000),
        eval_examples=500,
    ),
)
SMOKE = Case(
    "smoke",
    dataclasses.replace(embedded_tasks.BODIES["small"]["mnist5k"], body="random"),
    {"fedex": (0.003,), ALL: (0.003,)},
    1,
    _published,
)


class Cells:
    """What a case measured, each kind in its file of the work directory."""

    def __init__(self, case: Case, root: Path, session: Session) -> None:
        self._case, self._session = case, session
        self._folder = root / case.name.replace(" ", "_")

    def measured(self, kind: str) -> Mapping[str, Any]:
        file = self._folder / f"{kind}.json"
        if not file.exists():
            files.write_json(file, self._measure(kind))
        found: Mapping[str, Any] = json.loads(file.read_text())
        return found

    def _measure(self, kind: str) -> Mapping[str, Any]:
        losses = {rate: self._validated(kind, rate) for rate in self._case.rates[kind]}
        rate = min(losses, key=losses.__getitem__)
        began = time.process_time()
        rows = self._rows(kind, rate, self._case.rounds, "test")
        clients = sum(row["clients"] for row in rows)
        return {
            "losses": losses,
            "rate": rate,
            **{
                name: [rows[0][f"eval_{name}"], rows[-1][f"eval_{name}"]]
                for name in ("loss", "accuracy")
            },
            **{
                f"bytes_{way}": sum(row[f"bytes_{way}"] for row in rows) / clients
                for way in ("up", "down")
            },
            "seconds": time.process_time() - began,
        }

    def _validated(self, kind: str, rate: float) -> float:
        """The loss after half of the rounds; infinite where the run came to nothing."""
        try:
            rows = self._rows(kind, rate, -(-self._case.rounds // 3), "validation")
        except UserError as error:
            print(f"{kind} at {rate}: {error}", flush=True)
            return math.inf
        loss = float(rows[-1]["eval_loss"])
        return loss if math.isfinite(loss) else math.inf

    def _rows(self, kind: str, rate: float, rounds: int, split: str) -> Sequence[Mapping[str, Any]]:
        spec = self._case.begin(self._case.setting, self._folder)
        trains: dict[str, Any] = {"trainable": kind}
        if kind in LORA_AVERAGES:
            trains = {"trainable": "lora", "lora_rank": RANK, "lora_average": kind}
        config = self._case.setting.run(
            self._folder,
            f"{kind}-{rate}-{split}",
            StartConfig(spec=spec, **trains),
            {"rounds": rounds, **({"feature_cache": ALWAYS} if kind == HEAD else {})},
            EvaluationConfig(
                evaluate_every=rounds, eval_examples=self._case.eval_examples, eval_split=split
            ),
            algorithm_name="fedavg",
            algorithm_settings=(("client_optimizer", "adam"), ("client_learning_rate", rate)),
        )
        rows: Sequence[Mapping[str, Any]] = train(config, session=self._session).rows
        return rows


def table(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """A row a model and what trains of it."""
    rows = []
    for name, cells in found.items():
        for kind, cell in cells.items():
            figures = (
                f"{{0:.{digits}f}} → {{1:.{digits}f}}".format(*cell[what])
                for what, digits in (("loss", 3), ("accuracy", 3))
            )
            sent = (f"{cell[f'bytes_{way}'] / 1e3:,.1f}" for way in ("up", "down"))
            rows.append((name, f"`{kind}`", f"{cell['rate']:g}", *figures, *sent))
    header = ("model", "what trains", "rate", "test loss", "accuracy", "KB up", "KB down")
    return page_tables.markdown(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=None)
    names = [case.name for case in CASES]
    parser.add_argument("--cases", default=",".join(names), help="some of the models")
    parser.add_argument("--kinds", default=f"{HEAD},{ALL},{','.join(LORA_AVERAGES)}")
    parser.add_argument("--page", action="store_true", help="write the table of docs/adapters.md")
    smoke.add(parser)
    arguments = parser.parse_args()
    machine.announce()
    register(ModelSpec("tiny_gpt2", "text", gpt2.build, (), "a GPT-2", (("size", _TINY),)))
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.workdir or Path(temporary)
        asked = [case for case in CASES if case.name in arguments.cases.split(",")]
        found = measured([SMOKE] if arguments.smoke else asked, root, arguments.kinds.split(","))
    print(table(found), flush=True)
    if arguments.smoke:
        smoke.check({kind: cell["loss"][1] for kind, cell in found["smoke"].items()}, 2)
    if arguments.page:
        page_tables.rewrite(PAGE, {"adapters": lambda: machine.said_above(table(found))})


def measured(
    cases: Sequence[Case], root: Path, kinds: Sequence[str]
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Every cell that can be had."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for case in cases:
        command = case.setting.missing()
        if command is not None:
            print(f"{case.name}: left out; `{command}` fetches what it needs", flush=True)
            continue
        session = Session()
        cells = Cells(case, root, session)
        found[case.name] = {}
        for kind in (kind for kind in case.rates if kind in kinds):
            found[case.name][kind] = cells.measured(kind)
            print(f"{case.name}, {kind}: {found[case.name][kind]}", flush=True)
        session.close()
    return found


if __name__ == "__main__":
    main()
