"""What gives each example its client and its split, as settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np

from data_prep.store.features import SPLITS as SPLITS
from groundwork.errors import UserError, check_choice
from groundwork.registry import Registry

NATURAL = "natural"
NATURAL_SHUFFLED = "natural_shuffled"
RULES: Mapping[str, tuple[str, ...]] = {
    NATURAL: (),
    "dirichlet": ("num_clients", "dirichlet", "alpha", "minimum_size", "seed"),
    "iid": ("num_clients", "minimum_size", "seed"),
    "labels_per_client": ("num_clients", "labels_per_client", "minimum_size", "seed"),
    "quantity": ("num_clients", "sigma", "minimum_size", "seed"),
    NATURAL_SHUFFLED: ("seed",),
}
"""The settings that each reads: those without effect do not make two datasets differ."""
CONCENTRATIONS = ("share", "each")
DIRICHLET = ("per_client", "per_class")
SPLIT_RULES = ("auto", "source", "none", "by_client", "by_example", "by_order", "by_cutoff")


class Dealer(Protocol):
    """A partition rule whose clients are drawn; it deals out one split after the other."""

    report: dict[str, object]

    def deal(self, labels: np.ndarray, split: str) -> np.ndarray:
        """The client number of each of the split's examples."""


class OwnPartition(Dealer, Protocol):
    """A rule from outside, registered by its class, of which one is made for each dataset.

    `uses` names the settings (fields of PartitionConfig) that it reads, besides `num_clients` and
    `seed`.
    """

    name: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: PartitionConfig, histogram: np.ndarray) -> None:
        """`histogram` counts the training examples of each label."""


KNOWN: Registry[type[OwnPartition] | None] = Registry(
    "partition", "--partition", lambda: dict.fromkeys(RULES)
)
register, rules = KNOWN.register, KNOWN.names


@dataclasses.dataclass(frozen=True)
class PartitionConfig:
    """The rule that gives each example a client."""

    rule: str = NATURAL
    num_clients: int | None = None
    dirichlet: str = "per_client"
    alpha: float = 0.1
    concentration: str = "share"
    """Of `per_client`: "share" is Dir(alpha p) as printed, p adding up to 1; "each" is
    Dir(alpha C p), alpha for each of C balanced labels, as much code has it."""
    labels_per_client: int = 2
    sigma: float = 1.0
    """Standard deviation of the logarithm of client sizes (rule `quantity`)."""
    minimum_size: int = 1
    """Fewest examples a client of a made-up partition gets."""
    seed: int = 0
    own: type[OwnPartition] | None = dataclasses.field(init=False, default=None)
    """The class of a rule from outside: pickled, it finds its module again."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "own", KNOWN.named(self.rule))
        check_choice("--dirichlet", self.dirichlet, DIRICHLET)
        check_choice("--concentration", self.concentration, CONCENTRATIONS)
        if self.needs_num_clients and (self.num_clients is None or self.num_clients < 1):
            raise UserError(f"--partition={self.rule} needs --num_clients, a positive number")
        if not self.needs_num_clients and self.num_clients is not None:
            raise UserError(f"--num_clients means nothing to --partition={self.rule}")
        if not self.alpha > 0 or self.alpha == float("inf"):
            raise UserError(f"--alpha={self.alpha}: a positive finite number is wanted")
        if not 0 <= self.sigma < 20:
            raise UserError(f"--sigma={self.sigma}: a number from 0 to 20 is wanted")
        if self.labels_per_client < 1:
            raise UserError(f"--labels_per_client={self.labels_per_client}: at least 1 is wanted")
        if self.minimum_size < 0:
            raise UserError(f"--minimum_size={self.minimum_size}: it cannot be negative")

    @property
    def needs_num_clients(self) -> bool:
        return self.rule not in (NATURAL, NATURAL_SHUFFLED)

    @property
    def is_global(self) -> bool:
        """Whether a client depends on more than the example itself."""
        return self.rule != NATURAL

    @property
    def needs_labels(self) -> bool:
        return self.own is not None or self.rule in ("dirichlet", "labels_per_client")

    def settings(self) -> dict[str, object]:
        """Only what the rule uses."""
        own = () if self.own is None else ("num_clients", "seed", *self.own.uses)
        settings = {name: getattr(self, name) for name in own or RULES[self.rule]}
        if self.rule == "dirichlet" and self.dirichlet == "per_client":
            settings["concentration"] = self.concentration
        return {"rule": self.rule, **settings}


@dataclasses.dataclass(frozen=True)
class SplitConfig:
    """The rule that gives each example a split.

    `source`: as the source ships it. `by_client`: a client's examples stay together, the client
    drawn by a hash. `by_example`: at random within each client. `by_order`: each client's first
    examples (by time or row) train, its last ones test. `by_cutoff`: the feature `created`
    (seconds), or the order value where there is none, against one or two cut-offs. `auto`: `source`
    where it ships splits, otherwise `by_example`. `none`: everything trains.
    """

    rule: str = "auto"
    fractions: tuple[float, float, float] = (0.8, 0.0, 0.2)
    """Shares of train, validation, test."""
    validation_share: float = 0.0
    """Of `source`: this share of each client's training examples, at random, becomes validation."""
    cutoffs: tuple[int, ...] = ()
    """train < first <= validation < second <= test; with one cut-off there is no validation."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("--split", self.rule, SPLIT_RULES)
        shares = [0 <= share <= 1 for share in self.fractions]  # NaN is none either
        if len(shares) != 3 or not all(shares) or self.fractions[0] == 0:
            raise UserError(
                f"--split_fractions={_listed(self.fractions)}: three shares are wanted, of train "
                "(above 0), validation and test"
            )
        if abs(sum(self.fractions) - 1) > 1e-9:
            raise UserError(f"--split_fractions={_listed(self.fractions)}: they must add up to 1")
        if not 0 <= self.validation_share < 1:
            raise UserError(f"--validation_share={self.validation_share}: 0 to below 1 is wanted")
        if self.rule == "by_cutoff" and (
            len(self.cutoffs) not in (1, 2) or list(self.cutoffs) != sorted(set(self.cutoffs))
        ):
            raise UserError("--split=by_cutoff needs --split_cutoffs: one or two rising integers")
        if self.cutoffs and self.rule != "by_cutoff":
            raise UserError("--split_cutoffs means something to --split=by_cutoff only")

    def settings(self) -> dict[str, object]:
        """Only what the rule uses."""
        used: dict[str, tuple[str, ...]] = {
            "none": (),
            "source": ("validation_share", "seed") if self.validation_share else (),
            "by_cutoff": ("cutoffs",),
            "by_order": ("fractions",),
        }
        values = {name: getattr(self, name) for name in used.get(self.rule, ("fractions", "seed"))}
        listed = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}
        return {"rule": self.rule, **listed}


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(map(str, values))
