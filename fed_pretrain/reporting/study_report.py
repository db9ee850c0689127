"""One self-contained page, and every figure and table as files, from finished runs."""

import csv
import io
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from fed_pretrain.reporting import captions, known_sections, style
from fed_pretrain.reporting.captions import setting
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.part import NamedFigure, Section, Table, number
from fed_pretrain.reporting.results import FINAL, Run, Study, load_study, study_of_runs, unique
from fed_pretrain.reporting.sections.accuracy import final_accuracy
from fed_pretrain.reporting.statistics import Spread, spread
from groundwork import files, versions
from groundwork.errors import UserError

_WIDE_INCHES = 7.0
# A figure is drawn at most so large, so that its letters are about as large as the text's.
_PIXELS_AN_INCH = 110
_MARKS = {
    ledger.HOLDS: ' class="holds"',
    ledger.FAILS: ' class="fails"',
    ledger.OPEN: ' class="open"',
}


@dataclass(frozen=True)
class ReportConfig:
    """Either the `study.json` of a study or the folders of single runs."""

    output: str
    study: str | None = None
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Drawn:
    caption: str
    svg: str
    wide: bool
    pixels: int


@dataclass(frozen=True)
class Answer:
    """The headline of a task: what the pre-trained start changes for its best algorithm."""

    place: str
    value: str
    sentence: str


def make_report(config: ReportConfig) -> Path:
    """Writes the report folder; `index.html` comes last, so a half-made report has none."""
    study = load_study(config.study) if config.study else study_of_runs(config.runs)
    if not study.runs and not study.analyses:
        raise UserError("--study: none of its runs has finished, there is nothing to report")
    output = Path(config.output)
    try:
        for name in ("figures", "tables"):
            shutil.rmtree(output / name, ignore_errors=True)
            (output / name).mkdir(parents=True)
    except OSError as error:
        raise UserError(f"--output={output}: cannot be written ({error.strerror})") from error
    sections = build_sections(study)
    page_sections = [_write(output, section) for section in sections]
    files.write_text(output / "index.html", _page(study, page_sections))
    return output / "index.html"


def build_sections(study: Study) -> list[Section]:
    """The sections the study has results for, in reading order."""
    known = known_sections.names()
    wanted = study.plan.get("sections") or known
    with style.look():
        made = [known_sections.builder(name)(study) for name in known if name in wanted]
    return [section for section in made if section is not None]


def _write(output: Path, section: Section) -> dict[str, object]:
    drawn = [_write_figure(output / "figures", figure) for figure in section.figures]
    for table in section.tables:
        name = _file_name(table.name)
        files.write_text(output / "tables" / f"{name}.csv", to_csv(table))
        files.write_text(output / "tables" / f"{name}.tex", to_latex(table))
    return {
        "key": section.key,
        "title": section.title,
        "text": section.text,
        "figures": drawn,
        "tables": section.tables,
    }


def _write_figure(folder: Path, named: NamedFigure) -> _Drawn:
    svg = style.to_svg(named.figure)
    name = _file_name(named.name)
    ink = '<svg style="color:#1b1f24" '
    files.write_text(folder / f"{name}.svg", svg.replace("<svg ", ink, 1))
    files.write_bytes(folder / f"{name}.png", style.to_png(named.figure))
    inches = named.figure.get_figwidth()
    return _Drawn(named.caption, svg, inches > _WIDE_INCHES, round(inches * _PIXELS_AN_INCH))


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def to_csv(table: Table) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_inert(cell) for cell in row] for row in (table.header, *table.rows))
    return text.getvalue()


_NUMBER = r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?"
_FIGURE = re.compile(rf"{_NUMBER}( ± {_NUMBER})?( \([^()]*\))?")


def _inert(cell: str) -> str:
    """A spreadsheet would run a name that begins as a formula does; a negative number is none."""
    cell = cell.replace("\r", " ")  # The writer does not quote it, and a reader ends the row there.
    formula = cell.startswith(("=", "+", "-", "@", "\t")) and not _FIGURE.fullmatch(cell)
    return f"'{cell}" if formula else cell


def to_latex(table: Table) -> str:
    lines = [r"\begin{tabular}{l" + "r" * (len(table.header) - 1) + "}", r"\hline"]
    lines.append(" & ".join(map(_escape, table.header)) + r" \\ \hline")
    lines += [" & ".join(map(_escape, row)) + r" \\" for row in table.rows]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


_LATEX = {"±": r"$\pm$", "–": "--", "·": r"$\cdot$", "\\": r"\textbackslash{}"}


def _escape(text: str) -> str:
    return "".join(_LATEX.get(c, "\\" + c if c in "&%$#_{}" else c) for c in text)


def _page(study: Study, sections: Sequence[dict[str, object]]) -> str:
    template = Path(__file__).with_name("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(
        title=study.plan["title"],
        question=study.plan["question"],
        origin=study.plan["origin"],
        reductions=study.plan["reductions"],
        unfinished=study.unfinished,
        answers=headlines(study),
        sections=sections,
        marks=_MARKS,
        provenance=_provenance(study),
    )


def headlines(study: Study) -> list[Answer]:
    answers = []
    for task in study.tasks:
        random_start = study.random_start(task)
        if random_start is None or not any(len(run.rows) > 1 for run in study.select(task=task)):
            continue
        base = _best(study, task, random_start)
        for start in study.pretrained_starts(task):
            best = _best(study, task, start)
            if math.isnan(best[1].mean) or math.isnan(base[1].mean):
                continue
            sentence = (
                f"final accuracy from {start} ({best[0]}; {_before(study, task, start)} before"
                f" training), against {base[1]} from {random_start} ({base[0]}):"
                f" {_told(study, task)}"
            )
            answers.append(Answer(task, str(best[1]), sentence))
    return answers


def _before(study: Study, task: str, start: str) -> str:
    return number(spread([run.first(FINAL) for run in study.select(task=task, start=start)]).mean)


def _told(study: Study, task: str) -> str:
    """How the two figures of a headline came about."""
    parts = ["mean ± sample standard deviation over runs", setting(study, task)]
    parts += captions.told(study, task)
    for axis in study.plan["sweep"]:
        points = list(unique(run.coordinates[axis] for run in captions.subjects(study, task)))
        if len(points) > 1:
            parts.append(f"{axis.replace('_', ' ')} {', '.join(map(str, points))} together")
    if len(study.values("algorithm", task=task)) > 1:
        parts.append("the best algorithm of each start, picked on the same held-out data")
    return "; ".join(parts)


def _best(study: Study, task: str, start: str) -> tuple[str, Spread]:
    spreads = {
        name: final_accuracy(captions.subjects(study, task, start=start, algorithm=name))
        for name in study.values("algorithm", task=task, start=start)
    }
    finite = {name: value for name, value in spreads.items() if not math.isnan(value.mean)}
    if not finite:
        return "", spread([])
    name = max(finite, key=lambda key: finite[key].mean)
    return name, finite[name]


def _provenance(study: Study) -> list[str]:
    lines = []
    for task in study.tasks:
        runs = study.select(task=task)
        rounds = sorted({int(run.rows[-1]["round"]) for run in runs if run.rows})
        fingerprints = sorted({str(run.config.get("dataset_fingerprint", ""))[:12] for run in runs})
        shown = ", ".join(filter(None, fingerprints))
        span = "–".join(str(r) for r in sorted({rounds[0], rounds[-1]})) if rounds else "0"
        lines.append(f"{task}: {len(runs)} runs of {span} rounds, dataset {shown}")
        lines += _proxy_lines(task, runs)
    return [*lines, *versions.sentences(one for run in study.runs for one in run.versions)]


def _proxy_lines(task: str, runs: Sequence[Run]) -> list[str]:
    """What a start has seen, and whether the runs to be compared have the same clients."""
    told = [f"{task}, start {run.start}: {sentence}" for run in runs for sentence in run.proxies]
    counts = {int(run.config.get("clients_left_out", 0)) for run in runs}
    if len(counts) > 1:
        told.append(
            f"{task}: the runs leave out different numbers of clients ("
            + ", ".join(map(str, sorted(counts)))
            + "), so they are not paired; give all of them the same --exclude_clients"
        )
    return unique(told)
