"""Prepares a dataset: a raw source, partitioned into clients, as indexed TFRecord shards."""

import contextlib
import dataclasses
import os
import signal
import sys
from types import FrameType

import psutil
from absl import flags

from data_prep.grouping import beam_options
from data_prep.partitions import partition_config as partitions
from data_prep.preparing import estimation, preparation
from data_prep.preparing.preparation import PrepareConfig
from data_prep.sources import known_sources
from groundwork import command_line
from groundwork.errors import UserError

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(PrepareConfig)}

flags.DEFINE_string("source", None, "Which raw data set it is; --list_sources explains them.")
flags.DEFINE_string("input", "", "File, folder or glob of the source (embedded ones need none).")
flags.DEFINE_string("output", None, "Folder of the new dataset; it appears when it is complete.")
flags.DEFINE_list("source_options", [], "Settings of the source: name=value,name=value.")
flags.DEFINE_string("filters", "", "Short for --source_options=filters=... (reddit: leaf).")
flags.DEFINE_bool("list_sources", False, "Print all sources with their options, and stop.")
flags.DEFINE_string(
    "partition", "natural", f"What gives an example its client: {', '.join(partitions.RULES)}."
)
flags.DEFINE_integer("num_clients", None, "Clients of a made-up partition.")
flags.DEFINE_enum(
    "dirichlet",
    "per_client",
    partitions.DIRICHLET,
    "Which Dirichlet: a label mix per client (Hsu et al. 2019), or client shares per class.",
)
flags.DEFINE_float("alpha", _DEFAULTS["alpha"], "Concentration of the Dirichlet partition.")
flags.DEFINE_enum(
    "concentration",
    "share",
    partitions.CONCENTRATIONS,
    "--dirichlet=per_client draws from Dir(alpha p) with p adding up to 1 (share), or to C (each).",
)
flags.DEFINE_integer("labels_per_client", 2, "Labels a client of --partition=labels_per_client.")
flags.DEFINE_float("sigma", 1.0, "Spread of log sizes in --partition=quantity.")
flags.DEFINE_integer("minimum_size", 1, "Fewest examples a made-up client gets, over all splits.")
flags.DEFINE_enum("split", "auto", partitions.SPLIT_RULES, "What gives an example its split.")
flags.DEFINE_list("split_fractions", ["0.8", "0", "0.2"], "Shares of train, validation, test.")
flags.DEFINE_float(
    "validation_share",
    0.0,
    "Of --split=source: share of each client's training examples that validate; test stays as is.",
)
flags.DEFINE_list("split_cutoffs", [], "Order values (times) at which --split=by_cutoff cuts.")
flags.DEFINE_integer("min_examples", None, "Leave out clients with fewer examples; counted.")
flags.DEFINE_integer("max_examples", None, "Leave out clients with more examples; counted.")
flags.DEFINE_string("vocabulary", "", "Words of text models: count:N, glove:N or file:PATH:N.")
flags.DEFINE_integer("seed", 0, "Seed of every random choice.")
flags.DEFINE_integer("max_bad_records", 0, "Bad records to count and report instead of stopping.")
flags.DEFINE_integer("shards", None, "Number of shards; by default the size decides.")
flags.DEFINE_integer("shard_mb", _DEFAULTS["shard_mb"], "Size of a shard in MiB.")
flags.DEFINE_integer("spill_mb", _DEFAULTS["spill_mb"], "Memory in MiB a worker sorts at a time.")
flags.DEFINE_integer("workers", None, "Local worker processes; by default one a core.")
flags.DEFINE_bool("overwrite", False, "Replace another dataset at --output.")
flags.DEFINE_bool("dry_run", False, "Say what would be done and how big it would be.")
command_line.define_plugin_flag()


def _config() -> PrepareConfig:
    values = flags.FLAGS
    if not values.source:
        raise UserError(f"--source is missing: one of {', '.join(known_sources.names())}")
    if not values.output:
        raise UserError("--output is missing: name the folder of the new dataset")
    plain = {
        name: values[name].value
        for name in _DEFAULTS
        if name in values and name not in ("source_options", "split_fractions", "split_cutoffs")
    }
    return PrepareConfig(
        **plain,
        source_options=_source_options(values),
        split_fractions=_numbers("split_fractions", values.split_fractions, float),
        split_cutoffs=_numbers("split_cutoffs", values.split_cutoffs, int),
        beam_options=beam_options.taken(),
    )


def _source_options(values: flags.FlagValues) -> dict[str, str]:
    given = dict(_option(text) for text in values.source_options)
    if values.filters:
        given["filters"] = values.filters
    return given


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--source_options: {text!r} is not of the form name=value")
    return name.strip(), value


def _numbers(flag: str, texts: list[str], kind: type) -> tuple:
    try:
        return tuple(kind(text) for text in texts)
    except ValueError:
        raise UserError(f"--{flag}={','.join(texts)}: numbers with commas are wanted") from None


def _stop(number: int, _: FrameType | None) -> None:
    """Ends at once: a runner would wait for its workers, and what is on disk may stay as it is.

    The sentence is the last word: threads and workers that stumble over the end are not heard.
    """
    for worker in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            worker.kill()
    told = os.dup(sys.stderr.fileno())
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    os.write(told, b"\nstopped; the same command goes on from what is done\n")
    os._exit(128 + number)


def main() -> int:
    if flags.FLAGS.list_sources:
        print(known_sources.describe(), end="")
        return 0
    config = _config()
    if flags.FLAGS.dry_run:
        opened = preparation.open_source(config)
        if preparation.check_output(opened):
            print(f"{config.output} holds exactly this dataset already: nothing to do")
            return 0
        print(estimation.report(opened, estimation.estimate(opened)))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    dataset = preparation.prepare(config, announce=print)
    counts = dataset.manifest.counts
    print(f"{dataset.path}: {counts['read']:,} examples read, {counts['written']:,} written")
    for reason, count in counts["dropped"].items():
        print(f"  dropped: {count:,} ({reason})")
    for name, split in dataset.manifest.splits.items():
        print(f"  {name}: {split.clients:,} clients, {split.examples:,} examples")
    return 0


if __name__ == "__main__":
    beam_options.take_from(sys.argv)
    command_line.run(main)
