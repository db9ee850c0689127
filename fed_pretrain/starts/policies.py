"""The words of a start's policies; free of TensorFlow, so that flags list them at once."""

import dataclasses

from data_prep.errors import UserError

# What becomes of BatchNorm layers, of their statistics, and of GroupNorm's scale and shift.
GROUP_NORM, FOLD, KEEP = "group_norm", "fold", "keep"
BATCH_NORMS = (GROUP_NORM, FOLD, KEEP)
FROZEN, AVERAGE, LOCAL = "frozen", "average", "local"
STATISTICS = (FROZEN, AVERAGE, LOCAL)
CARRY, FRESH = "carry", "fresh"
AFFINE = (CARRY, FRESH)

# What becomes of the head.
HEAD_AUTO, HEAD_NEW, HEAD_KEEP, HEAD_SLICE = "auto", "new", "keep", "slice"
HEADS = (HEAD_AUTO, HEAD_NEW, HEAD_KEEP, HEAD_SLICE)


@dataclasses.dataclass(frozen=True)
class BatchNormPolicy:
    """How BatchNorm layers enter federated training; nothing changes in a model without them.

    groups: GroupNorm's number of groups, lowered to a divisor of the channels where need be.
    """

    policy: str = GROUP_NORM
    statistics: str = FROZEN
    affine: str = CARRY
    groups: int = 32

    def __post_init__(self) -> None:
        for flag, value, choices in (
            ("batch_norm", self.policy, BATCH_NORMS),
            ("bn_statistics", self.statistics, STATISTICS),
            ("group_norm_affine", self.affine, AFFINE),
        ):
            if value not in choices:
                raise UserError(f"--{flag} is {value!r}, must be one of {', '.join(choices)}")
        if self.groups < 1:
            raise UserError(f"--group_norm_groups is {self.groups}, must be at least 1")
