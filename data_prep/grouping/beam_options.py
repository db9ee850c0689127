"""Lets a program take every Beam option beside its own flags."""

import argparse
import importlib
import logging
from collections.abc import Sequence

from absl import flags

from groundwork.errors import UserError

_HELP = {"help", "helpshort", "helpfull", "helpxml", "h", "version"}
_taken: list[str] = []


def take_from(argv: list[str]) -> None:
    """Moves what is not a flag of the binary out of `argv`; `taken` has it."""
    kept, _taken[:] = _separated(argv[1:], set(flags.FLAGS))
    argv[1:] = kept


def taken() -> tuple[str, ...]:
    """The options that were moved, checked against all that Beam and its runners know."""
    if _taken:
        unknown = _unknown_to_beam(_taken)
        if unknown:
            raise UserError(f"unknown option {unknown[0]}: neither ours nor Beam's (see --help)")
    return tuple(_taken)


def _separated(arguments: Sequence[str], known: set[str]) -> tuple[list[str], list[str]]:
    ours: list[str] = []
    others: list[str] = []
    to = ours
    for argument in arguments:
        if argument.startswith("-") and argument.strip("-"):
            name = argument.lstrip("-").partition("=")[0]
            mine = name in known or name in _HELP or name.removeprefix("no") in known
            to = ours if mine else others
        to.append(argument)
    return ours, others


def _unknown_to_beam(options: Sequence[str]) -> list[str]:
    logging.disable(logging.WARNING)  # Remarks on absent cloud tools.
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

    logging.disable(logging.NOTSET)
    runner = PipelineOptions(list(options)).view_as(StandardOptions).runner or ""
    if "." in runner:
        try:
            importlib.import_module(runner.rpartition(".")[0])  # It brings its own options.
        except ImportError:
            return []  # Beam refuses such a runner in its own words.
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for known in PipelineOptions.__subclasses__():
        known._add_argparse_args(parser)
    try:
        _, unknown = parser.parse_known_args(list(options))
    except (argparse.ArgumentError, SystemExit) as error:
        raise UserError(f"Beam refuses its options {' '.join(options)}: {error}") from None
    return unknown
