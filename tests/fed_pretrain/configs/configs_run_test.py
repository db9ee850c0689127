"""The checked-in settings, run: two rounds of two clients on their data sets' real formats.

Only the transformer is smaller than its setting says (one narrow block); every flag of the file
that is not a number of rounds or clients holds.
"""

import pathlib

import pytest
from absl import flags

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.experiment.assembly import run_flags
from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir.metrics import read_rows
from fed_pretrain.models import gpt2
from groundwork import hub
from tests.fed_pretrain.configs import papers_miniature

ROOT = pathlib.Path(__file__).resolve().parents[3]
FAST = "digits_fedadam_random"
SETTINGS = sorted(path.stem for path in (ROOT / "fed_pretrain" / "configs").glob("*.flags"))
# As each setting's heading says that its data must be prepared.
PREPARED = {
    "cifar10": (
        papers_miniature.cifar10,
        {"source": "cifar10", "partition": "dirichlet", "num_clients": 100, "alpha": 0.1},
    ),
    "femnist": (papers_miniature.femnist, {"source": "femnist_leaf"}),
    "stackoverflow": (papers_miniature.stackoverflow, {"source": "stackoverflow_dump"}),
    "reddit": (papers_miniature.reddit, {"source": "reddit_pushshift"}),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The folder of a data set's miniature, prepared once."""
    made = {}

    def of(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            write, settings = PREPARED[name]
            output = str(folder / "prepared")
            made[name] = prepare(
                PrepareConfig(input=str(write(folder)), output=output, workers=1, **settings)
            )
        return str(made[name].path)

    return of


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Weights where a user would have downloaded them, under a name that carries no checksum."""
    (tmp_path / "hub").mkdir()
    monkeypatch.setenv(hub.FOLDER_VARIABLE, str(papers_miniature.hub(tmp_path / "hub")))
    monkeypatch.setitem(hub.TORCHVISION, "torchvision/squeezenet1_0", "squeezenet1_0.pth")
    monkeypatch.setitem(gpt2.SIZES, "distilgpt2", papers_miniature.GPT2)


def config_of(arguments):
    values = flags.FlagValues()
    run_flags.define(values)
    flags.DEFINE_list("flagfile", "", "Files of flags.", flag_values=values)
    assert values(["train", *arguments]) == ["train"]
    return run_flags.run_config(values)


@pytest.mark.parametrize(
    "name", [one if one == FAST else pytest.param(one, marks=pytest.mark.slow) for one in SETTINGS]
)
def test_a_setting_trains(name, prepared, published, tmp_path):
    arguments = [f"--flagfile={ROOT}/fed_pretrain/configs/{name}.flags"]
    data = name.split("_")[0]
    if data in PREPARED:
        arguments.append(f"--dataset={prepared(data)}")
    if data in ("reddit", "stackoverflow"):
        vocabulary, merges = papers_miniature.byte_pairs(tmp_path)
        arguments += [f"--vocabulary={vocabulary}", f"--merges={merges}", "--sequence_length=32"]
    short = ["--rounds=2", "--clients_per_round=2", "--eval_examples=20", "--max_examples=20"]
    result = train(config_of([*arguments, *short, f"--workdir={tmp_path / 'run'}"]))
    assert result.finished
    rows = read_rows(tmp_path / "run" / "metrics.jsonl")
    assert [row["round"] for row in rows] == [0, 1, 2]
    assert all(row["clients"] == 2 and row["examples"] > 0 for row in rows[1:])
    assert rows[1]["train_loss"] != rows[2]["train_loss"]
    assert (tmp_path / "run" / "final.keras").exists()
