"""Counts the words of a shard's training texts while it is written, for the vocabulary."""

import collections
from collections.abc import Mapping
from typing import Any

from data_prep import atomic, vocabulary
from data_prep.grouping.job import Job
from data_prep.store import examples
from data_prep.store.manifest import StoredFile, stored_file

FEATURE = "text"
STAGE = "counted"


class WordCounter:
    """Collects texts, and counts where the vocabulary asks for counts."""

    def __init__(self, job: Job) -> None:
        self._wanted = bool(job.vocabulary) and vocabulary.needs_counts(job.vocabulary)
        self._tokens = vocabulary.tokenizer(job.described["extra"])
        self.counts: collections.Counter[str] = collections.Counter()

    def add(self, record: bytes) -> None:
        if self._wanted:
            self.counts.update(self._tokens(examples.text_of(record, FEATURE)))

    def save(self, job: Job, shard: int) -> None:
        if self._wanted:
            job.save_result(STAGE, shard, self.counts)


def finish(job: Job, shards: int) -> tuple[tuple[StoredFile, ...], Mapping[str, Any]]:
    """Writes the vocabulary file; what the manifest says of it."""
    if not job.vocabulary:
        return (), {}
    counts: collections.Counter[str] | None = None
    if vocabulary.needs_counts(job.vocabulary):
        counts = collections.Counter()
        for part in job.results(STAGE, shards):
            counts.update(part)
    words, origin = vocabulary.build(job.vocabulary, counts)
    path = job.dataset / vocabulary.FILE
    atomic.write_json(path, {**origin, "words": words})
    return (stored_file(path),), {"vocabulary": {"asked": job.vocabulary, **origin}}
