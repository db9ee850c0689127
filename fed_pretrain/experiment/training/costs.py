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
    `beside` are the bytes of statistics that are averaged without training, both ways.

    `corrections` are of the kernels that the server corrects after a round (FedEx-LoRA), each by
    sum_i p_i a_i (b_i - mean b): for n clients a product of n - 1 times the rank columns, since the
    sum of p_i (b_i - mean b) is zero. It comes down as these factors, of each round that a client
    missed, or as the kernel where that is less: (bytes of one client's factors, of the kernel).
    """

    trainable_bytes: int
    resting_bytes: int
    models_down: float
    models_up: float
    head_rounds: int = 0
    head_bytes: int = 0
    beside: int = 0
    corrections: Sequence[tuple[int, int]] = ()
    _factors: int = 0
    _seen: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, assembly: Assembly) -> Traffic:
        start, algorithm = assembly.start, assembly.algorithm
        probing = assembly.config.algorithm.head_rounds
        training, resting = start.weights
        heads = [training[i].nbytes for i in start.head_positions] if probing else []
        averaged = start.bytes_of(start.averaged)
        return cls(
            start.report.trainable_bytes,
            start.report.frozen_bytes - averaged,
            algorithm.models_down,
            algorithm.models_up,
            probing,
            sum(heads),
            averaged,
            [
                (training[one.a].nbytes + training[one.b].nbytes, resting[one.kernel].nbytes)
                for one in start.corrected
            ],
        )

    @property
    def depends_on_the_past(self) -> bool:
        """Whether a round's bytes depend on who took part before it."""
        return self.resting_bytes > 0 or self.head_rounds > 0

    def round(self, number: int, clients: Sequence[str]) -> tuple[int, int]:
        """(bytes down, bytes up) of this cohort; remembers who has what does not train."""
        new = set(clients) - self._seen.keys()
        missed = sum(self._corrected(client) for client in clients if client not in new)
        self._remember(clients)
        moving = self.head_bytes if number <= self.head_rounds else self.trainable_bytes
        still = self.resting_bytes + self.trainable_bytes - moving
        down = round(len(clients) * (self.models_down * moving + self.beside))
        up = round(len(clients) * (self.models_up * moving + self.beside))
        return down + missed + len(new) * still, up

    def replay(self, cohorts: Sequence[Sequence[str]]) -> None:
        """Makes a resumed run remember the rounds before it."""
        for cohort in cohorts:
            self._remember(cohort)

    def _corrected(self, client: str) -> int:
        """Bytes of what became of the kernels since the client had them."""
        factors = self._factors - self._seen[client]
        return sum(min(factors * each, kernel) for each, kernel in self.corrections)

    def _remember(self, clients: Sequence[str]) -> None:
        self._seen |= dict.fromkeys(clients, self._factors)
        self._factors += max(0, len(clients) - 1)
