"""How the filters begin: Gaussian or pre-trained on a correlated signal, aligned by count or not.

"random"     N(0, sigma_0^2)
"central"    trained by gradient descent on other data of the same sizes, pooled, whose signal has
             cosine `cosine` with the task's
"federated"  the same by FedAvg over as many clients with one label each (h = 0), tau = 20

A setting's `aligned` then turns what a start has on the task's signal, keeping its size: the first
round(a m) filters of each class get the sign of their class' signal, the others the opposite sign.
So what pre-training has learnt and how many filters it has aligned can be varied apart.
"""

import collections
import dataclasses
from typing import NamedTuple

import numpy as np

from fed_pretrain.theory import data, training
from fed_pretrain.theory.batch import make_runs
from fed_pretrain.theory.setting import Problem, Setting
from groundwork import randomness

FEDERATED_TAU = 20


def weights(problem: Problem, settings: list[Setting], seeds: list[int], dtype: str) -> np.ndarray:
    """[settings, seeds, filters, d] of all classes' filters."""
    gaussian = np.stack([data.draw(problem, seed).weights for seed in seeds])
    found = np.empty((len(settings), *gaussian.shape), dtype)
    pretrained: dict[Setting, list[int]] = collections.defaultdict(list)
    for position, setting in enumerate(settings):
        found[position] = setting.sigma_0 * gaussian
        if setting.start != "random":
            same = dataclasses.replace(setting, h=0.0, tau=1, prox=0.0, aligned=None)
            pretrained[same].append(position)
    if pretrained:
        trained = _pretrain(problem, list(pretrained), seeds, dtype)
        for positions, one in zip(pretrained.values(), trained, strict=True):
            found[positions] = one.reshape(gaussian.shape)
    for filters, setting in zip(found, settings, strict=True):
        if setting.aligned is not None:
            _align(filters, problem, setting.aligned)
    return found.reshape(len(settings), len(seeds), -1, problem.dimension)


def _align(filters: np.ndarray, problem: Problem, share: float) -> None:
    """`filters`: [seeds, classes, filters, d], changed in place."""
    signs = np.where(np.arange(problem.filters) < round(share * problem.filters), 1.0, -1.0)
    for label, signal in enumerate(data.signals(problem)):
        direction = int(np.argmax(np.abs(signal)))
        size = np.abs(filters[:, label, :, direction])
        filters[:, label, :, direction] = signs * signal[direction] * size


def _pretrain(
    problem: Problem, settings: list[Setting], seeds: list[int], dtype: str
) -> np.ndarray:
    """The weights that each of these pre-trainings ends with, [settings, seeds, filters, d]."""
    gaussian = np.stack([data.draw(problem, seed).weights for seed in seeds])
    gaussian = gaussian.reshape(1, len(seeds), -1, problem.dimension)
    trained = []
    for setting in settings:
        other = pretraining(problem, setting, seeds)
        start = setting.sigma_0 * gaussian
        runs = make_runs(
            other.problem, [other.setting], other.draws, start, dtype, other.unit_signals
        )
        lengths = np.array([other.problem.steps], np.int32)
        trace = training.train(runs, lengths, other.problem.algorithm)
        trained.append(trace.server[-1].numpy())
    return np.stack(trained)


class Pretraining(NamedTuple):
    problem: Problem
    setting: Setting
    draws: list[data.Draw]
    unit_signals: np.ndarray


def pretraining(problem: Problem, setting: Setting, seeds: list[int]) -> Pretraining:
    """Other data of the same sizes, at one client or at all of them."""
    clients = problem.clients if setting.start == "federated" else 1
    there = dataclasses.replace(
        problem,
        clients=clients,
        samples=problem.total_samples // clients,
        steps=setting.pretrain_steps,
        test_points=1,
        algorithm="fedavg",
    )
    # One client holds all samples, with labels as balanced as they can be.
    h = 1 - 1 / problem.classes if clients == 1 else 0.0
    tau = FEDERATED_TAU if clients > 1 else 1
    setting = dataclasses.replace(setting, h=h, tau=tau, prox=0.0)
    signals = data.signals(there, setting.cosine)
    generators = [randomness.generator(seed, "theory-pretraining") for seed in seeds]
    draws = [data.draw_from(generator, there, signals) for generator in generators]
    return Pretraining(there, setting, draws, signals)
