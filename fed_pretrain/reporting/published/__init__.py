"""The results of studies as Markdown pages that outlive the runs: a page a study and a summary."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fed_pretrain.reporting.published import page, record, summary
from fed_pretrain.reporting.results import load_study, read_json
from groundwork.errors import UserError


def publish(study_files: Sequence[Path], folder: Path) -> Path:
    """Writes the pages of these studies; the summary is of all that are in the folder."""
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--publish={folder}: cannot be written ({error.strerror})") from error
    written = 0
    for path in study_files:
        if not {"plan", "steps"} <= set(read_json(path) or ()):
            continue
        study = load_study(path)
        if study.runs or study.analyses:
            one = record.of_study(study)
            page.write(folder, study, one)
            record.write(folder, one)
            written += 1
    if not written:
        raise UserError("--publish: no study with a finished run is given")
    return summary.write(folder)


def check(study_file: Path, folder: Path) -> Iterator[str]:
    """What each check came to; an error where a verdict is not the published one."""
    now = record.of_study(load_study(study_file))
    before = record.read(record.path_of(folder, now.name))
    for one in now.checks:
        yield f"{one.short}, {one.task} from {one.start}: {one.verdict}"
    found = record.differences(before, now)
    if found:
        raise UserError(f"--check={folder}: {now.name} has changed: {'; '.join(found)}")
    yield f"{now.name}: the verdicts are those of {folder / now.name}.md"
