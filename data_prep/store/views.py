"""How other programs see a dataset: the files of TensorFlow Datasets and of Croissant.

All follow from the manifest, so they count neither towards its fingerprint nor as its files.
"""

from pathlib import Path

from data_prep.store import croissant, tfds_metadata
from data_prep.store.manifest import Manifest
from groundwork import files

NAMES = (croissant.FILE, *tfds_metadata.NAMES)


def contents(manifest: Manifest) -> dict[str, str]:
    """The files by name."""
    described = files.json_text(croissant.description(manifest))
    return {croissant.FILE: described, **tfds_metadata.contents(manifest)}


def write(folder: Path, manifest: Manifest) -> None:
    """Writes them beside the shards; call it before the manifest is written."""
    for name, text in contents(manifest).items():
        files.write_text(folder / name, text)
