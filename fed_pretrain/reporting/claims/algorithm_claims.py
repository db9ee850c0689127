"""Claims about which algorithm is the better choice from a start."""

from collections.abc import Callable

from fed_pretrain.algorithms import known_server_optimizers
from fed_pretrain.reporting.captions import works_unequally
from fed_pretrain.reporting.claims.claim import FIRST, MARGIN, Claim
from fed_pretrain.reporting.claims.pairing import accuracies, difference_of_best, seeds
from fed_pretrain.reporting.results import Run, Study
from fed_pretrain.reporting.statistics import kendall_tau_b, spread


def spread_shrinks(study: Study, task: str, random_start: str, start: str) -> list[float]:
    values = []
    for seed in seeds(study, task=task):
        sides = [list(accuracies(study, task, s, seed).values()) for s in (random_start, start)]
        if all(len(side) >= 3 for side in sides):
            widths = [max(side) - min(side) for side in sides]
            values.append(widths[0] - widths[1])
    return values


SPREAD = Claim(
    "spread",
    "Choice matters less",
    "With a pre-trained start the choice of algorithm matters less.",
    FIRST,
    "best minus worst algorithm: random minus pre-trained",
    spread_shrinks,
    needs_learning=True,
    margin=0.01,
)


def ranking_changes(study: Study, task: str, random_start: str, start: str) -> list[float]:
    """One value a pair of seeds, each seed in one pair: the noise of a ranking comes from seeds."""
    both, known = (random_start, start), seeds(study, task=task)
    sides = {(one, seed): accuracies(study, task, one, seed) for one in both for seed in known}
    names = sorted(set.intersection(*(set(side) for side in sides.values()))) if sides else []
    if len(names) < 3:
        return []

    def agreement(first: tuple[str, int], second: tuple[str, int]) -> float:
        return kendall_tau_b(*([sides[one][name] for name in names] for one in (first, second)))

    def value(seed: int, other: int) -> float:
        within = spread([agreement((one, seed), (one, other)) for one in both])
        across = spread([agreement((random_start, s), (start, s)) for s in (seed, other)])
        return within.mean - across.mean

    return [value(*pair) for pair in zip(known[::2], known[1::2], strict=False)]


RANKING = Claim(
    "ranking",
    "Algorithms rank anew",
    "A pre-trained start ranks the algorithms anew.",
    FIRST,
    "Kendall's tau between two seeds of one start minus tau between the two starts",
    ranking_changes,
    needs_learning=True,
    replicate=("pair of seeds", "pairs of seeds"),
    unit="reversed pairs",
    margin=None,
)


def _chosen(run: Run, part: str) -> str:
    """The `client_update` or the `server_optimizer` of a run."""
    return str(run.config.get("config", {}).get("algorithm", {}).get(part, ""))


def _is_adaptive(run: Run) -> bool:
    return known_server_optimizers.is_adaptive(_chosen(run, "server_optimizer"))


def _has_client(*updates: str) -> Callable[[Run], bool]:
    return lambda run: _chosen(run, "client_update") in updates


def adaptive_server(study: Study, task: str, random_start: str, start: str) -> list[float]:
    return difference_of_best(study, task, start, _is_adaptive, lambda run: not _is_adaptive(run))


ADAPTIVE_SERVER = Claim(
    "adaptive_server",
    "Adaptive server wins",
    "With a pre-trained start an adaptive server is the choice that matters.",
    FIRST,
    "best adaptive minus best non-adaptive server, pre-trained start",
    adaptive_server,
)


def full_batch_is_enough(study: Study, task: str, random_start: str, start: str) -> list[float]:
    def adam_with(update: str) -> Callable[[Run], bool]:
        return lambda run: _is_adaptive(run) and _has_client(update)(run)

    differences = difference_of_best(study, task, start, adam_with("gd"), adam_with("sgd"))
    return [value + MARGIN for value in differences]


FULL_BATCH = Claim(
    "full_batch",
    "Full batch suffices",
    "With a pre-trained start one full-batch step a client does about as well as local SGD.",
    FIRST,
    f"adaptive server: full-batch minus SGD clients, pre-trained start, plus {MARGIN}",
    full_batch_is_enough,
)


def plain_adam_bears_unequal_work(
    study: Study, task: str, random_start: str, start: str
) -> list[float]:
    def adam_with(*updates: str) -> Callable[[Run], bool]:
        return lambda run: works_unequally(run) and _is_adaptive(run) and _has_client(*updates)(run)

    others = adam_with("nova", "proximal", "mimelite")
    return difference_of_best(study, task, start, adam_with("sgd"), others)


UNEQUAL_WORK = Claim(
    "unequal_work",
    "Plain SGD bears unequal work",
    "Where clients do unequal work, plain SGD clients with an adaptive server are best from a"
    " pre-trained start.",
    FIRST,
    "adaptive server, pre-trained start: SGD minus best of Nova, Proximal and MimeLite",
    plain_adam_bears_unequal_work,
)


def normalising_helps_random(study: Study, task: str, random_start: str, start: str) -> list[float]:
    def unequal_with(update: str) -> Callable[[Run], bool]:
        return lambda run: works_unequally(run) and _has_client(update)(run)

    return difference_of_best(study, task, random_start, unequal_with("nova"), unequal_with("sgd"))


UNEQUAL_WORK_RANDOM = Claim(
    "unequal_work_random",
    "Unequal work favours Nova",
    "Where clients do unequal work, normalised averaging beats plain SGD clients from random"
    " weights.",
    FIRST,
    "random start: best with Nova minus best with SGD clients",
    normalising_helps_random,
    needs_learning=True,
)
