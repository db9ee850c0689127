"""A probe's JSON: what it found, and beside it what the numbers are of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep import atomic
from fed_pretrain.experiment import workdir
from fed_pretrain.experiment.assembly import Assembly
from fed_pretrain.probes.undefined import defined


def of_start(assembly: Assembly) -> dict[str, Any]:
    """The provenance of what was measured before a run."""
    return {
        **workdir.model_facts(assembly),
        "start_digest": assembly.start.digest,
        "seed": assembly.config.seed,
        "where": "the start, before any update",
    }


def of_round(assembly: Assembly, round_number: int) -> dict[str, Any]:
    """The provenance of what was measured of a run's weights, of this round or up to it."""
    where = f"after round {round_number}"
    return {**of_start(assembly), "where": where, "round": round_number}


def write(
    folder: Path, file: str, content: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """FILE.json in the folder, an undefined number as null; returns what was written."""
    written: dict[str, Any] = defined({**content, "provenance": provenance})
    atomic.write_json(folder / f"{file}.json", written)
    return written
