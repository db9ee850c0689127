"""What is in a dataset: a table of sizes, and pictures of client sizes and labels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_prep.store.reader import PreparedDataset
from groundwork import files, versions
from groundwork.palette import ON_WHITE
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LABEL_CLIENTS = 60


def table(dataset: PreparedDataset) -> str:
    manifest = dataset.manifest
    lines = [
        f"dataset       {dataset.address}",
        f"fingerprint   {dataset.fingerprint}",
        f"source        {manifest.source['name']}{_files(manifest.source)}",
        f"partition     {_settings(manifest.partition)}",
        *_law(manifest.partition.get("drawn", {})),
        "features      "
        + ", ".join(f"{f.name} {f.dtype}{list(f.shape) or ''}" for f in manifest.features),
        f"examples      {manifest.counts['read']:,} read, {manifest.counts['written']:,} written",
    ]
    lines += [f"{'':14}{sentence}" for sentence in versions.sentences([manifest.versions])]
    lines += [f"dropped       {n:,} ({why})" for why, n in manifest.counts["dropped"].items()]
    for name, split in manifest.splits.items():
        size = sum(shard.bytes for shard in split.shards)
        report = manifest.heterogeneity[name]
        sizes = report["client_sizes"]
        lines += [
            f"{name:<14}{split.clients:,} clients, {split.examples:,} examples, {size:,} bytes in "
            f"{len(split.shards)} shards",
            f"{'':14}examples of a client: mean {sizes['mean']:,.1f}, "
            + _quantiles(sizes["quantiles"]),
        ]
        if "h" in report:
            lines.append(
                f"{'':14}labels: {report['mean_labels_per_client']:.1f} of a client on average; "
                f"h {report['h']:.2f} (the share beside a client's most frequent label), "
                f"distance to the pool {report['mean_total_variation']:.2f} (mean total variation)"
            )
    return "\n".join(lines)


def _quantiles(pairs: Sequence[tuple[int, int]]) -> str:
    """The sizes that this share of the clients has at most."""
    names = {0: "smallest", 50: "median", 100: "largest"}
    told = [pair for pair in pairs if pair[0] in (0, 10, 50, 90, 100)]
    return ", ".join(f"{names.get(share, f'{share}%')} {size:,}" for share, size in told)


def _files(source: Json) -> str:
    """Nothing of a source that a library reads for itself."""
    count = source["files"]
    if not count:
        return ""
    return f" ({count} {'file' if count == 1 else 'files'}, {source['bytes']:,} bytes)"


def _settings(partition: Mapping[str, Json]) -> str:
    plain = [f"{k}={v}" for k, v in partition.items() if k != "rule" and not isinstance(v, dict)]
    splits = partition.get("splits", {})
    return " ".join([partition["rule"], *plain, f"(splits {splits.get('rule')})"])


def _law(drawn: Mapping[str, Json]) -> list[str]:
    """The law that the clients were drawn from, and how far the pool let them follow it."""
    lines = [f"law           {drawn['law']}"] if "law" in drawn else []
    deviations = drawn.get("mean_deviation", {})
    if deviations:
        shares = ", ".join(f"{split} {share:.1%}" for split, share in deviations.items())
        lines.append(
            f"{'':14}a client's examples of other labels because its own had run out: {shares}"
        )
    return lines


def pictures(dataset: PreparedDataset, folder: Path) -> list[Path]:
    """Writes SPLIT_sizes.png, and SPLIT_labels.png where examples carry labels."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for split in dataset.splits:
        index = dataset.index(split)
        written.append(_save(folder / f"{split}_sizes.png", _sizes(split, index.num_examples)))
        if index.label_counts is not None:
            names = list(dataset.manifest.label_names or ())
            figure = _labels(split, index.label_counts, names)
            written.append(_save(folder / f"{split}_labels.png", figure))
    return written


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(path: Path, figure: Figure) -> Path:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    files.write_bytes(path, buffer.getvalue())
    return path


def _sizes(split: str, sizes: np.ndarray) -> Figure:
    figure = _figure(6, 3.6)
    axes = figure.add_subplot()
    if sizes.max() > 20 * max(1, sizes.min()):
        bins: Any = np.geomspace(max(1, sizes.min()), sizes.max() + 1, 40)
        axes.set_xscale("log")
    else:
        bins = min(40, int(sizes.max() - sizes.min()) + 1)
    axes.hist(sizes, bins=bins, color=ON_WHITE[0])
    axes.set_xlabel("examples of a client")
    axes.set_ylabel("clients")
    axes.set_title(f"{split}: {len(sizes):,} clients, {int(sizes.sum()):,} examples")
    return figure


def _labels(split: str, counts: np.ndarray, names: list[str]) -> Figure:
    """Clients (evenly chosen) by label: a dot's area is the share of the client's examples."""
    chosen = np.unique(np.linspace(0, len(counts) - 1, _MOST_LABEL_CLIENTS).round().astype(int))
    shares = counts[chosen] / np.maximum(1, counts[chosen].sum(axis=1, keepdims=True))
    figure = _figure(8, 1.5 + 0.16 * min(len(names) or counts.shape[1], 70))
    axes = figure.add_subplot()
    rows, labels = np.nonzero(shares)
    axes.scatter(rows, labels, s=60 * shares[rows, labels], color=ON_WHITE[0], linewidths=0)
    axes.set_xlabel(f"{len(chosen)} of {len(counts):,} clients")
    axes.set_ylabel("label")
    if names and len(names) <= 70:
        axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set_title(f"{split}: label mix of clients")
    return figure
