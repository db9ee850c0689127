"""When a run ends before its last round: limits, early stopping, and the user's signals."""

import sys
from collections.abc import Mapping, Sequence

from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.assembly.run_config import STOP, LimitConfig
from fed_pretrain.experiment.workdir.metrics import best_index
from groundwork.errors import UserError
from groundwork.untyped import Json, State


def reason_to_stop(
    rows: Sequence[Mapping[str, Json]], limits: LimitConfig, seconds: float
) -> str | None:
    """Why the run should end after the last of `rows`; a pure function of what is on disk.

    Only the time limit depends on the machine: a run that must repeat byte for byte leaves it off.
    """
    evaluated = [row for row in rows if row.get("eval_accuracy") is not None]
    if limits.target_accuracy and evaluated:
        reached = evaluated[-1]["eval_accuracy"]
        if reached >= limits.target_accuracy:
            return f"reached the target accuracy: {reached:.4f} >= {limits.target_accuracy:.4f}"
    if limits.patience and evaluated:
        since_best = len(evaluated) - 1 - best_index(evaluated)
        if since_best >= limits.patience:
            return f"evaluation accuracy has not improved for {since_best} evaluations"
    if limits.max_seconds and seconds >= limits.max_seconds:
        return f"reached the time limit of {limits.max_seconds:.0f} seconds"
    return None


def handle_nonfinite(
    assembly: Assembly, state: State, inputs: Sequence[ClientInput], round_number: int
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


def culprits(assembly: Assembly, state: State, inputs: Sequence[ClientInput]) -> list[str]:
    """The round's clients one by one: only sums leave a round, so one client's show it."""
    found = []
    for one in inputs:
        output = assembly.executor.run_round(assembly.algorithm, state, [one])
        if assembly.algorithm.train_sums(output.metrics)["nonfinite"]:
            found.append(one.client_id)
    return found
