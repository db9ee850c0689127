"""Command lines that were made to hurt: each ends with exit code 2 and one sentence."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import commands
from tests.hostile.commands import Command

SECONDS = 60
"""Enough on a busy machine; none of them takes five on a quiet one."""


class Server:
    """See command_server.py."""

    def __init__(self, listed: list[Command], world: dict[str, str], folder: Path) -> None:
        self._world = world
        self._folder = folder
        modules = sorted({command.module for command in listed})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.command_server", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def run(self, command: Command) -> dict[str, object]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        arguments = [re.sub(r"{(\w+)}", self._file, text) for text in command.arguments]
        request = json.dumps([command.module, arguments, str(self._folder)])
        print(request, file=self._process.stdin, flush=True)
        answer: dict[str, object] = json.loads(self._process.stdout.readline())
        return answer

    def _file(self, name: re.Match[str]) -> str:
        return self._world[name[1]]

    def close(self) -> None:
        self._process.communicate()


def _server(listed: list[Command], factory: pytest.TempPathFactory) -> Iterator[Server]:
    world = factory.mktemp("world")
    server = Server(listed, commands.make_world(world), factory.mktemp("here"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Knows the programs that refuse without TensorFlow."""
    yield from _server(commands.FAST, tmp_path_factory)


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _server(commands.SLOW, tmp_path_factory)


def _check(command: Command, answer: dict[str, object]) -> None:
    error = str(answer["err"])
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in error, error
    assert answer["code"] == 2, (answer["code"], error, answer["out"])
    assert len(lines) == 1, error
    assert len(lines[0]) < 1200
    assert float(str(answer["seconds"])) < SECONDS
    if command.why:
        assert re.search(command.why, lines[0]), lines[0]


@pytest.mark.parametrize("command", commands.FAST, ids=lambda command: command.name)
def test_a_hostile_command_line_is_refused_in_one_sentence(command: Command, light: Server) -> None:
    _check(command, light.run(command))


@pytest.mark.slow
@pytest.mark.parametrize("command", commands.SLOW, ids=lambda command: command.name)
def test_a_hostile_run_is_refused_in_one_sentence(command: Command, heavy: Server) -> None:
    _check(command, heavy.run(command))
