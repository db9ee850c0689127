"""Settings and seeds side by side, as the tensors of one compiled call; run = setting, seed."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from fed_pretrain.theory import data
from fed_pretrain.theory.setting import Problem, Setting, averages, labels
from fed_pretrain.theory.training import Runs


def make_runs(
    problem: Problem,
    settings: Sequence[Setting],
    draws: Sequence[data.Draw],
    start: np.ndarray,
    dtype: str,
    unit_signals: np.ndarray | None = None,
) -> Runs:
    """`start`: [settings, seeds, filters, d]."""
    signals = data.signals(problem) if unit_signals is None else unit_signals
    noise = np.stack([draw.noise for draw in draws])
    patches = [data.patches(s.noise * noise, s.signal * signals) for s in settings]
    of_class = [np.eye(problem.classes)[labels(problem, s.h)] for s in settings]
    ends = np.stack([averages(s.tau, problem.steps) for s in settings], axis=1)
    seeds = len(draws)

    def tensor(array: np.ndarray) -> tf.Tensor:
        return tf.constant(array, dtype)

    return Runs(
        patches=tensor(np.concatenate(patches)),
        labels=tensor(np.repeat(np.stack(of_class), seeds, axis=0)),
        start=tensor(start.reshape(len(settings) * seeds, *start.shape[2:])),
        eta=tensor(np.repeat([s.eta for s in settings], seeds)),
        prox=tensor(np.repeat([s.prox for s in settings], seeds)),
        averages=tensor(np.repeat(ends, seeds, axis=1)),
    )
