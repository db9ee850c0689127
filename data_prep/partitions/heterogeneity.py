"""What a partition turned out to be: client sizes, label histograms, and how far clients differ."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from data_prep.store.index import ClientIndex
from groundwork.untyped import Json

_QUANTILES = (0, 1, 10, 25, 50, 75, 90, 99, 100)


def measured(parts: Iterable[pa.Table]) -> dict[str, Json]:
    """Of the parts of an index, which are gone through twice.

    h is the share of examples that do not carry their client's most frequent label,
    (1/n) sum_k (n_k - max_c n_kc): for two labels it is (1/n) sum_k min(n_k+, n_k-), 1/2 when every
    client is balanced and 0 when each holds one label. The total variation of a client is
    1/2 sum_c |n_kc / n_k - n_c / n|, averaged over clients, and over clients by their size.
    """
    found: list[np.ndarray] = []
    pool, minority, distinct = None, 0, 0
    for part in map(ClientIndex, parts):
        found.append(part.num_examples)
        counts = part.label_counts
        if counts is not None and len(counts):
            pool = counts.sum(axis=0) + (0 if pool is None else pool)
            minority += int((counts.sum(axis=1) - counts.max(axis=1)).sum())
            distinct += int((counts > 0).sum())
    sizes = np.concatenate(found)
    clients, examples = len(sizes), int(sizes.sum())
    quantiles = np.percentile(sizes, _QUANTILES, method="inverted_cdf").astype(int).tolist()
    report: dict[str, Json] = {
        "client_sizes": {
            "mean": _rounded(examples / clients),
            "quantiles": [list(pair) for pair in zip(_QUANTILES, quantiles, strict=True)],
        }
    }
    if pool is None:
        return report
    variation = by_size = 0.0
    for part in map(ClientIndex, parts):
        counts, totals = part.label_counts, part.num_examples
        each = np.abs(counts / totals[:, None] - pool / max(1, pool.sum())).sum(axis=1) / 2
        variation += float(each.sum())
        by_size += float((each * totals).sum())
    return report | {
        "label_counts": pool.tolist(),
        "h": _rounded(minority / examples),
        "mean_total_variation": _rounded(variation / clients),
        "mean_total_variation_by_size": _rounded(by_size / examples),
        "mean_labels_per_client": _rounded(distinct / clients),
    }


def _rounded(value: float) -> float:
    """Ten digits: what is summed in another order still reads the same."""
    return float(f"{value:.10g}")
