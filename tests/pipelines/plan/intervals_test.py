"""Data by intervals: a partition for each, and a start that goes on from the one before."""

import json

import pytest

from groundwork.errors import UserError
from pipelines import study_run
from pipelines.plan import plan
from pipelines.plan.expansion import expand
from pipelines.plan.steps import Input

PLAN = """\
name: by_month
title: By month
question: Does last month help?
intervals: ["2018-05", "2018-04", "2018-10"]
tasks:
  chat:
    task: chitchat
    dataset: {source: chitchat, source_options: "label={interval}"}
    starts:
      random: {start: random}
      carried: {continue_from: random, start_head: keep}
algorithms:
  FedAvg: {client_update: sgd}
seeds: [0, 1]
"""


def steps(tmp_path, text=PLAN):
    (tmp_path / "plan.yaml").write_text(text)
    return {step.step_id: step for step in expand(plan.load(str(tmp_path / "plan.yaml")))}


def test_each_interval_prepares_its_own_data_in_the_order_of_time(tmp_path) -> None:
    found = steps(tmp_path)
    prepared = [step for name, step in found.items() if name.startswith("prepare/")]
    assert [step.flags["interval"] for step in prepared] == ["2018-04", "2018-05", "2018-10"]
    assert prepared[1].flags["source_options"] == "label=2018-05"


def test_a_carried_start_begins_in_the_second_interval_and_then_follows_itself(tmp_path) -> None:
    found = steps(tmp_path)
    assert "train/chat/2018-04/carried/FedAvg/0" not in found
    second = found["train/chat/2018-05/carried/FedAvg/1"].flags
    third = found["train/chat/2018-10/carried/FedAvg/1"].flags
    assert second["start"] == Input("train/chat/2018-04/random/FedAvg/1", "final.keras")
    assert third["start"] == Input("train/chat/2018-05/carried/FedAvg/1", "final.keras")
    assert second["start_head"] == "keep"
    assert "continue_from" not in second
    assert third["dataset"] == Input("prepare/chat/2018-10")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"2018-10"]', '"October"]', "line 4: .*October is not a year, month or day"),
        ("{continue_from: random, ", "{continue_from: rando, ", "did you mean 'random'"),
        ("{continue_from: random, ", "{continue_from: random, start: random, ", "two starts"),
        ("    dataset:", "    partitions: {iid: {partition: iid}}\n    dataset:", "one partition"),
    ],
)
def test_what_does_not_go_together_is_refused_with_its_line(tmp_path, old, new, why) -> None:
    assert old in PLAN
    with pytest.raises(UserError, match=why):
        steps(tmp_path, PLAN.replace(old, new))


ONCE = PLAN.replace('intervals: ["2018-05", "2018-04", "2018-10"]\n', "")


def test_without_intervals_a_start_goes_on_from_the_same_cell_of_another_start(tmp_path) -> None:
    found = steps(tmp_path, ONCE)
    assert found["train/chat/random/FedAvg/1"].flags["start"] == "random"
    carried = found["train/chat/carried/FedAvg/1"].flags
    assert carried["start"] == Input("train/chat/random/FedAvg/1", "final.keras")
    with pytest.raises(UserError, match=r"needs train/chat/random/FedAvg/1, which .* leaves out"):
        steps(tmp_path, ONCE.replace("{start: random}", "{start: random, only: {seeds: [0]}}"))
    turned = ONCE.replace("      random: {start: random}\n", "").replace(
        "algorithms:", "      random: {start: random}\nalgorithms:"
    )
    with pytest.raises(UserError, match="names a start above its own"):
        steps(tmp_path, turned)


def test_an_interval_that_is_given_joins_those_of_the_plan_and_of_the_study(tmp_path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    study = {"plan": {"intervals": ["2018-04", "2018-09"]}}
    (tmp_path / "study.json").write_text(json.dumps(study))
    config = study_run.StudyConfig(
        str(tmp_path / "plan.yaml"), str(tmp_path), intervals=("2018-11",)
    )
    (override,) = study_run.with_intervals(config).overrides
    assert override == 'intervals=["2018-04", "2018-05", "2018-09", "2018-10", "2018-11"]'


def test_an_interval_of_a_plan_without_any_is_refused(tmp_path) -> None:
    config = study_run.StudyConfig("quickstart", str(tmp_path), intervals=("2018-11",))
    with pytest.raises(UserError, match="--interval is for a plan with `intervals`"):
        study_run.with_intervals(config)
