"""One federated training from a notebook: a run like the command line's, and what it gives."""

import dataclasses
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.training.run import RunResult
from fed_pretrain.experiment.training.run import train as train_config
from fed_pretrain.experiment.workdir.metrics import best_index
from fed_pretrain.notebook import (
    algorithms,
    arguments,
    figures,
    frames,
    losses,
    models,
    quietly,
    starts,
    watching,
)
from fed_pretrain.notebook.algorithms import Algorithm
from fed_pretrain.notebook.argument_errors import ArgumentError, naming
from fed_pretrain.notebook.clients import Clients
from fed_pretrain.notebook.clients import clients as clients_of
from fed_pretrain.notebook.losses import Loss
from fed_pretrain.notebook.models import Model
from fed_pretrain.notebook.starts import Given
from fed_pretrain.notebook.watching import OnRound
from fed_pretrain.tasks import own_model
from groundwork.stores import schemes
from groundwork.untyped import Json, Nested, Process

if TYPE_CHECKING:
    import pandas as pd
    import tensorflow as tf
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fed_pretrain.notebook.probing import Measured
    from fed_pretrain.notebook.processes import ProcessSession

_PARTS = "parts"


class TrainedRun:
    """A finished run, or one that was stopped and can go on.

    rows: one a round, as metrics.jsonl holds them; workdir: its folder, whose format is the
    command line's.
    """

    def __init__(
        self,
        config: RunConfig,
        result: RunResult,
        clients: Clients,
        session: "ProcessSession | None" = None,
    ) -> None:
        self._session = session
        self.config = config
        self.clients = clients
        self.workdir = Path(result.workdir)
        self.rows: Sequence[Mapping[str, Json]] = result.rows
        self.finished = result.finished
        self.reason = result.reason

    @property
    def evaluated(self) -> list[Mapping[str, Json]]:
        """The rounds with an evaluation."""
        return [row for row in self.rows if row.get("eval_accuracy") is not None]

    @property
    def accuracy(self) -> float:
        """Of the last evaluation; of measurements the share of their variance explained."""
        return float(self.evaluated[-1]["eval_accuracy"])

    @property
    def loss(self) -> float:
        """Of the last evaluation."""
        return float(self.evaluated[-1]["eval_loss"])

    @property
    def best_round(self) -> int:
        """The evaluated round of the best accuracy, the earliest of several."""
        return int(self.evaluated[best_index(self.evaluated)]["round"])

    @property
    def model(self) -> "tf.keras.Model":
        """The Keras model after the last round."""
        return self._loaded("final.keras")

    @property
    def best_model(self) -> "tf.keras.Model":
        """The Keras model of the best round whose weights were kept."""
        return self._loaded("best.keras")

    def _loaded(self, name: str) -> "tf.keras.Model":
        """With the classes of the caller's own layers."""
        if not (self.workdir / name).exists():
            raise ArgumentError(
                f"the run has no model yet ({self.reason}): resume() goes on with it"
            )
        import tensorflow as tf

        own = {}
        if own_model.is_own(self.config.model):
            parts = own_model.find(str(self.config.model)).make().submodules
            own = {type(part).__name__: type(part) for part in parts}
        with watching.one_at_a_time():
            return tf.keras.models.load_model(
                self.workdir / name, custom_objects=own, compile=False, safe_mode=False
            )

    def frame(self) -> "pd.DataFrame":
        """A row a round."""
        return frames.of_rows(self.rows)

    def plot(self, column: str = "eval_accuracy", ax: "Axes | None" = None) -> "Figure":
        """A column of the rows by round."""
        points = [(row["round"], row[column]) for row in self.rows if row.get(column) is not None]
        if not points:
            raise ArgumentError(f"column={column!r}: no row has it")
        return figures.curve(points, column, ax)

    @property
    def probes(self) -> "Measured":
        """What the run's own probes wrote when it ended: distances, misalignment, ..."""
        from fed_pretrain.notebook import probing

        return probing.of_run(self.workdir)

    def probe(
        self,
        *names: str,
        round: str | int = "last",
        other_run: "TrainedRun | None" = None,
        third_run: "TrainedRun | None" = None,
        **settings: Json,
    ) -> "Measured":
        """What `analyze` measures of the weights that the run kept of a round.

        `names`: hessian, alignment, misalignment, loss, landscape, ...; `settings`: their flags,
        such as hessian_eigenvalues=5. `other_run` and `third_run` are what landscape and plane set
        beside this one.
        """
        from fed_pretrain.notebook import probing

        others = {"other_run": other_run, "third_run": third_run}
        folders = {name: str(run.workdir) for name, run in others.items() if run is not None}
        with watching.one_at_a_time(), naming(probes="names"), quietly.running():
            return probing.measured(
                self.config, self.workdir, names or ("hessian",), str(round), folders, settings
            )

    def resume(self, rounds: int | None = None, on_round: OnRound | None = None) -> "TrainedRun":
        """Goes on to `rounds` rounds in all, or to the end of what was begun."""
        config = self.config
        if rounds is not None:
            config = dataclasses.replace(
                config, work=dataclasses.replace(config.work, rounds=rounds)
            )
        return run(config, self.clients, on_round, self._session)

    def __repr__(self) -> str:
        state = "finished" if self.finished else self.reason
        if not self.evaluated:
            return f"run of {self.config.task}: {state}, nothing evaluated"
        return (
            f"run of {self.config.task} after round {self.rows[-1]['round']}: {state}, accuracy"
            f" {self.accuracy:.4f}, loss {self.loss:.4f}; {self.workdir}"
        )


@overload
def train(clients: RunConfig) -> RunResult: ...


@overload
def train(clients: Nested, **arguments: Json) -> TrainedRun: ...


def train(
    clients: Nested,
    *,
    model: Model = None,
    start: Given = "random",
    algorithm: str | Algorithm = "fedavg",
    rounds: int | None = None,
    seed: int = 0,
    clients_per_round: int | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    loss: Loss | None = None,
    process: Process = None,
    on_round: OnRound | None = None,
    workdir: str | os.PathLike[str] | None = None,
    **settings: Json,
) -> TrainedRun | RunResult:
    """Trains one model on clients.

    Args:
      clients: from `fed_pretrain.clients(...)`, or anything that it takes; a RunConfig by itself
        runs or continues that run.
      model: a Keras model with logits as outputs, a function that builds one, a .keras file, or a
        model's name; by default the task's own.
      start: "random", "own" (the weights that the model has now), weights (a list as get_weights()
        gives, a dictionary by name, a Keras model), a file, `package:NAME`, a head in one pass
        ("ncm", "ridge", "cof"), or `fed_pretrain.start(...)`.
      algorithm: a usual name, or `fed_pretrain.algorithm(...)`.
      rounds, clients_per_round, batch_size, epochs: by default the task's.
      seed: decides every random choice.
      loss: a function of (y, outputs) in the place of the task's, with a number for each example.
      process: a LearningProcess of TFF's in the place of an algorithm of ours; it trains `model`.
      on_round: called with each round's row.
      workdir: keeps the run; the same call on the same folder goes on with it. By default it is in
        a temporary folder that goes with the result.
      settings: any flag of `python -m fed_pretrain.train`, such as evaluate_every=5,
        probes="alignment,drift", executor="native", devices="GPU".
    """
    if isinstance(clients, RunConfig):
        return train_config(clients)
    with watching.one_at_a_time(), naming(start="start"), Place(workdir) as place:
        held = clients_of(clients)
        given = {
            "rounds": rounds,
            "clients_per_round": clients_per_round,
            "batch_size": batch_size,
            "epochs": epochs,
            **settings,
        }
        name = models.named(model, held, place.parts)
        task = losses.task_with(held.task, loss)
        begin = starts.resolved(start, "start", model, name, held, place.parts)
        chosen = algorithms.of(algorithm)
        given |= starts.rates(start)
        config = config_of(held, task, name, chosen, seed, given, start=begin)
        config = dataclasses.replace(config, workdir=str(place.folder))
        trained = run(config, held, on_round, _session(process))
        place.goes_with(trained)
        return trained


def config_of(
    clients: Clients,
    task: str,
    model: str | None,
    algorithm: Algorithm,
    seed: int,
    given: Mapping[str, Json],
    **sections: Json,
) -> RunConfig:
    """The config of a run, as flags would make it."""
    found = arguments.sections(given)
    chosen = {**dict(found.pop("algorithm_settings")), **dict(algorithm.settings)}
    return RunConfig(
        task=task,
        workdir="",
        dataset=str(clients.dataset.path),
        model=model,
        seed=seed,
        algorithm_name=algorithm.name,
        algorithm_settings=tuple(sorted(chosen.items())),
        **{**found, **sections},
    )


def run(
    config: RunConfig,
    clients: Clients,
    on_round: OnRound | None = None,
    session: "ProcessSession | None" = None,
) -> TrainedRun:
    """Trains, and says so in the notebook's own way."""
    followers = watching.followers(on_round)
    with watching.one_at_a_time(), naming(start="start"), quietly.running():
        result = train_config(config, session, followers)
    return TrainedRun(config, result, clients, session)


def _session(process: Process) -> "ProcessSession | None":
    """What trains by a process of somebody else's."""
    if process is None:
        return None
    from fed_pretrain.notebook.processes import ProcessSession

    if not hasattr(process, "get_model_weights"):
        raise ArgumentError(
            f"process is a {type(process).__name__}; a tff.learning.templates.LearningProcess is"
            " wanted"
        )
    return ProcessSession(process)


class Place:
    """The folder of a run or study: the caller's, or a temporary one that goes with the result."""

    def __init__(self, workdir: str | os.PathLike[str] | None) -> None:
        if not isinstance(workdir, (str, os.PathLike, type(None))):
            raise ArgumentError(f"workdir is a {type(workdir).__name__}; a path is wanted")
        schemes.check("workdir", os.fspath(workdir or ""), served=False)
        self._temporary = not workdir
        self.folder = Path(workdir or tempfile.mkdtemp(prefix="fed_pretrain_")).absolute()
        above = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        if not above.is_dir():
            raise ArgumentError(f"workdir={self.folder}: {above} is a file")

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, kind: type[BaseException] | None, *unused: object) -> None:
        """A refusal leaves nothing behind; what was interrupted can go on."""
        if self._temporary and kind is not None and not issubclass(kind, KeyboardInterrupt):
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def parts(self) -> Path:
        """Where models and starts that were given as objects are files."""
        return self.folder / _PARTS

    def goes_with(self, result: object) -> None:
        if self._temporary:
            weakref.finalize(result, shutil.rmtree, self.folder, ignore_errors=True)
