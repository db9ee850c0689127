"""A start with a head in closed form: one pass over the training clients, on the run's executor."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping

import numpy as np

from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.algorithms.protected_sums import Protection
from fed_pretrain.executors.executor import Executor
from fed_pretrain.experiment.assembly import head_layer
from fed_pretrain.experiment.assembly.head_layer import BYTES_A_NUMBER, HeadLayer, class_sums
from fed_pretrain.experiment.assembly.run_config import ResolvedRun
from fed_pretrain.experiment.assembly.session import Session
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.probes.subject import OnePass
from fed_pretrain.starts import closed_form
from fed_pretrain.starts.closed_form import ClassSums, ClosedForm
from fed_pretrain.starts.start import Start
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.starts.virtual_features import Head
from fed_pretrain.tasks import class_mixtures, feature_sums
from fed_pretrain.tasks.task import Task
from groundwork.errors import UserError
from groundwork.untyped import Json, Nested

# Of the inverse of the largest curvature in the head; of that rate in the body.
_HEAD_STEP, _BODY_STEP = 0.2, 0.01
# Factors of the head that are tried; neighbours are 12 % apart.
_SCALES = np.geomspace(1e-2, 1e4, 121)
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
    if protection.any:
        _check_protected(form, config)
    layer = HeadLayer(start, task, executor, session, f"--start_head={config.head}")
    # Starts that differ in the draw of the head alone (by seed) have the same one here.
    made_from = (_body_digest(start, layer.name), *_settings(config, form, protection))
    fit = session.cached(
        ("one-pass head", id(task), *made_from),
        lambda: _Fit(start, config, form, layer, protection),
    )
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
    digest = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
    made = layer.exchanged(ModelArrays(*start.weights), fit.values)
    weights = (made.trainable, made.non_trainable)
    return dataclasses.replace(start, weights=weights, report=report, digest=digest)


def _settings(config: StartConfig, form: ClosedForm, protection: Protection) -> tuple[Json, ...]:
    """What beside the body decides the head."""
    found: tuple[Json, ...] = (config.head, config.head_strength)
    if protection.any:
        found += (repr(protection), config.head_clip)
    if form.from_mixtures:
        found += (config.head_covariance, config.head_mixtures)
    return found


def norm_of_a_client(clip: float, moment: str | None) -> float:
    """Of its sums: an example of phi of length one adds at most as much to each kind of them."""
    kinds = 2 if moment is None else 3
    return clip * float(kinds) ** 0.5


def _check_protected(form: ClosedForm, config: StartConfig) -> None:
    """Refuses what the sums over all clients do not give."""
    if not config.head_clip:
        raise UserError("--start_head_clip=0 leaves nothing of what a client sends: give 1 or more")
    hidden = "which neither --secure_aggregation nor --dp_noise_multiplier lets the server see"
    if form.wants_each and not form.does_without:
        raise UserError(
            f"--start_head={form.name} needs the sums of each client by itself, {hidden}: use"
            " ncm, ridge or gaussian"
        )
    if form.from_mixtures and config.head_mixtures > 1:
        raise UserError(
            f"--start_head_mixtures={config.head_mixtures} needs the mixtures of each client,"
            f" {hidden}: use 1"
        )


def beside_the_start(
    start: Start, run: ResolvedRun, task: Task, executor: Executor, session: Session
) -> OnePass | None:
    """What `--start_head=ridge` makes of a start that has another head."""
    if run.start.fits_head or run.algorithm.private or not head_layer.is_labelled(task):
        return None
    if head_layer.of(start) is None:
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


def _body_digest(start: Start, head: str) -> str:
    state = hashlib.sha256(json.dumps(start.build_model.identity(), sort_keys=True).encode())
    for names, values in zip(start.names, start.weights, strict=True):
        for name, value in zip(names, values, strict=True):
            if name.rsplit("/", 1)[0] != head:
                state.update(f"{name} {value.dtype.str}{value.shape}".encode())
                state.update(np.ascontiguousarray(value).tobytes())
    return state.hexdigest()


@dataclasses.dataclass(frozen=True)
class _Leaves:
    """What a client makes of its sums: with `scales` votes for them, and shortened to a norm."""

    protection: Protection
    norm: float
    scales: tuple[float, ...] = ()

    def __call__(self, sums: Nested) -> Nested:
        if self.scales:
            sums = feature_sums.votes(sums, self.scales, _LENGTHS)
        return self.protection.leaves(sums, norm=self.norm)


class _Fit:
    """The head's `values` by name, and what start.json says about them."""

    def __init__(
        self,
        start: Start,
        config: StartConfig,
        form: ClosedForm,
        layer: HeadLayer,
        protection: Protection,
    ) -> None:
        self._start, self._config, self._form = start, config, form
        self._layer, self._protection = layer, protection
        self._moment = config.head_covariance if form.from_mixtures else form.second_moment
        self._norm = norm_of_a_client(config.head_clip, self._moment)
        total, each = self._sums()
        if not total.counts.any():
            raise UserError(
                f"--start_head={form.name}: of no example the features are finite, so that no"
                " client sent any sums"
            )
        head = form.fit(total, each, config.head_strength)
        scale, squared = self._second_pass(head)
        self.values = layer.values(Head(head.rows * scale, head.bias * scale))
        longest = float(np.linalg.norm(head.rows, axis=1).max())
        self.facts = self._facts(total)
        self.facts |= {"head_scale": scale * longest, "head_squared_features": squared}
        absent = np.flatnonzero((total.counts == 0) & (protection.noise is None))
        self.warnings = (
            [f"no client holds an example of {len(absent)} of the classes: their logits are 0"]
            if len(absent)
            else []
        )

    def _sums(self) -> tuple[ClassSums, list[ClassSums]]:
        """Over all clients, and of each where the head needs that."""
        layer, protection = self._layer, self._protection
        weights = ModelArrays(*self._start.weights)
        leaves = _Leaves(protection, self._norm) if protection.any else None
        if self._form.from_mixtures and self._config.head_mixtures > 1:
            computation = layer.computation(
                class_mixtures.class_mixtures, self._config.head_mixtures, self._moment
            )
            found = [_components(sent) for sent in layer.each(computation, weights)]
            each = [component for client in found for component in client]
            return closed_form.added(each), each
        computation = layer.computation(feature_sums.class_sums, self._moment, leaves)
        if not self._form.wants_each or protection.any:
            total = layer.total(computation, weights)
            if protection.any:
                total = protection.arrives(total, self._norm, "class sums")
            return class_sums(total), []
        each = [class_sums(sent) for sent in layer.each(computation, weights)]
        return closed_form.added(each), each

    def _second_pass(self, head: Head) -> tuple[float, float]:
        """Each client sends its loss at every factor, and the sum of its squared phi."""
        layer = self._layer
        weights = layer.exchanged(ModelArrays(*self._start.weights), layer.values(head))
        if self._protection.any:
            return self._voted(weights)
        computation = layer.computation(feature_sums.losses_by_scale, tuple(_SCALES))
        found = layer.total(computation, weights)
        best = int(np.argmin(np.asarray(found["losses"])))
        return float(_SCALES[best]), float(found["squares"]) / float(found["count"])

    def _voted(self, weights: ModelArrays) -> tuple[float, float]:
        """Where sums are protected each client names its best factor and its length of phi."""
        scales, protection = tuple(_SCALES[::5]), self._protection
        leaves = _Leaves(protection, _VOTES, scales)
        computation = self._layer.computation(feature_sums.losses_by_scale, scales, leaves)
        votes = protection.arrives(self._layer.total(computation, weights), _VOTES, "votes")
        return float(scales[np.argmax(votes["scale"])]), _LENGTHS[np.argmax(votes["length"])]

    def _facts(self, total: ClassSums) -> dict[str, Json]:
        config, (classes, width) = self._config, total.features.shape
        sums = classes * (width + 1)
        if self._moment is not None:
            sums += feature_sums.SECOND_MOMENTS[self._moment].numbers(classes, width)
        of_mixtures: dict[str, Json] = {}
        if self._form.from_mixtures:
            sums *= config.head_mixtures
            of_mixtures = {
                "head_mixtures": config.head_mixtures,
                "head_covariance": config.head_covariance,
            }
        body = sum(value.nbytes for values in self._start.weights for value in values)
        second = len(_SCALES) + 2
        return {
            "head_paper": f"arXiv {self._form.paper}",
            "head_strength": config.head_strength if self._form.regularised else None,
            **of_mixtures,
            "head_clients": len(self._layer.clients),
            "head_examples": max(0, round(float(total.counts.sum()))),
            "head_bytes_up_per_client": (sums + second) * BYTES_A_NUMBER,
            # The second pass sends the head once more.
            "head_bytes_down_per_client": body + sum(v.nbytes for v in self.values.values()),
        }


def _components(sent: Nested) -> list[ClassSums]:
    """A client's mixtures, each component as if a client by itself had sent it."""
    whole = class_sums(sent)
    parts = zip(whole.features, whole.counts, np.asarray(whole.second_moment), strict=True)
    return [ClassSums(*part) for part in parts]
