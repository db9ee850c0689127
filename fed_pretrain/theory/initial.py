"""How the filters begin: Gaussian, aligned by count, or pre-trained on a correlated signal.

"random"     N(0, sigma_0^2)
"count"      the same, then the first round(a m) filters of each class get the sign of their class'
             signal on it, the others the opposite sign
"central"    trained by gradient descent on other data of the same sizes, pooled, whose signal has
             cosine `cosine` with the task's
"federated"  the same by FedAvg over as many clients with one label each (h = 0), tau = 20
"""

import collections
import dataclasses

import numpy as np

from data_prep import randomness
from fed_pretrain.theory import data, training
from fed_pretrain.theory.batch import make_runs
from fed_pretrain.theory.setting import Problem, Setting

FEDERATED_TAU = 20


def weights(problem: Problem, settings: list[Setting], seeds: list[int], dtype: str) -> np.ndarray:
    """[settings, seeds, filters, d] of all classes' filters."""
    gaussian = np.stack([data.draw(problem, seed).weights for seed in seeds])
    found = np.empty((len(settings), *gaussian.shape), dtype)
    pretrained: dict[Setting, list[int]] = collections.defaultdict(list)
    for position, setting in enumerate(settings):
        found[position] = setting.sigma_0 * gaussian
        if setting.start == "count":
            _align(found[position], problem, setting.aligned)
        elif setting.start in ("central", "federated"):
            pretrained[_pretraining(setting)].append(position)
    found = found.reshape(len(settings), len(seeds), -1, problem.dimension)
    for kind in ("central", "federated"):
        ours = [setting for setting in pretrained if setting.start == kind]
        if ours:
            trained = _pretrain(problem, ours, seeds, kind, dtype)
            for setting, one in zip(ours, trained, strict=True):
                found[pretrained[setting]] = one
    return found


def _align(filters: np.ndarray, problem: Problem, share: float) -> None:
    """`filters`: [seeds, classes, filters, d], changed in place."""
    signs = np.where(np.arange(problem.filters) < round(share * problem.filters), 1.0, -1.0)
    for label, signal in enumerate(data.signals(problem)):
        direction = int(np.argmax(np.abs(signal)))
        size = np.abs(filters[:, label, :, direction])
        filters[:, label, :, direction] = signs * signal[direction] * size


def _pretraining(setting: Setting) -> Setting:
    """What of a setting its pre-training depends on."""
    return dataclasses.replace(
        setting, h=0.0, tau=FEDERATED_TAU if setting.start == "federated" else 1, prox=0.0
    )


def _pretrain(
    problem: Problem, settings: list[Setting], seeds: list[int], kind: str, dtype: str
) -> np.ndarray:
    steps = max(setting.pretrain_steps for setting in settings)
    clients = problem.clients if kind == "federated" else 1
    there = dataclasses.replace(
        problem,
        clients=clients,
        samples=problem.total_samples // clients,
        steps=steps,
        test_points=1,
        algorithm="fedavg",
    )
    # The pooled labels are balanced over the classes; one client alone holds them all.
    pooled = [dataclasses.replace(s, h=1 - 1 / problem.classes) for s in settings]
    settings = pooled if clients == 1 else settings
    trained = []
    for setting in settings:
        signals = data.signals(there, setting.cosine)
        basis = signals[: there.directions]
        draws = [
            data.draw_from(randomness.generator(seed, "theory-pretraining"), there, basis)
            for seed in seeds
        ]
        start = setting.sigma_0 * np.stack([data.draw(problem, seed).weights for seed in seeds])
        start = start.reshape(1, len(seeds), -1, problem.dimension)
        shorter = dataclasses.replace(there, steps=setting.pretrain_steps)
        runs = make_runs(shorter, [setting], draws, start, dtype, signals)
        trace = training.train(runs, np.array([setting.pretrain_steps], np.int32), "fedavg")
        trained.append(trace.server[-1].numpy())
    return np.stack(trained)
