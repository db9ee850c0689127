"""How every binary starts: help of both kinds, and one sentence for what cannot be parsed."""

import os
import subprocess
import sys

import pytest


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
        (("--dataset=gs://bucket/x",), "--dataset=gs://bucket/x: gs:// is not supported"),
        (("--dataset=/nowhere",), "--dataset=/nowhere: there is no such folder"),
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
