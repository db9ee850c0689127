"""Where a value is drawn, linear or logarithmic, and where the ticks are."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high end; what is outside is drawn at the end."""
        low, high, value = (self._on(v) for v in (self.low, self.high, value))
        if high == low:
            return 0.5
        return min(1.0, max(0.0, (value - low) / (high - low)))

    def _on(self, value: float) -> float:
        if not self.logarithmic:
            return value
        return math.log10(max(value, min(self.low, self.high)))

    def ticks(self, wanted: int = 4) -> list[float]:
        return self._decades(wanted) if self.logarithmic else self._steps(wanted)

    def _steps(self, wanted: int) -> list[float]:
        step = nice_step((self.high - self.low) / max(1, wanted))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(number * step, 12) + 0.0 for number in range(first, last + 1)]

    def _decades(self, wanted: int) -> list[float]:
        low, high = math.ceil(self._on(self.low) - 1e-9), math.floor(self._on(self.high) + 1e-9)
        every = max(1, math.ceil((high - low + 1) / (wanted + 2)))
        return [10.0**power for power in range(low, high + 1, every)]


def nice_step(size: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    if size <= 0 or not math.isfinite(size):
        return 1.0
    power = 10.0 ** math.floor(math.log10(size))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= size * (1 - 1e-9))


def covering(
    values: Iterable[float], *, include: Iterable[float] = (), logarithmic: bool = False
) -> Scale:
    """Round ends around all values; a logarithmic one covers what is positive, by whole decades."""
    wanted = [v for v in [*values, *include] if math.isfinite(v)]
    if logarithmic:
        positive = [v for v in wanted if v > 0] or [1.0]
        low = 10.0 ** math.floor(math.log10(min(positive)))
        high = 10.0 ** math.ceil(math.log10(max(positive)) + 1e-12)
        return Scale(low, high if high > low else 10 * low, True)
    low, high = (min(wanted), max(wanted)) if wanted else (0.0, 1.0)
    if high == low:
        low, high = low - abs(low or 1.0) * 0.1, high + abs(high or 1.0) * 0.1
    step = nice_step((high - low) / 4) / 2
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step)


def tick_text(value: float) -> str:
    if value != 0 and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "\u2212")
    return f"{value:,.10g}".replace("-", "\u2212")
