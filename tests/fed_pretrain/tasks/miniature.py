"""Small datasets on disk, written by the store itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.store import index, manifest
from data_prep.store.examples import ExampleEncoder
from data_prep.store.features import FeatureSpec, checked
from data_prep.store.manifest import Manifest, Split
from data_prep.store.reader import PreparedDataset, open_dataset
from data_prep.store.writer import ShardWriter, shard_name
from groundwork import files

Clients = Mapping[str, Sequence[Mapping[str, Any]]]

TEXT = (FeatureSpec("text", "text"),)


def images(height: int, width: int, channels: int) -> tuple[FeatureSpec, ...]:
    return (
        FeatureSpec("image", "image", (height, width, channels)),
        FeatureSpec("label", "int64"),
    )


def photographs(
    shape: tuple[int, int, int], classes: int, sizes: Sequence[int], seed: int = 0
) -> dict[str, list[dict[str, Any]]]:
    """Clients with images whose brightness follows the label, so that there is much to learn."""
    generator = np.random.default_rng(seed)
    clients = {}
    for number, size in enumerate(sizes):
        labels = generator.integers(0, classes, size)
        noise = generator.integers(0, 100, (size, *shape))
        pixels = (noise + 155 * labels.reshape(-1, 1, 1, 1) / classes).astype(np.uint8)
        clients[f"client_{number}"] = [
            {"image": image, "label": int(label)}
            for image, label in zip(pixels, labels, strict=True)
        ]
    return clients


def texts(*clients: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    return {
        f"client_{number}": [{"text": text} for text in client]
        for number, client in enumerate(clients)
    }


def write(
    folder: Path,
    features: Sequence[FeatureSpec],
    splits: Mapping[str, Clients],
    label_names: Sequence[str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> PreparedDataset:
    folder.mkdir(parents=True, exist_ok=True)
    ordered = checked(features)
    encoder = ExampleEncoder(ordered)
    written = {}
    for split, clients in splits.items():
        name = shard_name(split, 0, 1)
        with files.replacing(folder / name) as file:
            writer = ShardWriter(file)
            for client_id, examples in clients.items():
                for example in examples:
                    writer.add(client_id, encoder.encode(example))
            shard = writer.finish(name)
        stored = index.write(folder, split, [writer.index_rows(0)])
        written[split] = Split(shard.clients, shard.examples, stored, (shard,))
    manifest.write(
        folder,
        Manifest(
            features=ordered,
            splits=written,
            label_names=None if label_names is None else tuple(label_names),
            source={"name": "miniature"},
            partition={"rule": "natural"},
            counts={},
            heterogeneity={},
            extra=dict(extra or {}),
            other_files=(),
            request="",
            command="",
            versions={},
            created=manifest.now_with_check("", {}),
        ),
    )
    return open_dataset(folder)
