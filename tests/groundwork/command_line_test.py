"""How every binary starts: help of both kinds, and one sentence for what cannot be parsed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fed_pretrain import console
from groundwork import command_line


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "data_prep.verify", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
    )


def test_short_help_has_the_binarys_own_flags_and_full_help_every_flag():
    short, full = run("--help"), run("--helpfull")
    assert (short.returncode, full.returncode) == (0, 0)
    for told in (short.stdout, full.stdout):
        assert "--dataset" in told
    assert "--helpfull" in short.stdout
    assert "--flagfile" in full.stdout
    assert "--verbosity" in full.stdout
    assert "--verbosity" not in short.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--datasett=x",), "Unknown command line flag 'datasett'. Did you mean: dataset"),
        (("--flagfile=/nowhere",), "Unable to open flagfile"),
        (("sound",), "unexpected argument 'sound'"),
        (("--dataset=ftp://bucket/x",), "--dataset=ftp://bucket/x: ftp:// is not supported"),
        (("--dataset=/nowhere",), "/nowhere does not exist; make one with"),
    ],
)
def test_a_command_line_that_means_nothing_is_one_sentence(arguments, sentence):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("asked", ["--help", "--helpfull"])
def test_a_reader_that_leaves_early_is_no_error(asked):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "data_prep.verify", asked],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=900,
    )
    os.close(writing)
    # 128 and SIGPIPE's number, as a shell reports such an end.
    assert (done.returncode, done.stderr) == (141, "")


def test_the_next_command_can_be_pasted_into_a_shell(capsys):
    command_line.suggest("data_prep.describe", dataset="my data/a", output=None)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "next: python -m data_prep.describe '--dataset=my data/a'\n"


# What TFF reads is an end in itself; the console only calls the others.
ENDS = {"data_prep.export", "pipelines.watch"}


@pytest.mark.parametrize("program", sorted({*console.COMMANDS.values()} - ENDS))
def test_every_program_ends_by_naming_the_next_command(program):
    file = importlib.util.find_spec(program).origin
    if file.endswith("__init__.py"):
        file = file.replace("__init__.py", "__main__.py")
    assert "command_line.suggest(" in Path(file).read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--task=digit", "--workdir=x"],
            "--task=digit is not one of digits, ",
        ),
        (["--task=digits", "--model=edge", "--workdir=x"], "--model is 'edge'; task 'digits' has"),
    ],
)
def test_names_are_checked_before_tensorflow_is_loaded(arguments, sentence):
    code = (
        "import importlib, sys; from groundwork import command_line\n"
        "try: command_line.run(importlib.import_module('fed_pretrain.train').main)\n"
        "finally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=900
    )
    assert sentence in done.stderr
    assert done.stdout == "False\n"


def test_the_end_of_a_process_takes_nothing_apart_and_does_what_others_asked_for():
    code = """
import atexit, sys, threading, time
from groundwork import command_line
class Large:
    def __del__(self): print("taken apart")
sys.modules["tensorflow"] = Large()
atexit.register(lambda: print("called at exit"))
threading.Thread(target=lambda: (time.sleep(0.2), print("waited for"))).start()
sys.stderr.write("no newline")
command_line.end(3)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 3
    assert result.stdout.split("\n") == ["waited for", "called at exit", ""]
    assert result.stderr == "no newline"


def test_a_flagfile_that_comes_with_the_program_is_found_by_its_name(tmp_path, monkeypatch):
    shipped, mine = tmp_path / "shipped", tmp_path / "mine"
    shipped.mkdir()
    mine.mkdir()
    (shipped / "paper.flags").touch()
    monkeypatch.chdir(mine)
    found = f"--flagfile={shipped / 'paper.flags'}"
    assert command_line.by_name("--flagfile=paper", shipped) == found
    assert command_line.by_name("--flagfile=paper.flags", shipped) == found
    for as_given in ("--flagfile=other", "--flagfile=../shipped/paper", "--task=paper"):
        assert command_line.by_name(as_given, shipped) == as_given
    (mine / "paper").touch()
    assert command_line.by_name("--flagfile=paper", shipped) == "--flagfile=paper"
