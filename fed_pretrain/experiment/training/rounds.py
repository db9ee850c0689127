"""The training program: rounds, metrics, checkpoints; stopped anywhere, it continues the same."""

import dataclasses
import functools
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fed_pretrain.clients.client_reader import CohortPrefetch
from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.experiment.assembly import private_run, round_clients
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.assembly.client_states import ClientStates
from fed_pretrain.experiment.assembly.evaluations import Evaluations
from fed_pretrain.experiment.training import idle_rounds, profiling, run_end, stopping
from fed_pretrain.experiment.training.costs import Traffic
from fed_pretrain.experiment.training.result import RunResult
from fed_pretrain.experiment.training.run_probes import RunProbes
from fed_pretrain.experiment.training.stopping import reason_to_stop
from fed_pretrain.experiment.workdir import workdir
from fed_pretrain.experiment.workdir.checkpoints import CheckpointFolder, StateLayout
from fed_pretrain.experiment.workdir.metrics import (
    MetricsWriter,
    Row,
    best_round,
    bytes_to_target,
    rounds_to_target,
)
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes.local_updates import local_updates
from fed_pretrain.probes.probe import RoundObservation
from fed_pretrain.tracking.follower import FollowedRun, Follower
from groundwork import files, versions
from groundwork.files import defined
from groundwork.memory import resident_megabytes
from groundwork.progress import Progress
from groundwork.signals import GracefulStop
from groundwork.untyped import Json, State

# What a round without clients shows of itself.
_NOTHING: Mapping[str, Json] = {"alignment": None, "layer_alignment": {}}


class Training:
    """One run in progress."""

    def __init__(
        self, assembly: Assembly, folder: Path, stop: GracefulStop, follower: Follower
    ) -> None:
        self._follower = follower
        self._assembly = assembly
        self._config = assembly.config
        profiling.check(self._config.saving.profile, self._rounds)
        self._folder = folder
        self._stop = stop
        self._began = time.monotonic()
        self._process = assembly.algorithm.process
        self._layout = StateLayout.of(assembly.algorithm, assembly.start.names)
        self._checkpoints = CheckpointFolder(folder / "checkpoints")
        self._metrics = MetricsWriter(
            folder,
            tensorboard=self._config.saving.tensorboard,
            hyperparameters=hyperparameters(assembly),
        )
        self._clients = ClientStates(assembly.algorithm)
        self._evaluations = Evaluations(assembly, self._clients)
        self._probes = RunProbes(assembly, folder)
        self._traffic = Traffic.of(assembly)
        self._state: State = None
        self._round = 0
        self._saved_round: int | None = None
        self._observed = _NOTHING

    @property
    def _private(self) -> bool:
        return self._config.algorithm.private

    @property
    def _rounds(self) -> int:
        return self._config.work.rounds

    def run(self) -> RunResult:
        workdir.claim(self._folder, self._assembly)
        self._begin_or_resume()
        self._follower.begin(self._followed(), self._metrics.rows)
        try:
            return self._until_the_end()
        except BaseException as error:
            self._follower.stop(f"failed: {error}")
            raise

    def _until_the_end(self) -> RunResult:
        reason = self._reason()
        label = f"{self._config.task} {self._config.start.spec} {self._assembly.algorithm.label}"
        progress = Progress(label, self._rounds)
        with CohortPrefetch(self._assembly.seen.task.reader(TRAIN_SPLIT)) as prefetch:
            while reason is None:
                row = self._one_round(prefetch)
                progress.update(self._round, _detail(row))
                self._follower.row(row)
                reason = self._reason()
        progress.close()
        self._save()
        self._metrics.close()
        if self._stop.requested:
            self._follower.stop(reason or "")
            return RunResult(self._folder, self._metrics.rows, reason or "", self._stop.requested)
        run_end.finish(
            self._folder,
            self._assembly,
            self._metrics,
            self._probes,
            self._snapshot,
            self._checkpoints.rounds(),
            {"reason": reason, "evaluated": self._evaluations.evaluated()}
            | self._to_target()
            | self._spent(),
        )
        self._follower.end(reason or "", run_end.small_files(self._folder))
        return RunResult(self._folder, self._metrics.rows, reason or "")

    def _followed(self) -> FollowedRun:
        tags = {**workdir.identity_tags(self._folder), **versions.current()}
        return FollowedRun(self._folder.name, self._folder, hyperparameters(self._assembly), tags)

    def _to_target(self) -> dict[str, Json]:
        """What the target accuracy took; None where it was not reached."""
        target, rows = self._config.limits.target_accuracy, self._metrics.rows
        if not target:
            return {}
        return {
            "target_accuracy": target,
            "rounds_to_target": rounds_to_target(rows, "eval_accuracy", target),
            "bytes_to_target": bytes_to_target(rows, "eval_accuracy", target),
        }

    def _spent(self) -> dict[str, Json]:
        """The privacy that the run has spent."""
        statement = private_run.statement(self._config)
        if statement is None:
            return {}
        epsilon = self._assembly.algorithm.spent_epsilon(self._round)
        return {"privacy": defined({"epsilon": epsilon, **statement})}

    def _reason(self) -> str | None:
        if self._stop.requested:
            return f"stopped by {self._stop.requested}"
        if self._round >= self._rounds:
            return f"all {self._rounds} rounds done"
        seconds = time.monotonic() - self._began
        return reason_to_stop(self._metrics.rows, self._config.limits, seconds)

    def _begin_or_resume(self) -> None:
        self._checkpoints.remove_leftovers()
        last_row = self._metrics.last_round_on_disk()
        checkpoint, damage = self._checkpoints.newest_sound(min(last_row, self._rounds))
        for sentence in damage:
            print(f"warning: {sentence}; the one before it is used", file=sys.stderr)
        if checkpoint is None:
            self._begin()
            return
        self._round = self._saved_round = int(checkpoint.metadata["round"])
        self._state = self._layout.from_arrays(checkpoint.arrays)
        self._clients.restore(checkpoint.arrays)
        self._metrics.resume(self._round)
        self._probes.forget_after(self._round)
        if self._traffic.depends_on_the_past:
            rounds = range(1, self._round + 1)
            self._traffic.replay([round_clients.counted(self._assembly, r) for r in rounds])
        if self._round < self._rounds:
            print(f"continuing after round {self._round}", file=sys.stderr)

    def _begin(self) -> None:
        """Round 0: the start's weights, evaluated before any update."""
        print(self._assembly.start_table(), file=sys.stderr)
        state = self._assembly.algorithm.initial_state(self._assembly.executor)
        self._state = self._layout.with_model(state, self._assembly.start.weights)
        self._metrics.resume(-1)
        self._probes.forget_after(-1)
        began = time.perf_counter()
        model = self._model()
        row: Row = {"round": 0, "clients": 0, "examples": 0, "bytes_down": 0, "bytes_up": 0}
        if self._private:
            del row["examples"]
        row |= self._evaluations.row(model, [])
        row |= self._probes.at_start(model)
        row["seconds"] = time.perf_counter() - began
        self._metrics.append(row)
        self._save()

    def _model(self) -> ModelArrays:
        return self._layout.model(self._state)

    def _one_round(self, prefetch: CohortPrefetch) -> Row:
        began = time.perf_counter()
        round_number = self._round + 1
        inputs = round_clients.inputs(self._assembly, round_number, self._clients)
        if round_number < self._rounds:
            coming = round_clients.cohort_of(self._assembly, round_number + 1)
            prefetch.start(coming, self._config.work.max_examples)
        before = self._model()
        row: Row = {"round": round_number}
        # With privacy a round without clients adds noise too, or it would show that nobody came.
        ran = bool(inputs) or self._private
        if ran:
            asked, elsewhere = self._config.saving.profile, self._assembly.executor.profiled
            with profiling.of_round(self._folder, round_number, asked, elsewhere):
                row |= self._train(round_number, inputs)
        self._state = idle_rounds.after_round(
            self._layout, self._state, round_number, self._config.algorithm, ran=ran
        )
        files.reach("after-round")
        self._round = round_number
        row |= self._measure(row, before, [one.client_id for one in inputs])
        row["seconds"] = time.perf_counter() - began
        row["memory_mb"] = resident_megabytes()
        self._metrics.append(row)
        files.reach("after-metrics")
        if round_number % self._config.saving.checkpoint_every == 0:
            self._save()
        return row

    def _train(self, round_number: int, inputs: Sequence[ClientInput]) -> Row:
        """The clients' work and the server's step; columns of what the clients saw."""
        executor, algorithm = self._assembly.executor, self._assembly.algorithm
        state = before = self._state
        if algorithm.first_pass is not None:
            state = algorithm.first_pass.run(executor, state, inputs)
        output = executor.run_round(algorithm, state, inputs)
        sums = algorithm.train_sums(output.metrics)
        if sums["nonfinite"]:
            stopping.handle_nonfinite(self._assembly, state, inputs, round_number)
        self._state = output.state
        self._clients.update(output.client_states)
        self._observed = {
            "alignment": algorithm.alignment(output.metrics),
            "layer_alignment": algorithm.layer_alignment(output.metrics),
            "updates": functools.partial(local_updates, executor, algorithm, before, inputs),
        }
        row: Row = {}
        if not self._private:  # these are exact sums over clients
            seen = self._assembly.task.summarise(sums)
            row |= {f"train_{name}": value for name, value in seen.items()}
            row["examples"] = int(sums["examples"])
            if sums["nonfinite"]:
                row["clients_nonfinite"] = int(sums["nonfinite"])
        row |= algorithm.extra_columns(output.metrics)
        return row | {f"seconds_{name}": value for name, value in output.seconds.items()}

    def _measure(self, row: Row, before: ModelArrays, clients: Sequence[str]) -> Row:
        """Traffic, probes and evaluation of the round that `row` describes."""
        counted = round_clients.counted(self._assembly, self._round) if self._private else clients
        down, up = self._traffic.round(self._round, counted)
        measured: Row = {"clients": len(counted), "bytes_down": down, "bytes_up": up}
        if not self._private:
            measured["examples"] = row.get("examples", 0)
        model = self._model()
        due = self._evaluations.due(self._round)
        observation = RoundObservation(self._round, before, model, clients, **self._observed)
        # What it holds is the server's state before the round: let go of it before the next one.
        self._observed = _NOTHING
        measured |= self._probes.after_round(observation, due)
        started = time.perf_counter()
        if due:
            measured |= self._evaluations.row(model, clients)
        measured["seconds_evaluate"] = time.perf_counter() - started
        return measured

    def _save(self) -> None:
        """After the row is on disk: a checkpoint never speaks for a round without a row."""
        if self._round != self._saved_round:
            self._metrics.sync()
            files.reach("before-checkpoint")
            arrays = {**self._layout.to_arrays(self._state), **self._clients.arrays()}
            self._checkpoints.save(self._round, workdir.model_facts(self._assembly), arrays)
            self._saved_round = self._round
            files.reach("after-checkpoint")
        self._checkpoints.forget_stops(self._config.saving.checkpoint_every, self._round)
        kept = {0, best_round(self._metrics.rows, self._checkpoints.rounds())}
        self._checkpoints.thin(self._config.saving.keep_checkpoints, kept)

    def _snapshot(self, round_number: int) -> ModelArrays:
        """The model of a kept checkpoint."""
        arrays = self._checkpoints.load_or_set_aside(round_number).arrays
        return self._layout.model(self._layout.from_arrays(arrays))


def hyperparameters(assembly: Assembly) -> dict[str, str | int | float | bool]:
    """What distinguishes the runs of a study."""
    config = assembly.config
    values: dict[str, Json] = {
        "task": config.task,
        "model": assembly.task.model_name,
        "start": config.start.spec,
        "trainable": config.start.trainable,
        "seed": config.seed,
    }
    for section in (config.work, config.algorithm, config.system):
        values |= dataclasses.asdict(section)
    return {name: value for name, value in values.items() if value is not None}


def _detail(row: Mapping[str, Json]) -> str:
    parts = [f"loss {row['train_loss']:.4f}"] if np.isfinite(row.get("train_loss", np.nan)) else []
    if row.get("eval_accuracy") is not None:
        parts.append(f"eval accuracy {row['eval_accuracy']:.4f}")
    return "  ".join(parts)
