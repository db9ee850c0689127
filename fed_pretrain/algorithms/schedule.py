"""Learning rates and local steps as functions of the round, counted from 0.

A restart cannot change them: nothing but the round number goes in.
"""

import dataclasses
import math

import tensorflow as tf

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.values import Numbers, single
from groundwork.errors import UserError


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A factor on a learning rate: linear warmup, then constant, cosine or steps."""

    kind: str
    warms: bool
    numbers: Numbers

    @property
    def constant(self) -> bool:
        return self.kind == "constant" and not self.warms

    def factor(self, round_number: tf.Tensor | int) -> tf.Tensor:
        numbers = self.numbers
        past = tf.cast(round_number, tf.float32)
        warm, since = tf.constant(1.0), past
        warmup = single(numbers["warmup_rounds"]) if self.warms else tf.constant(0.0)
        if self.warms:
            warm = tf.minimum((past + 1.0) / warmup, 1.0)
            since = tf.maximum(past - warmup, 0.0)
        if self.kind == "cosine":
            length = tf.maximum(single(numbers["schedule_rounds"]) - warmup, 1.0)
            wave = 0.5 * (1.0 + tf.cos(math.pi * tf.minimum(since / length, 1.0)))
            last = numbers["schedule_final_factor"]
            return warm * (single(last) + single(1.0 - last) * wave)
        if self.kind == "step":
            drops = tf.floor(since / single(numbers["schedule_step_rounds"]))
            return warm * tf.pow(single(numbers["schedule_step_factor"]), drops)
        return warm


def client(config: ResolvedAlgorithm, numbers: Numbers | None = None) -> Schedule:
    """`numbers`: those of a state, otherwise the config's."""
    return _schedule(config, numbers, config.client_schedule)


def client_rates(
    config: ResolvedAlgorithm, round_number: tf.Tensor | int, numbers: Numbers | None = None
) -> tf.Tensor:
    """The rates of the body and of the head in a round."""
    numbers = numbers or config.values()
    names = ("client_learning_rate", "head_learning_rate")
    rates = tf.stack([single(numbers[name]) for name in names])
    past = tf.cast(round_number, tf.float32)
    probing = tf.cast(past < single(numbers["head_rounds"]), tf.float32)
    moving = tf.stack([1.0 - probing, 1.0])
    factor = client(config, numbers).factor(round_number)
    if config.head_schedule is not None:
        own = _schedule(config, numbers, config.head_schedule)
        factor = tf.stack([factor, own.factor(round_number)])
    return rates * moving * factor


def server(config: ResolvedAlgorithm, numbers: Numbers | None = None) -> Schedule:
    return _schedule(config, numbers, config.server_schedule)


def _schedule(config: ResolvedAlgorithm, numbers: Numbers | None, kind: str) -> Schedule:
    return Schedule(
        kind="constant" if kind == "warmup" else kind,
        # With "constant" on one side, warmup_rounds belongs to the other side alone.
        warms=kind != "constant" and bool(config.warmup_rounds),
        numbers=numbers or config.values(),
    )


def local_steps(config: ResolvedAlgorithm, steps: int, round_number: int) -> int:
    """tau of a round: decreasing local steps, as "Initialization Matters" proposes.

    The paper leaves the rule open; ours: halved at a fixed interval, linearly down to the
    minimum over the run, or divided by the square root of the round's number.
    """
    kind, least = config.local_steps_schedule, config.local_steps_minimum
    if kind == "constant":
        return steps
    if kind == "halve":
        if not config.local_steps_every:
            raise UserError("--local_steps_schedule=halve needs --local_steps_every")
        shrunk = steps // 2 ** min(round_number // config.local_steps_every, 62)
    elif kind == "linear":
        rounds = config.schedule_rounds or config.rounds
        if not rounds:
            raise UserError("--local_steps_schedule=linear needs --schedule_rounds (or --rounds)")
        done = min(round_number / max(rounds - 1, 1), 1.0)
        shrunk = round(steps + (least - steps) * done)
    else:
        shrunk = math.ceil(steps / math.sqrt(round_number + 1))
    return min(steps, max(least, shrunk))
