"""An interval on a line through zero, in percent of its width so that it fits any column."""

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from fed_pretrain.reporting.charts.scale import Scale, tick_text


def strip(
    scale: Scale,
    mean: float,
    interval: tuple[float, float] | None,
    seeds: Iterable[float] = (),
    kind: str = "open",
    height: int = 20,
    margin: float | None = None,
) -> Markup:
    """`kind` is the class that colours it; a band shows what is within the margin of zero."""
    middle = height / 2
    parts = []
    if margin is not None:
        low, high = _at(scale, -margin), _at(scale, margin)
        parts.append(
            Markup('<rect class="marg" x="{}%" width="{}%" y="2" height="{}"/>').format(
                low, round(high - low, 2), height - 4
            )
        )
    zero = _at(scale, 0.0)
    parts.append(
        Markup('<line class="zero" x1="{}%" x2="{}%" y1="0" y2="{}"/>').format(zero, zero, height)
    )
    if interval is not None and all(map(math.isfinite, interval)):
        parts += _interval(scale, interval, middle)
    parts += [
        Markup('<circle class="seed" cx="{}%" cy="{}" r="2.2"/>').format(_at(scale, one), middle)
        for one in seeds
        if scale.low <= one <= scale.high
    ]
    parts.append(
        Markup('<circle class="pt" cx="{}%" cy="{}" r="4.2"/>').format(_at(scale, mean), middle)
    )
    return Markup(
        '<svg class="strip {}" width="100%" height="{}" aria-hidden="true">{}</svg>'
    ).format(kind, height, Markup("").join(parts))


def _interval(scale: Scale, interval: tuple[float, float], middle: float) -> list[Markup]:
    """Its line, with a cap at each end that is inside the scale."""
    low, high = (_at(scale, end) for end in interval)
    line = '<line class="ci" x1="{}%" x2="{}%" y1="{}" y2="{}"/>'
    cap = '<line class="ci cap" x1="{}%" x2="{}%" y1="{}" y2="{}"/>'
    parts = [Markup(line).format(low, high, middle, middle)]
    for end, place in zip(interval, (low, high), strict=True):
        if scale.low <= end <= scale.high:
            parts.append(Markup(cap).format(place, place, middle - 4, middle + 4))
    return parts


def ruler(scale: Scale, ticks: Sequence[float]) -> Markup:
    """The numbers below a strip."""
    marks = [
        Markup('<span style="left:{}%">{}{}</span>').format(
            _at(scale, tick), "+" if tick > 0 else "", tick_text(tick)
        )
        for tick in ticks
    ]
    return Markup('<div class="scale" aria-hidden="true">{}</div>').format(Markup("").join(marks))


def _at(scale: Scale, value: float) -> float:
    return round(100 * scale.share(value), 2)
