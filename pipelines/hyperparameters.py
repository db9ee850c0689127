"""A study's runs side by side on TensorBoard's HParams page, each with its curves.

The runs of an embedded study do not write for TensorBoard themselves: its writer costs each of them
a third of a second. What is here follows from what they have left, once a study.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.store.records import Framer
from fed_pretrain.experiment.workdir.metrics import Row, read_rows
from groundwork import files, from_json
from groundwork.untyped import Json, Proto
from pipelines.execution.execution import StepState

FOLDER = "tensorboard"
METRICS = ("eval_accuracy", "eval_loss", "train_loss")
_FILE = "events.out.tfevents.0.study"


@dataclass(frozen=True)
class _Run:
    """values: its place in the study's grid, and its settings."""

    place: str
    values: Mapping[str, Json]
    rows: Sequence[Row]
    ended: float


def write(workdir: Path, states: Iterable[StepState]) -> None:
    """A folder a finished run below `tensorboard/`, in the place of what was there before."""
    runs = [_run(state) for state in states if state.step.kind == "train" and state.fingerprint]
    shutil.rmtree(workdir / FOLDER, ignore_errors=True)
    if runs:
        names = _differing(runs)
        _save(workdir / FOLDER, [_experiment(names, runs)], runs[0].ended)
        for run in runs:
            _save(workdir / FOLDER / run.place, _session(run, names), run.ended)


def _run(state: StepState) -> _Run:
    assert state.output is not None
    config = from_json.record(state.output / "config.json")["config"]
    settings = {name: config[name] for name in ("model", "start")}
    for section in ("work", "algorithm", "system"):
        settings |= config[section]
    table = state.output / "metrics.jsonl"
    where = state.step.coordinates
    return _Run(
        state.step.step_id.removeprefix("train/"),
        {**where, **{name: value for name, value in settings.items() if name not in where}},
        read_rows(table),
        table.stat().st_mtime,
    )


def _differing(runs: Sequence[_Run]) -> list[str]:
    """What tells the runs apart."""
    names = dict.fromkeys(name for run in runs for name in run.values)
    return [n for n in names if len({repr(run.values.get(n)) for run in runs}) > 1]


def _experiment(names: Sequence[str], runs: Sequence[_Run]) -> Proto:
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    def column(name: str) -> Proto:
        numeric = all(_is_number(run.values.get(name)) for run in runs)
        kind = api_pb2.DATA_TYPE_FLOAT64 if numeric else api_pb2.DATA_TYPE_STRING
        return api_pb2.HParamInfo(name=name, type=kind)

    experiment = api_pb2.Experiment(
        hparam_infos=[column(name) for name in names],
        metric_infos=[api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in METRICS],
    )
    data = plugin_data_pb2.HParamsPluginData(experiment=experiment)
    return _told(metadata.EXPERIMENT_TAG, data)


def _session(run: _Run, names: Sequence[str]) -> Iterator[Proto]:
    """What one run was, its rows, and its end."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    begun = plugin_data_pb2.SessionStartInfo(start_time_secs=run.ended)
    for name in names:
        value = run.values.get(name)
        if _is_number(value):
            begun.hparams[name].number_value = value
        elif value is not None:
            begun.hparams[name].string_value = str(value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=begun)
    yield _told(metadata.SESSION_START_INFO_TAG, data)
    for row in run.rows:
        found = [(tag, row[tag]) for tag in METRICS if row.get(tag) is not None]
        values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in found]
        yield event_pb2.Event(step=row["round"], summary=summary_pb2.Summary(value=values))
    over = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=run.ended)
    data = plugin_data_pb2.HParamsPluginData(session_end_info=over)
    yield _told(metadata.SESSION_END_INFO_TAG, data)


def _told(tag: str, data: Proto) -> Proto:
    """An event that holds what the HParams page reads."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.hparams import metadata

    about = metadata.create_summary_metadata(data)
    value = summary_pb2.Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)
    return event_pb2.Event(summary=summary_pb2.Summary(value=[value]))


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _save(folder: Path, events: Iterable[Proto], time: float) -> None:
    from tensorboard.compat.proto import event_pb2

    framer, first = Framer(), event_pb2.Event(file_version="brain.Event:2")
    whole = b""
    for event in (first, *events):
        event.wall_time = time
        whole += framer.frame(event.SerializeToString())
    folder.mkdir(parents=True, exist_ok=True)
    files.write_bytes(folder / _FILE, whole)
