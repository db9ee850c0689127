"""The named sweeps: grids of settings, each part one problem."""

import dataclasses
from collections.abc import Callable, Sequence

from data_prep.errors import UserError
from fed_pretrain.theory.setting import Problem, Setting

SPLITS = (0.5, 0.2, 0.1, 0.0)
TAUS = (1, 5, 20, 100)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
SIGNALS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5)
COSINES = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0)
# Where random starts keep misaligned filters long enough to matter.
BASE = Setting(sigma_0=0.1, tau=20)


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


def get(name: str) -> Sweep:
    if name not in _SWEEPS:
        raise UserError(f"--sweep={name}: choose {', '.join(names())} (--sweep=help tells more)")
    summary, make = _SWEEPS[name]
    return Sweep(name, summary, tuple(make()))


def describe() -> str:
    rows = [(name, get(name)) for name in names()]
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        f"{name.ljust(width)}  {sweep.num_settings:4d} settings  {sweep.summary}"
        for name, sweep in rows
    )


def _vary(**changes: object) -> Setting:
    return dataclasses.replace(BASE, **changes)  # type: ignore[arg-type]


def _default() -> list[Part]:
    problem = Problem()
    starts = [_vary(), _vary(start="central")]
    starts += [_vary(start="count", aligned=share) for share in SHARES]
    grid = [
        dataclasses.replace(start, h=h, tau=tau) for start in starts for h in SPLITS for tau in TAUS
    ]
    phases = [
        _vary(start="count", aligned=share, signal=signal, h=h)
        for h in (0.5, 0.0)
        for signal in SIGNALS
        for share in SHARES
    ]
    far = [
        _vary(start=start, cosine=cosine, h=h)
        for start in ("central", "federated")
        for cosine in COSINES
        for h in (0.5, 0.0)
    ]
    end = (problem.steps,)
    return [
        *_rounds(),
        Part("grid", problem, tuple(grid), end),
        Part("phases", problem, tuple(phases), end),
        Part("cosines", problem, tuple(far), end),
    ]


def _rounds() -> list[Part]:
    settings = [_vary(start=start, h=h) for start in ("random", "central") for h in (0.5, 0.0)]
    return [Part("rounds", Problem(steps=400), tuple(settings), tuple(range(20, 401, 20)), True)]


def _snr() -> list[Part]:
    settings = [
        _vary(start=start, signal=signal, h=h, tau=tau)
        for start in ("random", "central")
        for signal in SIGNALS
        for h in SPLITS
        for tau in TAUS
    ]
    return [Part("signals", Problem(), tuple(settings), (200,))]


def _classes() -> list[Part]:
    """h = 1 - 1/C is every client balanced."""
    parts = []
    for classes in (2, 3, 5):
        problem = Problem(classes=classes, clients=classes, samples=10)
        settings = [
            _vary(start=start, h=h, tau=tau)
            for start in ("random", "central")
            for h in (1 - 1 / classes, 0.0)
            for tau in TAUS
        ]
        parts.append(Part(f"classes_{classes}", problem, tuple(settings), (200,)))
    return parts


def _algorithms() -> list[Part]:
    settings = [
        _vary(start=start, h=h, tau=tau)
        for start in ("random", "central")
        for h in (0.5, 0.0)
        for tau in TAUS
    ]
    parts = [
        Part(name, Problem(algorithm=name), tuple(settings), (200,))
        for name in ("fedavg", "scaffold")
    ]
    for prox in (0.1, 1.0):
        pulled = tuple(dataclasses.replace(setting, prox=prox) for setting in settings)
        parts.append(Part(f"fedprox_{prox:g}", Problem(algorithm="fedprox"), pulled, (200,)))
    return parts


# Ten rounds and 200 local steps each.
DECREASING = (
    (20,) * 10,
    (47, 38, 31, 25, 20, 15, 11, 7, 4, 2),
    (101, 50, 25, 12, 6, 2, 1, 1, 1, 1),
)
INCREASING = tuple(tuple(reversed(taus)) for taus in DECREASING[1:])


def _decreasing_tau() -> list[Part]:
    settings = [
        _vary(start=start, h=h, tau=taus)
        for start in ("random", "central")
        for h in (0.5, 0.0)
        for taus in (*DECREASING, *INCREASING)
    ]
    return [Part("tau_schedules", Problem(), tuple(settings), (200,))]


def _three_layers() -> list[Part]:
    # The hidden responses are shorter than the patches, so the steps are longer.
    settings = [
        _vary(start=start, h=h, tau=tau, eta=1.0)
        for start in ("random", "central")
        for h in (0.5, 0.0)
        for tau in TAUS
    ]
    return [Part("three_layers", Problem(hidden=50), tuple(settings), (200,))]


def _smoke() -> list[Part]:
    problem = Problem(dimension=40, filters=4, steps=40, test_points=200)
    settings = [_vary(h=h, tau=tau) for h in (0.5, 0.0) for tau in (1, 20)]
    return [Part("grid", problem, tuple(settings), (20, 40), True)]


Make = Callable[[], Sequence[Part]]
_SWEEPS: dict[str, tuple[str, Make]] = {
    "default": (
        "h x tau x start, signal-to-noise x aligned share, cosine of the pre-training, and rounds",
        _default,
    ),
    "rounds": ("Gamma, P, misaligned filters and test error over the rounds", _rounds),
    "signals": ("signal-to-noise x h x tau, random and pre-trained", _snr),
    "classes": ("open question: 2, 3 and 5 labels with orthogonal signals", _classes),
    "algorithms": ("open question: FedProx and SCAFFOLD in place of FedAvg", _algorithms),
    "decreasing_tau": ("open question: schedules of tau, equal steps and rounds", _decreasing_tau),
    "three_layers": ("open question: a trained layer below the filters", _three_layers),
    "smoke": ("seconds: does it run", _smoke),
}
