"""The fingerprints that engines gave to the same inputs, as a table of docs/clusters.md.

`make test-engines` notes them; `python -m tests.data_prep.engines.parity` writes the table.
"""

import json
import subprocess

from benchmarks import machine
from groundwork import files, from_json
from tests.data_prep.engines import clusters
from tests.data_prep.engines.inputs import INPUTS
from tools import page_tables

NOTED = clusters.ROOT / "runs" / "benchmarks" / "engines.json"
_VERSIONS = (
    "from importlib.metadata import version as v; "
    'print(f\'Beam and Prism {v("apache-beam")}, Dask {v("distributed")}\')'
)
_SHOWN = 12


def note(engine: str, name: str, fingerprint: str | None) -> None:
    noted = from_json.file(NOTED) if NOTED.exists() else {"fingerprints": {}}
    told = subprocess.run([clusters.BIN / "python", "-c", _VERSIONS], capture_output=True)
    noted["made"] = {**machine.circumstances(), "versions": told.stdout.decode().strip()}
    noted["fingerprints"].setdefault(engine, {})[name] = fingerprint
    NOTED.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(NOTED, json.dumps(noted, indent=1) + "\n")


def table() -> str:
    noted = from_json.file(NOTED)
    rows = [
        (engine, *(f"`{found[name][:_SHOWN]}`" if found.get(name) else "" for name in INPUTS))
        for engine, found in noted["fingerprints"].items()
    ]
    made = noted["made"]
    when = f"`make test-engines`, {made['date']}, commit {made['commit'][:9]}"
    return page_tables.markdown(("engine", *INPUTS), rows) + f"\n{when}, {made['versions']}.\n"


if __name__ == "__main__":
    page_tables.rewrite(clusters.ROOT / "docs" / "clusters.md", {"engines": table})
