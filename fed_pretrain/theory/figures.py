"""The figures of a sweep, each from the rows of the parts it needs."""

import io
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fed_pretrain.theory import phases
from fed_pretrain.theory.bound import MARK
from fed_pretrain.theory.tables import Row, last, split_name, where
from groundwork.palette import ON_WHITE, PRETRAINED, RANDOM
from groundwork.untyped import Json

LINES = {0.5: "-", 0.0: "--"}
_SETTINGS: Json = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def draw_all(table: Sequence[Row]) -> dict[str, bytes]:
    """PNGs by name: those whose parts the table holds."""
    drawn = {}
    for name, part, draw in _FIGURES:
        rows = [row for row in table if row["part"] == part]
        if rows:
            drawn[name] = _png(draw, rows)
    others = [row for row in table if row["part"] not in {part for _, part, _ in _FIGURES}]
    if others:
        drawn["comparison"] = _png(_comparison, others)
    return drawn


def _png(draw: Callable[[list[Row]], Figure], rows: list[Row]) -> bytes:
    with matplotlib.rc_context(_SETTINGS):
        made = draw(rows)
        content = io.BytesIO()
        made.savefig(content, format="png", dpi=140, facecolor="white", metadata={"Software": None})
    return content.getvalue()


def _panels(columns: int, rows: int = 1, width: float = 3.5) -> tuple[Figure, list[Axes]]:
    made = Figure(figsize=(width * columns, 3.0 * rows))
    return made, list(made.subplots(rows, columns, squeeze=False).flat)


def _line(axis: Axes, rows: Sequence[Row], x: str, y: str, **style: Json) -> None:
    """Mean and interval over seeds; rows without a value are left out."""
    kept = [row for row in rows if row[y] is not None]
    if not kept:
        return
    across = [row[x] for row in kept]
    middle = np.array([row[y] for row in kept])
    around = np.array([row.get(f"{y}_ci") or 0.0 for row in kept])
    axis.plot(across, middle, **style)
    axis.fill_between(across, middle - around, middle + around, color=style["color"], alpha=0.12)


def _coefficients(rows: list[Row]) -> Figure:
    rows = [row | {"round": row["step"] // int(row["tau"])} for row in rows]
    made, axes = _panels(3)
    random = where(rows, start="random")
    for h, line in LINES.items():
        ours = where(random, h=h)
        for kind, colour in (("aligned", PRETRAINED), ("misaligned", RANDOM)):
            style = {"color": colour, "linestyle": line, "label": f"{kind}, {split_name(h)}"}
            _line(axes[0], ours, "round", f"gamma_{kind}", **style)
            _line(axes[2], ours, "round", f"ratio_{kind}", **style)
        style = {"color": "#444444", "linestyle": line, "label": split_name(h)}
        _line(axes[1], ours, "round", "noise", **style)
    titles = ("Signal learnt: Gamma", "Noise learnt: P", "Ratio Gamma / P")
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xlabel="round", ylim=(0, None))
    axes[1].legend()
    axes[2].legend()
    made.suptitle("Random start: what filters learn, by their alignment at the start")
    return made


def _over_rounds(rows: list[Row]) -> Figure:
    rows = [row | {"round": row["step"] // int(row["tau"])} for row in rows]
    made, axes = _panels(3)
    for start, colour in (("random", RANDOM), ("central", PRETRAINED)):
        for h, line in LINES.items():
            ours = where(rows, start=start, h=h)
            name = "random" if start == "random" else "pre-trained"
            style = {"color": colour, "linestyle": line, "label": f"{name}, {split_name(h)}"}
            for axis, measure in zip(axes, ("misaligned", "test_error", "train_loss"), strict=True):
                _line(axis, ours, "round", measure, **style)
    titles = ("Share of misaligned filters", "Test error", "Training loss")
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xlabel="round")
    axes[2].set_yscale("log")
    axes[1].legend()
    return made


def _by_tau(rows: list[Row]) -> Figure:
    rows = last(rows)
    named = {"random": "Random start", "central": "Pre-trained start"}
    starts = [(start, title) for start, title in named.items() if where(rows, start=start)]
    made, axes = _panels(len(starts), 2)
    for column, (start, title) in enumerate(starts):
        ours = where(rows, start=start)
        for h, colour in zip(
            sorted({row["h"] for row in ours}, reverse=True), ON_WHITE, strict=False
        ):
            line = sorted(where(ours, h=h), key=lambda row: row["tau"])
            style = {"color": colour, "marker": "o", "label": split_name(h)}
            _line(axes[column], line, "tau", "test_error", **style)
            _line(axes[len(starts) + column], line, "tau", "bound_shape", **style)
        axes[column].set(title=title, ylabel="test error")
        axes[len(starts) + column].set(title=MARK, ylabel="bound (not the error)")
    for axis in axes:
        axis.set(
            xscale="log", xlabel="local steps a round (tau), equal steps in all", ylim=(0, None)
        )
    for first in (0, len(starts)):
        top = max(axis.get_ylim()[1] for axis in axes[first : first + len(starts)])
        for axis in axes[first : first + len(starts)]:
            axis.set_ylim(0, top)
    axes[0].legend()
    return made


def _cosines(rows: list[Row]) -> Figure:
    rows = last(rows)
    made, axes = _panels(2)
    for start, colour in (("central", PRETRAINED), ("federated", ON_WHITE[2])):
        for h, line in LINES.items():
            ours = sorted(where(rows, start=start, h=h), key=lambda row: row["cosine"])
            style = {"color": colour, "linestyle": line, "marker": "o"}
            style["label"] = f"{start} pre-training, {split_name(h)}"
            _line(axes[0], ours, "cosine", "test_error", **style)
            _line(axes[1], ours, "cosine", "aligned_share", **style)
    axes[0].set(title="Test error after the task's training")
    axes[1].set(title="Aligned filters at its start")
    for axis in axes:
        axis.set(xlabel="cosine: pre-training's signal and the task's", ylim=(0, None))
    axes[0].legend(fontsize=7)
    return made


def _by_signal(rows: list[Row]) -> Figure:
    named = {"random": "Random start", "central": "Pre-trained start"}
    made, axes = _panels(2)
    for axis, (start, title) in zip(axes, named.items(), strict=True):
        for tau, colour in zip(sorted({row["tau"] for row in rows}), ON_WHITE, strict=False):
            for h, line in LINES.items():
                ours = where(last(rows), start=start, tau=tau, h=h)
                style = {"color": colour, "linestyle": line}
                style["label"] = f"tau = {tau}, h = {h:g}"
                _line(axis, ours, "signal_to_noise", "test_error", **style)
        axis.set(title=title, xlabel="||mu|| / sigma_p", ylabel="test error", ylim=(0, 0.55))
    axes[1].legend(fontsize=7)
    return made


def _comparison(rows: list[Row]) -> Figure:
    """Any other parts side by side: one bar a part and tau, by start and split."""
    rows = last(rows)
    parts = list(dict.fromkeys(row["part"] for row in rows))
    cases = list(dict.fromkeys((row["start"], row["h"] > 0) for row in rows))
    taus = list(dict.fromkeys(row["tau"] for row in rows))
    made, axes = _panels(2, (len(cases) + 1) // 2, width=4.2)
    width = 0.8 / len(parts)
    for axis, (start, mixed) in zip(axes, cases, strict=False):
        for index, part in enumerate(parts):
            ours = [r for r in rows if (r["part"], r["start"], r["h"] > 0) == (part, start, mixed)]
            at = [taus.index(row["tau"]) + (index - (len(parts) - 1) / 2) * width for row in ours]
            heights = [row["test_error"] for row in ours]
            around = [row["test_error_ci"] or 0.0 for row in ours]
            colour = ON_WHITE[index % len(ON_WHITE)]
            axis.bar(at, heights, width, yerr=around, color=colour, label=part.replace("_", " "))
        axis.set_xticks(range(len(taus)), [_tau_name(tau) for tau in taus])
        split = "labels mixed (largest h)" if mixed else "one label a client (h = 0)"
        axis.set(title=f"{start} start, {split}", xlabel="tau", ylabel="test error")
        axis.grid(False, axis="x")
    for axis in axes[len(cases) :]:
        axis.remove()
    top = max(axis.get_ylim()[1] for axis in axes)
    for axis in axes:
        axis.set_ylim(0, top)
    if len(parts) > 1:
        made.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return made


def _tau_name(tau: int | str) -> str:
    """A schedule by its first and last value."""
    each = str(tau).split("-")
    if len(set(each)) == 1:
        return f"{each[0]}"
    return f"{each[0]} to {each[-1]}"


_FIGURES: tuple[tuple[str, str, Callable[[list[Row]], Figure]], ...] = (
    ("gamma_and_noise", "rounds", _coefficients),
    ("misaligned_and_error", "rounds", _over_rounds),
    ("error_by_tau_and_split", "grid", _by_tau),
    ("phases_by_cosine", "crossed", phases.by_cosine),
    ("phases_by_alignment", "phases", phases.by_alignment),
    ("error_by_signal", "signals", _by_signal),
    ("cosine_of_pretraining", "cosines", _cosines),
)
