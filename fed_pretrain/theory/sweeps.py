"""The named sweeps: grids of settings, each part one problem."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence

from fed_pretrain.theory.setting import Problem, Setting
from groundwork.errors import UserError
from groundwork.untyped import Json

# Where random starts keep misaligned filters long enough to matter.
BASE = Setting(sigma_0=0.1, tau=20)
STARTS = ("random", "central")


@dataclasses.dataclass(frozen=True)
class Grids:
    """The values a sweep gives to each axis it varies; an axis without values it does not vary.

    aligned: None leaves the start the filters it has aligned itself.
    """

    heterogeneities: tuple[float, ...] = ()
    taus: tuple[int, ...] = ()
    aligned: tuple[float | None, ...] = ()
    signals: tuple[float, ...] = ()
    cosines: tuple[float, ...] = ()

    def replaced(self, given: "Grids", sweep: str) -> "Grids":
        """These with the axes of `given` in their place."""
        new = {name: values for name, values in vars(given).items() if values}
        for name in new:
            if not getattr(self, name):
                varied = ", ".join(f"--{axis}" for axis, values in vars(self).items() if values)
                raise UserError(
                    f"--{name}: the sweep {sweep!r} does not vary it"
                    + (f", only {varied}" if varied else "")
                )
        return dataclasses.replace(self, **new)


AS_DEFINED = Grids()


@dataclasses.dataclass(frozen=True)
class Part:
    """Settings of one problem; `records`: the local steps after which to measure."""

    name: str
    problem: Problem
    settings: tuple[Setting, ...]
    records: tuple[int, ...]
    every_test: bool = False


@dataclasses.dataclass(frozen=True)
class Sweep:
    name: str
    summary: str
    parts: tuple[Part, ...]

    @property
    def num_settings(self) -> int:
        return sum(len(part.settings) for part in self.parts)


def names() -> list[str]:
    return sorted(_SWEEPS)


def get(name: str, given: Grids = AS_DEFINED) -> Sweep:
    if name not in _SWEEPS:
        raise UserError(f"--sweep={name}: choose {', '.join(names())} (--sweep=help says more)")
    summary, make, defaults = _SWEEPS[name]
    return Sweep(name, summary, tuple(make(defaults.replaced(given, name))))


def describe() -> str:
    rows = [(name, get(name)) for name in names()]
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        f"{name.ljust(width)}  {sweep.num_settings:4d} settings  {sweep.summary}"
        for name, sweep in rows
    )


def _crossed(grids: Grids, starts: Sequence[str]) -> Iterator[Setting]:
    """Every value of every axis with every other; an axis without values stays as in BASE."""
    axes: dict[str, Sequence[Json]] = {
        "start": starts,
        "h": grids.heterogeneities,
        "tau": grids.taus,
        "aligned": grids.aligned,
        "signal": grids.signals,
        "cosine": grids.cosines,
    }
    varied = {name: values for name, values in axes.items() if values}
    for values in itertools.product(*varied.values()):
        yield dataclasses.replace(BASE, **dict(zip(varied, values, strict=True)))


def _part(name: str, settings: Iterator[Setting], problem: Problem | None = None) -> Part:
    problem = problem or Problem()
    return Part(name, problem, tuple(settings), (problem.steps,))


def _default(grids: Grids) -> list[Part]:
    plain = Grids(heterogeneities=grids.heterogeneities, taus=grids.taus)
    return [
        *_rounds(Grids(heterogeneities=(0.5, 0.0))),
        _part("grid", _crossed(plain, STARTS)),
        _part("crossed", _crossed(grids, ("central",))),
    ]


def _rounds(grids: Grids) -> list[Part]:
    settings = tuple(_crossed(grids, STARTS))
    return [Part("rounds", Problem(steps=400), settings, tuple(range(20, 401, 20)), True)]


def _alone(name: str, starts: Sequence[str]) -> "Make":
    """One part, of the sweep's name."""
    return lambda grids: [_part(name, _crossed(grids, starts))]


def _classes(grids: Grids) -> list[Part]:
    """h = 1 - 1/C is every client balanced."""
    parts = []
    for classes in (2, 3, 5):
        problem = Problem(classes=classes, clients=classes, samples=10)
        each = dataclasses.replace(grids, heterogeneities=(1 - 1 / classes, 0.0))
        parts.append(_part(f"classes_{classes}", _crossed(each, STARTS), problem))
    return parts


def _algorithms(grids: Grids) -> list[Part]:
    parts = [
        _part(name, _crossed(grids, STARTS), Problem(algorithm=name))
        for name in ("fedavg", "scaffold")
    ]
    for prox in (0.1, 1.0):
        pulled = (dataclasses.replace(setting, prox=prox) for setting in _crossed(grids, STARTS))
        parts.append(_part(f"fedprox_{prox:g}", pulled, Problem(algorithm="fedprox")))
    return parts


# Ten rounds and 200 local steps each.
DECREASING = (
    (20,) * 10,
    (47, 38, 31, 25, 20, 15, 11, 7, 4, 2),
    (101, 50, 25, 12, 6, 2, 1, 1, 1, 1),
)
INCREASING = tuple(tuple(reversed(taus)) for taus in DECREASING[1:])


def _decreasing_tau(grids: Grids) -> list[Part]:
    schedules = (*DECREASING, *INCREASING)
    settings = (
        dataclasses.replace(setting, tau=taus)
        for setting in _crossed(grids, STARTS)
        for taus in schedules
    )
    return [_part("tau_schedules", settings)]


def _three_layers(grids: Grids) -> list[Part]:
    # The hidden responses are shorter than the patches, so the steps are longer.
    settings = (dataclasses.replace(setting, eta=1.0) for setting in _crossed(grids, STARTS))
    return [_part("three_layers", settings, Problem(hidden=50))]


def _smoke(grids: Grids) -> list[Part]:
    problem = Problem(dimension=40, filters=4, steps=40, test_points=200)
    settings = tuple(_crossed(grids, ("random",)))
    return [Part("grid", problem, settings, (20, 40), True)]


Make = Callable[[Grids], Sequence[Part]]
_ENDS = (0.5, 0.0)
_SPLITS = (0.5, 0.2, 0.1, 0.0)
_TAUS = (1, 5, 20, 100)
_SIGNALS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5)
_COSINES = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0)
_SWEEPS: dict[str, tuple[str, Make, Grids]] = {
    "default": (
        "h x tau x aligned share x signal-to-noise x cosine of the pre-training; rounds",
        _default,
        Grids(
            heterogeneities=(0.5, 0.1, 0.0),
            taus=(1, 20, 100),
            aligned=(None, 0.0, 0.5, 1.0),
            signals=(0.75, 1.0, 1.5, 2.0),
            cosines=(-1.0, 0.0, 0.25, 0.5, 1.0),
        ),
    ),
    "rounds": (
        "Gamma, P, misaligned filters and test error over the rounds",
        _rounds,
        Grids(heterogeneities=_ENDS),
    ),
    "signals": (
        "signal-to-noise x h x tau, random and pre-trained",
        _alone("signals", STARTS),
        Grids(heterogeneities=_SPLITS, taus=_TAUS, signals=_SIGNALS),
    ),
    "phases": (
        "signal-to-noise x aligned share x h, finely, from random starts",
        _alone("phases", ("random",)),
        Grids(heterogeneities=_ENDS, aligned=(0.0, 0.25, 0.5, 0.75, 1.0), signals=_SIGNALS),
    ),
    "cosines": (
        "cosine x h, finely, central and federated pre-training",
        _alone("cosines", ("central", "federated")),
        Grids(heterogeneities=_ENDS, cosines=_COSINES),
    ),
    "classes": (
        "open question: 2, 3 and 5 labels with orthogonal signals",
        _classes,
        Grids(taus=_TAUS),
    ),
    "algorithms": (
        "open question: FedProx and SCAFFOLD in place of FedAvg",
        _algorithms,
        Grids(heterogeneities=_ENDS, taus=_TAUS),
    ),
    "decreasing_tau": (
        "open question: schedules of tau, equal steps and rounds",
        _decreasing_tau,
        Grids(heterogeneities=_ENDS),
    ),
    "three_layers": (
        "open question: a trained layer below the filters",
        _three_layers,
        Grids(heterogeneities=_ENDS, taus=_TAUS),
    ),
    "smoke": ("seconds: does it run", _smoke, Grids(heterogeneities=_ENDS, taus=(1, 20))),
}
