"""Heads in closed form on real digits. Oracle: Keras' features of all clients' rows, in NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import Ridge

from fed_pretrain.algorithms import accountants
from fed_pretrain.algorithms.aggregators import secure_sum
from fed_pretrain.algorithms.protected_sums import Protection
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.executors.pjrt import environment
from fed_pretrain.experiment.assembly import calibration, head_layer, one_pass_head
from fed_pretrain.experiment.assembly.assemble import assemble
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.pretraining.central_training import PretrainConfig, pretrain
from fed_pretrain.starts.closed_form import FORMS, ClassSums
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import feature_sums
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import small


@pytest.fixture(scope="module")
def session():
    made = Session()
    yield made
    made.close()


def assembled(session, tmp_path, head, start=None, **changes):
    start = {"spec": "random", "head": head, "head_strength": 0.1, **(start or {})}
    return assemble(small(tmp_path, start=start, **changes), session)


def pooled(task, split="train"):
    reader = task.reader(split)
    rows = [reader.rows(client) for client in task.dataset.index(split).client_ids]
    return np.concatenate([x for x, _ in rows]), np.concatenate([y for _, y in rows])


@pytest.fixture(scope="module")
def ridge(session, tmp_path_factory):
    return assembled(session, tmp_path_factory.mktemp("ridge"), "ridge")


def test_ridge_over_clients_is_the_central_regression_on_the_models_own_features(ridge) -> None:
    model = ridge.start.model()
    head = model.layers[-1]
    x, y = pooled(ridge.task)
    features = tf.keras.Model(model.inputs, head.input).predict(x, verbose=0).astype(np.float64)
    alpha = 0.1 * np.trace(features.T @ features) / features.shape[1]
    oracle = Ridge(alpha=alpha, fit_intercept=False).fit(features, np.eye(10)[y]).coef_
    oracle /= np.linalg.norm(oracle, axis=1, keepdims=True)
    scale = ridge.start.report.facts["head_scale"]
    kernel, bias = head.get_weights()
    np.testing.assert_allclose(kernel.T / scale, oracle, atol=1e-5)
    assert not bias.any()
    losses = [
        float(
            tf.keras.losses.sparse_categorical_crossentropy(y, s * features @ oracle.T, True)
            .numpy()
            .mean()
        )
        for s in (scale / 1.13, scale, scale * 1.13)
    ]
    assert losses[1] == min(losses)


def test_a_random_body_with_a_one_pass_head_is_far_above_chance(ridge) -> None:
    x, y = pooled(ridge.task, "test")
    assert (ridge.start.model().predict(x, verbose=0).argmax(1) == y).mean() > 0.8


def test_another_start_of_the_same_structure_builds_no_computation_again(
    ridge, session, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(feature_sums, "client_sums", lambda *_: pytest.fail("built again"))
    other = assembled(session, tmp_path, "ridge", seed=7)
    assert other.start.digest != ridge.start.digest


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["native", "beam", "pjrt"])
def test_every_executor_fits_the_same_heads_to_a_run_of_the_same_identity(
    session, tmp_path, executor
) -> None:
    if executor == "pjrt" and environment.missing():
        pytest.skip("needs `make pjrt`")
    there = Session()
    try:
        for head in ("ncm", "ridge", "cof", "gaussian"):
            start = {"head_mixtures": 2} if head == "gaussian" else {}
            ours, theirs = (
                assembled(where, tmp_path, head, start, executor=ExecutorOptions(executor=name))
                for where, name in ((session, "device"), (there, executor))
            )
            assert theirs.start.digest == ours.start.digest
            for pair in zip(ours.start.weights[0], theirs.start.weights[0], strict=True):
                np.testing.assert_allclose(*pair, rtol=1e-5, atol=1e-5)
        # That of CCVR, for the weights of the last start.
        weights = ModelArrays(*ours.start.weights)
        calibrated = [
            calibration.Calibrated(made, "--probes=ccvr")(weights).values for made in (ours, theirs)
        ]
        for name, value in calibrated[0].items():
            np.testing.assert_allclose(value, calibrated[1][name], rtol=1e-4, atol=1e-4)
    finally:
        there.close()


def test_clients_step_gently_from_it_unless_the_rate_is_given(ridge, session, tmp_path) -> None:
    plain = assembled(session, tmp_path, "new").config.algorithm.client_learning_rate
    gentle = ridge.config.algorithm
    facts = ridge.start.report.facts
    x, _ = pooled(ridge.task)
    model = ridge.start.model()
    features = tf.keras.Model(model.inputs, model.layers[-1].input).predict(x, verbose=0)
    squared = float((features**2).sum(1).mean())
    assert facts["head_squared_features"] == pytest.approx(squared, rel=1e-4)
    head = 0.2 / squared
    assert gentle.head_learning_rate == pytest.approx(head, rel=1e-4)
    body = 0.01 * head / max(1, facts["head_scale"] ** 2)
    assert gentle.client_learning_rate == pytest.approx(body, rel=1e-4)
    assert body < head < plain
    given = (("client_learning_rate", 0.25),)
    chosen = assembled(session, tmp_path, "ridge", algorithm=None, algorithm_settings=given)
    assert chosen.config.algorithm.client_learning_rate == 0.25


@pytest.mark.parametrize(
    "settings",
    [
        (("secure_aggregation", True),),
        # Hardly any noise: what is left is the arithmetic of clipping that clips nothing.
        pytest.param((("dp_noise_multiplier", 1e-9),), marks=pytest.mark.slow),
    ],
)
def test_protected_sums_give_the_regression_on_features_of_length_one(
    session, tmp_path, settings
) -> None:
    start = {"spec": "random", "head": "ridge", "head_strength": 0.1, "head_clip": 1000.0}
    config = small(tmp_path, start=start, algorithm=None, algorithm_settings=settings)
    made = assemble(config, session)
    model = made.start.model()
    x, y = pooled(made.task)
    features = tf.keras.Model(model.inputs, model.layers[-1].input).predict(x, verbose=0)
    features = features.astype(np.float64)
    squared = float((features**2).sum(1).mean())
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    alpha = 0.1 * len(features) / features.shape[1]
    oracle = Ridge(alpha=alpha, fit_intercept=False).fit(features, np.eye(10)[y]).coef_
    oracle /= np.linalg.norm(oracle, axis=1, keepdims=True)
    facts = made.start.report.facts
    kernel, _ = model.layers[-1].get_weights()
    np.testing.assert_allclose(kernel.T / facts["head_scale"], oracle, atol=1e-4)
    assert 0.5 < facts["head_squared_features"] / squared < 2.0


def features_of(made) -> tuple[np.ndarray, np.ndarray]:
    model = made.start.model()
    x, y = pooled(made.task)
    found = tf.keras.Model(model.inputs, model.layers[-1].input).predict(x, verbose=0)
    return found.astype(np.float64), y


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["diagonal", "spherical"])
def test_gaussians_of_secure_sums_are_those_of_all_examples_of_length_one(
    session, tmp_path, covariance
) -> None:
    start = {"head_covariance": covariance, "head_clip": 1000.0}
    secure = {"algorithm": None, "algorithm_settings": (("secure_aggregation", True),)}
    made = assembled(session, tmp_path, "gaussian", start, **secure)
    features, y = features_of(made)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    hot = np.eye(10)[y]
    squares = hot.T @ features**2 if covariance == "diagonal" else hot.sum(0)
    sums = ClassSums(hot.T @ features, hot.sum(0), squares)
    oracle = FORMS["gaussian"].fit(sums, [], 0.1)
    kernel, bias = made.start.model().layers[-1].get_weights()
    scale = np.linalg.norm(kernel) / np.linalg.norm(oracle.rows)
    np.testing.assert_allclose(kernel.T, scale * oracle.rows, atol=2e-3 * np.abs(kernel).max())
    np.testing.assert_allclose(bias, scale * oracle.bias, atol=2e-3 * np.abs(bias).max())


@pytest.mark.slow
def test_what_a_client_sends_of_its_gaussians_is_counted(session, tmp_path) -> None:
    numbers = {"diagonal": 10 * (1 + 2 * 288), "spherical": 10 * (1 + 288 + 1)}
    for covariance, sums in numbers.items():
        start = {"head_mixtures": 2, "head_covariance": covariance}
        facts = assembled(session, tmp_path, "gaussian", start).start.report.facts
        assert facts["head_bytes_up_per_client"] == 4 * (2 * sums + 121 + 2)
        assert (facts["head_mixtures"], facts["head_covariance"]) == (2, covariance)


@pytest.mark.slow
def test_privacy_of_the_sums_is_accounted_beside_the_rounds(session, tmp_path) -> None:
    noise = (("dp_noise_multiplier", 5.0),)
    plain, one_pass = (
        assembled(session, tmp_path, head, algorithm=None, algorithm_settings=noise)
        for head in ("new", "ncm")
    )
    before = accountants.accountant(one_pass.config.algorithm).epsilon(0)
    # Two Gaussian mechanisms, each moved by twice the norm by a client that is replaced.
    assert before == pytest.approx(accountants.gaussian_epsilon(2 * 2**0.5 / 5.0, 1e-5), rel=1e-6)
    spent = [accountants.accountant(one.config.algorithm).epsilon(2) for one in (plain, one_pass)]
    assert spent[0] < spent[1]


def test_noise_is_a_function_of_the_seed_and_of_no_order() -> None:
    protection = Protection(2.0, False, 3, 10)
    total = {"features": np.zeros([4, 300]), "second_moment": np.zeros([300, 300])}
    found = protection.arrives(total, 5.0, "sums")
    again = protection.arrives(dict(reversed(total.items())), 5.0, "sums")
    for name, value in found.items():
        np.testing.assert_array_equal(value, again[name])
        assert value.std() == pytest.approx(10.0, rel=0.1)
    np.testing.assert_array_equal(found["second_moment"], found["second_moment"].T)


def test_a_client_sends_no_more_than_the_norm() -> None:
    protection = Protection(1.0, True, 0, 10)
    given = {"counts": tf.constant([300.0, 0.0]), "features": tf.constant([[400.0, np.inf]])}
    sent = protection.leaves(given, 5.0)
    assert all(not np.asarray(secure_sum.decode(value)).any() for value in sent.values())
    given["features"] = tf.constant([[400.0, 0.0]])
    sent = protection.leaves(given, 5.0)
    found = [np.asarray(secure_sum.decode(value)) for value in sent.values()]
    np.testing.assert_allclose(found[0], [3.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found[1], [[4.0, 0.0]], atol=1e-6)


def test_what_it_cannot_do_is_refused(session, tmp_path) -> None:
    noise = (("dp_noise_multiplier", 1.0),)
    with pytest.raises(UserError, match="sums of each client by itself"):
        assembled(session, tmp_path, "cof", algorithm=None, algorithm_settings=noise)
    start = {"head_mixtures": 3}
    with pytest.raises(UserError, match="--start_head_mixtures=3 needs the mixtures of each"):
        assembled(session, tmp_path, "gaussian", start, algorithm=None, algorithm_settings=noise)
    with pytest.raises(UserError, match="--start_head_covariance=full is not one of"):
        StartConfig(head="gaussian", head_covariance="full")
    secure = (("secure_aggregation", True),)
    start = {"noise": 1e38}
    with pytest.raises(UserError, match="features that the head is given is singular: it is zero"):
        assembled(session, tmp_path, "ridge", start, algorithm=None, algorithm_settings=secure)
    with pytest.raises(UserError, match="--start_head_clip=0 leaves nothing"):
        assembled(
            *(session, tmp_path, "ncm", {"head_clip": 0.0}),
            algorithm=None,
            algorithm_settings=secure,
        )
    with pytest.raises(UserError, match="need --start_head=gaussian"):
        StartConfig(head="ridge", head_mixtures=2)
    with pytest.raises(UserError, match="pretrain has none"):
        pretrain(PretrainConfig("digits", str(tmp_path), start=StartConfig(head="ridge")))


def test_sums_of_no_example_are_refused(session, tmp_path, monkeypatch) -> None:
    nothing = ClassSums(np.zeros([10, 288]), np.zeros(10))
    monkeypatch.setattr(one_pass_head._Fit, "_sums", lambda self: (nothing, []))
    with pytest.raises(UserError, match="--start_head=ncm: of no example the features are finite"):
        assembled(session, tmp_path, "ncm", {"head_strength": 0.2})


def test_a_task_without_one_label_an_example_is_refused() -> None:
    definition, encoder = SimpleNamespace(objective=None), SimpleNamespace(y_shape=(20,))
    words = SimpleNamespace(name="next_word", definition=definition, encoder=encoder)
    with pytest.raises(UserError, match=r"--start_head=ncm: .* label an example, which task 'next"):
        head_layer.HeadLayer(None, words, None, None, "--start_head=ncm")


def a_start(**changed) -> SimpleNamespace:
    weights = {"conv/kernel": np.ones(3), "head/kernel": np.ones(2), **changed}
    recipe = SimpleNamespace(identity=lambda: {"model": "small"})
    return SimpleNamespace(
        build_model=recipe, names=(list(weights), []), weights=(list(weights.values()), [])
    )


def test_a_head_is_kept_by_all_it_is_made_from() -> None:
    body = one_pass_head._body_digest(a_start(), "head")
    assert one_pass_head._body_digest(a_start(**{"head/kernel": np.zeros(2)}), "head") == body
    assert one_pass_head._body_digest(a_start(**{"conv/kernel": np.zeros(3)}), "head") != body
    plain, secure = (Protection(None, secure, 0, 10) for secure in (False, True))
    made = [
        one_pass_head._settings(StartConfig(head=head, **settings), FORMS[head], protection)
        for head, settings, protection in (
            ("ridge", {}, plain),
            ("ridge", {"head_strength": 0.5}, plain),
            ("ridge", {}, secure),
            ("ridge", {"head_clip": 3.0}, secure),
            ("ridge", {}, Protection(1.0, False, 0, 10)),
            ("ridge", {}, Protection(1.0, False, 1, 10)),
            ("gaussian", {}, plain),
            ("gaussian", {"head_mixtures": 2}, plain),
            ("gaussian", {"head_covariance": "spherical"}, plain),
        )
    ]
    assert len(set(made)) == len(made)
