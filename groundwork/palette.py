"""The colours of every figure and page: the random start's first, then those of the others."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Ink:
    """`mark` is Matplotlib's name of the marker, which differs with the colour."""

    light: str
    dark: str
    mark: str


# Text in these colours has a contrast of at least 4.5 on the page's paper, light and dark.
INKS = (
    Ink("#c14e00", "#f39253", "o"),
    Ink("#0067a5", "#66b5ef", "o"),
    Ink("#6a4fa3", "#b9a3f0", "s"),
    Ink("#7a6000", "#d9bc4a", "^"),
    Ink("#3c7a1e", "#8fd06b", "D"),
    Ink("#a0256f", "#ea8cc2", "v"),
)
RANDOM, PRETRAINED = INKS[0].light, INKS[1].light
ON_WHITE = (PRETRAINED, RANDOM, *(INKS[number].light for number in (4, 2, 3, 5)))
"""For lines that stand for no start, in the order in which a figure takes them."""
