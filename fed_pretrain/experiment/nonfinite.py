"""A NaN or Inf in an update: who sent it, and what the policy says."""

import sys
from collections.abc import Sequence
from typing import Any

from data_prep.errors import UserError
from fed_pretrain.executors.api import ClientInput
from fed_pretrain.experiment.assembly import Assembly
from fed_pretrain.experiment.config import STOP


def handle(
    assembly: Assembly, state: Any, inputs: Sequence[ClientInput], round_number: int
) -> None:
    """Names the clients; `stop` ends the run, `drop_client` goes on without their updates."""
    names = culprits(assembly, state, inputs)
    sentence = (
        f"round {round_number}: the update of client {', '.join(names)} is not finite (NaN or Inf)"
    )
    if assembly.config.on_nonfinite == STOP:
        raise UserError(
            f"{sentence}; lower --client_learning_rate, clip with --client_clip_norm, or go on"
            " without such updates with --on_nonfinite=drop_client"
        )
    print(f"warning: {sentence}; it was left out", file=sys.stderr)


def culprits(assembly: Assembly, state: Any, inputs: Sequence[ClientInput]) -> list[str]:
    """The round's clients one by one: only sums leave a round, so the sums of one client tell."""
    found = []
    for one in inputs:
        output = assembly.executor.run_round(assembly.algorithm, state, [one])
        if assembly.algorithm.train_sums(output.metrics)["nonfinite"]:
            found.append(one.client_id)
    return found
