"""The dataset in the words of Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/).

Every file by its sha256; the records that Croissant reads are the clients of the index.
"""

import re

import pyarrow as pa

from data_prep.store import index
from data_prep.store.manifest import Manifest, Split, StoredFile
from groundwork.untyped import Json

FILE = "croissant.json"
_RECORDS, _TABLE = "application/x-tfrecord", "application/x-parquet"
_CROISSANT = "http://mlcommons.org/croissant/"
_WORDS = (
    "citeAs column conformsTo extract field fileObject fileProperty fileSet format includes key"
    " md5 recordSet references source subField transform"
)
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": _CROISSANT,
    "sc": "https://schema.org/",
    "dct": "http://purl.org/dc/terms/",
    **{word: f"cr:{word}" for word in _WORDS.split()},
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
}


def description(manifest: Manifest) -> dict[str, Json]:
    splits = sorted(manifest.splits.items())
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": f"{_CROISSANT}1.0",
        "name": re.sub(r"\W", "_", manifest.source["name"]),
        "description": manifest.description,
        "version": "1.0.0",
        "distribution": [file for _, split in splits for file in _files(split)],
        "recordSet": [_clients(name, split) for name, split in splits],
    }


def _files(split: Split) -> list[dict[str, Json]]:
    return [_file(shard, _RECORDS) for shard in split.shards] + [_file(split.index, _TABLE)]


def _file(stored: StoredFile, encoding: str) -> dict[str, Json]:
    return {
        "@type": "cr:FileObject",
        "@id": stored.file,
        "name": stored.file,
        "contentUrl": stored.file,
        "contentSize": f"{stored.bytes} B",
        "encodingFormat": encoding,
        "sha256": stored.sha256,
    }


def _clients(name: str, split: Split) -> dict[str, Json]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The {split.clients:,} clients of {name}, and where their examples are.",
        "key": {"@id": f"{name}/client_id"},
        "field": [_field(name, split, *column) for column in index.COLUMNS],
    }


def _field(name: str, split: Split, column: str, kind: pa.DataType, means: str) -> dict[str, Json]:
    return {
        "@type": "cr:Field",
        "@id": f"{name}/{column}",
        "name": column,
        "description": means,
        "dataType": "sc:Text" if kind == pa.string() else "sc:Integer",
        "source": {"fileObject": {"@id": split.index.file}, "extract": {"column": column}},
    }
