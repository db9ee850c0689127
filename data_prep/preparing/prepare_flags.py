"""The flags of a preparation, and its config."""

import dataclasses

from absl import flags

from data_prep.grouping import beam_options
from data_prep.preparing.request import PrepareConfig
from groundwork import command_line, settings


def define() -> None:
    """Defines every flag of a preparation; call once a process, from a binary."""
    settings.define(PrepareConfig, "")
    command_line.group_flag("filters", "")
    flags.DEFINE_string("filters", "", "Short for --source_options=filters=... (reddit: leaf).")
    command_line.define_plugin_flag()


def config() -> PrepareConfig:
    asked = settings.build(PrepareConfig, beam_options=beam_options.taken())
    if not flags.FLAGS.filters:
        return asked
    options = {**asked.source_options, "filters": flags.FLAGS.filters}
    return dataclasses.replace(asked, source_options=options)
