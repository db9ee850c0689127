"""What a user says about central pre-training; free of TensorFlow."""

import dataclasses

from groundwork.errors import UserError
from groundwork.settings import setting

OPTIMIZERS = ("adam", "sgd", "adamw")
SCHEDULES = ("constant", "cosine")


@dataclasses.dataclass(frozen=True)
class CentralConfig:
    """How the proxy data is learned; each field is a flag."""

    epochs: int = setting(10, "Passes over the proxy data.", lower_bound=1)
    batch_size: int = setting(64, "Rows in a step.", lower_bound=1)
    optimizer: str = setting("adam", "Optimizer; sgd has momentum 0.9.", choices=OPTIMIZERS)
    learning_rate: float = setting(1e-3, "Step size.", lower_bound=0.0)
    schedule: str = setting("constant", "Step size over the training.", choices=SCHEDULES)
    weight_decay: float = setting(
        0.0, "Decoupled weight decay; 0.01 is usual with adamw, 0 makes it adam.", lower_bound=0.0
    )
    evaluate_every: int | None = setting(
        None, "Steps between validations and checkpoints; default one epoch.", lower_bound=1
    )
    patience: int = setting(
        3, "Stop after this many validations without a lower loss; 0 is never.", lower_bound=0
    )
    validation_share: float = setting(0.1, "Share of the proxy rows to validate on.")
    proxy_clients: float = setting(1.0, "Share of the dataset's clients that are proxy.")
    proxy_examples: int | None = setting(
        None, "At most this many of their examples, in the dataset's order.", lower_bound=1
    )

    def __post_init__(self) -> None:
        for name in ("validation_share", "proxy_clients"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise UserError(f"--{name} is {getattr(self, name)}, must be above 0 and at most 1")
