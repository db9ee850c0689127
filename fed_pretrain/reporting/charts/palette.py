"""The inks of starts on the page: the random one first, then the plan's pre-trained ones."""

from collections.abc import Sequence

from markupsafe import Markup

from groundwork.palette import INKS


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
