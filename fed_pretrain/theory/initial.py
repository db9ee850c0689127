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
    """The weights that each of these pre-trainings ends with, [settings, seeds, filters, d]."""
    clients = problem.clients if kind == "federated" else 1
    gaussian = np.stack([data.draw(problem, seed).weights for seed in seeds])
    gaussian = gaussian.reshape(1, len(seeds), -1, problem.dimension)
    trained = []
    for setting in settings:
        there = dataclasses.replace(
            problem,
            clients=clients,
            samples=problem.total_samples // clients,
            steps=setting.pretrain_steps,
            test_points=1,
            algorithm="fedavg",
        )
        if clients == 1:  # One client holds all samples, with labels as balanced as they can be.
            setting = dataclasses.replace(setting, h=1 - 1 / problem.classes)
        signals = data.signals(there, setting.cosine)
        generators = [randomness.generator(seed, "theory-pretraining") for seed in seeds]
        draws = [data.draw_from(generator, there, signals) for generator in generators]
        runs = make_runs(there, [setting], draws, setting.sigma_0 * gaussian, dtype, signals)
        trace = training.train(runs, np.array([there.steps], np.int32), there.algorithm)
        trained.append(trace.server[-1].numpy())
    return np.stack(trained)
