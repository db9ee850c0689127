"""The trackers by name, and the door for trackers of one's own."""

import importlib
from collections.abc import Sequence
from typing import TypeVar

from fed_pretrain.tracking.tracker import Guarded, Tracker, TrackingConfig
from groundwork import plugins
from groundwork.errors import UserError, nearest

AnyTracker = TypeVar("AnyTracker", bound=type[Tracker])

_ROWS = ("mlflow_tracker.MlflowTracker", "wandb_tracker.WandbTracker")
_registered: dict[str, type[Tracker]] = {}


def register(tracker: AnyTracker) -> AnyTracker:
    """Makes a tracker of yours known to `--track`; use it as a class decorator."""
    if not tracker.name:
        raise UserError(f"the tracker {tracker.__qualname__} has no name")
    plugins.check_free("tracker", tracker.name, known(), tracker)
    _registered[tracker.name] = tracker
    return tracker


def known() -> dict[str, type[Tracker]]:
    found: dict[str, type[Tracker]] = {}
    for row in _ROWS:
        module, name = row.split(".")
        tracker = getattr(importlib.import_module(f"fed_pretrain.tracking.{module}"), name)
        found[tracker.name] = tracker
    return found | _registered


def check(config: TrackingConfig) -> None:
    """Refuses a tracker that is not known or not installed."""
    _asked(config)


def followers(config: TrackingConfig) -> Sequence[Guarded]:
    """Those a config names."""
    return [Guarded(tracker(config)) for tracker in _asked(config)]


def _asked(config: TrackingConfig) -> list[type[Tracker]]:
    if not config.track:
        return []
    found = known()
    for name in config.track:
        if name not in found:
            raise UserError(
                f"--track={name} is none of {', '.join(found)}{nearest(name, list(found))}"
            )
        refusal = found[name].refusal()
        if refusal is not None:
            raise UserError(refusal)
    return [found[name] for name in config.track]
