"""What a user says about central pre-training; free of TensorFlow."""

import dataclasses
from typing import Any

from groundwork.errors import UserError

OPTIMIZERS = ("adam", "sgd", "adamw")
SCHEDULES = ("constant", "cosine")


def _field(default: Any, help: str, **metadata: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


@dataclasses.dataclass(frozen=True)
class CentralConfig:
    """How the proxy data is learned; each field is a flag."""

    epochs: int = _field(10, "Passes over the proxy data.", lower_bound=1)
    batch_size: int = _field(64, "Rows in a step.", lower_bound=1)
    optimizer: str = _field(
        "adam",
        "Optimizer; sgd has momentum 0.9.",
        choices=OPTIMIZERS,
    )
    learning_rate: float = _field(1e-3, "Step size.", lower_bound=0.0)
    schedule: str = _field("constant", "Step size over the training.", choices=SCHEDULES)
    weight_decay: float = _field(
        0.0, "Decoupled weight decay; 0.01 is usual with adamw, 0 makes it adam.", lower_bound=0.0
    )
    evaluate_every: int | None = _field(
        None, "Steps between validations and checkpoints; default one epoch.", lower_bound=1
    )
    patience: int = _field(
        3, "Stop after this many validations without a lower loss; 0 is never.", lower_bound=0
    )
    validation_share: float = _field(0.1, "Share of the proxy rows to validate on.")
    proxy_clients: float = _field(1.0, "Share of the dataset's clients that are proxy.")
    proxy_examples: int | None = _field(
        None, "At most this many of their examples, in the dataset's order.", lower_bound=1
    )

    def __post_init__(self) -> None:
        for name in ("validation_share", "proxy_clients"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise UserError(f"--{name} is {getattr(self, name)}, must be above 0 and at most 1")
