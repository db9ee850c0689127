"""Learning rates and local steps as functions of the round, counted from 0.

A restart cannot change them: nothing but the round number goes in.
"""

import dataclasses
import math

import tensorflow as tf

from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from groundwork.errors import UserError


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A factor on a learning rate: linear warmup, then constant, cosine or steps."""

    kind: str = "constant"
    warmup_rounds: int = 0
    rounds: int = 0
    step_rounds: int = 0
    step_factor: float = 0.1
    final_factor: float = 0.0

    @property
    def constant(self) -> bool:
        return self.kind == "constant" and not self.warmup_rounds

    def factor(self, round_number: tf.Tensor | int) -> tf.Tensor:
        past = tf.cast(round_number, tf.float32)
        warm = tf.constant(1.0)
        if self.warmup_rounds:
            warm = tf.minimum((past + 1.0) / self.warmup_rounds, 1.0)
        since = tf.maximum(past - self.warmup_rounds, 0.0)
        if self.kind == "cosine":
            length = max(self.rounds - self.warmup_rounds, 1)
            wave = 0.5 * (1.0 + tf.cos(math.pi * tf.minimum(since / length, 1.0)))
            return warm * (self.final_factor + (1.0 - self.final_factor) * wave)
        if self.kind == "step":
            return warm * tf.pow(self.step_factor, tf.floor(since / self.step_rounds))
        return warm


def client(config: ResolvedAlgorithm) -> Schedule:
    return _schedule(config, config.client_schedule, "client_schedule")


def client_rates(config: ResolvedAlgorithm, round_number: tf.Tensor | int) -> tf.Tensor:
    """The rates of the body and of the head in a round."""
    head = config.head_learning_rate
    rates = tf.constant(
        [config.client_learning_rate] * 2 if head is None else [config.client_learning_rate, head]
    )
    probing = tf.cast(tf.cast(round_number, tf.int32) < config.head_rounds, tf.float32)
    moving = tf.stack([1.0 - probing, 1.0])
    return rates * moving * client(config).factor(round_number)


def server(config: ResolvedAlgorithm) -> Schedule:
    return _schedule(config, config.server_schedule, "server_schedule")


def _schedule(config: ResolvedAlgorithm, kind: str, flag: str) -> Schedule:
    rounds = config.schedule_rounds or config.rounds
    if kind == "cosine" and not rounds:
        raise UserError(f"--{flag}=cosine needs --schedule_rounds (or --rounds)")
    if kind == "step" and not config.schedule_step_rounds:
        raise UserError(f"--{flag}=step needs --schedule_step_rounds")
    if kind == "warmup" and not config.warmup_rounds:
        raise UserError(f"--{flag}=warmup needs --warmup_rounds")
    # With "constant" on one side, warmup_rounds belongs to the other side alone.
    return Schedule(
        kind="constant" if kind == "warmup" else kind,
        warmup_rounds=0 if kind == "constant" else config.warmup_rounds,
        rounds=rounds,
        step_rounds=config.schedule_step_rounds,
        step_factor=config.schedule_step_factor,
        final_factor=config.schedule_final_factor,
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
