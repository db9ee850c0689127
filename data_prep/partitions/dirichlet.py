"""The Dirichlet partitions of the literature: three laws, one of which each dealer's report names.

`per_client` (Hsu, Qi, Brown 2019, "Measuring the effects of non-identical data distribution"): each
client draws a label mix q_k ~ Dir(alpha p), p the pooled label shares, and then its examples from
the pool without replacement; all clients have the same size. `per_class` (Yurochkin 2019 and many
after): each label is cut into client shares p_c ~ Dir(alpha, ..., alpha); sizes differ.
"""

import heapq

import numpy as np

from data_prep.partitions.partition_config import PartitionConfig
from data_prep.partitions.sizes import deal_by_label, equal_sizes
from groundwork import randomness
from groundwork.untyped import Json

ATTEMPTS = 100


def log_space_dirichlet(generator: np.random.Generator, concentration: np.ndarray) -> np.ndarray:
    """A Dirichlet draw that neither underflows to 0/0 nor yields NaN, however small alpha is.

    Gamma(a) = Gamma(a + 1) U^(1/a) keeps the logarithm finite; only ratios to the largest matter.
    """
    positive = concentration > 0
    shape = np.where(positive, concentration, 1.0)
    logarithms = np.log(generator.standard_gamma(shape + 1)) + np.log(
        1 - generator.random(concentration.shape)
    ) / np.maximum(shape, 1e-300)
    logarithms = np.where(positive, logarithms, -np.inf)
    shares = np.exp(logarithms - logarithms.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


class PerClient:
    def __init__(self, config: PartitionConfig, histogram: np.ndarray) -> None:
        self._seed = config.seed
        self._clients = config.num_clients or 1
        self._dealt = False
        shares = histogram / histogram.sum()
        scale = len(np.flatnonzero(histogram)) if config.concentration == "each" else 1
        self._mixes = np.stack(
            [
                log_space_dirichlet(
                    randomness.generator(config.seed, "label_mix", client),
                    config.alpha * scale * shares,
                )
                for client in range(self._clients)
            ]
        )
        mix = (
            f"Dir({config.alpha:g} C p), p the pooled shares of C = {scale} labels"
            if config.concentration == "each"
            else f"Dir({config.alpha:g} p), p the pooled label shares"
        )
        self.report: dict[str, Json] = {
            "law": f"the label mix of each client ~ {mix}",
            "mean_deviation": {},
        }

    def deal(self, labels: np.ndarray, split: str) -> np.ndarray:
        counts = self._counts(np.bincount(labels, minlength=self._mixes.shape[1]), split)
        if not self._dealt:
            # What a client got, not what it drew, is what its examples of other splits follow.
            self._mixes = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
            self._dealt = True
        numbers = np.arange(self._clients)
        return deal_by_label(
            labels, self._seed, split, lambda label, _: np.repeat(numbers, counts[:, label])
        )

    def _counts(self, pool: np.ndarray, split: str) -> np.ndarray:
        """Clients x labels. A label that has run out leaves the mix, so this always ends.

        A client's deviation is the share of its examples that carry another label, where its own
        that had run out before its turn or in it.
        """
        remaining = pool.copy()
        mixes = np.zeros((self._clients, len(pool)))
        mixes[:, : self._mixes.shape[1]] = self._mixes
        counts = np.zeros((self._clients, len(pool)), np.int64)
        sizes = equal_sizes(int(pool.sum()), self._clients)
        deviations = np.zeros(self._clients)
        for client in randomness.generator(self._seed, "client_order", split).permutation(
            self._clients
        ):
            generator = randomness.generator(self._seed, "label_draw", split, int(client))
            need = int(sizes[client])
            while need:
                weights = np.where(remaining > 0, mixes[client], 0.0)
                if weights.sum() <= 0:
                    weights = remaining.astype(np.float64)
                drawn = generator.multinomial(need, weights / weights.sum())
                taken = np.minimum(drawn, remaining)
                if need == sizes[client]:
                    gone = mixes[client][remaining == 0].sum() / max(mixes[client].sum(), 1e-300)
                    lost = need * float(gone)
                    deviations[client] = (lost + (drawn - taken).sum()) / need
                counts[client] += taken
                remaining -= taken
                need -= int(taken.sum())
        self.report["mean_deviation"][split] = float(f"{deviations.mean():.10g}")
        return counts


class PerClass:
    def __init__(self, config: PartitionConfig, histogram: np.ndarray) -> None:
        self._seed = config.seed
        self._clients = config.num_clients or 1
        self._minimum = config.minimum_size
        for attempt in range(ATTEMPTS):
            self._shares = np.stack(
                [
                    log_space_dirichlet(
                        randomness.generator(config.seed, "client_shares", label, attempt),
                        np.full(self._clients, config.alpha),
                    )
                    for label in range(len(histogram))
                ]
            )
            sizes = sum(self._cut(int(examples), label) for label, examples in enumerate(histogram))
            if np.min(sizes) >= config.minimum_size:
                break
        self.report: dict[str, Json] = {
            "law": f"the shares of each label among clients ~ Dir({config.alpha:g})",
            "attempts": attempt + 1,
            "moved_to_reach_minimum": 0,
        }

    def _cut(self, examples: int, label: int) -> np.ndarray:
        """How many of a label's examples each client gets."""
        borders = np.floor(np.cumsum(self._shares[label]) * examples + 0.5).astype(np.int64)
        borders[-1] = examples
        return np.diff(np.minimum(borders, examples), prepend=0)

    def deal(self, labels: np.ndarray, split: str) -> np.ndarray:
        def dealt(label: int, examples: int) -> np.ndarray:
            known = label < len(self._shares)
            cut = self._cut(examples, label) if known else equal_sizes(examples, self._clients)
            return np.repeat(np.arange(self._clients), cut)

        clients = deal_by_label(labels, self._seed, split, dealt)
        if split == "train":
            generator = randomness.generator(self._seed, "reach_minimum")
            moved = move_to_minimum(clients, self._clients, self._minimum, generator)
            self.report["moved_to_reach_minimum"] = moved
        return clients


def move_to_minimum(
    clients: np.ndarray, count: int, minimum: int, generator: np.random.Generator
) -> int:
    """Moves examples of the largest clients to those below the minimum, in place; says how many."""
    sizes = np.bincount(clients, minlength=count)
    if sizes.min() >= minimum:
        return 0
    shuffled = generator.permutation(len(clients))
    grouped = shuffled[np.argsort(clients[shuffled], kind="stable")]
    rows = [list(part) for part in np.split(grouped, np.cumsum(sizes)[:-1])]
    largest = [(-len(part), client) for client, part in enumerate(rows) if len(part) > minimum]
    heapq.heapify(largest)
    moved = 0
    for poor in np.flatnonzero(sizes < minimum):
        while len(rows[poor]) < minimum:
            size, rich = heapq.heappop(largest)
            row = rows[rich].pop()
            clients[row] = poor
            rows[poor].append(row)
            moved += 1
            if -size - 1 > minimum:
                heapq.heappush(largest, (size + 1, rich))
    return moved
