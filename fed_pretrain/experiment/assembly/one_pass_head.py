"""A start with a head in closed form: one pass over the training clients, on the run's executor."""

import collections
import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping

import numpy as np

from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.algorithms.protected_sums import Protection
from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.curvature import sample
from fed_pretrain.executors.executor import Executor
from fed_pretrain.experiment.assembly.run_config import ResolvedRun
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes.subject import OnePass
from fed_pretrain.starts import closed_form
from fed_pretrain.starts.closed_form import ClassSums, ClosedForm
from fed_pretrain.starts.start import Start
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import feature_sums
from fed_pretrain.tasks.task import Task
from groundwork.errors import UserError
from groundwork.untyped import Json, Nested

Tensors = list[np.ndarray]
_BATCH = 128
# Of the inverse of the largest curvature in the head; of that rate in the body.
_HEAD_STEP, _BODY_STEP = 0.2, 0.01
_BYTES_A_NUMBER = 4
# Squared lengths of phi that clients vote for, and the norm of a client's two votes.
_LENGTHS = [float(length) for length in np.geomspace(1e-2, 1e6, 33)]
_VOTES = 2.0**0.5
RELEASES = 2
"""Of the sums, and of the votes."""


def fitted(
    start: Start, run: ResolvedRun, task: Task, executor: Executor, session: Session
) -> Start:
    """The start with its new head's weights put in the place of the drawn ones."""
    config = run.start
    form, protection = closed_form.FORMS[config.head], Protection.of(run.algorithm)
    if protection.any and form.wants_each:
        raise UserError(
            f"--start_head={config.head} needs the sums of each client by itself, which neither"
            " --secure_aggregation nor --dp_noise_multiplier lets the server see: use ncm or ridge"
        )
    head = _head(start, task, config.head)
    # Starts that differ in the draw of the head alone (by seed) have the same one here.
    key: tuple[Json, ...] = ("one-pass head", id(task), _body_digest(start, head))
    key += (config.head, config.head_strength)
    if protection.any:
        key += (repr(protection), config.head_clip)
    fit = session.cached(key, lambda: _Fit(start, config, task, executor, form, head, protection))
    report = dataclasses.replace(
        start.report,
        rows=tuple(
            dataclasses.replace(row, why=f"one-pass head: {config.head}")
            if row.name in fit.values
            else row
            for row in start.report.rows
        ),
        facts={**start.report.facts, "head": config.head, **fit.facts},
        warnings=(*start.report.warnings, *fit.warnings, _rate_warning(fit.facts)),
    )
    # Of what the head is made from, not of its bits: executors may round them differently.
    digest = hashlib.sha256(json.dumps(key[2:]).encode()).hexdigest()
    return dataclasses.replace(
        start, weights=_with(start, fit.values), report=report, digest=digest
    )


def beside_the_start(
    start: Start, run: ResolvedRun, task: Task, executor: Executor, session: Session
) -> OnePass | None:
    """What `--start_head=ridge` makes of a start that has another head."""
    if run.start.fits_head or run.algorithm.private or not _labelled(task):
        return None
    if not _has_head(start):
        return None
    # Whatever the run's own sums are, these are plain ones, after the fact.
    plain = dataclasses.replace(run.algorithm, secure_aggregation=False)
    asked = dataclasses.replace(run.start, head="ridge")
    made = fitted(
        start, dataclasses.replace(run, start=asked, algorithm=plain), task, executor, session
    )
    facts = made.report.facts
    down, up = (facts[f"head_bytes_{way}_per_client"] for way in ("down", "up"))
    clients = facts["head_clients"]
    return OnePass(ModelArrays(*made.weights), clients * down, clients * up)


def with_gentle_rate(run: ResolvedRun, start: Start) -> ResolvedRun:
    """The clients' rates, unless the user gives one, at which such a head survives training.

    The curvature of the loss in the head grows with the squared length of phi, and that in the body
    with the squared factor of the head besides: a step is held to a share of the inverse.
    """
    asked = dict(run.algorithm_settings)
    if "client_learning_rate" in asked:
        return run
    body, head = _gentle(start.report.facts)
    usual = run.algorithm.client_learning_rate
    rates: dict[str, Json] = {"client_learning_rate": min(usual, body)}
    if known_updates.named(run.algorithm.client_update).one_rate is None:
        rates["head_learning_rate"] = asked.get("head_learning_rate", min(usual, head))
    return dataclasses.replace(run, algorithm=dataclasses.replace(run.algorithm, **rates))


def _rate_warning(facts: Mapping[str, Json]) -> str:
    body, head = _gentle(facts)
    return (
        f"unless --client_learning_rate is given, clients step by at most {body:.1e} in the body"
        f" and {head:.1e} in the head, since at usual rates such a head is lost within a few rounds"
    )


def _gentle(facts: Mapping[str, Json]) -> tuple[float, float]:
    """The rates of body and head; see docs/heads.md for what others do."""
    head = _HEAD_STEP / facts["head_squared_features"]
    return _BODY_STEP * head / max(1.0, facts["head_scale"] ** 2), head


def _with(start: Start, values: Mapping[str, np.ndarray]) -> tuple[Tensors, Tensors]:
    """The start's weights, those named in `values` exchanged."""
    trainable, frozen = (
        [values.get(name, value) for name, value in zip(names, tensors, strict=True)]
        for names, tensors in zip(start.names, start.weights, strict=True)
    )
    return trainable, frozen


def _labelled(task: Task) -> bool:
    """Whether an example has one class."""
    return task.encoder.y_shape == () and task.definition.objective is None


def _has_head(start: Start) -> str | None:
    """The layer of the classes, if it has a kernel of its own."""
    head = start.build_model.head_of(start.build_model())
    return head if f"{head}/kernel" in start.names[0] + start.names[1] else None


def _head(start: Start, task: Task, name: str) -> str:
    if not _labelled(task):
        raise UserError(
            f"--start_head={name}: a head in closed form needs one label an example, which task"
            f" {task.name!r} does not have"
        )
    head = _has_head(start)
    if head is None:
        raise UserError(f"--start_head={name}: model {task.model_name!r} has no head of its own")
    return head


def _body_digest(start: Start, head: str) -> str:
    state = hashlib.sha256(json.dumps(start.build_model.identity(), sort_keys=True).encode())
    for names, values in zip(start.names, start.weights, strict=True):
        for name, value in zip(names, values, strict=True):
            if name.rsplit("/", 1)[0] != head:
                state.update(f"{name} {value.dtype.str}{value.shape}".encode())
                state.update(np.ascontiguousarray(value).tobytes())
    return state.hexdigest()


class _Fit:
    """The head's `values` by name, and what start.json says about them."""

    def __init__(
        self,
        start: Start,
        config: StartConfig,
        task: Task,
        executor: Executor,
        form: ClosedForm,
        head: str,
        protection: Protection,
    ) -> None:
        self._start, self._task, self._executor = start, task, executor
        self._form, self._head, self._protection = form, head, protection
        # An example of phi of length one adds as much to each kind of sums.
        self._norm = config.head_clip * (3.0 if form.wants_second_moment else 2.0) ** 0.5
        reader = task.reader(TRAIN_SPLIT)
        whole = sample.draw(task.dataset.index(TRAIN_SPLIT), None, seed=0)
        self._clients = sample.inputs(reader, whole, _BATCH)
        total, each = self._sums()
        rows = closed_form.directions(form, total, each, config.head_strength)
        if not np.isfinite(rows).all():
            raise UserError(
                f"--start_head={form.name}: what the head is given is not finite for some example"
            )
        scale, squared = self._second_pass(rows)
        self.values = self._named(rows * scale)
        self.facts = self._facts(total, config)
        self.facts |= {"head_scale": scale, "head_squared_features": squared}
        absent = np.flatnonzero((total.counts == 0) & (protection.noise is None))
        self.warnings = (
            [f"no client holds an example of {len(absent)} of the classes: their logits are 0"]
            if len(absent)
            else []
        )

    def _sums(self) -> tuple[ClassSums, list[ClassSums]]:
        """Over all clients, and of each where the head needs that."""
        protection, leaves = self._protection, None
        if protection.any:
            leaves = functools.partial(protection.leaves, norm=self._norm)
        computation = feature_sums.class_sums(
            self._task, self._start.build_model, self._head, self._form.wants_second_moment, leaves
        )
        value = self._value(self._start.weights)
        if not self._form.wants_each:
            found = self._executor.sum_clients(computation, value, self._clients)
            if protection.any:
                found = protection.arrives(found, self._norm, "class sums")
            return _class_sums(found), []
        each = [
            _class_sums(found)
            for found in self._executor.map_clients(computation, value, self._clients)
        ]
        return closed_form.added(each), each

    def _second_pass(self, rows: np.ndarray) -> tuple[float, float]:
        """Each client sends its loss at every factor, and the sum of its squared phi."""
        weights = _with(self._start, self._named(rows))
        if self._protection.any:
            return self._voted(weights)
        computation = feature_sums.losses_by_scale(
            self._task, self._start.build_model, self._head, list(closed_form.SCALES)
        )
        found = self._executor.sum_clients(computation, self._value(weights), self._clients)
        best = int(np.argmin(np.asarray(found["losses"])))
        return float(closed_form.SCALES[best]), float(found["squares"]) / float(found["count"])

    def _voted(self, weights: tuple[Tensors, Tensors]) -> tuple[float, float]:
        """Where sums are protected each client names its best factor and its length of phi."""
        scales, protection = list(closed_form.SCALES[::5]), self._protection

        def leaves(sums: Nested) -> Nested:
            return protection.leaves(feature_sums.votes(sums, scales, _LENGTHS), norm=_VOTES)

        computation = feature_sums.losses_by_scale(
            self._task, self._start.build_model, self._head, scales, leaves
        )
        found = self._executor.sum_clients(computation, self._value(weights), self._clients)
        votes = protection.arrives(found, _VOTES, "votes")
        return float(scales[np.argmax(votes["scale"])]), _LENGTHS[np.argmax(votes["length"])]

    def _value(self, weights: tuple[Tensors, Tensors]) -> Nested:
        return collections.OrderedDict(weights=ModelArrays(*weights), vector=[])

    def _named(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The head's tensors: the kernel of a layer or of a 1x1 convolution, and a bias of zero."""
        shapes = {
            name: value
            for names, values in zip(self._start.names, self._start.weights, strict=True)
            for name, value in zip(names, values, strict=True)
            if name.rsplit("/", 1)[0] == self._head
        }
        kernel = shapes[f"{self._head}/kernel"]
        if kernel.size != rows.size:
            raise UserError(
                f"--start_head={self._form.name}: the head of {self._task.model_name!r} looks at"
                " more than one place at once"
            )
        result = {name: np.zeros_like(value) for name, value in shapes.items()}
        result[f"{self._head}/kernel"] = rows.T.reshape(kernel.shape).astype(kernel.dtype)
        return result

    def _facts(self, total: ClassSums, config: StartConfig) -> dict[str, Json]:
        classes, width = total.features.shape
        numbers = classes * (width + 1) + len(closed_form.SCALES) + 2
        if self._form.wants_second_moment:
            numbers += width * (width + 1) // 2
        body = sum(value.nbytes for values in self._start.weights for value in values)
        return {
            "head_paper": f"arXiv {self._form.paper}",
            "head_strength": config.head_strength if self._form.regularised else None,
            "head_clients": len(self._clients),
            "head_examples": max(0, round(float(total.counts.sum()))),
            "head_bytes_up_per_client": numbers * _BYTES_A_NUMBER,
            # The second pass sends the head once more.
            "head_bytes_down_per_client": body + classes * width * _BYTES_A_NUMBER,
        }


def _class_sums(found: Nested) -> ClassSums:
    second = dict(found).get("second_moment")
    return ClassSums(
        np.asarray(found["features"], np.float64),
        np.asarray(found["counts"], np.float64),
        None if second is None else np.asarray(second, np.float64),
    )
