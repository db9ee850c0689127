"""The part of docs/benchmarks.md about a round's own costs, from the figures of a run."""

import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers import cases
from benchmarks.peers.page import PAGE, circumstances, ratio
from benchmarks.rounds import extras, growth, onednn
from tools import page_tables

PASSES = {
    "Conv2D": "convolution, forward",
    "Conv2DBackpropFilter": "convolution, gradient of the filters",
    "Conv2DBackpropInput": "convolution, gradient of the input",
}
FUSED = re.compile("^_|MklNative|Mkl|Fused|WithBias")
SMALL = 0.01


def write(found: Mapping[str, Any]) -> None:
    """What was not measured stays as it is."""
    alone = {"start": start, "extras": added, "onednn": kernels_of_both}
    parts = {name: part for name, part in alone.items() if name in found}
    if "cores" in found:
        parts |= {"costs_made": circumstances, "kernels": kernels, "growth": grown, "laws": laws}
    page_tables.rewrite(PAGE, {name: _of(part, found) for name, part in parts.items()})


def _of(part: Any, found: Mapping[str, Any]) -> Any:
    return lambda: part(found)


def start(found: Mapping[str, Any]) -> str:
    *first, second = found["start"]["parts"]
    whole = ("to the end of the first round", *(sum(part[i] for part in first) for i in (1, 2)))
    parts = [*first, whole, second]
    rows = [(name, f"{wall:.2f}", f"{cpu:.2f}") for name, wall, cpu in parts]
    table = page_tables.markdown(("part", "seconds", "CPU s"), rows)
    return f"{circumstances(found['start']['made'])}\n{table}"


def kernels(found: Mapping[str, Any]) -> str:
    """Kernels by share; convolutions with their rate in the round and by themselves."""
    measured, alone = found["kernels"], found["convolutions"]
    shares = merged(measured["shares"])
    rows, rest = [], 0.0
    for kind, share in sorted(shares.items(), key=lambda item: -item[1]):
        if share < SMALL:
            rest += share
            continue
        spent = share * measured["cpu_seconds"]
        rates: Sequence[str] = ("", "", "")
        if kind in PASSES:
            inside, by_itself = alone["gflop"][kind] / spent, alone["rates"][kind]
            rates = (f"{inside:.0f}", f"{by_itself:.0f}", f"{inside / by_itself:.2f}")
        rows.append((PASSES.get(kind, f"`{kind}`"), f"{share:.1%}", f"{spent:.3f}", *rates))
    rows.append(("all others", f"{rest:.1%}", f"{rest * measured['cpu_seconds']:.3f}", "", "", ""))
    total = sum(alone["gflop"].values()) / measured["cpu_seconds"]
    header = ("kernel", "share", "CPU s", "GFLOP a CPU s in the round", "by itself", "ratio")
    return (
        f"{measured['title']}: {measured['seconds']:.3f} s and {measured['cpu_seconds']:.3f} CPU s "
        f"a round. Its convolutions are {sum(alone['gflop'].values()):.0f} GFLOP, so that the "
        f"round as a whole makes {total:.0f} GFLOP of them a CPU second; a product of two matrices "
        f"of 1,024 x 1,024 makes {alone['product']:.0f}.\n\n{page_tables.markdown(header, rows)}"
    )


def merged(shares: Mapping[str, float]) -> dict[str, float]:
    """A convolution with its bias and ReLU in one kernel counts as a convolution."""
    together: dict[str, float] = {}
    for kind, share in shares.items():
        plain = FUSED.sub("", kind)
        together[plain] = together.get(plain, 0.0) + share
    return together


def added(found: Mapping[str, Any]) -> str:
    """Medians of the ratios to the plain round of the same turn, and their middle half."""
    spent = found["extras"]["spent"]
    rows = []
    for name in extras.EXTRAS:
        costs = spent[name]
        middle = (statistics.median(cost[part] for cost in costs) for part in (0, 1))
        compared = ("", "")
        if name != extras.PLAIN:
            compared = tuple(_middle(extras.ratios(spent, name, part)) for part in (0, 1))
        rows.append((name, *(f"{value:.3f}" for value in middle), *compared))
    header = ("asked for", "seconds", "CPU s", "times the seconds", "times the CPU s")
    turns = len(spent[extras.PLAIN])
    return (
        f"{circumstances(found['extras']['made'])}{extras.TITLE}; {turns} rounds of each.\n\n"
        f"{page_tables.markdown(header, rows)}"
    )


def kernels_of_both(found: Mapping[str, Any]) -> str:
    turns, rows = found["onednn"]["turns"], []
    for name in onednn.CASES:
        seconds, cpu = (
            {setting: [turn[name][setting][part] for turn in turns] for setting in onednn.SETTINGS}
            for part in (0, 1)
        )
        ratios = [other / own for own, other in zip(cpu["0"], cpu["1"], strict=True)]
        medians = (statistics.median(kind[one]) for kind in (seconds, cpu) for one in kind)
        figures = (f"{value:.2f}" for value in medians)
        rows.append((cases.CASES[name].title, *figures, ratio(ratios)))
    columns = [
        f"{kind}, {own}" for kind in ("seconds", "CPU s") for own in onednn.SETTINGS.values()
    ]
    table = page_tables.markdown(("a round of", *columns, "times the CPU s"), rows)
    return f"{circumstances(found['onednn']['made'])}\n{table}"


def _middle(ratios: Sequence[float]) -> str:
    low, median, high = statistics.quantiles(ratios, n=4)
    return f"{median:.3f} ({low:.3f} to {high:.3f})"


def grown(found: Mapping[str, Any]) -> str:
    *fitted, held_out = found["cnn"]
    law = growth.fit(fitted)
    rows = [
        (
            f"{one['clients']:,}",
            f"{one['rows']:,}",
            f"{one['parameters']:,}",
            str(one.get("cores", found["core_count"])),
            f"{one['seconds']:.3f}",
            f"{one['cpu_seconds']:.3f}",
            f"{growth.predicted(law, one):.3f}" if one in found["cnn"] else "",
        )
        for one in [*fitted, held_out, *found["widths"], *found["cores"]]
    ]
    header = (
        "clients",
        "rows a client",
        "parameters",
        "cores",
        "seconds",
        "CPU s",
        "CPU s by the law",
    )
    return page_tables.markdown(header, rows)


def laws(found: Mapping[str, Any]) -> str:
    *fitted, held_out = found["cnn"]
    law = growth.fit(fitted)
    off = growth.predicted(law, held_out) / held_out["cpu_seconds"] - 1
    each = growth.slope(found["widths"], "parameters") / growth.FEW_CLIENTS
    one, two = (point["seconds"] for point in found["cores"])
    rows = [
        ("a round", f"{1e3 * law['round']:.1f} ms of CPU", "the fit over clients and rows"),
        ("a client", f"{1e3 * law['client']:.2f} ms of CPU more", "the same"),
        ("a row of the CNN", f"{1e3 * law['row']:.3f} ms of CPU more", "the same"),
        (
            "a million parameters",
            f"{1e9 * each:.2f} ms of CPU more a client of {growth.FEW_ROWS} rows",
            "the slope over three widths of a perceptron",
        ),
        ("a second core", f"a round in {two / one:.2f} of the time", "1 and 2 cores"),
        (
            f"{held_out['clients']} clients of {held_out['rows']} rows, which the fit did not see",
            f"{off:+.0%} by the law",
            "the last row of the CNN above",
        ),
    ]
    return page_tables.markdown(("what", "costs", "from"), rows)
