"""The theory's question on its own network and on a real one, in one figure and one page.

python -m tools.theory_and_pipeline --workdir=runs

Runs the two-layer CNN of "Initialization Matters" and the plan theory_on_digits_embedded (which
goes on from what is in the folder), and writes docs/results/theory_and_pipeline.md with its figure.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fed_pretrain.reporting.charts import paper
from fed_pretrain.reporting.estimates import Estimate, estimate
from fed_pretrain.reporting.made import Made
from fed_pretrain.reporting.numbers import signed, span
from fed_pretrain.reporting.results import FINAL, Study, load_study
from groundwork import files, markdown

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
NAME, PLAN = "theory_and_pipeline", "theory_on_digits_embedded"
RANDOM, PRETRAINED = "random weights", "pre-trained weights"
THEORY_SEEDS = range(10)
# Of the theory's network: h = 0 is one label a client; 0.5 is IID for two labels.
HETEROGENEITIES, TAUS = (0.0, 0.2, 0.5), (1, 20, 100)
# The share of a client's examples that do not have its majority label.
PARTITIONS = {"one_label": 0.0, "iid": 0.9}

Key = tuple[str, float, int]


@dataclass(frozen=True)
class Measured:
    """Test error and the share of filters misaligned at the start, by start, h and tau: by seed."""

    title: str
    error: Mapping[Key, Mapping[int, float]]
    misaligned: Mapping[Key, Mapping[int, float]]

    @property
    def splits(self) -> list[float]:
        return sorted({h for _, h, _ in self.error})

    @property
    def taus(self) -> list[int]:
        return sorted({tau for _, _, tau in self.error})

    def mean(self, key: Key) -> float:
        return estimate(self.error[key].values()).mean

    def harm_of_split(self, start: str, tau: int) -> dict[int, float]:
        """One label a client against the most even split."""
        return _minus(
            self.error[start, self.splits[0], tau], self.error[start, self.splits[-1], tau]
        )

    def harm_of_steps(self, start: str, h: float) -> dict[int, float]:
        return _minus(self.error[start, h, self.taus[-1]], self.error[start, h, self.taus[0]])

    def at_start(self, start: str) -> dict[int, float]:
        return dict(self.misaligned[start, self.splits[-1], self.taus[0]])


def _minus(a: Mapping[int, float], b: Mapping[int, float]) -> dict[int, float]:
    return {seed: a[seed] - b[seed] for seed in a if seed in b}


def of_theory() -> Measured:
    from fed_pretrain.theory import laboratory
    from fed_pretrain.theory.setting import Problem, Setting

    keys = [
        (start, h, tau) for start in ("random", "central") for h in HETEROGENEITIES for tau in TAUS
    ]
    settings = [Setting(start=start, h=h, tau=tau, sigma_0=0.1) for start, h, tau in keys]
    found = laboratory.run(Problem(), settings, THEORY_SEEDS, dtype="float32")
    names = {"random": RANDOM, "central": PRETRAINED}
    error, misaligned = {}, {}
    for index, (start, h, tau) in enumerate(keys):
        key = names[start], h, tau
        error[key] = dict(enumerate(map(float, found.test_error[index, :, -1])))
        shares = 1 - found.aligned_share[index].mean(axis=-1)
        misaligned[key] = dict(enumerate(map(float, shares)))
    return Measured("two-layer CNN, its own data", error, misaligned)


def of_study(study: Study) -> Measured:
    error: dict[Key, dict[int, float]] = {}
    misaligned: dict[Key, dict[int, float]] = {}
    for run in study.runs:
        start = RANDOM if study.is_random(run.task, run.start) else PRETRAINED
        key = start, PARTITIONS[str(run.coordinates["partition"])], int(run.coordinates["tau"])
        error.setdefault(key, {})[run.seed] = 1 - run.last(FINAL)
        misaligned.setdefault(key, {})[run.seed] = run.first("misaligned_share")
    return Measured("small CNN, MNIST digits", error, misaligned)


@dataclass(frozen=True)
class Order:
    """A sentence of the theory as a difference that it says is above zero, or at most SMALL."""

    sentence: str
    value: Callable[[Measured], Mapping[int, float]]
    positive: bool = True

    def verdict(self, found: Estimate) -> str:
        if not found.has_interval:
            return "not measured"
        if self.positive:
            return "yes" if found.low > 0 else "no, the reverse" if found.high < 0 else "not clear"
        return "yes" if found.high <= SMALL else "no" if found.low > SMALL else "not clear"


SMALL = 0.05
ORDERS = (
    Order(
        "One label a client harms random weights at many local steps",
        lambda m: m.harm_of_split(RANDOM, m.taus[-1]),
    ),
    Order(
        "It harms them less at one local step",
        lambda m: _minus(m.harm_of_split(RANDOM, m.taus[-1]), m.harm_of_split(RANDOM, m.taus[0])),
    ),
    Order(
        "It harms pre-trained weights less than random ones, at many local steps",
        lambda m: _minus(
            m.harm_of_split(RANDOM, m.taus[-1]), m.harm_of_split(PRETRAINED, m.taus[-1])
        ),
    ),
    Order(
        f"It hardly harms pre-trained weights (by at most {SMALL})",
        lambda m: m.harm_of_split(PRETRAINED, m.taus[-1]),
        positive=False,
    ),
    Order(
        "Many local steps harm random weights where clients have one label",
        lambda m: m.harm_of_steps(RANDOM, m.splits[0]),
    ),
    Order(
        f"They hardly harm pre-trained weights there (by at most {SMALL})",
        lambda m: m.harm_of_steps(PRETRAINED, m.splits[0]),
        positive=False,
    ),
    Order(
        "Random weights begin with more misaligned filters",
        lambda m: _minus(m.at_start(RANDOM), m.at_start(PRETRAINED)),
    ),
)


def figure(both: Sequence[Measured]) -> bytes:
    """A row a network: test error by tau from each start, a line a split."""
    made, axes = paper.grid(4, 2, 3.2, 2.3)
    with paper.look():
        for row, measured in enumerate(both):
            for column, start in enumerate((RANDOM, PRETRAINED)):
                _panel(axes[2 * row + column], measured, start)
    return dict(paper.files(NAME, made))[f"figures/{NAME}.svg"]


def _panel(axis: paper.Axes, measured: Measured, start: str) -> None:
    for number, h in enumerate(measured.splits):
        found = [estimate(measured.error[start, h, tau].values()) for tau in measured.taus]
        ink, means = paper.ink(number).light, [one.mean for one in found]
        axis.plot(measured.taus, means, "o-", color=ink, label=f"h = {h:g}", markersize=3)
        low, high = [one.low for one in found], [one.high for one in found]
        axis.fill_between(measured.taus, low, high, color=ink, alpha=0.15, linewidth=0)
    axis.set_xscale("log")
    axis.minorticks_off()
    axis.set_xticks(measured.taus, list(map(str, measured.taus)))
    axis.set_ylim(0, 1.1 * max(map(measured.mean, measured.error)))
    axis.set_title(start)
    axis.set_xlabel("local steps a round, at equal steps in all")
    axis.set_ylabel(f"test error\n{measured.title}")
    axis.legend()


def page(both: Sequence[Measured], study: Study) -> str:
    rows = []
    for order in ORDERS:
        found = [estimate(order.value(measured).values()) for measured in both]
        rows.append((order.sentence, *(_told(order, one) for one in found)))
    survives = [
        order.sentence
        for order in ORDERS
        if {order.verdict(estimate(order.value(m).values())) for m in both} == {"yes"}
    ]
    return PAGE.format(
        survives=f"{len(survives)} of {len(ORDERS)} sentences hold in both networks",
        orders=markdown.table(("the theory's order", *(m.title for m in both)), rows),
        errors="\n".join(_errors(measured) for measured in both),
        made="; ".join(Made(study, RESULTS).meta()),
        name=NAME,
        plan=PLAN,
    )


def _told(order: Order, found: Estimate) -> str:
    return f"{order.verdict(found)}: {signed(found.mean)} ({span(found.low, found.high)})"


def _errors(measured: Measured) -> str:
    header = (measured.title, *(f"tau = {tau}" for tau in measured.taus))
    rows = [
        (f"{start}, h = {h:g}", *(f"{measured.mean((start, h, tau)):.3f}" for tau in measured.taus))
        for start in (RANDOM, PRETRAINED)
        for h in measured.splits
    ]
    return markdown.table(header, rows)


PAGE = """\
# The theory and the pipeline

The theorem of "Initialization Matters" says that the split among clients (h) and the local
steps of a round (tau) harm through filters that are misaligned at the start, of which
pre-trained weights have few. Its network has two layers, two labels and its own data. What
of its order is left when a CNN of four layers learns ten digits?

**{survives}.**

![test error by local steps](figures/{name}.svg)

h is the share of a client's examples that do not have its majority label: 0 is one label a client;
0.5 is IID for the theory's two labels, 0.9 for ten labels. A network does the same number of
local steps in all, whatever tau is, with one rate for both starts. Differences are paired by
seed, with 95 % intervals for each by itself; test error is the share of wrong answers.
Misaligned filters are counted by the theory's definition in its network and by [our
surrogate](../science.md) in the other, where clients have the most even split and tau is least.

{orders}
{errors}
## How it was made

```sh flags
python -m pipelines.study --plan={plan} --workdir=runs/{plan}
```

{made}. The study by itself is [its own page]({plan}.md). `python -m tools.{name}` runs
both networks and writes this page and its figure; the two-layer CNN is that of [the
laboratory](../theory.md), with 10 seeds.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=ROOT / "runs")
    parser.add_argument("--page", action="store_true", help="only write the page")
    asked = parser.parse_args()
    folder = asked.workdir / PLAN
    if not asked.page:
        command = ("pipelines.study", f"--plan={PLAN}", f"--workdir={folder}")
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True)
    study = load_study(folder / "study.json")
    both = (of_theory(), of_study(study))
    files.write_bytes(RESULTS / "figures" / f"{NAME}.svg", figure(both))
    files.write_text(RESULTS / f"{NAME}.md", page(both, study))
    print(f"written: {RESULTS / NAME}.md")


if __name__ == "__main__":
    main()
