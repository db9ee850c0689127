"""Three layers against a plain loop with gradients written out."""

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.theory import data, three_layers
from fed_pretrain.theory.setting import Problem, Setting, labels
from groundwork.errors import UserError
from tests.fed_pretrain.theory import oracle

PROBLEM = Problem(dimension=30, filters=4, samples=6, steps=9, hidden=8, test_points=100)
SETTING = Setting(h=0.2, tau=3, sigma_0=0.3, eta=0.5)


def _plain(hidden, top, draw):
    """Three rounds of three steps; hidden [q, d], top [2 m, q]."""
    signals = SETTING.signal * data.signals(PROBLEM)
    of_client = labels(PROBLEM, SETTING.h)
    for _ in range(3):
        sums = np.zeros_like(hidden), np.zeros_like(top)
        for k, own in enumerate(of_client):
            u, w = hidden.copy(), top.copy()
            for _ in range(SETTING.tau):
                du, dw = np.zeros_like(u), np.zeros_like(w)
                for i, label in enumerate(own):
                    patches = (signals[label], draw.noise[k, i])
                    below = [np.maximum(u @ patch, 0) for patch in patches]
                    above = [w @ response for response in below]
                    scores = sum(np.maximum(z, 0).reshape(2, -1).mean(axis=1) for z in above)
                    slope = np.exp(scores) / np.exp(scores).sum() - np.eye(2)[label]
                    for patch, response, z in zip(patches, below, above, strict=True):
                        at_top = np.repeat(slope / PROBLEM.filters, PROBLEM.filters) * (z > 0)
                        dw += np.outer(at_top, response) / len(own)
                        du += np.outer((w.T @ at_top) * (u @ patch > 0), patch) / len(own)
                u -= SETTING.eta * du
                w -= SETTING.eta * dw
            sums[0][:] += u / len(of_client)
            sums[1][:] += w / len(of_client)
        hidden, top = sums
    return hidden, top


def test_the_vectorised_three_layers_equal_the_plain_loop():
    draws = [data.draw(PROBLEM, seed) for seed in (5, 6)]
    start = three_layers.beginnings(PROBLEM, [SETTING], [5, 6], "float64")
    runs = three_layers._runs(PROBLEM, [SETTING], draws, "float64")
    end = three_layers.train(runs, start).layers
    for index, draw in enumerate(draws):
        hidden, top = _plain(start.hidden[index].numpy(), start.top[index].numpy(), draw)
        assert np.allclose(end.hidden[index], hidden, atol=1e-12)
        assert np.allclose(end.top[index], top, atol=1e-12)
        assert np.abs(top - start.top[index].numpy()).max() > 1e-3


def test_the_test_error_is_that_of_the_model_on_the_test_points():
    results = three_layers.run(PROBLEM, [SETTING], [5])
    draw = data.draw(PROBLEM, 5)
    start = three_layers.beginnings(PROBLEM, [SETTING], [5], "float64")
    runs = three_layers._runs(PROBLEM, [SETTING], [draw], "float64")
    end = three_layers.train(runs, start).layers
    signals = SETTING.signal * data.signals(PROBLEM)[draw.test_labels]
    scores = np.zeros((len(signals), 2))
    for patches in (signals, draw.test_noise):
        below = np.maximum(patches @ end.hidden[0].numpy().T, 0)
        above = np.maximum(below @ end.top[0].numpy().T, 0)
        scores += above.reshape(len(signals), 2, -1).mean(axis=2)
    wrong = tf.argmax(scores, axis=1).numpy() != draw.test_labels
    assert results.test_error[0, 0, 0] == wrong.mean()
    assert np.isnan(results.gamma_aligned).all()


def test_least_squares_find_what_the_hidden_units_have_learnt_of_signal_and_noise():
    draw = data.draw(PROBLEM, 5)
    start = three_layers.beginnings(PROBLEM, [SETTING], [5], "float64")
    runs = three_layers._runs(PROBLEM, [SETTING], [draw], "float64")
    trained = three_layers.train(runs, start)
    learnt = three_layers.decompose(runs, trained.coefficients)
    found = [part.numpy()[0] for part in learnt]
    mu = SETTING.signal * data.signals(PROBLEM)[0]
    patches = draw.noise.reshape(-1, PROBLEM.dimension)
    for unit in range(PROBLEM.hidden):
        before, after = start.hidden[0, unit].numpy(), trained.layers.hidden[0, unit].numpy()
        signal, noise, residual = oracle.least_squares(before, after, patches, mu, 1.0)
        assert found[0][0, unit] == pytest.approx(signal, abs=1e-12)
        assert np.allclose(found[1][..., unit].ravel(), noise, atol=1e-10)
        assert residual < 1e-13
    results = three_layers.run(PROBLEM, [SETTING], [5, 6])
    assert results.reconstruction.max() < 1e-14
    assert results.hidden_signal[0, 0, 0] == pytest.approx(np.abs(found[0]).mean())


def test_what_three_layers_cannot_do_is_refused():
    scaffold = Problem(**{**vars(PROBLEM), "algorithm": "scaffold"})
    with pytest.raises(UserError, match="fedavg only"):
        three_layers.run(scaffold, [SETTING], [0])
    with pytest.raises(UserError, match="no alignment by count"):
        three_layers.run(PROBLEM, [Setting(aligned=0.5)], [0])
