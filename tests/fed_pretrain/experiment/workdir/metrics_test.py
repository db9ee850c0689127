import csv
import json
import os

import pytest

from fed_pretrain.experiment.workdir import metrics
from groundwork.errors import UserError


def write(tmp_path, rows, **options):
    writer = metrics.MetricsWriter(tmp_path, tensorboard=False, **options)
    writer.resume(-1)
    for row in rows:
        writer.append(row)
    writer.close()


def test_machine_dependent_columns_stand_last(tmp_path):
    write(tmp_path, [{"round": 1, "seconds": 2.0, "memory_mb": 3.0, "train_loss": 0.5}])
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert list(row) == ["round", "train_loss", "seconds", "memory_mb"]
    header = (tmp_path / "metrics.csv").read_text().splitlines()[0]
    assert header == "round,train_loss,seconds,memory_mb"


def test_rows_are_on_the_disk_once_they_are_synced_and_not_row_by_row(tmp_path, monkeypatch):
    writer = metrics.MetricsWriter(tmp_path, tensorboard=False)
    writer.resume(-1)
    writer.append({"round": 0})
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))

    monkeypatch.setattr(os, "fsync", fsync)
    writer.append({"round": 1})
    assert not synced
    writer.sync()
    assert synced == ["metrics.jsonl", "metrics.csv"]


def test_an_undefined_number_is_null_in_json(tmp_path):
    write(tmp_path, [{"round": 1, "cosine": float("nan")}])
    assert metrics.read_rows(tmp_path / "metrics.jsonl") == [{"round": 1, "cosine": None}]


def test_the_rows_of_a_run_in_progress_are_those_a_resumed_one_reads(tmp_path):
    writer = metrics.MetricsWriter(tmp_path, tensorboard=False)
    writer.append({"round": 1, "eval_accuracy": float("nan"), "eval_loss": float("inf")})
    assert writer.rows == metrics.read_rows(tmp_path / "metrics.jsonl")


def test_a_new_column_is_added_to_the_rows_before_it(tmp_path):
    write(tmp_path, [{"round": 1, "a": 1}, {"round": 2, "a": 2, "b": 3}, {"round": 3, "b": 4}])
    with open(tmp_path / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"round": "1", "a": "1", "b": ""}
    assert rows[2] == {"round": "3", "a": "", "b": "4"}


def test_resume_cuts_rows_past_the_checkpoint_and_ends_with_the_same_bytes(tmp_path):
    rows = [{"round": r, "loss": r / 7, "cosine": float("nan")} for r in range(5)]
    (tmp_path / "whole").mkdir()
    write(tmp_path / "whole", rows)
    (tmp_path / "killed").mkdir()
    write(tmp_path / "killed", rows[:4])
    with open(tmp_path / "killed" / "metrics.jsonl", "a") as file:
        file.write('{"round": 4, "lo')
    writer = metrics.MetricsWriter(tmp_path / "killed", tensorboard=False)
    writer.resume(2)
    for row in rows[3:]:
        writer.append(row)
    for name in ("metrics.jsonl", "metrics.csv"):
        expected = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "killed" / name).read_bytes() == expected


def test_a_torn_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"round": 1}\n{"rou\n{"round": 3}\n')
    with pytest.raises(UserError, match="line 2"):
        metrics.read_rows(path)


def test_tensorboard_shows_each_round_once_after_a_resume(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    writer = metrics.MetricsWriter(tmp_path)
    writer.resume(-1)
    for r in range(4):
        writer.append({"round": r, "loss": float(r)})
    writer.close()
    again = metrics.MetricsWriter(tmp_path)
    again.resume(1)
    again.append({"round": 2, "loss": 20.0})
    again.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    seen = [
        (e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in events.Tensors("loss")
    ]
    assert seen == [(0, 0.0), (1, 1.0), (2, 20.0)]


def test_tensorboard_gets_the_hyperparameters_of_the_run(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    settings = {"start": "random", "client_learning_rate": 0.5}
    writer = metrics.MetricsWriter(tmp_path, hyperparameters=settings)
    writer.resume(-1)
    writer.append({"round": 0, "eval_accuracy": 0.5})
    writer.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    content = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    told = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert told["start"].string_value == "random"
    assert told["client_learning_rate"].number_value == 0.5


def test_rounds_and_bytes_to_a_target_are_counted_to_the_round_that_reaches_it():
    rows = [
        {"round": 0, "eval_accuracy": 0.1},
        {"round": 1, "eval_accuracy": None, "bytes_down": 10, "bytes_up": 5},
        {"round": 2, "eval_accuracy": 0.6, "bytes_down": 10, "bytes_up": 5},
        {"round": 3, "eval_accuracy": 0.9, "bytes_down": 10, "bytes_up": 5},
    ]
    assert metrics.rounds_to_target(rows, "eval_accuracy", 0.5) == 2
    assert metrics.bytes_to_target(rows, "eval_accuracy", 0.5) == 30
    assert metrics.bytes_to_target(rows, "eval_accuracy", 0.95) is None


@pytest.mark.parametrize("name", ["metrics.jsonl", "metrics.csv"])
def test_a_number_that_changed_on_the_disk_is_named_and_not_gone_on_from(tmp_path, name):
    writer = metrics.MetricsWriter(tmp_path, tensorboard=False)
    writer.resume(-1)
    for number in range(3):
        writer.append({"round": number, "train_loss": 0.25 + number})
    path = tmp_path / name
    path.write_text(path.read_text().replace("1.25", "1.35"))
    with pytest.raises(UserError, match=r"differ in 'train_loss' of round 1"):
        metrics.MetricsWriter(tmp_path, tensorboard=False).resume(2)


def test_a_csv_that_was_cut_off_in_its_last_line_is_written_again(tmp_path):
    writer = metrics.MetricsWriter(tmp_path, tensorboard=False)
    writer.resume(-1)
    for number in range(3):
        writer.append({"round": number, "train_loss": 0.25 + number})
    whole = (tmp_path / "metrics.csv").read_bytes()
    (tmp_path / "metrics.csv").write_bytes(whole[:-3])
    metrics.MetricsWriter(tmp_path, tensorboard=False).resume(2)
    assert (tmp_path / "metrics.csv").read_bytes() == whole


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"round": 0}\n{"round\xff": 1}\n{"round": 2}\n')
    with pytest.raises(UserError, match="line 2"):
        metrics.read_rows(path)
