"""A round of three clients who write, with a model that reads or predicts their text."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from fed_pretrain.algorithms import compose
from fed_pretrain.algorithms.algorithm import Algorithm
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.clients.local_work import LocalWork
from fed_pretrain.executors.executor import ClientInput, Executor
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from groundwork.untyped import State
from tests.fed_pretrain.executors import digits
from tests.fed_pretrain.tasks import miniature

OF_WORDS = ("word_lstm", "char_cnn_lm")
"""Models that predict words; the others read and predict characters."""


class Round(NamedTuple):
    algorithm: Algorithm
    start: State
    clients: list[ClientInput]

    def weights(self, executor: Executor) -> list[np.ndarray]:
        done = executor.run_round(self.algorithm, self.start, self.clients)
        return list(done.state.global_model_weights.trainable)


def prepared(device: Executor, folder: Path, model: str) -> Round:
    clients = miniature.texts(("to be", "or not"), ("that is the question",), ("a",))
    dataset = miniature.write(folder, miniature.TEXT, {"train": clients})
    words = folder / "words.txt"
    words.write_text("to\nbe\nor\nnot\nthat\nis\nthe\nquestion\n")
    options = TaskOptions(sequence_length=8, vocabulary=str(words) if model in OF_WORDS else None)
    task = known_tasks.load("chitchat", dataset, model, options)
    config = ResolvedAlgorithm(population=3, clients_per_round=3, alignment="none")
    made = compose.build(config, task.model_fn(), task.payload_spec(2), task.objective)
    reader, work = task.reader("train"), LocalWork(2)
    inputs = [ClientInput(name, reader.bind(name, work, 3, 1)) for name in reader.client_ids]
    return Round(made, digits.drawn(made, device.initialize(made.process), seed=1), inputs)
