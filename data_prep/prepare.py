"""Prepares a dataset: a raw source, partitioned into clients, as indexed TFRecord shards."""

import sys

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from data_prep.grouping import beam_options  # noqa: E402
from data_prep.preparing.request import PrepareConfig  # noqa: E402
from data_prep.sources import known_sources  # noqa: E402
from groundwork import settings, signals  # noqa: E402

flags.DEFINE_bool("list_sources", False, "Print all sources with their options, and stop.")
flags.DEFINE_bool("dry_run", False, "Print what would be done and how big it would be.")
settings.define(PrepareConfig, "")
command_line.define_plugin_flag()


def main() -> int:
    if flags.FLAGS.list_sources:
        print(known_sources.describe(), end="")
        return 0
    from data_prep.preparing import estimation, preparation

    config = settings.build(PrepareConfig, beam_options=beam_options.taken())
    if flags.FLAGS.dry_run:
        opened = preparation.open_source(config)
        if preparation.check_output(opened):
            print(f"{config.output} holds exactly this dataset already: nothing to do")
            return 0
        print(estimation.report(opened, estimation.estimate(opened)))
        return 0
    signals.end_at_once("stopped; the same command goes on from what is done")
    dataset = preparation.prepare(config, announce=print)
    counts = dataset.manifest.counts
    print(f"{dataset.address}: {counts['read']:,} examples read, {counts['written']:,} written")
    for reason, count in counts["dropped"].items():
        print(f"  dropped: {count:,} ({reason})")
    for name, split in dataset.manifest.splits.items():
        print(f"  {name}: {split.clients:,} clients, {split.examples:,} examples")
    command_line.suggest("data_prep.describe", dataset=dataset.address)
    return 0


if __name__ == "__main__":
    beam_options.take_from(sys.argv)
    command_line.run(main)
