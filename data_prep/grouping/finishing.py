"""Stage 3: the indexes, the account, and the manifest, which makes it a dataset."""

import collections
import itertools
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.feather as feather

from data_prep.grouping import merging, runs
from data_prep.grouping.job import Job
from data_prep.partitions.heterogeneity import Heterogeneity
from data_prep.partitions.partition_config import SPLITS
from data_prep.store import index, manifest, views
from data_prep.store.manifest import Manifest, Shard, Split
from groundwork.errors import UserError
from groundwork.files import reach
from groundwork.untyped import Json


def finish(job: Job) -> None:
    planned = job.result("planned", 0) or {}
    shards = planned["shards"]
    merged = job.results(merging.STAGE, shards)
    splits: dict[str, Split] = {}
    heterogeneity: dict[str, Json] = {}
    for code, split in enumerate(SPLITS):
        files = [Shard(**result["files"][code]) for result in merged]
        if not any(file.examples for file in files):
            for file in files:
                (job.dataset / file.file).unlink(missing_ok=True)
            continue
        stored = index.write(job.dataset, split, _tables(job, split, shards))
        splits[split] = Split(
            clients=sum(file.clients for file in files),
            examples=sum(file.examples for file in files),
            index=stored,
            shards=tuple(files),
        )
        heterogeneity[split] = _heterogeneity(job, split, shards)
    counts = _counts(job, merged, splits)
    _refuse_empty(job, splits, counts)
    drawn = job.result("drawn", 0)
    other_files, extra = merging.finish(job, shards)
    made = Manifest(
        features=job.features,
        splits=splits,
        label_names=job.label_names,
        source=job.described["source"],
        partition=job.described["partition"] | ({"drawn": drawn} if drawn else {}),
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


def _tables(job: Job, split: str, shards: int) -> Iterator[pa.Table]:
    for shard in range(shards):
        path = job.staging / "rows" / merging.index_name(split, shard)
        yield feather.read_table(path, memory_map=False)


def _heterogeneity(job: Job, split: str, shards: int) -> dict[str, Json]:
    report = Heterogeneity()
    for table in _tables(job, split, shards):
        report.add(index.ClientIndex(table))
    report.pool()
    for table in _tables(job, split, shards):
        report.compare(index.ClientIndex(table))
    return report.to_json()


def _counts(job: Job, merged: list[dict[str, Json]], splits: dict[str, Split]) -> dict[str, Json]:
    """In = out; a difference would be our own mistake, never the user's."""
    results = job.results(runs.STAGE, len(job.tasks))
    dropped: collections.Counter[str] = collections.Counter()
    for result in itertools.chain(results, merged):
        dropped.update(result["dropped"])
    for result in results:
        dropped.update({f"bad: {reason}": count for reason, count in result["bad"].items()})
    written = sum(split.examples for split in splits.values())
    before = sum(
        sum(result["dropped"].values()) + sum(result["bad"].values()) for result in results
    )
    read = before + sum(result["examples"] for result in results)
    if read != written + sum(dropped.values()):
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
