"""Headings that say what the checks of a section came to."""

from collections.abc import Sequence

from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import listed
from fed_pretrain.reporting.results import Study

_SAID = {
    Verdict.HOLDS: "",
    Verdict.SEEN: "seen ",
    Verdict.FAILS: "not ",
    Verdict.NOT_SEEN: "not ",
    Verdict.EQUIVALENT: "no different ",
}


def heading(study: Study, keys: Sequence[str], otherwise: str, unasked: str = "") -> str:
    """`Flatter start on Text, not on CNN`; `otherwise` where no check of these is decided.

    unasked: where the plan asks for none of them.
    """
    names, rows = Names(study), [row for row in ledger.rows(study) if row.claim.key in keys]
    if unasked and not rows:
        return unasked
    parts = []
    for key in keys:
        mine = [row for row in rows if row.claim.key == key]
        told = _told(mine, names)
        if told:
            parts.append(f"{mine[0].claim.short}{told}")
    return _sentence(parts) if parts else otherwise


def _sentence(parts: Sequence[str]) -> str:
    """Each part begins with the name of a check."""
    return "; ".join([*parts[:1], *(part[0].lower() + part[1:] for part in parts[1:])])


def _told(rows: Sequence[Row], names: Names) -> str:
    parts = []
    for verdict, word in _SAID.items():
        places = [names.place(row.task, row.start) for row in rows if row.verdict is verdict]
        if places and len(places) == len(rows) > 1:
            return ": nowhere" if word == "not " else f": {word}everywhere"
        if places:
            parts.append(f"{word}on {listed(places)}")
    # A name and a place make a phrase; what is not so needs a colon.
    joint = " " if parts and parts[0].startswith("on ") else ": "
    return joint + ", ".join(parts) if parts else ""
