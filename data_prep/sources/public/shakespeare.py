"""Embedded plays of Shakespeare: a client is a role of one play, an example a speech.

36 plays in modern spelling; A Midsummer Night's Dream is laid out otherwise and the poems have no
roles. (LEAF's and TFF's Shakespeare have 715 roles of another edition.)
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_prep.sources.items import Item, Record
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, file_units
from data_prep.store.features import FeatureSpec
from groundwork import embedded_packages

FOLDER = "shksprdata/texts"
ROLES = 1_302
_SUFFIX = "_gut.txt"
_NO_ROLES = (
    "midsummer_nights_dream",
    "sonnets",
    "passionate_pilgrim",
    "phoenix_and_the_turtle",
    "rape_of_lucrece",
    "lovers_complaint",
)
_BLANK_LINE = re.compile(r"\n\s*\n")
_SPEAKER_ABOVE = re.compile(r"^\s{0,4}([A-Z][A-Za-z' ]{1,25})\.\s*\n(.+)", re.DOTALL)
_SPEAKER_BEFORE = re.compile(r"^\s{0,4}([A-Z][A-Z' ]{1,25})\.\s+(.+)", re.DOTALL)
_NOT_SPEAKERS = ("act", "scene", "persons", "dramatis", "exit", "exeunt", "enter")


def _open(pattern: str, options: Mapping[str, str]) -> SourceReader:
    folder = embedded_packages.path("shakespeare") / FOLDER
    plays = [
        embedded_packages.path("shakespeare", f"{FOLDER}/{file.name}")
        for file in sorted(folder.glob(f"*{_SUFFIX}"))
        if not file.name.startswith(_NO_ROLES)
    ]
    features = (FeatureSpec("text", "text"), FeatureSpec("title", "text"))
    return SourceReader(features, tuple(file_units(plays)), _read)


def _read(unit: WorkUnit) -> Iterator[Item]:
    """Speeches by (play, role), in the order of the play."""
    play = Path(unit.path).name.removesuffix(_SUFFIX)
    text = Path(unit.path).read_text("latin-1").replace("\r", "")
    for order, (speaker, speech) in enumerate(speeches(text)):
        yield Record(f"{play}:{speaker}", None, {"text": speech, "title": play}, order)


def speeches(text: str) -> Iterator[tuple[str, str]]:
    """(speaker, speech) of each block that is a speech."""
    for block in _BLANK_LINE.split(text):
        match = _SPEAKER_ABOVE.match(block) or _SPEAKER_BEFORE.match(block)
        if match and not match.group(1).lower().startswith(_NOT_SPEAKERS):
            yield match.group(1).strip(), match.group(2).strip()


SOURCE = Source(
    name="shakespeare",
    summary=f"embedded: 29,959 speeches by {ROLES:,} roles of 36 plays",
    open=_open,
    needs_input=False,
    clients=ROLES,
)
