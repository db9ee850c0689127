"""Bytes a round moves between server and clients, as a deployment would send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fed_pretrain.experiment.assembly.assemble import Assembly


@dataclass
class Traffic:
    """What trains goes down and up every round; what rests goes once to each client.

    `models_down` and `models_up` are in units of what trains (SCAFFOLD sends two). In the first
    `head_rounds` rounds that is the head, of `head_bytes`, and the rest is as good as frozen.
    `beside_down` and `beside_up` are bytes of what moves without training: kernels that the server
    corrects come down, averaged statistics go both ways.
    """

    trainable_bytes: int
    resting_bytes: int
    models_down: float
    models_up: float
    head_rounds: int = 0
    head_bytes: int = 0
    beside_down: int = 0
    beside_up: int = 0
    _seen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, assembly: Assembly) -> Traffic:
        start, algorithm = assembly.start, assembly.algorithm
        probing = assembly.config.algorithm.head_rounds
        heads = [start.weights[0][i].nbytes for i in start.head_positions] if probing else []
        return cls(
            start.report.trainable_bytes,
            start.report.frozen_bytes - start.bytes_of(start.moving),
            algorithm.models_down,
            algorithm.models_up,
            probing,
            sum(heads),
            start.bytes_of(start.moving),
            start.bytes_of(start.averaged),
        )

    @property
    def depends_on_the_past(self) -> bool:
        """Whether a round's bytes depend on who took part before it."""
        return self.resting_bytes > 0 or self.head_rounds > 0

    def round(self, number: int, clients: Sequence[str]) -> tuple[int, int]:
        """(bytes down, bytes up) of this cohort; remembers who has what does not train."""
        new = set(clients) - self._seen
        self._seen |= new
        moving = self.head_bytes if number <= self.head_rounds else self.trainable_bytes
        still = self.resting_bytes + self.trainable_bytes - moving
        down = round(len(clients) * (self.models_down * moving + self.beside_down))
        up = round(len(clients) * (self.models_up * moving + self.beside_up))
        return down + len(new) * still, up

    def replay(self, cohorts: Sequence[Sequence[str]]) -> None:
        """Makes a resumed run remember the rounds before it."""
        for cohort in cohorts:
            self._seen |= set(cohort)
