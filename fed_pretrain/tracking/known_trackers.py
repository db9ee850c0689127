"""The trackers by name, and the door for trackers of the user's."""

from collections.abc import Sequence

from fed_pretrain.tracking.tracker import Guarded, Tracker, TrackingConfig
from groundwork.errors import UserError
from groundwork.registry import Registry, late_classes

_ROWS = ("mlflow_tracker:MlflowTracker", "wandb_tracker:WandbTracker")
KNOWN: Registry[type[Tracker]] = Registry("tracker", "--track", late_classes(__package__, _ROWS))
register, known = KNOWN.register, KNOWN.known


def check(config: TrackingConfig) -> None:
    """Refuses a tracker that is not known or not installed."""
    _asked(config)


def followers(config: TrackingConfig) -> Sequence[Guarded]:
    """Those a config names."""
    return [Guarded(tracker(config)) for tracker in _asked(config)]


def _asked(config: TrackingConfig) -> list[type[Tracker]]:
    asked = [KNOWN.named(name) for name in config.track]
    for tracker in asked:
        refusal = tracker.refusal()
        if refusal is not None:
            raise UserError(refusal)
    return asked
