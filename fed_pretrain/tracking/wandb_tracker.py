"""Runs in Weights & Biases: settings, a chart a column, the run's small files.

WANDB_MODE=offline keeps them in the run's folder, for `wandb sync`.
"""

from collections.abc import Sequence
from pathlib import Path

from fed_pretrain.tracking.follower import FollowedRun, Row
from fed_pretrain.tracking.tracker import FOLDER, Tracker, TrackingConfig
from groundwork.untyped import Json


class WandbTracker(Tracker):
    name = "wandb"
    help = "Weights & Biases; WANDB_MODE=offline keeps the run here."
    package = "wandb"

    def __init__(self, config: TrackingConfig) -> None:
        super().__init__(config)
        self._run: Json = None

    def begin(self, run: FollowedRun, rows: Sequence[Row]) -> None:
        import wandb

        run_id = self.remembered(run).get("run") or wandb.util.generate_id()
        folder = run.folder / FOLDER
        folder.mkdir(exist_ok=True)
        self._run = wandb.init(
            project=self.project,
            name=run.name,
            id=run_id,
            resume="allow",
            dir=str(folder),
            config={**run.parameters, **run.tags},
            settings=wandb.Settings(silent=True, init_timeout=30),
        )
        self.remember(run, {"run": run_id})
        for row in rows:
            self.row(row)

    def row(self, row: Row) -> None:
        values = {name: value for name, value in row.items() if isinstance(value, (int, float))}
        # W&B ignores a step that it has seen, so a continued run may repeat rows.
        self._run.log(values, step=int(row["round"]))

    def end(self, reason: str, files: Sequence[Path]) -> None:
        self._run.summary["reason"] = reason
        for file in files:
            self._run.save(str(file), base_path=str(file.parent), policy="now")
        self._run.finish()

    def stop(self, reason: str) -> None:
        self._run.summary["reason"] = reason
        self._run.finish(exit_code=1)
