"""FedAvg as `fed_pretrain.train` runs it, on the executor `device`."""

from benchmarks.peers import work
from benchmarks.rounds.ours import Ours

given = work.given()
gate = work.Gate()
ours = Ours(given.model, given.clients, given.batch, given.rate)
ours.begin_from(list(given.weights.values()))
while True:
    gate.begin()
    ours.round()
    gate.end(lambda: dict(zip(given.weights, ours.weights(), strict=True)))
