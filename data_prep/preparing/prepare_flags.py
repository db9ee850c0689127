"""The flags of a preparation, and its config."""

from data_prep.grouping import beam_options
from data_prep.preparing.request import PrepareConfig
from groundwork import command_line, settings


def define() -> None:
    """Defines every flag of a preparation; call once a process, from a binary."""
    settings.define(PrepareConfig, "")
    command_line.define_plugin_flag()


def config() -> PrepareConfig:
    return settings.build(PrepareConfig, beam_options=beam_options.taken())
