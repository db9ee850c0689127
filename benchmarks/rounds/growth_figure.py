"""The growth of a round's time and memory as a figure: one column an axis, time over memory."""

from collections.abc import Sequence
from typing import Any

from benchmarks.rounds.contestant import IN_FLIGHT
from benchmarks.rounds.growth import CLIENTS, FIXED_CLIENTS, IN_FLIGHTS, PARAMETERS
from fed_pretrain.probes import drawing
from groundwork.palette import INKS, ON_WHITE

SECONDS, MEGABYTES = "seconds", "peak_megabytes"
LABELS = {SECONDS: "seconds a round", MEGABYTES: "peak memory (MB)"}
TITLES = {
    CLIENTS: f"{IN_FLIGHT} clients in flight",
    PARAMETERS: f"{FIXED_CLIENTS} clients, {IN_FLIGHT} in flight",
    IN_FLIGHTS: f"{FIXED_CLIENTS} clients",
}
BELOW = {
    CLIENTS: "clients a round",
    PARAMETERS: "parameters of the model",
    IN_FLIGHTS: "clients in flight",
}
KINDS = {
    "softmax": "softmax, 49 k parameters",
    "cnn": "CNN, 1.2 M parameters",
    "perceptron": "one hidden layer",
}


def draw(points: Sequence[dict[str, Any]]) -> Any:
    made, plots = drawing.panels(2, 3, width=3.5, height=2.8)
    panels = list(plots.flat)
    for column, axis in enumerate(TITLES):
        mine = [point for point in points if point["axis"] == axis]
        above, below = panels[column], panels[column + 3]
        for panel, quantity in ((above, SECONDS), (below, MEGABYTES)):
            _lines(panel, mine, axis, quantity)
            _scale(panel, mine, axis, quantity)
        above.set_title(TITLES[axis])
        below.set_xlabel(BELOW[axis])
        below.legend(frameon=False, loc="lower left")
    panels[0].set_ylabel(LABELS[SECONDS])
    panels[3].set_ylabel(LABELS[MEGABYTES])
    return made


def _lines(panel: Any, points: Sequence[dict[str, Any]], axis: str, quantity: str) -> None:
    for number, (kind, label) in enumerate(KINDS.items()):
        mine = [point for point in points if point["model"].split("_")[0] == kind]
        if mine:
            panel.plot(
                [point[axis] for point in mine],
                [point[quantity] for point in mine],
                color=ON_WHITE[number],
                marker=INKS[number + 1].mark,
                label=label,
            )


def _scale(panel: Any, points: Sequence[dict[str, Any]], axis: str, quantity: str) -> None:
    """Linear, but for a quantity that grows in proportion with what is drawn over decades."""
    decades = axis != IN_FLIGHTS
    if decades:
        panel.set_xscale("log")
    if axis != PARAMETERS:
        panel.set_xticks(sorted({point[axis] for point in points}))
        panel.minorticks_off()
    panel.xaxis.set_major_formatter(_short_number)
    if decades and quantity == SECONDS:
        panel.set_yscale("log")
    else:
        panel.set_ylim(0, 1.1 * max(point[quantity] for point in points))
    panel.yaxis.set_major_formatter(_short_number)


def _short_number(value: float, _: int) -> str:
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value:,g}"
