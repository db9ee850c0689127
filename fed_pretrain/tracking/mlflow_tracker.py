"""Runs in MLflow: settings, a metric a column, the run's small files.

MLFLOW_TRACKING_URI says where: a server's address, or `sqlite:///FILE` for later.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from fed_pretrain.tracking.follower import FollowedRun, Row
from fed_pretrain.tracking.tracker import Tracker, TrackingConfig
from groundwork.errors import without_passwords
from groundwork.untyped import Json

# A server that does not answer delays a run by seconds; MLflow's own patience is minutes.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}
_PARAMETERS_AT_ONCE = 100
_METRICS_AT_ONCE = 900


class MlflowTracker(Tracker):
    name = "mlflow"
    help = "MLflow; MLFLOW_TRACKING_URI says where."
    package = "mlflow"

    def __init__(self, config: TrackingConfig) -> None:
        super().__init__(config)
        self._client: Json = None
        self._run_id = ""

    def begin(self, run: FollowedRun, rows: Sequence[Row]) -> None:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        import mlflow

        self._client = mlflow.MlflowClient()
        place = without_passwords(mlflow.get_tracking_uri())
        kept = self.remembered(run)
        if kept.get("place") == place:
            self._run_id = kept["run"]
            self._client.update_run(self._run_id, "RUNNING")
            rows = [row for row in rows if row["round"] > self._last_round()]
        else:
            self._run_id = self._create(run)
            self.remember(run, {"place": place, "run": self._run_id})
        self._log(rows)

    def row(self, row: Row) -> None:
        self._log([row])

    def end(self, reason: str, files: Sequence[Path]) -> None:
        for file in files:
            below = "probes" if file.parent.name == "probes" else None
            self._client.log_artifact(self._run_id, str(file), below)
        self._client.set_tag(self._run_id, "reason", reason)
        self._client.set_terminated(self._run_id, "FINISHED")

    def stop(self, reason: str) -> None:
        self._client.set_tag(self._run_id, "reason", reason)
        self._client.set_terminated(self._run_id, "KILLED")

    def _create(self, run: FollowedRun) -> str:
        from mlflow.entities import Param

        found = self._client.get_experiment_by_name(self.project)
        experiment = found.experiment_id if found else self._client.create_experiment(self.project)
        created = self._client.create_run(experiment, run_name=run.name, tags=dict(run.tags))
        parameters = [Param(name, str(value)) for name, value in run.parameters.items()]
        for first in range(0, len(parameters), _PARAMETERS_AT_ONCE):
            part = parameters[first : first + _PARAMETERS_AT_ONCE]
            self._client.log_batch(created.info.run_id, params=part)
        return str(created.info.run_id)

    def _last_round(self) -> int:
        return int(self._client.get_run(self._run_id).data.metrics.get("round", -1))

    def _log(self, rows: Sequence[Row]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(name, float(value), now, int(row["round"]))
            for row in rows
            for name, value in row.items()
            if isinstance(value, (int, float))
        ]
        for first in range(0, len(metrics), _METRICS_AT_ONCE):
            self._client.log_batch(self._run_id, metrics[first : first + _METRICS_AT_ONCE])
