"""What an example holds: names, kinds and shapes of its features."""

import dataclasses
import math
from collections.abc import Iterable, Mapping

from groundwork.errors import UserError
from groundwork.untyped import Json

SPLITS = ("train", "validation", "test")
LARGEST = 1 << 26
MOST_LABELS = 1 << 20
"""Labels are numbers from 0, and what counts them counts all of them up to the largest."""

KINDS: Mapping[str, str] = {
    "image": "uint8",
    "int64": "int64",
    "float32": "float32",
    "text": "string",
}


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """One feature: `image` is one raw uint8 string, `text` one UTF-8 string, the rest numbers."""

    name: str
    kind: str
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(
                f"feature {self.name!r} has the unknown kind {self.kind!r}: "
                f"use one of {', '.join(KINDS)}"
            )
        try:
            self.name.encode()
        except UnicodeEncodeError:
            raise UserError(f"the name of feature {self.name!r} is not UTF-8") from None
        if self.kind == "text" and self.shape:
            raise UserError(f"feature {self.name!r}: text is one string, not of shape {self.shape}")
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        if min(self.shape, default=0) < 0 or self.size > LARGEST:
            raise UserError(
                f"feature {self.name!r} has the shape {self.shape}: an example holds at most "
                f"{LARGEST:,} numbers of a feature"
            )

    @property
    def dtype(self) -> str:
        """The NumPy/TensorFlow name of an element's type once it is read."""
        return KINDS[self.kind]

    @property
    def size(self) -> int:
        """Numbers an example holds of this feature."""
        return math.prod(self.shape)

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.shape),
            "dtype": self.dtype,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> "FeatureSpec":
        return cls(value["name"], value["kind"], tuple(value["shape"]))


def checked(features: Iterable[FeatureSpec]) -> tuple[FeatureSpec, ...]:
    """Sorts the features by name, as records hold them, and refuses a name given twice."""
    ordered = tuple(sorted(features, key=lambda feature: feature.name))
    names = [feature.name for feature in ordered]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise UserError(f"the features {sorted(doubled)} are named twice")
    return ordered
