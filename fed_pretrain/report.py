"""Makes the report of a study or of single runs: a page, and CSV, LaTeX, PDF and SVG files.

Examples:
  python -m fed_pretrain.report --study=runs/quickstart/study.json --output=runs/quickstart/report
  python -m fed_pretrain.report --runs=runs/a,runs/b --output=runs/report
  python -m fed_pretrain.report --index=runs
  python -m fed_pretrain.report --index=runs --publish=docs/results
"""

from pathlib import Path

from absl import flags

from groundwork import command_line
from groundwork.errors import UserError
from groundwork.stores import mirror

command_line.define_plugin_flag()
_STUDY = flags.DEFINE_string("study", None, "The study.json that a study writes.")
_RUNS = flags.DEFINE_list("runs", [], "Work directories of finished runs, separated by commas.")
_INDEX = flags.DEFINE_string(
    "index", None, "A folder of studies: writes one page over all of them, into it or --output."
)
_PUBLISH = flags.DEFINE_string(
    "publish",
    None,
    "With --study or --index: a folder for Markdown pages, one a study, and a summary.",
)
_CHECK = flags.DEFINE_string(
    "check", None, "With --study: a folder of published pages whose verdicts it must come to again."
)
_FIGURES = flags.DEFINE_bool("figures", True, "Also figures for papers, as PDF and SVG.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the report.")
command_line.take_urls("study", "runs", "index", "output")


def main() -> int:
    if sum(map(bool, (_STUDY.value, _RUNS.value, _INDEX.value))) != 1:
        raise UserError("give one of --study=FILE, --runs=DIR,DIR and --index=DIR")
    if _PUBLISH.value or _CHECK.value:
        return _published()
    print(f"report: {mirror.address(_index() if _INDEX.value else _report())}")
    if _RUNS.value:
        command_line.suggest("fed_pretrain.export", run=_RUNS.value[0], format="keras")
    elif _STUDY.value:
        study = mirror.place(_STUDY.value).absolute()
        command_line.suggest("fed_pretrain.report", index=study.parents[1])
    return 0


def _published() -> int:
    from fed_pretrain.reporting import published

    if _RUNS.value:
        raise UserError("--publish and --check: runs that no plan made have no page; give --study")
    if _PUBLISH.value:
        print(f"report: {published.publish(_study_files(), Path(_PUBLISH.value))}")
    if _CHECK.value:
        if not _STUDY.value:
            raise UserError("--check: give the one --study whose verdicts are compared")
        for line in published.check(Path(_STUDY.value), Path(_CHECK.value)):
            print(line)
    return 0


def _study_files() -> list[Path]:
    from fed_pretrain.reporting import index_page

    if _STUDY.value:
        return [Path(_STUDY.value)]
    return index_page.study_files(Path(_INDEX.value))


def _index() -> Path:
    from fed_pretrain.reporting import index_page

    output = str(mirror.place(_OUTPUT.value)) if _OUTPUT.value else None
    return index_page.make_index(str(mirror.here(_INDEX.value)), output)


def _report() -> Path:
    if not _OUTPUT.value:
        raise UserError("--output is missing: the folder of the report")
    from fed_pretrain.reporting import study_report

    study = None
    if _STUDY.value:
        # The runs that it names are beside it.
        place = mirror.place(_STUDY.value)
        study = str(mirror.here(mirror.address(place.parent)) / place.name)
    return study_report.make_report(
        study_report.ReportConfig(
            str(mirror.place(_OUTPUT.value)),
            study,
            tuple(str(mirror.here(run)) for run in _RUNS.value),
            figures=_FIGURES.value,
        )
    )


if __name__ == "__main__":
    command_line.run(main)
