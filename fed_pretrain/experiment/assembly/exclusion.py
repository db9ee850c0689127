"""Clients that a run leaves out of training and evaluation: usually those its start has seen."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.store.reader import PreparedDataset
from fed_pretrain.experiment.assembly.run_config import ALL_BUT, AUTO, NONE
from fed_pretrain.starts.origins.proxy_origin import GROUP, ProxyPretraining
from groundwork import from_json, named_text
from groundwork.errors import UserError
from groundwork.stores import mirror
from groundwork.untyped import Json

EXCLUDED_CLIENTS = "excluded_clients.json"
"""Where a run writes the ids it leaves out."""


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """Who is left out, and in words why."""

    client_ids: frozenset[str] = frozenset()
    why: str = ""

    @property
    def digest(self) -> str | None:
        """The same for the same ids, wherever they were written; None where nobody is left out."""
        if not self.client_ids:
            return None
        lines = (
            client_id.replace("\\", "\\\\").replace("\n", "\\n")
            for client_id in sorted(self.client_ids)
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def sentence(self) -> str:
        return f"{len(self.client_ids):,} clients are left out ({self.why})"


def find(
    setting: str, dataset: PreparedDataset, pretrainings: Sequence[ProxyPretraining]
) -> Exclusion:
    """What `--exclude_clients` means for this dataset and a start with these pre-trainings."""
    if setting == NONE:
        return Exclusion()
    if setting != AUTO:
        named = _named(mirror.here(setting.removeprefix(ALL_BUT)), dataset)
        ids = named if not setting.startswith(ALL_BUT) else _known(dataset) - named
        return Exclusion(ids, f"--exclude_clients={setting}")
    groups = [one.client_ids or frozenset() for one in pretrainings if one.is_of(dataset)]
    return Exclusion(
        frozenset().union(*groups),
        "the start was pre-trained on them; --exclude_clients=none keeps them, and a run to be "
        "compared with this one needs --exclude_clients=FILE, the .json file beside the start",
    )


def _known(dataset: PreparedDataset) -> frozenset[str]:
    return frozenset().union(*(dataset.index(split).client_ids for split in dataset.splits))


def _named(path: Path, dataset: PreparedDataset) -> frozenset[str]:
    known = _known(dataset)
    ids = _read(path)
    for client_id in ids:
        if client_id not in known:
            raise UserError(f"--exclude_clients={path}: {dataset.path} has no client {client_id!r}")
    return frozenset(ids)


def _read(path: Path) -> list[str]:
    """Ids one a line, a JSON list of them, or the file beside a pre-training's result."""
    text = named_text.read("--exclude_clients", path)
    if text.lstrip()[:1] not in ("{", "["):
        return [line for line in text.split("\n") if line.strip()]
    try:
        return _listed(path, from_json.text(text))
    except ValueError as error:
        raise UserError(f"--exclude_clients={path}: is not whole JSON ({error})") from error


def _listed(path: Path, content: Json) -> list[str]:
    ids = content.get(GROUP, ()) if isinstance(content, Mapping) else content
    if ids is None:
        raise UserError(
            f"--exclude_clients={path}: every client was proxy in this pre-training, so none would "
            "be left; pre-train with --proxy_clients"
        )
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise UserError(f"--exclude_clients={path}: holds no list of client ids")
    return ids
