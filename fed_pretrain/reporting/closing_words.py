"""What a study says at its end, in the terminal: the answer, how sure, and what is open."""

from pathlib import Path

from fed_pretrain.reporting.answer import answer
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.numbers import counted
from fed_pretrain.reporting.results import load_study, unique


def closing_words(study_file: Path) -> list[str]:
    """Three lines; two where the study checks no claim."""
    study = load_study(study_file)
    rows = ledger.rows(study)
    lines = [study.plan["question"], answer(study, rows)]
    return [*lines, checks(rows)] if rows else lines


def checks(rows: list[Row]) -> str:
    """How many are decided, and how."""
    decided = [row for row in rows if row.decided]
    found = unique(row.verdict for row in decided)
    said = [
        f"{word} {sum(row.verdict is word for row in decided)}" for word in Verdict if word in found
    ]
    head = f"{len(decided)} of {counted(len(rows), 'check')} decided"
    return f"{head}: {', '.join(said)}." if said else f"{head}."
