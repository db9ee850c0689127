"""The answer of a study, by rules: what is ahead, by how much, what is clear, what else."""

from collections.abc import Sequence
from dataclasses import dataclass

from fed_pretrain.reporting.claims.guards import THAT_TRAIN
from fed_pretrain.reporting.claims.row import Row, Verdict
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import (
    counted,
    fixed,
    in_words,
    listed,
    signed,
    significant,
    span,
)
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.results import Study

# The claim that answers the question; the others say why.
ACCURACY = "accuracy"
# From here on a difference is given in hundredths.
_TENTH = 0.0995


def answer(study: Study, rows: Sequence[Row], sections: Sequence[Section] = ()) -> str:
    """Of final accuracy where the study compares it, otherwise of a section or of its checks.

    Beside a single comparison stands what its other checks came to, since they are the question.
    """
    names = Names(study)
    mine = [row for row in rows if row.claim.key == ACCURACY and row.estimate == row.estimate]
    if len(mine) > 1 and len({row.task for row in mine}) == 1:
        return of_effects([Effect(names.start(row.task, row.start), row, "from") for row in mine])
    if mine:
        told = of_effects([Effect(names.place(row.task, row.start), row) for row in mine])
        others = [row for row in rows if row.claim.key != ACCURACY]
        return " ".join([told, *(of_others(others) if len(mine) == 1 else [])])
    told = next((section.answer for section in sections if section.answer), "")
    if told or rows:
        return told or of_checks(rows, names)
    return f"{counted(len(study.runs), 'run')} finished; no pre-trained start is compared here."


def of_others(rows: Sequence[Row]) -> list[str]:
    """`Holds: smaller non-IID gap.`; a sentence for each verdict that there is."""
    found = {
        verdict: [row.claim.short for row in rows if row.verdict is verdict] for verdict in Verdict
    }
    return [
        f"{str(verdict).capitalize()}: {listed([one[0].lower() + one[1:] for one in shorts])}."
        for verdict, shorts in found.items()
        if shorts
    ]


@dataclass(frozen=True)
class Effect:
    """Pre-trained minus random final accuracy at one place: a task, a start of several, or both."""

    place: str
    row: Row
    preposition: str = "on"

    @property
    def clear(self) -> bool:
        return self.row.verdict in (Verdict.HOLDS, Verdict.FAILS)

    @property
    def interval(self) -> str:
        if self.row.interval is None:
            return "one seed, no interval"
        return f"95 % interval {span(*self.row.interval)}"


def of_effects(effects: Sequence[Effect]) -> str:
    if len(effects) == 1:
        return _of_one(effects[0])
    ahead = [one for one in effects if one.row.estimate > 0]
    behind = [one for one in effects if one.row.estimate < 0]
    if not behind or not ahead:
        several = ahead or behind
        side = "ahead" if ahead else "behind"
        where = _all_places(effects)
        sizes = sorted(abs(one.row.estimate) for one in several)
        decimals = 2 if sizes[-1] >= _TENTH else 3
        low, high = fixed(sizes[0], decimals), fixed(sizes[-1], decimals)
        by = low if low == high else f"{low} to {high}"
        head = f"Pre-trained weights end {side} {where}, by {by} in accuracy"
    else:
        head = (
            f"Pre-trained weights end ahead {_named(ahead)} and behind {_named(behind)} in accuracy"
        )
    return f"{head}; {_clear_part(effects)}."


def _all_places(effects: Sequence[Effect]) -> str:
    tasks = {one.row.task for one in effects}
    number = "both" if len(effects) == 2 else f"all {in_words(len(effects))}"
    return f"on {number} tasks" if len(tasks) == len(effects) else f"in {number} comparisons"


def _named(effects: Sequence[Effect]) -> str:
    places = listed([f"{one.place} ({signed(one.row.estimate)})" for one in effects])
    return f"{effects[0].preposition} {places}"


def _clear_part(effects: Sequence[Effect]) -> str:
    seeds = _seeds(effects)
    clear = [one for one in effects if one.clear]
    if not clear:
        return f"no difference is clear with {seeds}"
    if len(clear) == len(effects):
        return f"with {seeds} {'both' if len(clear) == 2 else 'all'} differences are clear"
    if len(clear) == 1:
        one = clear[0]
        return (
            f"with {seeds} only {one.place} is clear: {signed(one.row.estimate)} ({one.interval})"
        )
    return f"with {seeds} {listed([one.place for one in clear])} are clear"


def _of_one(effect: Effect) -> str:
    row = effect.row
    size, seeds = significant(abs(row.estimate)), _seeds([effect])
    if any(note.startswith(THAT_TRAIN) for note in row.notes):
        seeds += " that train"
    side = "ahead" if row.estimate > 0 else "behind"
    if effect.clear:
        return f"Pre-trained weights end {side} by {size} in accuracy ({effect.interval}, {seeds})."
    if row.verdict is Verdict.EQUIVALENT:
        return (
            "Pre-trained weights end where random ones do: the difference in accuracy is"
            f" {signed(row.estimate)} ({effect.interval}, {seeds})."
        )
    if row.interval is None:
        return (
            f"Pre-trained weights end {size} {side} in accuracy with the only seed, which decides"
            " nothing."
        )
    return (
        f"Pre-trained weights end {size} {side} in accuracy, but no difference is clear with"
        f" {seeds} ({effect.interval})."
    )


def _seeds(effects: Sequence[Effect]) -> str:
    counts = sorted({len(one.row.values) for one in effects})
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]} seeds"
    return f"{in_words(counts[0])} {'seed' if counts[0] == 1 else 'seeds'}"


def of_checks(rows: Sequence[Row], names: Names) -> str:
    """Claim by claim where few, otherwise counts."""
    keys = list(dict.fromkeys(row.claim.key for row in rows))
    if len(keys) > 2:
        return f"{counts(rows)}."
    parts = []
    for key in keys:
        mine = [row for row in rows if row.claim.key == key]
        verdicts = list(dict.fromkeys(row.verdict for row in mine))
        places = {
            verdict: [names.place(r.task, r.start) for r in mine if r.verdict is verdict]
            for verdict in verdicts
        }
        told = [f"{verdict} on {listed(where)}" for verdict, where in places.items()]
        parts.append(f"{mine[0].claim.short}: {'; '.join(told)}")
    return ". ".join(parts) + "."


_OF_ONE = {
    Verdict.HOLDS: "The only check holds",
    Verdict.FAILS: "The only check does not hold",
    Verdict.EQUIVALENT: "The only check shows no difference",
    Verdict.SEEN: "The possible effect is seen",
    Verdict.NOT_SEEN: "The possible effect is not seen",
    Verdict.UNDECIDED: "The only check is undecided",
}


def counts(rows: Sequence[Row]) -> str:
    """`3 of 29 checks hold, 3 do not, 23 are undecided`; what is none is left out."""
    if len(rows) == 1:
        return _OF_ONE[rows[0].verdict]
    found = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    holds = found[Verdict.HOLDS]
    parts = [f"{holds or 'none'} of {len(rows)} checks {'holds' if holds == 1 else 'hold'}"]
    if found[Verdict.UNDECIDED] == len(rows):
        return f"{'Both' if len(rows) == 2 else f'All {len(rows)}'} checks are undecided"
    if not holds:
        parts = [f"None of {len(rows)} checks holds"]
    if fails := found[Verdict.FAILS]:
        parts.append(f"{fails} {'does' if fails == 1 else 'do'} not")
    if equal := found[Verdict.EQUIVALENT]:
        parts.append(f"{equal} {'shows' if equal == 1 else 'show'} no difference")
    if possible := found[Verdict.SEEN] + found[Verdict.NOT_SEEN]:
        seen = found[Verdict.SEEN]
        number = f"{seen or 'none'} of {possible} possible effects {'are' if seen > 1 else 'is'}"
        one = f"the possible effect is{'' if seen else ' not'}"
        parts.append(f"{one if possible == 1 else number} seen")
    if still := found[Verdict.UNDECIDED]:
        parts.append(f"{still} {'is' if still == 1 else 'are'} undecided")
    return listed(parts)
