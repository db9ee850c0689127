"""One self-contained page, and every figure and table as files, from finished runs."""

import base64
import multiprocessing
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from fed_pretrain.reporting import known_sections
from fed_pretrain.reporting.answer import answer
from fed_pretrain.reporting.charts import palette
from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.hero import hero
from fed_pretrain.reporting.made import Made
from fed_pretrain.reporting.part import Block, Section
from fed_pretrain.reporting.results import Study, load_study, study_of_runs
from groundwork import files
from groundwork.errors import UserError
from groundwork.untyped import Json

_PAGE = Path(__file__).parent / "page"
# A table up to this size is also inside the page, so that it can be saved when the page is alone.
_INSIDE = 20_000


@dataclass(frozen=True)
class ReportConfig:
    """Either the `study.json` of a study or the folders of single runs.

    figures: also the figures for papers.
    """

    output: str
    study: str | None = None
    runs: tuple[str, ...] = ()
    figures: bool = True


@dataclass(frozen=True)
class Download:
    """A table or figure beside the page, by its name without the suffix."""

    title: str
    links: Sequence[tuple[str, str]]


def make_report(config: ReportConfig) -> Path:
    """Writes the report folder; `index.html` comes last, so a half-made report has none."""
    study = load_study(config.study) if config.study else study_of_runs(config.runs)
    if not study.runs and not study.analyses:
        raise UserError("--study: none of its runs has finished, there is nothing to report")
    output = Path(config.output)
    _empty_folders(output)
    picture = hero(study, ledger.rows(study))
    sections, made = build_sections(study), Made(study, output)
    blocks = [block for section in sections for block in section.blocks]
    pictures: list[Block] = [picture] if picture is not None else []
    beside = _write(output, [*pictures, *blocks, made.runs_table()], config.figures)
    page = _render(study, sections, made, picture, _downloads(beside))
    files.write_text(output / "index.html", page)
    return output / "index.html"


def _empty_folders(output: Path) -> None:
    try:
        for name in ("figures", "tables"):
            shutil.rmtree(output / name, ignore_errors=True)
            (output / name).mkdir(parents=True)
        files.remove_temporaries(output / "index.html")
    except OSError as error:
        raise UserError(f"--output={output}: cannot be written ({error.strerror})") from error


def build_sections(study: Study) -> list[Section]:
    """The sections the study has results for, in reading order."""
    known = known_sections.names()
    wanted = study.plan.get("sections") or known
    made = [known_sections.builder(name)(study) for name in known if name in wanted]
    return [section for section in made if section is not None]


def _write(output: Path, blocks: Sequence[Block], figures: bool) -> dict[str, bytes]:
    """Every file beside the page, by its place."""
    written = {name: text.encode() for block in blocks for name, text in block.tables()}
    if figures:
        written |= _drawn(blocks)
    for name, content in written.items():
        files.write_bytes(output / name, content)
    return written


_drawing: list[Block] = []


def _drawn(blocks: Sequence[Block]) -> dict[str, bytes]:
    """The figures for papers, most of a report's time: drawn by a process a core."""
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or "tensorflow" in sys.modules:
        return {name: content for block in blocks for name, content in block.figures()}
    forked = multiprocessing.get_context("fork")
    with forked.Pool(cores, _drawing.extend, (blocks,)) as pool:
        drawn = pool.map(_figures_of, range(len(blocks)), chunksize=1)
    return {name: content for figures in drawn for name, content in figures}


def _figures_of(number: int) -> list[tuple[str, bytes]]:
    return list(_drawing[number].figures())


def _downloads(beside: dict[str, bytes]) -> list[Download]:
    names: dict[str, list[str]] = {}
    for place in beside:
        names.setdefault(Path(place).stem, []).append(place)
    return [
        Download(
            stem.replace("_", " "),
            [(_kind(place), _link(place, beside[place])) for place in sorted(places)],
        )
        for stem, places in sorted(names.items())
    ]


def _kind(place: str) -> str:
    return {"csv": "CSV", "tex": "LaTeX", "pdf": "PDF", "svg": "SVG"}[place.rpartition(".")[2]]


def _link(place: str, content: bytes) -> str:
    suffix = place.rpartition(".")[2]
    if suffix not in ("csv", "tex") or len(content) > _INSIDE:
        return place
    kind = "text/csv" if suffix == "csv" else "application/x-tex"
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _render(
    study: Study,
    sections: Sequence[Section],
    made: Made,
    picture: Block | None,
    downloads: Sequence[Download],
) -> str:
    return render(
        "page.html.j2",
        title=study.plan["title"],
        name=study.plan["name"],
        question=study.plan["question"],
        origin=study.plan["origin"],
        answer=answer(study, ledger.rows(study), sections),
        meta=made.meta(),
        hero=picture.html() if picture is not None else "",
        sections=sections,
        made=made.heading(),
        facts=made.facts(),
        runs=made.runs_html() if made.runs else "",
        number_of_runs=len(made.runs),
        reductions=study.plan["reductions"],
        unfinished=study.unfinished,
        downloads=downloads,
    )


def render(template: str, **values: Json) -> str:
    """A page with its style sheet and script inside."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = (_PAGE / "page.css").read_text(encoding="utf-8")
    for dark in (False, True):
        style = style.replace(f"/*palette-{'dark' if dark else 'light'}*/", palette.css(dark))
    return environment.from_string((_PAGE / template).read_text(encoding="utf-8")).render(
        style=Markup(style),
        script=Markup((_PAGE / "page.js").read_text(encoding="utf-8")),
        **values,
    )
