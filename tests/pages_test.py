"""The pages' commands work: offline ones are run, the others are parsed for valid flags."""

import collections
import concurrent.futures
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documented_commands import Command, commands
from tools import page_tables

ROOT = Path(__file__).resolve().parent.parent
# The tutorial's commands are run first: what they make is there for the other pages.
FIRST = [ROOT / "README.md", ROOT / "docs" / "tutorial.md"]
OTHERS = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [*FIRST, *(page for page in OTHERS if page not in FIRST)]
WITH_PYTHON = [ROOT / "README.md", ROOT / "docs" / "python.md"]
COMMANDS = [command for page in PAGES for command in commands(page)]


def test_the_pages_show_commands_of_every_kind() -> None:
    assert {"run", "ci", "flags"} <= {command.how for command in COMMANDS}


def test_the_generated_tables_are_fresh() -> None:
    stale = [
        page.name
        for page in page_tables.pages()
        if page_tables.fresh(page.read_text()) != page.read_text()
    ]
    assert stale == [], "run `make generated`"


def test_every_table_is_on_one_page() -> None:
    text = "".join(page.read_text() for page in page_tables.pages())
    assert [text.count(f"<!-- generated: {name} -->") for name in page_tables.TABLES] == [
        1 for _ in page_tables.TABLES
    ]


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert (ROOT / "README.md").stat().st_size <= 8_000


def test_every_link_between_pages_leads_to_a_file() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_file_that_contributors_are_told_of_exists() -> None:
    told = re.findall(r"`([\w./-]*(?:\.\w+|/))`", (ROOT / "CONTRIBUTING.md").read_text())
    assert "tests/layers_test.py" in told
    assert [name for name in told if not (ROOT / name).exists()] == []


def test_every_program_exists_and_has_the_flags_shown() -> None:
    by_module: dict[str, list[tuple[Command, list[str]]]] = collections.defaultdict(list)
    for command in COMMANDS:
        program = command.program()
        if program is not None and not {"--help", "--helpfull"} & set(program[1]):
            by_module[program[0]].append((command, program[1]))
    assert by_module
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        answers = list(pool.map(_flag_errors, by_module.items()))
    assert [error for errors in answers for error in errors] == []


def _flag_errors(item: tuple[str, list[tuple[Command, list[str]]]]) -> list[str]:
    module, shown = item
    checked = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "flag_check.py"), module],
        input=json.dumps([arguments for _, arguments in shown]),
        capture_output=True,
        text=True,
        timeout=900,
    )
    if checked.returncode != 0:
        return [f"{shown[0][0]}: {checked.stderr.strip().splitlines()[-1]}"]
    errors = json.loads(checked.stdout.splitlines()[-1])
    return [f"{shown[i][0]}: {error}" for i, error in enumerate(errors) if error is not None]


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    shown = {
        word
        for command in COMMANDS
        if command.words()[:1] == ["make"]
        for word in command.words()[1:]
        if "=" not in word
    }
    assert {"quickstart", "test"} <= shown
    assert [t for t in shown if not re.search(rf"^{re.escape(t)}:", makefile, re.MULTILINE)] == []


def test_what_ci_promises_to_run_is_a_step_of_it() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    promised = [command.text for command in COMMANDS if command.how == "ci"]
    assert promised
    assert [text for text in promised if f"step {text}\n" not in script] == []


@pytest.mark.slow
def test_offline_commands_run_from_top_to_bottom(tmp_path: Path) -> None:
    folder = _checkout_look_alike(tmp_path)
    for command in COMMANDS:
        if command.how in ("run", "dry_run"):
            text = command.text + (" --dry_run" if command.how == "dry_run" else "")
            finished = subprocess.run(
                ["bash", "-c", f"set -euo pipefail; {text}"],
                cwd=folder,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=900,
            )
            assert finished.returncode == 0, f"{command}\n{finished.stdout}\n{finished.stderr}"


@pytest.mark.slow
def test_the_python_shown_runs(tmp_path: Path) -> None:
    blocks = [
        block
        for page in WITH_PYTHON
        for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.DOTALL)
    ]
    assert blocks
    folder = _checkout_look_alike(tmp_path)
    for block in blocks:
        finished = subprocess.run(
            [sys.executable, "-c", block],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert finished.returncode == 0, f"{block}\n{finished.stdout}\n{finished.stderr}"


def _checkout_look_alike(folder: Path) -> Path:
    """An empty folder that shows the project's code, so that what commands write stays in it."""
    for name in ("data_prep", "fed_pretrain", "groundwork", "pipelines"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def test_every_command_of_the_console_program_is_a_module() -> None:
    from fed_pretrain import console

    missing = [name for name in console.COMMANDS.values() if importlib.util.find_spec(name) is None]
    assert missing == []


def test_a_wrong_flag_on_a_page_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh flags\npython -m fed_pretrain.doctor --workdirr=x\n```\n")
    [command] = commands(page)
    assert command.program() == ("fed_pretrain.doctor", ["--workdirr=x"])
    [error] = _flag_errors(("fed_pretrain.doctor", [(command, ["--workdirr=x"])]))
    assert "workdirr" in error


def test_a_block_that_does_not_say_how_it_is_tested_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nmake test\n```\n")
    with pytest.raises(ValueError, match=r"page\.md:1: say how"):
        list(commands(page))


def test_continued_lines_and_bazel_commands_are_understood(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh flags\nbazel run //fed_pretrain:train -- \\\n  --task=digits\n```\n")
    [command] = commands(page)
    assert command.program() == ("fed_pretrain.train", ["--task=digits"])
