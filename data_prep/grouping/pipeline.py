"""The job as a Beam pipeline, from work units to the manifest.

    work units -> Reshuffle -> read -> (shard, row) -> group -> sort, write -> combine -> manifest

The runner decides how rows are grouped; a global partition is drawn in a pass before.
"""

from collections.abc import Sequence

import apache_beam as beam

from data_prep.grouping.assigning import AssignClients
from data_prep.grouping.finishing import finish
from data_prep.grouping.grouping import GroupByShard
from data_prep.grouping.job import Job, Task
from data_prep.grouping.merging import merge
from data_prep.grouping.step import Step, Together


def build(pipeline: beam.Pipeline, job: Job, tasks: Sequence[Task]) -> None:
    spread = (
        pipeline
        | "WorkUnits" >> beam.Create(tasks, reshuffle=False)
        | "SpreadWorkUnits" >> beam.Reshuffle()
    )
    drawn = spread | "DrawClients" >> AssignClients(job) if job.partition.is_global else None
    grouped = spread | "GroupByShard" >> GroupByShard(job, drawn)
    written = grouped.shards | "SortAndWrite" >> beam.ParDo(Step(job, merge))
    _ = (
        (written, grouped.plan)
        | beam.Flatten()
        | "AllWritten" >> Together()
        | "Manifest" >> beam.ParDo(Step(job, finish))
    )
