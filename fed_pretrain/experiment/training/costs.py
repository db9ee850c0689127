"""Bytes a round moves between server and clients, as a deployment would send them."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Traffic:
    """What trains goes down and up every round; what is frozen goes once to each client.

    `models_down` and `models_up` are in units of the trainable model (SCAFFOLD sends two).
    """

    trainable_bytes: int
    frozen_bytes: int
    models_down: float
    models_up: float
    _seen: set[str] = field(default_factory=set)

    def round(self, clients: Sequence[str]) -> tuple[int, int]:
        """(bytes down, bytes up) of this cohort; remembers who has the frozen part."""
        new = set(clients) - self._seen
        self._seen |= new
        down = round(len(clients) * self.models_down * self.trainable_bytes)
        up = round(len(clients) * self.models_up * self.trainable_bytes)
        return down + len(new) * self.frozen_bytes, up

    def replay(self, cohorts: Sequence[Sequence[str]]) -> None:
        """Makes a resumed run remember the rounds before it."""
        for cohort in cohorts:
            self._seen |= set(cohort)
