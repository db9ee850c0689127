"""Every shipped plan loads, names flags that exist, and has its embedded-data version."""

import pathlib
import re

import pytest

from fed_pretrain.tasks import known_tasks
from pipelines import study_run
from pipelines.execution.flag_check import mistakes, with_tuned_rates
from pipelines.plan import plan as plans
from pipelines.plan.expansion import expand

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAPERS = (
    "algorithm_ranking",
    "curvature_along_training",
    "full_batch_clients",
    "hessian_at_start",
    "iid_gap",
    "local_steps",
    "misaligned_filters",
    "norm_comparison",
    "one_pass_heads",
    "pretrain_or_federate",
    "start_quality",
    "system_heterogeneity",
    "update_alignment",
)


OURS = ("chat_by_month", "skew", "theory_on_digits")


def test_each_of_the_papers_studies_is_there_twice():
    names = plans.shipped()
    ours = {"quickstart", *(f"{name}_embedded" for name in OURS)}
    assert set(names) == {*PAPERS, *(f"{name}_embedded" for name in PAPERS), *ours}


def test_the_shipped_plans_give_every_binary_flags_that_it_takes():
    loaded = [plans.load(name, words=study_run.words()) for name in plans.shipped()]
    steps = [with_tuned_rates(step, plan.tuning) for plan in loaded for step in expand(plan)]
    assert [(mistake.step.step_id, mistake.message) for mistake in mistakes(steps)] == []


@pytest.mark.parametrize("name", [n for n in plans.shipped() if n.endswith("_embedded")])
def test_an_embedded_plan_says_what_it_reduces_and_needs_no_file(name):
    plan = plans.load(name)
    assert plan.reductions
    for task in plan.tasks.values():
        assert known_tasks.get(task.task).prepare is not None
        assert "input" not in task.dataset


@pytest.mark.parametrize("name", [n for n in plans.shipped() if n.endswith("_embedded")])
def test_an_embedded_plan_adds_seeds_until_its_claims_are_decided_within_ten_minutes(name):
    plan = plans.load(name)
    assert plan.looks == (5, 8, 12, 20)
    assert plan.budget.minutes is not None
    assert plan.budget.minutes <= 10
    assert any("5 to 20 seeds" in reduction for reduction in plan.reductions)


@pytest.mark.parametrize("name", plans.shipped())
def test_an_algorithm_named_fedavg_has_no_server_momentum(name):
    """MimeLite brings momentum along by default, which would make it FedAvgM."""
    for label, flags in plans.load(name).algorithms.items():
        if label.startswith("FedAvg-") and flags["client_update"] == "mimelite":
            assert flags["server_momentum"] == 0


def test_the_plan_that_the_docs_show_is_one_that_runs(tmp_path):
    [shown] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/plans.md").read_text(), re.S)
    plan = tmp_path / "shown.yaml"
    plan.write_text(shown)
    study_run.run(study_run.StudyConfig(str(plan), str(tmp_path / "study"), dry_run=True))


def test_help_names_every_shipped_plan_with_its_title():
    lines = plans.describe_shipped().splitlines()[1:]
    assert [line.split()[0] for line in lines] == plans.shipped()
    assert "Does the start change which algorithm wins?" in lines[0]
