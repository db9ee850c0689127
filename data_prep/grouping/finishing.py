"""The indexes, the account, and the manifest, which makes it a dataset."""

import collections
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.feather as feather

from data_prep.grouping.job import Job, Piece
from data_prep.grouping.merging import rows_of
from data_prep.partitions.heterogeneity import measured
from data_prep.partitions.partition_config import SPLITS
from data_prep.sources.parsing import vocabulary
from data_prep.store import index, manifest, views
from data_prep.store.manifest import Manifest, Shard, Split, StoredFile, stored_file
from groundwork import files
from groundwork.errors import UserError
from groundwork.files import reach
from groundwork.untyped import Json


def finish(job: Job, pieces: list[Piece]) -> Iterator[str]:
    """Leaves the dataset whole; yields its fingerprint."""
    planned, *pieces = sorted(pieces, key=lambda piece: piece["number"])
    splits: dict[str, Split] = {}
    heterogeneity: dict[str, Json] = {}
    for code, split in enumerate(SPLITS):
        shards = [Shard(**piece["files"][code]) for piece in pieces]
        if not any(file.examples for file in shards):
            for file in shards:
                job.remove(file.file)
            continue
        parts = _Parts(pieces, split)
        stored = index.write(job.dataset, split, parts)
        splits[split] = Split(
            clients=sum(file.clients for file in shards),
            examples=sum(file.examples for file in shards),
            index=stored,
            shards=tuple(shards),
        )
        heterogeneity[split] = measured(parts)
    counts = _counts(pieces, planned, splits)
    _refuse_empty(job, splits, counts)
    other_files, extra = _vocabulary(job, pieces)
    made = Manifest(
        features=job.features,
        splits=splits,
        label_names=job.reader.label_names,
        source=job.described["source"],
        partition=job.described["partition"]
        | ({"drawn": planned["drawn"]} if planned["drawn"] else {}),
        counts=counts,
        heterogeneity=heterogeneity,
        extra={**job.described["extra"], **extra},
        other_files=other_files,
        request=job.described["request"],
        command=job.described["command"],
        versions=job.described["versions"],
        created=manifest.now_with_check(job.described["command"], job.described["versions"]),
    )
    views.write(job.dataset, made)
    reach("prepare_manifest")
    manifest.write(job.dataset, made)
    yield made.fingerprint


class _Parts:
    """The index rows of each shard of a split, read one after the other, as often as asked."""

    def __init__(self, pieces: list[Piece], split: str) -> None:
        self._rows = [piece[rows_of(split)] for piece in pieces]

    def __iter__(self) -> Iterator[pa.Table]:
        for rows in self._rows:
            yield feather.read_table(pa.BufferReader(rows))


def _vocabulary(job: Job, pieces: list[Piece]) -> tuple[tuple[StoredFile, ...], Mapping[str, Json]]:
    """Writes the vocabulary file; what the manifest says of it."""
    if not job.vocabulary:
        return (), {}
    counts: collections.Counter[str] = collections.Counter()
    for piece in pieces:
        counts.update(piece["words"])
    words, origin = vocabulary.build(job.vocabulary, counts)
    path = job.dataset / vocabulary.FILE
    files.write_json(path, {**origin, "words": words})
    return (stored_file(path),), {"vocabulary": {"asked": job.vocabulary, **origin}}


def _counts(pieces: list[Piece], planned: Piece, splits: dict[str, Split]) -> dict[str, Json]:
    """In = out; a difference would be our own mistake, never the user's."""
    dropped: collections.Counter[str] = collections.Counter(planned["dropped"])
    dropped.update({f"bad: {reason}": count for reason, count in planned["bad"].items()})
    read = planned["examples"] + dropped.total()
    for piece in pieces:
        dropped.update(piece["dropped"])
    written = sum(split.examples for split in splits.values())
    if read != written + dropped.total():
        raise RuntimeError(f"{read} examples read, {written} written, dropped: {dict(dropped)}")
    return {"read": read, "written": written, "dropped": dict(sorted(dropped.items()))}


def _refuse_empty(job: Job, splits: dict[str, Split], counts: dict[str, Json]) -> None:
    if not splits:
        raise UserError(
            f"nothing is left to write: {counts['read']:,} examples were read"
            + "".join(f", {count:,} dropped ({why})" for why, count in counts["dropped"].items())
        )
    config = job.splits
    if config.rule == "by_client":
        for split, share in zip(SPLITS, config.fractions, strict=True):
            if share > 0 and split not in splits:
                raise UserError(
                    f"--split=by_client: no client fell into {split}; "
                    "change --split_fractions or --split_seed, or use --split=by_example"
                )
