"""What would decide the rest: which overrides, for which checks, at what cost."""

import math
import re
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.claims.row import Row
from fed_pretrain.reporting.naming import Names
from fed_pretrain.reporting.numbers import counted, listed
from fed_pretrain.reporting.results import Study, unique
from groundwork.progress import duration

# A study is seldom given more seeds than that.
_MOST_SEEDS = 20


def html(study: Study, rows: Sequence[Row]) -> Markup:
    """Empty where everything is decided."""
    items = [*_more_seeds(study, rows), *_longer(study, rows), *_nothing(rows)]
    if not items:
        return Markup("")
    command = study_command(study)
    continued = (
        Markup('<p class="cmd">The same command, with one override, continues where it stopped:'
               "<code>{}</code></p>").format(command)
        if command
        else Markup("")
    )  # fmt: skip
    return Markup('<h3>What would decide more</h3>{}<ol class="todo">{}</ol>').format(
        continued, Markup("").join(items)
    )


def study_command(study: Study) -> str:
    """The command of the last pass, with the last parts of its absolute paths; maybe none."""
    command = str(study.passes[-1].get("command", "")) if study.passes else ""
    return without_folders(command) if "pipelines.study" in command else ""


def without_folders(text: str) -> str:
    """A page is passed on: it does not say where on a machine its study is."""
    return re.sub(r"(?<![\w.])/(?:[^\s/'\"=,;:]+/)*([^\s/'\"=,;:]*)", r"\1", text)


def _more_seeds(study: Study, rows: Sequence[Row]) -> Iterator[Markup]:
    waiting = [row for row in rows if row.group == "seeds"]
    needed = sorted(row.seeds_needed for row in waiting if row.seeds_needed is not None)
    have = len({run.coordinates.get("seed") for run in study.runs})
    if not waiting:
        return
    if not needed:
        aims = [max(5, 2 * have)]
    else:
        aims = unique(min(_MOST_SEEDS, n) for n in (needed[(len(needed) - 1) // 2], needed[-1]))
    for aim in aims:
        more = aim - have
        if more <= 0:
            continue
        settled = sum(n <= aim for n in needed)
        what = (
            f"settle about {settled} of {len(waiting)}" if needed else f"may settle {len(waiting)}"
        )
        yield _item(
            f"{counted(more, 'more seed')}", f"{what}; {_time(study, more / max(1, have))}",
            ledger.override(study, aim),
        )  # fmt: skip


def _longer(study: Study, rows: Sequence[Row]) -> Iterator[Markup]:
    names, waiting = Names(study), [row for row in rows if row.group == "chance"]
    for task in unique(row.task for row in waiting):
        number = sum(row.task == task for row in waiting)
        rounds = max(
            (int(run.rows[-1]["round"]) for run in study.select(task=task) if run.rows), default=0
        )
        share = len(study.select(task=task)) / max(1, len(study.runs))
        yield _item(
            "Longer training",
            f"for {number} on {names.task(task)}, where a start has not left chance;"
            f" {_time(study, share)} for twice the rounds",
            f"--set tasks.{task}.settings.rounds={2 * rounds}",
        )


def _nothing(rows: Sequence[Row]) -> Iterator[Markup]:
    small = [row for row in rows if row.group == "no effect"]
    if small:
        yield Markup(
            "<li><b>Nothing</b> for {} with no effect in sight: more than {} seeds.</li>"
        ).format(len(small), _MOST_SEEDS)
    guarded = unique(row.claim.short for row in rows if row.group == "guard")
    if guarded:
        yield Markup("<li><b>Another setting</b> for {}: the reason is beside each.</li>").format(
            listed(guarded)
        )


def _item(bold: str, text: str, override: str) -> Markup:
    code = Markup("<code>{}</code>").format(override) if override else ""
    return Markup("<li><b>{}</b> {}{}</li>").format(bold, text, code)


def _time(study: Study, share: float) -> str:
    """From what the same steps took here, one after the other."""
    seconds = sum(
        float(step.get("seconds", 0.0))
        for step in study.steps
        if step["kind"] in ("train", "analyze")
    )
    if not seconds or not math.isfinite(share):
        return "its time is not known"
    return f"about {duration(seconds * share)} of steps at this machine's pace"
