"""The colours and marks of starts: the random one first, then the plan's pre-trained ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
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


def place(number: int) -> int:
    """Starts beyond the last ink take those of the pre-trained ones again."""
    return number if number < len(INKS) else 1 + (number - 1) % (len(INKS) - 1)


def legend(names: Sequence[tuple[str, int]]) -> Markup:
    """The names of starts beside their marks."""
    items = [
        Markup('<span class="key s{}{}"></span>{}').format(
            place(colour), " ring" if colour == 0 else "", name
        )
        for name, colour in names
    ]
    return Markup('<p class="legend">{}</p>').format(Markup(" ").join(items))


def css(dark: bool) -> str:
    """The custom properties that the page's style sheet uses."""
    return "".join(
        f"--s{number}:{ink.dark if dark else ink.light};" for number, ink in enumerate(INKS)
    )
