"""The help that large libraries are stood in for is the help of a program that imports them."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "program", ["data_prep.prepare", "fed_pretrain.analyze", "pipelines.study"]
)
def test_help_is_the_same_with_large_libraries_and_without_them(program):
    def printed(*arguments: str) -> str:
        command = [sys.executable, "-m", program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    # Asked for twice, help is not by itself, and everything is imported.
    assert printed("--help") == printed("--help", "--help") != ""
