"""A run from a notebook: any Keras model, any start, and what the run then gives."""

import asyncio
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf

import fed_pretrain as fp
from tests.fed_pretrain.notebook.conftest import DATA

layers = tf.keras.layers
X, Y = DATA["client_0"]


def model():
    return tf.keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3)])


class Subclassed(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.head = layers.Dense(4), layers.Dense(3)

    def call(self, x):
        return self.head(self.hidden(x))


@pytest.fixture(scope="module")
def trained(six):
    heard = []
    run = fp.train(six, model=model(), rounds=2, on_round=heard.append, tensorboard=False)
    return run, heard


def test_a_run_gives_rows_a_model_and_what_it_heard(trained, six):
    run, heard = trained
    assert [row["round"] for row in run.rows] == [0, 1, 2]
    assert [row["round"] for row in heard] == [1, 2]
    logits = run.model(X)
    index = run.clients.dataset.index("test")
    assert logits.shape == (30, 3)
    assert 0 <= run.accuracy <= 1
    assert sum(index.num_examples) > 0
    assert "after round 2: finished" in repr(run)


def test_the_callers_own_models_work_after_a_run_as_before(trained):
    mine = model()
    mine.build((None, 5))
    assert len(mine.get_weights()) == 4
    assert mine.predict(X, verbose=0).shape == (30, 3)
    assert len(trained[0].model.get_weights()) == 4


@pytest.mark.slow
def test_weights_that_are_given_are_where_the_run_begins(trained, six):
    weights = trained[0].model.get_weights()
    again = fp.train(six, model=model(), start=weights, rounds=0, tensorboard=False)
    assert again.rows[0]["eval_loss"] == pytest.approx(trained[0].loss, rel=1e-6)
    np.testing.assert_array_equal(again.model.get_weights()[0], weights[0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"workdir": 5}, "workdir is a int; a path is wanted"),
        ({"workdir": "a\0b"}, "workdir.* a path holds no NUL byte"),
        ({"workdir": "a\udcff"}, "workdir.* is not UTF-8"),
        ({"workdir": "s3://bucket/x"}, "workdir.*s3://"),
        ({"workdir": f"{__file__}/x"}, "run_test.py is a file"),
        ({"algorithm": object()}, "algorithm is a object; a name of one is wanted"),
        ({"track": "no_such"}, "track=no_such is not one of"),
        ({"track": 3}, "track=3: a list of texts is wanted"),
        ({"on_round": "print"}, "on_round is a str; a function of a row is wanted"),
        ({"start": [X]}, "start does not fit model: it has 1 arrays, and the model 4 weights"),
        ({"start": "ridgee"}, "start is 'ridgee', must be random"),
        ({"model": "edge_cn"}, "model is 'edge_cn'; task 'classification' has mlp"),
        ({"model": 3}, "model is a int; a Keras model"),
        ({"model": tf.keras.Sequential([layers.Dense(4)])}, "has 4 outputs, and the data asks for"),
        (
            {"model": tf.keras.Sequential([layers.Dense(3, activation="softmax")])},
            "it returns probabilities, and logits are wanted",
        ),
        (
            {"model": tf.keras.Sequential([layers.Dense(3, input_shape=(4,))])},
            r"model: it reads examples of shape \[4\], those of clients have the shape \[5\]",
        ),
        ({"clients_per_round": 7}, "clients_per_round=7: the dataset has only 6"),
        ({"loss": "mse"}, "loss is a str; a function of .y, outputs."),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(six, arguments, sentence):
    with pytest.raises(fp.ArgumentError, match=sentence):
        fp.train(six, **{"model": model(), "rounds": 0, **arguments})


@pytest.mark.slow
def test_the_command_line_gives_the_same_bytes(six, tmp_path):
    kept = six.save(tmp_path / "data")
    weights = model()
    weights.build((None, 5))
    run = fp.train(
        kept,
        model=model(),
        start=weights.get_weights(),
        algorithm=fp.algorithm("fedadam", server_learning_rate=0.02),
        rounds=3,
        seed=5,
        workdir=tmp_path / "api",
    )
    line = {
        "task": "classification",
        "dataset": kept.dataset.path,
        "model": run.config.model,
        "start": run.config.start.spec,
        "start_head": "keep",
        "algorithm": "fedadam",
        "server_learning_rate": 0.02,
        "rounds": 3,
        "seed": 5,
        "workdir": tmp_path / "line",
    }
    flags = [f"--{name}={value}" for name, value in line.items()]
    command = [sys.executable, "-m", "fed_pretrain.train", *flags]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("checkpoints/round-000003.ckpt", "start.json"):
        assert (tmp_path / "api" / name).read_bytes() == (tmp_path / "line" / name).read_bytes()
    same = [
        [line.partition(', "seconds')[0] for line in (tmp_path / one / "metrics.jsonl").open()]
        for one in ("api", "line")
    ]
    assert same[0] == same[1]


@pytest.mark.slow
def test_a_run_goes_on_in_a_thread_and_inside_an_event_loop(six):
    run = fp.train(six, model=model(), rounds=1)

    async def cell():
        return run.resume(rounds=2)

    assert asyncio.run(cell()).rows[-1]["round"] == 2
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fp.train(six, model=model(), rounds=2)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.loss for one in found] == [run.resume(rounds=2).loss] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "own",
    [
        lambda: Subclassed(),
        lambda: tf.keras.Sequential([layers.Lambda(lambda x: 2 * x), layers.Dense(3)]),
        lambda: tf.keras.Sequential(
            [layers.Dense(8), layers.BatchNormalization(), layers.Dense(3)]
        ),
    ],
)
def test_models_of_every_kind_train_without_registration(six, own):
    run = fp.train(six, model=own(), rounds=1)
    assert run.model(X).shape == (30, 3)
    assert fp.train(six, model=own, rounds=1).loss == run.loss


@pytest.mark.slow
def test_numbers_and_a_loss_of_ones_own_are_learned():
    slopes = np.arange(1, 6, dtype=np.float32)
    measured = fp.clients({name: (x, x @ slopes + 2) for name, (x, _) in DATA.items()})
    line = tf.keras.Sequential([layers.Dense(1)])
    run = fp.train(measured, model=line, rounds=30, epochs=5)
    assert run.accuracy > 0.99
    np.testing.assert_allclose(run.model.get_weights()[0].ravel(), slopes, atol=0.2)
    absolute = fp.train(
        measured, model=line, rounds=30, epochs=5, loss=tf.keras.losses.mean_absolute_error
    )
    assert absolute.loss == pytest.approx(
        np.mean([abs(absolute.model(x)[:, 0] - y) for x, y in _held_out(measured)]), rel=0.05
    )


def _held_out(clients):
    reader = clients.dataset
    for name in reader.index("test").client_ids:
        read = reader.read_client("test", name)
        yield read["x"].numpy(), read["y"].numpy()
