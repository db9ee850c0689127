"""docs/benchmarks.md from the figures of a run: a table a case, and the figure of all."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from benchmarks.peers.cases import CASES
from benchmarks.peers.contestants import CONTESTANTS, OURS
from benchmarks.peers.process import ROOT, Spent
from groundwork import files, palette
from tools import page_tables

PAGE, FIGURE = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.svg"
BUSY = 0.5
"""A load average a core, before the first contestant starts, above which a machine is busy."""
SAME_WORK = 5e-2
HEADER = (
    "",
    "seconds a round",
    "times ours",
    "CPU s a round",
    "times our CPU s",
    "first round after, s",
    "CPU s until then",
    "memory, MB (PSS)",
    "error of the update",
)


def write(result: Mapping[str, Any]) -> None:
    page_tables.rewrite(PAGE, blocks(result))
    # Without a salt Matplotlib names the parts of each SVG otherwise.
    with matplotlib.rc_context({"svg.hashsalt": "peers"}), files.replacing(FIGURE) as path:
        draw(result).savefig(path, format="svg", metadata={"Date": None})


def blocks(result: Mapping[str, Any]) -> dict[str, Callable[[], str]]:
    return {"peers": lambda: "\n".join(_parts(result)), "peers_made": lambda: _made(result)}


def _parts(result: Mapping[str, Any]) -> list[str]:
    found = [result[name] for name in CASES if name in result]
    return [f"### {one['title']}\n\n{table(one['contestants'])}" for one in found]


def table(contestants: Mapping[str, Mapping[str, Any]]) -> str:
    return page_tables.markdown(
        HEADER, [_row(name, contestants) for name in CONTESTANTS if name in contestants]
    )


def _row(name: str, contestants: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    title, one = CONTESTANTS[name].title, contestants[name]
    if "failed" in one:
        return (title, *["—"] * (len(HEADER) - 2), one["failed"])
    same = one["error"] <= SAME_WORK
    rounds = one.get("seconds") and same
    return (
        title,
        _seconds(one["seconds"]) if rounds else "—",
        ratio(ratios(one, "seconds")) if rounds else "—",
        _seconds(one["cpu_seconds"]) if rounds else "—",
        ratio(ratios(one, "cpu_seconds")) if rounds else "—",
        f"{one['first_seconds']:.1f}",
        f"{one['first_cpu_seconds']:.1f}",
        f"{one['resident']:,.0f} ({one['proportional']:,.0f})",
        f"{one['error']:.0e}" if same else f"other work: {one['error']:.0e}",
    )


def ratios(one: Mapping[str, Any], kind: str) -> list[float]:
    """To the neighbouring rounds of ours: what slows the machine slows both."""
    pairs = zip(one[kind], (Spent(*ours)._asdict()[kind] for ours in one["ours"]), strict=False)
    return [theirs / mine for theirs, mine in pairs if mine > 0]


def _seconds(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3g}"


def ratio(values: Sequence[float]) -> str:
    if not values:
        return "—"
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _made(result: Mapping[str, Any]) -> str:
    """A paragraph a run, and the cases that it made."""
    runs: dict[str, list[str]] = {}
    for name in filter(result.get, CASES):
        made = result[name]["made"]
        versions = ", ".join(f"{package} {one}" for package, one in made["versions"].items())
        sentence = f"{circumstances(made)}Versions: {versions}."
        rounds = len(result[name]["contestants"][OURS]["seconds"])
        runs.setdefault(sentence, []).append(f"{CASES[name].title} ({rounds} timed rounds)")
    return "\n".join(f"{sentence} Cases: {'; '.join(found)}.\n" for sentence, found in runs.items())


def circumstances(result: Mapping[str, Any]) -> str:
    busy = result["load"] > BUSY * result["core_count"]
    return (
        f"Made on {result['date']} by `{result['command']}` at commit {result['commit'][:10]} on "
        f"{result['machine']}; {'**busy machine**, ' if busy else ''}load average "
        f"{result['load']:.1f} when it began.\n"
    )


def draw(cases: Mapping[str, Mapping[str, Any]]) -> Figure:
    """One panel a case: times our seconds, each round a dot and the median a bar."""
    columns = 3
    rows = -(-len(cases) // columns)
    made = Figure(figsize=(4.2 * columns, 2.9 * rows), layout="constrained")
    panels = list(made.subplots(rows, columns, squeeze=False, sharex=True).flat)
    for panel, name in zip(panels, filter(cases.get, CASES), strict=False):
        _panel(panel, cases[name])
    for panel in panels[len(cases) :]:
        panel.set_visible(False)
    made.supxlabel("seconds a round, as multiples of ours")
    return made


def _panel(panel: Any, case: Mapping[str, Any]) -> None:
    found = case["contestants"]
    names = [name for name in reversed(CONTESTANTS) if name in found]
    for height, name in enumerate(names):
        if found[name].get("error", 1) > SAME_WORK:
            continue
        values = ratios(found[name], "seconds")
        if values:
            colour = palette.INKS[1 if name == OURS else 0].light
            panel.barh(height, statistics.median(values), color=colour, alpha=0.35)
            panel.plot(values, [height] * len(values), "o", color=colour, markersize=3)
    panel.axvline(1, color="0.4", linewidth=0.8)
    panel.set_yticks(range(len(names)), [CONTESTANTS[name].title for name in names])
    panel.set_title(case["title"].replace(", ", "\n", 1), fontsize=9)
