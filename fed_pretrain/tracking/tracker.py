"""What a tracker is: a follower with a name, that asks for packages and may fail."""

import dataclasses
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from fed_pretrain.tracking.follower import FollowedRun, Follower, Row
from groundwork import files, from_json
from groundwork.errors import words_of
from groundwork.settings import setting
from groundwork.untyped import Json

FOLDER = "tracking"


@dataclasses.dataclass(frozen=True)
class TrackingConfig:
    track: tuple[str, ...] = setting(
        (), "Trackers that follow the run, with commas: mlflow, wandb, or a plugin's."
    )
    track_project: str = setting(
        "fed_pretrain", "The project (W&B) or experiment (MLflow) the run appears in."
    )


class Tracker(Follower):
    """A follower that sends a run somewhere.

    package: what it imports, extra: the extra of ours that brings it. Where the run goes is
    decided by the tracker's usual environment variables, its passwords stay there.
    """

    name: ClassVar[str] = ""
    help: ClassVar[str] = ""
    package: ClassVar[str] = ""

    def __init__(self, config: TrackingConfig) -> None:
        self.project = config.track_project

    @classmethod
    def refusal(cls) -> str | None:
        """Why it cannot be used here."""
        if cls.package and importlib.util.find_spec(cls.package) is None:
            return (
                f"--track={cls.name} needs the package {cls.package}: "
                f"pip install {cls.package}, or leave the flag out"
            )
        return None

    def remembered(self, run: FollowedRun) -> dict[str, Json]:
        """What it kept in the run's folder, so that a continued run goes on in one place."""
        try:
            return from_json.record(self._file(run))
        except (OSError, ValueError):
            return {}

    def remember(self, run: FollowedRun, values: dict[str, Json]) -> None:
        path = self._file(run)
        path.parent.mkdir(exist_ok=True)
        files.write_json(path, values)

    def _file(self, run: FollowedRun) -> Path:
        return run.folder / FOLDER / f"{self.name}.json"


class Guarded(Follower):
    """A tracker that says nothing any more once it has failed."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._works = True

    def begin(self, run: FollowedRun, rows: Sequence[Row]) -> None:
        self._try(lambda: self._tracker.begin(run, rows))

    def row(self, row: Row) -> None:
        self._try(lambda: self._tracker.row(row))

    def end(self, reason: str, files: Sequence[Path]) -> None:
        self._try(lambda: self._tracker.end(reason, files))

    def stop(self, reason: str) -> None:
        self._try(lambda: self._tracker.stop(reason))

    def _try(self, call: Callable[[], None]) -> None:
        if not self._works:
            return
        try:
            call()
        except Exception as error:
            self._works = False
            print(
                f"warning: --track={self._tracker.name} failed and is off for the rest of this run "
                f"({words_of(error)}); the run goes on",
                file=sys.stderr,
            )
