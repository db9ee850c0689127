"""What a tuning tries: the rates, the budget, and the trials that follow from them."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork import randomness
from groundwork.errors import UserError

Rates = Mapping[str, float]
GRID, RANDOM, OPTUNA = "grid", "random", "optuna"
SEARCHES = (GRID, RANDOM, OPTUNA)


@dataclass(frozen=True)
class Search:
    """`rates` are the candidate values of each rate flag, `rounds` those of the first rung."""

    rates: Mapping[str, Sequence[float]]
    trials: int
    rounds: int
    search: str = GRID
    halvings: int = 0
    seed: int = 0

    @property
    def known_before(self) -> bool:
        """Whether the first trials follow from the search alone, and not from each other."""
        return self.search != OPTUNA

    def rung_sizes(self) -> list[int]:
        """The trials of each rung, where they are known before."""
        first = len(self.candidates())
        return [max(1, first // 2**rung) for rung in range(self.halvings + 1)]

    def rounds_of(self, rung: int) -> int:
        return int(self.rounds * 2**rung)

    def candidates(self) -> list[Rates]:
        """The trials of the first rung."""
        names = sorted(self.rates)
        if self.search == RANDOM:
            return [self._drawn(names, number) for number in range(self.trials)]
        grid: list[Rates] = [
            dict(zip(names, point, strict=True))
            for point in itertools.product(*(self.rates[name] for name in names))
        ]
        if len(grid) <= self.trials:
            return grid
        generator = randomness.generator(self.seed, "tuning")
        chosen = sorted(generator.choice(len(grid), self.trials, replace=False))
        return [grid[index] for index in chosen]

    def _drawn(self, names: Sequence[str], number: int) -> Rates:
        """Log-uniform between the smallest and the largest given value of each rate."""
        generator = randomness.generator(self.seed, "tuning", number)
        rates = {}
        for name in names:
            low, high = math.log(min(self.rates[name])), math.log(max(self.rates[name]))
            rates[name] = math.exp(low + (high - low) * float(generator.random()))
        return rates


def trial_name(rung: int, number: int) -> str:
    return f"{rung}-{number:02d}"


def parse_rates(text: str) -> dict[str, list[float]]:
    """`client_learning_rate=0.1,0.01;server_learning_rate=1` -> candidates by flag."""
    rates = {}
    for part in text.split(";"):
        name, equals, values = part.partition("=")
        try:
            rates[name.strip()] = [float(value) for value in values.split(",")]
        except ValueError as error:
            raise UserError(f"--rates: {part!r} is not NAME=NUMBER,NUMBER") from error
        if not equals:
            raise UserError(f"--rates: {part!r} is not NAME=NUMBER,NUMBER")
    return rates
