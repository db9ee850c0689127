"""Command lines that were made to hurt: each ends with exit code 2 and one sentence."""

import re
from collections.abc import Iterator

import pytest

from tests.command_server import Server
from tests.hostile import commands
from tests.hostile.commands import Command

SECONDS = 60
"""Enough on a busy machine; none of them takes five on a quiet one."""


class World:
    """The files that the command lines are about."""

    def __init__(self, listed: list[Command], factory: pytest.TempPathFactory) -> None:
        self._files = commands.make_world(factory.mktemp("world"))
        self._folder = factory.mktemp("here")
        self._server = Server(command.module for command in listed)

    def run(self, command: Command) -> dict[str, object]:
        arguments = [re.sub(r"{(\w+)}", self._file, text) for text in command.arguments]
        return self._server.run(command.module, arguments, self._folder)

    def _file(self, name: re.Match[str]) -> str:
        return self._files[name[1]]

    def close(self) -> None:
        self._server.close()


def _world(listed: list[Command], factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(listed, factory)
    yield world
    world.close()


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Knows the programs that refuse without TensorFlow."""
    yield from _world(commands.FAST, tmp_path_factory)


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from _world(commands.SLOW, tmp_path_factory)


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
def test_a_hostile_command_line_is_refused_in_one_sentence(command: Command, light: World) -> None:
    _check(command, light.run(command))


@pytest.mark.slow
@pytest.mark.parametrize("command", commands.SLOW, ids=lambda command: command.name)
def test_a_hostile_run_is_refused_in_one_sentence(command: Command, heavy: World) -> None:
    _check(command, heavy.run(command))
