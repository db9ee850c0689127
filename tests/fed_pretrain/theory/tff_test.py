"""The task two_layer_cnn through TFF and the device executor equals the laboratory's own loop."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow_federated as tff

from data_prep.store.features import FeatureSpec
from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.probes import misalignment
from fed_pretrain.probes.misalignment import ClassMeans, Filters
from fed_pretrain.tasks import known_tasks
from fed_pretrain.theory import data, initial, rows
from fed_pretrain.theory.batch import make_runs
from fed_pretrain.theory.setting import Problem, Setting
from fed_pretrain.theory.training import train
from tests.fed_pretrain.tasks import miniature

TAU, ROUNDS, SEED = 20, 4, 3
PROBLEM = Problem(dimension=60, steps=TAU * ROUNDS, test_points=50)
SETTING = Setting(h=0.2, tau=TAU, sigma_0=0.05)
ALGORITHMS: dict[str, dict[str, Any]] = {
    "fedavg": {},
    "fedprox": {"client_update": "proximal", "proximal_strength": 1.0},
    "scaffold": {"client_update": "scaffold"},
}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Any:
    features = (
        FeatureSpec("x", "float32", (2 * PROBLEM.dimension,)),
        FeatureSpec("label", "int64"),
    )
    splits: dict[str, dict[str, list[Any]]] = {}
    for row in (
        *rows.training_rows(PROBLEM, SETTING, SEED),
        *rows.test_rows(PROBLEM, SETTING, SEED),
    ):
        example = {"x": np.float32(row["x"]), "label": row["label"]}
        splits.setdefault(row["split"], {}).setdefault(row["client_id"], []).append(example)
    folder = tmp_path_factory.mktemp("theory") / "data"
    return known_tasks.load("two_layer_cnn", miniature.write(folder, features, splits))


@pytest.fixture(scope="module")
def device() -> Iterator[Any]:
    with create(ExecutorOptions(clients_in_flight=1)) as executor:
        yield executor


def _laboratory(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The laboratory's weights before, and after each round: [filters, d]."""
    problem = Problem(**{**vars(PROBLEM), "algorithm": name})
    setting = Setting(**{**vars(SETTING), "prox": 1.0})
    start = initial.weights(problem, [setting], [SEED], "float64")
    runs = make_runs(problem, [setting], [data.draw(problem, SEED)], start, "float64")
    records = np.full(ROUNDS, TAU, np.int32)
    return start[0, 0], train(runs, records, name).server[:, 0].numpy()


def _kernel(weights: np.ndarray) -> np.ndarray:
    return weights.T[None, :, None, :].astype(np.float32)


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_training_through_tff_equals_the_laboratorys_loop(task, device, name):
    start, expected = _laboratory(name)
    config = ResolvedAlgorithm(
        client_learning_rate=SETTING.eta,
        population=2,
        population_rows=2 * PROBLEM.samples,
        clients_per_round=2,
        alignment="none",
        **ALGORITHMS[name],
    )
    spec = task.payload_spec(PROBLEM.samples)
    algorithm = compose.build(config, task.model_fn(), spec, task)
    state = device.initialize(algorithm.process)
    first = tff.learning.models.ModelWeights([_kernel(start)], [])
    state = state._replace(global_model_weights=first)
    work = LocalWork(PROBLEM.samples, steps=TAU)
    reader = task.reader("train")
    kept: dict[str, Any] = {}
    for number in range(1, ROUNDS + 1):
        clients = [
            ClientInput(
                client,
                reader.bind(client, work, SEED, number),
                kept.get(client, algorithm.initial_client_state()),
            )
            for client in ("client_0", "client_1")
        ]
        output = device.run_round(algorithm, state, clients)
        state = output.state
        kept.update(output.client_states)
        (kernel,) = state.global_model_weights.trainable
        ours = np.asarray(kernel)[0, :, 0].T
        assert np.abs(ours - expected[number - 1]).max() < 5e-6
    assert np.abs(expected[-1] - start).max() > 0.05


def test_the_empirical_misalignment_on_signal_patches_equals_definition_1(task):
    start, after = _laboratory("fedavg")
    signals = SETTING.signal * data.signals(PROBLEM)
    # The theory's probe: a point of each label without its noise patch.
    x = np.concatenate([signals, np.zeros_like(signals)], axis=1).astype(np.float32)
    class_means = ClassMeans(Filters(task.build_model), x, np.arange(2))
    measure = functools.partial(_means, class_means)
    final = measure(after[-1])
    for weights in (start, *after):
        found = misalignment.misaligned({"f": measure(weights)}, {"f": final})["f"]
        m = PROBLEM.filters
        own = np.concatenate([found[:m, 0], found[m:, 1]])
        products = weights @ signals.T
        definition = np.concatenate([products[:m, 0], products[m:, 1]]) < 0
        assert np.array_equal(own, definition)
    # The run starts with both kinds, and all filters end aligned.
    assert 0.2 < np.mean(_own_negative(start, signals)) < 0.8
    assert not _own_negative(after[-1], signals).any()


def _means(class_means: ClassMeans, weights: np.ndarray) -> np.ndarray:
    model_weights = tff.learning.models.ModelWeights([_kernel(weights)], [])
    return class_means(model_weights)["live"]["filters"]


def _own_negative(weights: np.ndarray, signals: np.ndarray) -> np.ndarray:
    products = weights @ signals.T
    return np.concatenate([products[: PROBLEM.filters, 0], products[PROBLEM.filters :, 1]]) < 0


def test_the_models_logits_are_the_papers_network(task):
    start, _ = _laboratory("fedavg")
    model = task.build_model()
    model.set_weights([_kernel(start)])
    x = np.array([row["x"] for row in rows.test_rows(PROBLEM, SETTING, SEED)], np.float32)
    patches = x.reshape(-1, 2, PROBLEM.dimension)
    responses = np.maximum(patches @ start.T, 0).sum(axis=1)
    expected = responses.reshape(len(x), 2, -1).mean(axis=2)
    assert np.allclose(model(x).numpy(), expected, atol=1e-6)
