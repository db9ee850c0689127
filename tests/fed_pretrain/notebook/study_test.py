"""A comparison in one cell, and what it gives."""

import json

import numpy as np
import pytest
import tensorflow as tf

import fed_pretrain as fp
from tests.fed_pretrain.notebook.conftest import DATA

data = [(name, x, y) for name, (x, y) in DATA.items()]
LINES = 5
CELL = """
clients = fp.clients({cid: (x, y) for cid, x, y in data}, test=0.2)
study = fp.compare(clients, model=my_keras_model, starts={"random": "random", "mine": my_weights, "heads": "ridge"},
                   algorithms=["fedavg", fp.algorithm("fedadam", server_learning_rate=0.01)], rounds=2, seeds=2)
study.plot(); study.frame(); study.claims(); study.best().model; study.report("out.html")
run = fp.train(clients, model=my_keras_model, start="mine.npz", algorithm="scaffold", rounds=2, on_round=my_callback, workdir=None)
run.frame(); run.model; run.probe("hessian"); run.resume(rounds=3)
"""  # noqa: E501 - as the notebook has it


@pytest.fixture
def my_keras_model():
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [layers.Dense(4, activation="relu", input_shape=(5,)), layers.Dense(3)]
    )


@pytest.mark.slow
def test_the_cell_runs_as_it_is_written(my_keras_model, tmp_path, monkeypatch):
    assert len(CELL.strip().splitlines()) == LINES + 1
    monkeypatch.chdir(tmp_path)
    # The fast tests run without pandas; a notebook has it.
    monkeypatch.setattr("fed_pretrain.notebook.frames.of_rows", list)
    heard = []
    weights = my_keras_model.get_weights()
    np.savez(
        "mine.npz",
        **dict(
            zip(
                ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"),
                weights,
                strict=True,
            )
        ),
    )
    names = {"fp": fp, "data": data, "my_keras_model": my_keras_model}
    names |= {"my_weights": weights, "my_callback": heard.append}
    exec(CELL, names)
    study, run = names["study"], names["run"]
    assert len(study.runs) == 3 * 2 * 2
    assert (tmp_path / "out.html").read_text().startswith("<!")
    assert [row["round"] for row in heard] == [1, 2]
    assert {row.start for row in study.claims()} == {"mine", "heads"}
    steps = json.loads((study.workdir / "study.json").read_text())["steps"]
    assert {step["status"] for step in steps} == {"done"}
    folder = study.workdir
    del study, names["study"], run, names["run"]
    assert not folder.exists()


@pytest.mark.slow
def test_a_study_with_a_folder_goes_on_where_it_stopped(six, tmp_path):
    asked = {"starts": {"random": "random"}, "rounds": 1, "workdir": tmp_path, "tensorboard": False}
    first = fp.compare(six, seeds=1, **asked)
    assert first.run("random").finished
    before = (first.runs[0].workdir / "SUCCESS").stat().st_mtime_ns
    both = fp.compare(six, seeds=2, **asked)
    assert len(both.runs) == 2
    assert (both.runs[0].workdir / "SUCCESS").stat().st_mtime_ns == before
    with pytest.raises(fp.ArgumentError, match="seed=9: no finished run of the study is there"):
        both.run("random", seed=9)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"starts": {}}, "starts: a name and a start each are wanted"),
        ({"starts": {"mine": [1.0]}}, r"starts\['mine'\] does not fit model: it has 1 arrays"),
        ({"algorithms": []}, "algorithms is empty"),
        ({"seeds": 0}, "seeds=0: at least one is wanted"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(six, arguments, sentence):
    with pytest.raises(fp.ArgumentError, match=sentence):
        fp.compare(six, **arguments)
