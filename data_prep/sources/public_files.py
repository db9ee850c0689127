"""Where the public data sets live; `--input=download:FOLDER` fetches one into FOLDER first."""

from pathlib import Path
from typing import NamedTuple

from data_prep.download import Download, fetch

PREFIX = "download:"
_TFF = "https://storage.googleapis.com/tff-datasets-public"


class PublicFile(NamedTuple):
    download: Download
    unpacks_to: str | None = None
    """Name of the file that stands in for it when it is there already."""


EMNIST = PublicFile(
    Download(f"{_TFF}/emnist_all.sqlite.lzma", "emnist_all.sqlite.lzma"), "emnist_all.sqlite"
)
STACK_OVERFLOW = PublicFile(
    Download(f"{_TFF}/stackoverflow.sqlite.lzma", "stackoverflow.sqlite.lzma"),
    "stackoverflow.sqlite",
)
CIFAR10 = PublicFile(
    Download(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "cifar-10-python.tar.gz",
        sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    )
)


def input_or_download(pattern: str, public: PublicFile) -> str:
    """`pattern` itself, or with download:FOLDER the file that stands there afterwards."""
    if not pattern.startswith(PREFIX):
        return pattern
    folder = Path(pattern.removeprefix(PREFIX) or ".")
    if public.unpacks_to and (folder / public.unpacks_to).exists():
        return str(folder / public.unpacks_to)
    return str(fetch(public.download, folder))
