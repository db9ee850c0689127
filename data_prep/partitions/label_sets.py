"""k labels a client: about equally many clients hold a label, and it is split evenly among them."""

import numpy as np

from data_prep.partitions.partition_config import PartitionConfig
from data_prep.partitions.sizes import deal_by_label, equal_sizes
from groundwork import randomness
from groundwork.errors import UserError
from groundwork.untyped import Json


class LabelSets:
    def __init__(self, config: PartitionConfig, histogram: np.ndarray) -> None:
        self._seed = config.seed
        present = np.flatnonzero(histogram)
        clients, wanted = config.num_clients or 1, config.labels_per_client
        if wanted > len(present):
            raise UserError(
                f"--labels_per_client={wanted}: the training data has {len(present)} labels only"
            )
        if clients * wanted < len(present):
            raise UserError(
                f"--num_clients={clients} with --labels_per_client={wanted} leaves some of the "
                f"{len(present)} labels without a client; raise one of them"
            )
        self._holders = self._draw(present, clients, wanted, len(histogram))
        smallest = self._sizes(histogram, clients).min()
        if smallest < config.minimum_size:
            raise UserError(
                f"--minimum_size={config.minimum_size}: with --labels_per_client={wanted} a client "
                f"would get {smallest} examples"
            )
        self.report: dict[str, Json] = {}

    def _draw(
        self, present: np.ndarray, clients: int, wanted: int, labels: int
    ) -> list[np.ndarray]:
        """Each client in turn takes the labels held least often so far, ties broken at random."""
        generator = randomness.generator(self._seed, "label_sets")
        used = np.zeros(len(present), np.int64)
        holders: list[list[int]] = [[] for _ in range(labels)]
        for client in generator.permutation(clients):
            taken = np.lexsort((generator.random(len(present)), used))[:wanted]
            used[taken] += 1
            for label in present[taken]:
                holders[label].append(int(client))
        return [np.array(sorted(clients), np.int64) for clients in holders]

    def _sizes(self, histogram: np.ndarray, clients: int) -> np.ndarray:
        sizes = np.zeros(clients, np.int64)
        for label, holders in enumerate(self._holders):
            if len(holders):
                sizes[holders] += equal_sizes(int(histogram[label]), len(holders))
        return sizes

    def deal(self, labels: np.ndarray, split: str) -> np.ndarray:
        def dealt(label: int, examples: int) -> np.ndarray:
            holders = self._holders[label]
            if not len(holders):
                raise UserError(
                    f"label {label} occurs in the {split} split but not in the training data: "
                    "--partition=labels_per_client has no client for it"
                )
            return np.repeat(holders, equal_sizes(examples, len(holders)))

        return deal_by_label(labels, self._seed, split, dealt)
