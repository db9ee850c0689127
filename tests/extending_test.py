"""The examples of docs/extending.md, each one file, do what the page says."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data_prep.store.reader import open_dataset
from tests.command_server import Server

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    name: f"# {name}.py:{body}"
    for name, body in re.findall(
        r"```python\n# (\w+)\.py:(.*?)```", (ROOT / "docs/extending.md").read_text(), re.DOTALL
    )
}
KNOWN = """
from data_prep.partitions import partition_config
from data_prep.sources import known_sources
from fed_pretrain.algorithms import known_server_optimizers
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.models import known_models
from fed_pretrain.probes import known_probes
from fed_pretrain.reporting import known_sections
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tracking import known_trackers
from groundwork import plugins
from groundwork.errors import UserError
import sys
lists = {
    "flowers": known_tasks.names, "mine": known_models.names, "halved": known_updates.names,
    "sign": known_server_optimizers.names, "largest": known_probes.known,
    "squares": known_sources.names, "striped": partition_config.rules,
    "how_many": known_sections.names, "lines": known_trackers.known,
}
assert not [name for name, names in lists.items() if name in names()]
plugins.load(sys.argv[1:])
assert not [name for name, names in lists.items() if name not in names()]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    for name, text in {**EXAMPLES, "known": KNOWN}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    made = Server(["known", "data_prep.prepare", "fed_pretrain.train"], folder)
    yield made
    made.close()


@pytest.fixture
def run(server: Server, folder: Path) -> Callable[..., None]:
    def run(module: str, *arguments: str) -> None:
        done = server.run(module, arguments, folder, seconds=400)
        assert done["code"] == 0, done

    return run


def python(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **paths},
        timeout=400,
    )


def test_the_page_shows_each_kind_of_thing_in_at_most_25_lines():
    assert len(EXAMPLES) == 9
    assert max(text.count("\n") for text in EXAMPLES.values()) <= 25


def test_every_example_registers_its_name(run: Callable[..., None]):
    run("known", *EXAMPLES)


def test_a_source_and_a_partition_of_ones_own_prepare_a_dataset(
    run: Callable[..., None], folder: Path
):
    flags = ("--source=squares", "--output=data", "--partition=striped", "--num_clients=4")
    run("data_prep.prepare", "--plugin=my_source,my_partition", "--split=none", *flags)
    index = open_dataset(folder / "data").index("train")
    assert list(index.num_examples) == [3, 3, 3, 3]


def test_a_client_update_and_a_probe_of_ones_own_train_a_run(
    run: Callable[..., None], folder: Path
):
    def rows(workdir: str, *flags: str) -> list[dict[str, str]]:
        plugins = ("--plugin=my_update,my_probe,my_tracker", "--probes=largest", "--track=lines")
        settings = ("--task=digits", "--rounds=2", "--clients_per_round=2", f"--workdir={workdir}")
        run("fed_pretrain.train", *plugins, *settings, *flags)
        with open(folder / workdir / "metrics.csv", newline="") as file:
            return list(csv.DictReader(file))

    whole, half = rows("whole"), rows("half", "--client_update=halved")
    assert all(float(row["largest"]) > 0 for row in half[1:])
    assert whole[0]["eval_loss"] == half[0]["eval_loss"]
    assert whole[2]["eval_loss"] != half[2]["eval_loss"]
    lines = [json.loads(line) for line in (folder / "lines.jsonl").open()]
    assert [(line["run"], line["round"]) for line in lines] == [
        (run, number) for run in ("whole", "half") for number in range(3)
    ]


def test_a_plugin_that_cannot_be_imported_is_named_in_one_sentence(folder: Path):
    (folder / "broken.py").write_text("\n1 / 0\n")
    for name, why in (("missing_one", "No module named"), ("broken", "broken.py, line 2")):
        done = python(folder, "-m", "fed_pretrain.train", f"--plugin={name}", "--task=help")
        assert done.returncode == 2
        assert f"error: --plugin={name} cannot be imported" in done.stderr
        assert why in done.stderr
        assert "Traceback" not in done.stderr


def test_a_probe_of_a_plugin_brings_its_options_as_flags(tmp_path: Path) -> None:
    (tmp_path / "my_norm.py").write_text(
        "import dataclasses\n"
        "from fed_pretrain.probes.known_probes import register\n"
        "from fed_pretrain.probes.probe import Probe\n"
        "from groundwork.settings import setting\n\n"
        "@dataclasses.dataclass(frozen=True)\n"
        "class NormOptions:\n"
        "    norm_power: int = setting(2, 'Power of the norm.')\n\n"
        "@register\n"
        "class Norm(Probe):\n"
        "    name, help, options = 'norm', 'the norm of the weights', (NormOptions,)\n"
    )
    wrong = ("--plugin=my_norm", "--norm_power=often")
    done = python(tmp_path, "-m", "fed_pretrain.analyze", *wrong)
    assert done.returncode == 2
    assert "--norm_power=often" in done.stderr
    assert "Unknown" not in done.stderr
