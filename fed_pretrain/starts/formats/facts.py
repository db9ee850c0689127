"""What our own files say of the weights in them, for a start that reads them later.

`facts.json` holds what a checkpoint's metadata does; `labels.json` the names of the outputs alone,
as files of others may have them too.
"""

import os
import zipfile
from collections.abc import Mapping

from fed_pretrain.starts.formats import zip_members
from fed_pretrain.starts.formats.source_file import ReadBudget
from groundwork import from_json
from groundwork.untyped import Json

FACTS_FILE = "facts.json"
LABELS_FILE = "labels.json"
_LARGEST = 16 << 20
_KINDS: Mapping[str, type] = {
    "task": str,
    "model": str,
    "num_classes": int,
    "label_names": list,
    "preprocessing": str,
    "vocabulary_sha256": str,
}


def of_archive(path: str) -> dict[str, Json]:
    """Of a zip archive, whose members these are."""
    budget = ReadBudget(path, os.path.getsize(path))
    with zipfile.ZipFile(path) as archive:
        held = archive.namelist()
        return _joined(
            {
                name: zip_members.read(archive, name, budget)
                for name in (FACTS_FILE, LABELS_FILE)
                if name in held
            }
        )


def of_folder(folder: str) -> dict[str, Json]:
    """Of a folder that holds them as files."""
    found = {}
    for name in (FACTS_FILE, LABELS_FILE):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.path.getsize(path) <= _LARGEST:
            with open(path, "rb") as file:
                found[name] = file.read()
    return _joined(found)


def of_labels(names: list[str]) -> dict[str, Json]:
    """What the names of the outputs say by themselves."""
    return {"label_names": names, "num_classes": len(names)} if names else {}


def _joined(contents: Mapping[str, bytes]) -> dict[str, Json]:
    """The facts; of a file without them what its labels say. Values of other kinds are left out."""
    if FACTS_FILE in contents:
        value = from_json.text(contents[FACTS_FILE])
    else:
        value = of_labels(_texts(from_json.text(contents.get(LABELS_FILE, b"[]"))))
    if not isinstance(value, dict):
        return {}
    known = {k: v for k, v in value.items() if k in _KINDS and isinstance(v, _KINDS[k])}
    if "label_names" in known:
        known["label_names"] = _texts(known["label_names"])
    return known


def _texts(value: Json) -> list[str]:
    return value if isinstance(value, list) and all(isinstance(t, str) for t in value) else []
