"""Claims about which algorithm is the better choice from a start."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fed_pretrain.algorithms import known_server_optimizers
from fed_pretrain.reporting.captions import works_unequally
from fed_pretrain.reporting.claims import finding, guards
from fed_pretrain.reporting.claims.accuracy_claims import (
    by_seed,
    learned,
    logit,
    not_worse,
    on_another_scale,
)
from fed_pretrain.reporting.claims.block import Block
from fed_pretrain.reporting.claims.claim import FIRST, MARGIN, Claim, Where
from fed_pretrain.reporting.claims.finding import Finding, Interval
from fed_pretrain.reporting.claims.guards import Ends
from fed_pretrain.reporting.inference import best_of, between, order
from fed_pretrain.reporting.results import Run, unique

SPREAD_MARGIN = 0.01
_FEWEST = 3
"""Algorithms; two have no spread to speak of."""


def _of_enough(where: Where) -> Block | None:
    return where.starts if len(where.starts.algorithms) >= _FEWEST else None


def _both_trained(where: Where, ends: Ends) -> list[finding.Guard]:
    return [guards.trained(where.called(start), ends[start], where.chance) for start in where.both]


def spread_shrinks(where: Where) -> Finding | None:
    block = _of_enough(where)
    if block is None:
        return None

    def test(good: Block, ends: Ends) -> Finding:
        first, other = (ends[start] for start in where.both)
        return _spread_test(good, first, other, where).beside(_both_trained(where, ends))

    return guards.over_seeds_that_train(where, block, test)


def _spread_test(block: Block, first: np.ndarray, other: np.ndarray, where: Where) -> Finding:
    number = len(block.seeds)
    if number < 2:
        return finding.nothing("one seed says nothing of the noise of seeds")
    floor = where.chance.floor

    def bounds(level: float) -> Interval | None:
        return between.bounds(first, other, level) if number >= 3 else None

    deviations = np.array([y.std(axis=1, ddof=1) for y in (first, other)])
    result = Finding(
        by_seed(block, deviations[0] - deviations[1]),
        float(between.estimate(first, other)),
        between.sides(first, other, SPREAD_MARGIN, floor),
        bounds,
        notes=[
            f"standard deviation of the true means: {_root(first)} from"
            f" {where.called(where.random)}, {_root(other)} from {where.called(where.start)}"
        ],
    )
    logits = [logit(y) for y in (first, other)]
    return result.beside(on_another_scale(result, float(between.estimate(*logits))))


def _root(y: np.ndarray) -> str:
    return f"{max(0.0, float(between.root(between.variance(y)[0]))):.3f}"


SPREAD = Claim(
    "spread",
    "Choice matters less",
    "With a pre-trained start the choice of algorithm matters less.",
    FIRST,
    "standard deviation of the algorithms' true means, free of seed noise: random minus"
    " pre-trained",
    spread_shrinks,
    margin=SPREAD_MARGIN,
)


@dataclass(frozen=True)
class Kind:
    """The two halves of an algorithm."""

    server: tuple[object, ...]
    client: tuple[object, ...]


def kind(run: Run) -> Kind:
    """What makes its server and its clients, without rates."""
    chosen = run.chosen
    server = (chosen.get("server_optimizer", ""), chosen.get("server_momentum") or 0.0)
    client = (chosen.get("client_update", ""), chosen.get("client_momentum") or 0.0)
    return Kind(server, client)


def is_adaptive(run: Run) -> bool:
    return known_server_optimizers.is_adaptive(str(run.chosen.get("server_optimizer", "")))


def client_of(run: Run) -> str:
    return str(run.chosen.get("client_update", ""))


Grid = dict[tuple[object, object], int]


def grid_of(block: Block) -> Grid:
    """The column of each (server, client), of the client updates that every server has.

    Empty unless that is every one, or several; SCAFFOLD beside a grid, say, is outside it.
    """
    kinds = [kind(block.example(name)) for name in block.algorithms]
    every: Grid = {(one.server, one.client): i for i, one in enumerate(kinds)}
    servers, clients = unique(s for s, _ in every), unique(c for _, c in every)
    shared = [c for c in clients if all((s, c) in every for s in servers)]
    complete = len(every) == len(kinds) and (len(shared) > 1 or shared == clients)
    return {key: i for key, i in every.items() if key[1] in shared} if complete else {}


def factors(y: np.ndarray, grid: Grid) -> list[np.ndarray]:
    """The means of the servers and of the client updates; `y` itself where there is no grid."""
    found = []
    for place in (0, 1):
        names = unique(key[place] for key in grid)
        if len(names) > 1:
            columns = [[i for key, i in grid.items() if key[place] == name] for name in names]
            found.append(np.stack([y[:, chosen].mean(axis=1) for chosen in columns], axis=1))
    return found or [y]


def ranking_changes(where: Where) -> Finding | None:
    block = _of_enough(where)
    if block is None:
        return None

    def test(good: Block, ends: Ends) -> Finding:
        grid = grid_of(good)
        first, other = (
            order.pairs_of(factors(ends[start], grid), where.chance.floor) for start in where.both
        )
        return _ranking_test(good, first, other, where).beside(_both_trained(where, ends))

    return guards.over_seeds_that_train(where, block, test)


def _ranking_test(block: Block, first: order.Pairs, other: order.Pairs, where: Where) -> Finding:
    number = first[0].shape[-1]

    def bounds(level: float) -> Interval | None:
        least, most = order.reversed_pairs(first, other, level)
        return (float(least), float(most)) if len(block.seeds) > 1 else None

    turned = int((first[1] * other[1] < 0).sum())
    return Finding(
        {},
        float(turned),
        order.reversal(first, other),
        bounds,
        notes=[f"{turned} of {number} pairs are in opposite orders as measured"],
    )


RANKING = Claim(
    "ranking",
    "Algorithms rank anew",
    "A pre-trained start ranks the algorithms anew.",
    FIRST,
    "pairs of servers, or of client updates, in opposite orders from the two starts",
    ranking_changes,
    unit="pairs",
    margin=None,
)


def _from_start(where: Where, start: str, wanted: Callable[[Run], bool]) -> Block | None:
    block = where.aligned({start: [run for run in where.runs(start) if wanted(run)]}, [])
    return block or None


def _columns(block: Block, wanted: Callable[[Run], bool]) -> list[int]:
    return [i for i, name in enumerate(block.algorithms) if wanted(block.example(name))]


def adaptive_server(where: Where) -> Finding | None:
    block = _from_start(where, where.start, lambda run: True)
    if block is None:
        return None
    adaptive = _columns(block, is_adaptive)
    if not adaptive or len(adaptive) == len(block.algorithms):
        return None

    def test(good: Block, ends: Ends) -> Finding:
        y = ends[where.start]
        first, other = _servers(good, y)
        result = _best_test(good, first, other, where)
        return result.beside(learned(where, good, where.start, y), _what_matters(good, y))

    return guards.over_seeds_that_train(where, block, test)


def _what_matters(block: Block, y: np.ndarray) -> list[str]:
    """How far servers and client updates are apart, where a grid has both: reported, not judged."""
    both = factors(y, grid_of(block))
    if len(both) < 2 or len(block.seeds) < 2:
        return []
    servers, clients = (_root(means) for means in both)
    return [
        f"standard deviation of the true means: {servers} of servers, {clients} of client updates"
    ]


def _servers(block: Block, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adaptive servers and the others, each the mean over client updates of a whole grid."""
    sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    grid = grid_of(block)
    servers = unique(server for server, _ in grid)
    groups = [[i for (s, _), i in grid.items() if s == server] for server in servers]
    for columns in groups or [[i] for i in range(len(block.algorithms))]:
        other = not is_adaptive(block.example(block.algorithms[columns[0]]))
        sides[other].append(y[:, columns].mean(axis=1))
    return np.stack(sides[0], axis=1), np.stack(sides[1], axis=1)


def _best_test(block: Block, first: np.ndarray, other: np.ndarray, where: Where) -> Finding:
    floor = where.chance.floor
    single = first[:, first.mean(axis=0).argmax()] - other[:, other.mean(axis=0).argmax()]
    if len(block.seeds) < 2:
        return finding.of_values(by_seed(block, single), MARGIN, floor)

    def bounds(level: float) -> Interval:
        low, high = best_of.bounds(first, other, level, floor)
        return float(low), float(high)

    return Finding(
        by_seed(block, single),
        float(best_of.estimate(first, other)),
        best_of.sides(first, other, MARGIN, floor),
        bounds,
        identical=not single.any(),
    )


ADAPTIVE_SERVER = Claim(
    "adaptive_server",
    "Adaptive server wins",
    "With a pre-trained start an adaptive server is the choice that matters.",
    FIRST,
    "pre-trained start: best adaptive minus best other server, means over client updates",
    adaptive_server,
)


def full_batch_is_enough(where: Where) -> Finding | None:
    return _clients_apart(where, where.start, is_adaptive, "gd", "sgd", at_least_as_good=True)


def normalising_helps_random(where: Where) -> Finding | None:
    return _clients_apart(where, where.random, works_unequally, "nova", "sgd")


def _clients_apart(
    where: Where,
    start: str,
    wanted: Callable[[Run], bool],
    one: str,
    other: str,
    at_least_as_good: bool = False,
) -> Finding | None:
    """One client update minus another, mean over the servers that have both."""
    block = _from_start(where, start, lambda run: wanted(run) and client_of(run) in (one, other))
    sides = _matched(block, one, [other]) if block is not None else None
    if block is None or sides is None:
        return None
    names = [block.algorithms[i] for side in sides for i in side.ravel()]

    def test(good: Block, ends: Ends) -> Finding:
        y = ends[start]
        columns = _matched(good, one, [other])
        assert columns is not None
        first, second = (y[:, side[0]] for side in columns)
        values = by_seed(good, (first - second).mean(axis=1))
        if at_least_as_good:
            return not_worse(values, where).beside(_learned_clients(where, good, columns[1][0], y))
        result = finding.of_values(values, MARGIN, where.chance.floor)
        both = (
            (f"{where.called(start)} with {one} clients", first),
            (f"{where.called(start)} with {other} clients", second),
        )
        return result.beside([guards.trained(name, y, where.chance) for name, y in both])

    return guards.over_seeds_that_train(where, block.of_algorithms(names), test)


def _learned_clients(
    where: Where, block: Block, columns: Sequence[int], y: np.ndarray
) -> list[finding.Guard]:
    """SGD clients are what full batches are compared with."""
    chosen = block.of_algorithms(block.algorithms[i] for i in columns)
    return learned(where, chosen, next(iter(block.cells)), y[:, list(columns)])


def _matched(block: Block, one: str, others: Iterable[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Columns (client update × server) of one client update and of others, at the same servers."""
    by_client: dict[str, dict[object, int]] = {}
    for i, name in enumerate(block.algorithms):
        run = block.example(name)
        by_client.setdefault(client_of(run), {})[kind(run).server] = i
    rivals = [by_client[name] for name in others if name in by_client]
    if one not in by_client or not rivals:
        return None
    servers = [s for s in by_client[one] if all(s in rival for rival in rivals)]
    if not servers:
        return None
    first = np.array([[by_client[one][s] for s in servers]])
    return first, np.array([[rival[s] for s in servers] for rival in rivals])


FULL_BATCH = Claim(
    "full_batch",
    "Full batch suffices",
    "With a pre-trained start one full-batch step a client does about as well as local SGD.",
    FIRST,
    f"adaptive server: full-batch minus SGD clients, pre-trained start, plus {MARGIN}",
    full_batch_is_enough,
)

_RIVALS = ("nova", "proximal", "mimelite")


def plain_adam_tolerates_unequal_work(where: Where) -> Finding | None:
    def wanted(run: Run) -> bool:
        return works_unequally(run) and is_adaptive(run) and client_of(run) in ("sgd", *_RIVALS)

    block = _from_start(where, where.start, wanted)
    if block is None or _matched(block, "sgd", _RIVALS) is None:
        return None

    def test(good: Block, ends: Ends) -> Finding:
        y = ends[where.start]
        columns = _matched(good, "sgd", _RIVALS)
        assert columns is not None
        first, other = (
            np.stack([y[:, servers].mean(axis=1) for servers in side], axis=1) for side in columns
        )
        result = _best_test(good, first, other, where)
        return result.beside(learned(where, good, where.start, y))

    return guards.over_seeds_that_train(where, block, test)


UNEQUAL_WORK = Claim(
    "unequal_work",
    "Plain SGD copes with unequal work",
    "Where clients do unequal work, plain SGD clients with an adaptive server are best from a"
    " pre-trained start.",
    FIRST,
    "adaptive server, pre-trained start: SGD minus best of Nova, Proximal and MimeLite",
    plain_adam_tolerates_unequal_work,
)

UNEQUAL_WORK_RANDOM = Claim(
    "unequal_work_random",
    "Unequal work favours Nova",
    "Where clients do unequal work, normalised averaging beats plain SGD clients from random"
    " weights.",
    FIRST,
    "random start: Nova minus SGD clients, mean over servers",
    normalising_helps_random,
)
