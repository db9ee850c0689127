"""Central pre-training on proxy data: the same tasks and models, one loop, exact resume.

The result is `start.ckpt` in the work directory, which `--start=checkpoint:` takes, and beside it
`start.ckpt.json`, which says what was proxy. A killed training and one never killed give the same
bytes: every batch and every dropout mask is a function of (seed, step).
"""

import collections
import dataclasses
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from fed_pretrain.executors.device import placement
from fed_pretrain.experiment.assembly import session
from fed_pretrain.experiment.workdir import metrics, workdir
from fed_pretrain.experiment.workdir.checkpoints import CheckpointFolder
from fed_pretrain.experiment.workdir.metrics import MetricsWriter
from fed_pretrain.pretraining import central_step, proxy_data
from fed_pretrain.pretraining.central_step import CentralStep
from fed_pretrain.pretraining.pretrain_config import CentralConfig
from fed_pretrain.pretraining.proxy_data import Proxy
from fed_pretrain.starts import start as starts
from fed_pretrain.starts.formats import run_checkpoint
from fed_pretrain.starts.origins.proxy_origin import GROUP
from fed_pretrain.starts.start import Start
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import embedded_datasets, known_tasks
from fed_pretrain.tasks.definition import TaskOptions
from fed_pretrain.tasks.evaluation import batches
from fed_pretrain.tasks.task import Task
from groundwork import array_file, files, from_json, plugins, randomness, versions
from groundwork.errors import UserError
from groundwork.locks import WorkdirLock
from groundwork.progress import Progress
from groundwork.settings import differences, digest
from groundwork.signals import GracefulStop
from groundwork.stores import mirror
from groundwork.untyped import Json

RESULT = run_checkpoint.PRETRAINED
SUCCESS = "SUCCESS"


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """Everything a pre-training depends on."""

    task: str
    workdir: str
    dataset: str | None = None
    model: str | None = None
    plugins: tuple[str, ...] = ()
    seed: int = 0
    devices: str = "CPU"
    options: TaskOptions = dataclasses.field(default_factory=TaskOptions)
    start: StartConfig = dataclasses.field(default_factory=StartConfig)
    central: CentralConfig = dataclasses.field(default_factory=CentralConfig)


@dataclasses.dataclass(frozen=True)
class PretrainResult:
    """Where the start is, and the validation it was chosen by."""

    path: Path
    steps: int
    validation: Mapping[str, Json]


@dataclasses.dataclass
class _State:
    """What a checkpoint keeps besides arrays: `sums` since the last validation, the best so far."""

    step: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    best_step: int = 0
    best_loss: float | None = None
    waited: int = 0


def pretrain(config: PretrainConfig) -> PretrainResult:
    """Trains until the last epoch or until the validation loss stops falling."""
    plugins.load(config.plugins)
    with (
        mirror.working(config.workdir, last=SUCCESS) as place,
        tf.device(_device(config.devices)),
        WorkdirLock(folder := _folder(place)),
    ):
        workdir.remove_leftovers(folder)
        dataset = embedded_datasets.open_for_task(config.task, config.dataset)
        task = known_tasks.load(config.task, dataset, config.model, config.options)
        if config.start.fits_head:
            raise UserError(
                f"--start_head={config.start.head} comes from a pass over clients; pretrain has"
                " none: use --start_head=new"
            )
        start = starts.resolve(config.start, task, config.seed)
        _claim(folder, config, task, start)
        done = _finished(folder)
        return done if done is not None else _Training(config, folder, task, start).run()


def _device(asked: str) -> str:
    """One: there are no clients to spread. Executors are for rounds, and this has none."""
    devices = placement.existing(asked)
    if len(devices) > 1:
        raise UserError(f"--devices={asked}: central training runs on one device, not {devices}")
    return devices[0]


class _Training:
    def __init__(self, config: PretrainConfig, folder: Path, task: Task, start: Start) -> None:
        self._config, self._central, self._folder = config, config.central, folder
        self._task, self._start = task, start
        central = self._central
        self._proxy = proxy_data.pool(
            task,
            central.proxy_clients,
            central.proxy_examples,
            central.validation_share,
            config.seed,
        )
        # Rows beyond those there are would be padding: memory and time for nothing.
        self._batch = min(central.batch_size, len(self._proxy.x))
        epoch = self._proxy.steps_an_epoch(self._batch)
        self._steps = central.epochs * epoch
        self._every = central.evaluate_every or epoch
        self._step = self._compiled()
        self._step.begin(start.weights)
        self._checkpoints = CheckpointFolder(folder / "checkpoints")
        self._writer = MetricsWriter(folder, tensorboard=False)
        self._state = _State()

    def _compiled(self) -> CentralStep:
        """Pre-trainings of other seeds and rates use it as well."""
        task, start, central = self._task, self._start, self._central
        how = (central.optimizer, central.weight_decay, self._batch, self._config.devices)
        return session.shared().compiled(
            ("central step", session.structure(task, start), *how),
            lambda: CentralStep(task, start.build_model(), central.optimizer, central.weight_decay),
        )

    def run(self) -> PretrainResult:
        print(self._start.report.table())
        print(_announcement(self._proxy, self._steps))
        self._resume()
        progress = Progress("pre-training", self._steps)
        began = time.monotonic()
        with GracefulStop() as stop:
            while self._state.step < self._steps and not self._patience_is_out():
                self._one_step()
                progress.update(self._state.step, self._detail())
                at_validation = self._state.step % self._every == 0
                if at_validation or self._state.step == self._steps:
                    self._validate(time.monotonic() - began)
                    self._save()
                elif stop.requested:
                    self._save()
                if stop.requested:
                    progress.close()
                    raise UserError(f"{stop.requested}: saved; the same command continues")
        self._writer.close()
        return self._finish(progress)

    def _one_step(self) -> None:
        step, central, seed = self._state.step, self._central, self._config.seed
        x, y = self._proxy.batch(step, self._batch, seed)
        key = randomness.stateless_seed(seed, "pretrain dropout", step)
        rate = central_step.learning_rate(
            central.learning_rate, central.schedule, step, self._steps
        )
        _add(self._state.sums, self._step.train(x, y, key, rate))
        self._state.step += 1
        if not np.isfinite(self._state.sums["loss_sum"]):
            raise UserError(
                f"the loss is not finite at step {step}: lower --learning_rate "
                f"({central.learning_rate:g})"
            )
        files.reach("pretrain-step")

    def _validate(self, seconds: float) -> None:
        state = self._state
        trained = self._task.summarise(state.sums)
        measured = self._task.summarise(self._validation_sums())
        if state.best_loss is None or measured["loss"] < state.best_loss:
            state.best_loss, state.best_step, state.waited = measured["loss"], state.step, 0
            array_file.save(self._folder / "best.ckpt", {"step": state.step}, self._step.weights())
        else:
            state.waited += 1
        state.sums = {}
        files.reach("pretrain-before-row")
        self._writer.append(
            {
                "round": state.step,
                "epoch": state.step / self._proxy.steps_an_epoch(self._batch),
                **{f"train_{name}": value for name, value in trained.items()},
                **{f"eval_{name}": value for name, value in measured.items()},
                "seconds": seconds,
            }
        )

    def _validation_sums(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        rows = iter([(self._proxy.validation_x, self._proxy.validation_y)])
        for x, y in batches(rows, self._batch):
            _add(sums, self._step.evaluate(x, y))
        return sums

    def _patience_is_out(self) -> bool:
        return bool(self._central.patience) and self._state.waited >= self._central.patience

    def _detail(self) -> str:
        best = self._state.best_loss
        return "" if best is None else f"best validation loss {best:.4f}"

    def _save(self) -> None:
        self._writer.sync()
        self._checkpoints.save(
            self._state.step, {"state": dataclasses.asdict(self._state)}, self._step.arrays()
        )
        self._checkpoints.thin(2, ())

    def _resume(self) -> None:
        self._checkpoints.remove_leftovers()
        checkpoint, damage = self._checkpoints.newest_sound(self._steps)
        for sentence in damage:
            print(f"warning: {sentence}; going back to the checkpoint before", file=sys.stderr)
        if checkpoint is not None:
            self._state = _State(**checkpoint.metadata["state"])
            self._step.restore(checkpoint.arrays)
            print(f"continuing after step {self._state.step:,}")
        self._writer.resume(self._state.step if checkpoint is not None else -1)

    def _finish(self, progress: Progress) -> PretrainResult:
        rows = {row["round"]: row for row in metrics.read_rows(self._folder / "metrics.jsonl")}
        best = rows[self._state.best_step]
        validation = {
            name: value
            for name, value in best.items()
            if name.startswith("eval_") and not metrics.machine_dependent(name)
        }
        weights = array_file.load(self._folder / "best.ckpt").arrays
        described = self._start.checkpoint_facts | {
            "proxy": self._proxy.facts,
            "start": self._config.start.spec,
            "step": self._state.best_step,
            "validation": validation,
        }
        # First what was proxy: weights without it would look as if nobody's data were in them.
        beside = {**described, GROUP: self._group()}
        files.write_json(self._folder / f"{RESULT}.json", beside)
        array_file.save(self._folder / RESULT, described, weights)
        result = {"steps": self._state.step, "validation": validation}
        files.write_json(self._folder / SUCCESS, result)
        progress.close(
            f"done after {self._state.step:,} steps; best at {self._state.best_step:,}: "
            + ", ".join(f"{name} {value:.4f}" for name, value in validation.items())
        )
        return PretrainResult(self._folder / RESULT, self._state.step, validation)

    def _group(self) -> list[str] | None:
        """Who was proxy, where not everyone was: those a federation may want to leave out."""
        everyone = self._central.proxy_clients >= 1.0 and self._central.proxy_examples is None
        return None if everyone else list(self._proxy.client_ids)


def _add(sums: dict[str, float], more: Mapping[str, float]) -> None:
    for name, value in more.items():
        sums[name] = sums.get(name, 0.0) + value


def _announcement(proxy: Proxy, steps: int) -> str:
    facts = proxy.facts
    return (
        f"proxy: {facts['rows']:,} rows of {facts['clients']:,} of {facts['clients_of']:,} clients,"
        f" split {facts['split']} only; {facts['validation_rows']:,} rows to validate on; "
        f"{steps:,} steps at most"
    )


def _folder(place: Path) -> Path:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--workdir={place}: cannot be written ({error.strerror})") from error
    return place


def _identity(config: PretrainConfig, task: Task, start: Start) -> dict[str, Json]:
    values = dataclasses.asdict(config)
    for name in ("workdir", "dataset", "plugins"):
        del values[name]
    del values["options"]["cache_megabytes"]
    return {**values, "start": start.digest, "dataset": task.dataset.fingerprint}


def _claim(folder: Path, config: PretrainConfig, task: Task, start: Start) -> None:
    """Writes config.json, or refuses a folder that holds another training."""
    identity = json.loads(json.dumps(_identity(config, task, start)))
    path = folder / "config.json"
    if path.exists():
        before = from_json.record(path)
        changed = differences(before.get("identity", {}), identity)
        if changed:
            raise UserError(
                f"{path}: this folder holds another training; give another --workdir, or undo: "
                + "; ".join(changed)
            )
        return
    files.write_json(folder / "start.json", start.report.as_json())
    content = {"kind": "pretrain", "identity": identity, "hash": digest(identity)}
    files.write_json(path, {**content, "versions": [versions.current()]})


def _finished(folder: Path) -> PretrainResult | None:
    """A training that is done is not done again."""
    path = folder / SUCCESS
    if not path.exists():
        return None
    array_file.load(folder / RESULT)  # its sha256 must still fit
    result = from_json.record(path)
    return PretrainResult(
        folder / RESULT, result["steps"], collections.OrderedDict(result["validation"])
    )
