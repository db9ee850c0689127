"""What follows a run: its beginning, each row of its metrics, its end.

A run never depends on what follows it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from groundwork.untyped import Json

Row = Mapping[str, Json]


@dataclasses.dataclass(frozen=True)
class FollowedRun:
    """A run as it begins. `parameters` are its settings, `tags` say what exactly it is."""

    name: str
    folder: Path
    parameters: Mapping[str, str | int | float | bool]
    tags: Mapping[str, str]


class Follower:
    """Does nothing; a follower overrides what it wants to hear."""

    def begin(self, run: FollowedRun, rows: Sequence[Row]) -> None:
        """`rows` are those there are: round 0, and more in a run that is continued."""

    def row(self, row: Row) -> None:
        """A round is over."""

    def end(self, reason: str, files: Sequence[Path]) -> None:
        """The run is finished, and `files` can be read."""

    def stop(self, reason: str) -> None:
        """The run was stopped, and may be continued."""


class Together(Follower):
    """Several as one."""

    def __init__(self, followers: Sequence[Follower]) -> None:
        self._followers = followers

    def begin(self, run: FollowedRun, rows: Sequence[Row]) -> None:
        for follower in self._followers:
            follower.begin(run, rows)

    def row(self, row: Row) -> None:
        for follower in self._followers:
            follower.row(row)

    def end(self, reason: str, files: Sequence[Path]) -> None:
        for follower in self._followers:
            follower.end(reason, files)

    def stop(self, reason: str) -> None:
        for follower in self._followers:
            follower.stop(reason)
