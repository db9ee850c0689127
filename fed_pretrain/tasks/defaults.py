"""The settings a task starts from when a user names none."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TaskDefaults:
    """Every definition states the origin of its values beside them."""

    clients_per_round: int = 10
    batch_size: int = 20
    epochs: int = 1
    rounds: int = 100
    evaluate_every: int = 10
    evaluation_batch_size: int = 256
    max_examples: int | None = None
    evaluation_examples: int | None = None
