"""Configs of small runs on real data, and what tests ask of their folders."""

import dataclasses
from pathlib import Path
from typing import Any

from fed_pretrain.experiment.assembly.run_config import (
    EvaluationConfig,
    RunConfig,
    SavingConfig,
    WorkConfig,
)
from fed_pretrain.experiment.training.result import RunResult


def small(workdir: Path, **changes: Any) -> RunConfig:
    """A run of seconds on real digits; nested fields go by `section={field: value}`."""
    config = RunConfig(
        task="digits",
        workdir=str(workdir),
        algorithm_name="fedavg",
        work=WorkConfig(rounds=2, clients_per_round=3, max_examples=40),
        evaluation=EvaluationConfig(evaluate_every=1),
        saving=SavingConfig(checkpoint_every=1, tensorboard=False),
    )
    for name, value in changes.items():
        if isinstance(value, dict):
            value = dataclasses.replace(getattr(config, name), **value)
        config = dataclasses.replace(config, **{name: value})
    return config


def rounds_of(result: RunResult) -> list[int]:
    return [int(row["round"]) for row in result.rows]


def same_weights(one: Path, other: Path, round_number: int) -> bool:
    """Whether two runs' checkpoints of a round hold the same bytes."""
    name = f"checkpoints/round-{round_number:06d}.ckpt"
    return (one / name).read_bytes() == (other / name).read_bytes()
