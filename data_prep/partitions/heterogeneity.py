"""What a partition turned out to be: client sizes, label histograms, and how far clients differ."""

import numpy as np

from data_prep.store.index import ClientIndex
from groundwork.untyped import Json

_QUANTILES = (0, 1, 10, 25, 50, 75, 90, 99, 100)


class Heterogeneity:
    """Two passes over the index: `add` all parts, `pool`, then `compare` all parts.

    h is the share of examples that do not carry their client's most frequent label,
    (1/n) sum_k (n_k - max_c n_kc): for two labels it is (1/n) sum_k min(n_k+, n_k-), 1/2 when every
    client is balanced and 0 when each holds one label. The total variation of a client is
    1/2 sum_c |n_kc / n_k - n_c / n|, averaged over clients, and over clients by their size.
    """

    def __init__(self) -> None:
        self._sizes: list[np.ndarray] = []
        self._labels: np.ndarray | None = None
        self._minority = 0
        self._variation = 0.0
        self._weighted_variation = 0.0
        self._distinct = 0
        self._pooled: np.ndarray | None = None

    def add(self, index: ClientIndex) -> None:
        self._sizes.append(index.num_examples)
        counts = index.label_counts
        if counts is None:
            return
        total = counts.sum(axis=0)
        self._labels = total if self._labels is None else self._labels + total
        if len(counts):
            self._minority += int((counts.sum(axis=1) - counts.max(axis=1)).sum())
            self._distinct += int((counts > 0).sum())

    def pool(self) -> None:
        if self._labels is not None:
            self._pooled = self._labels / max(1, self._labels.sum())

    def compare(self, index: ClientIndex) -> None:
        counts = index.label_counts
        if counts is None or self._pooled is None or not len(counts):
            return
        sizes = counts.sum(axis=1, keepdims=True)
        variation = np.abs(counts / sizes - self._pooled).sum(axis=1) / 2
        self._variation += float(variation.sum())
        self._weighted_variation += float((variation * sizes[:, 0]).sum())

    def to_json(self) -> dict[str, Json]:
        sizes = np.concatenate(self._sizes)
        clients, examples = len(sizes), int(sizes.sum())
        quantiles = np.percentile(sizes, _QUANTILES, method="inverted_cdf").astype(int).tolist()
        report: dict[str, Json] = {
            "client_sizes": {
                "mean": _rounded(examples / clients),
                "quantiles": [list(pair) for pair in zip(_QUANTILES, quantiles, strict=True)],
            }
        }
        if self._labels is not None:
            report |= {
                "label_counts": self._labels.tolist(),
                "h": _rounded(self._minority / examples),
                "mean_total_variation": _rounded(self._variation / clients),
                "mean_total_variation_by_size": _rounded(self._weighted_variation / examples),
                "mean_labels_per_client": _rounded(self._distinct / clients),
            }
        return report


def _rounded(value: float) -> float:
    """Ten digits: what is summed in another order still reads the same."""
    return float(f"{value:.10g}")
