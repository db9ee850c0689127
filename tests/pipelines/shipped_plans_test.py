"""Every shipped plan loads, names flags that exist, and has its embedded-data version."""

import json
import subprocess
import sys

import pytest

from fed_pretrain.tasks import registry
from pipelines import plan as plans
from pipelines import study_lib
from pipelines.expansion import expand

PAPERS = (
    "algorithm_ranking",
    "hessian_at_start",
    "iid_gap",
    "local_steps",
    "misaligned_filters",
    "norm_comparison",
    "pretrain_or_federate",
    "start_quality",
    "system_heterogeneity",
    "update_alignment",
)


@pytest.fixture(scope="module")
def flags_of():
    """The flags each binary defines, read in a process of its own."""

    def read(module):
        code = f"import json, {module}; from absl import flags;print(json.dumps(list(flags.FLAGS)))"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return set(json.loads(done.stdout.splitlines()[-1]))

    return {module: read(module) for module in ("data_prep.prepare", "fed_pretrain.analyze")}


def test_each_of_the_papers_studies_is_there_twice():
    names = plans.shipped()
    assert set(names) == {*PAPERS, *(f"{name}_embedded" for name in PAPERS), "quickstart"}


@pytest.mark.parametrize("name", plans.shipped())
def test_a_shipped_plan_names_only_flags_and_words_that_exist(name, flags_of):
    for step in expand(plans.load(name, words=study_lib.words())):
        if step.kind == "prepare":
            assert set(step.flags) <= flags_of["data_prep.prepare"]
        if step.kind == "analyze":
            assert set(step.flags) <= flags_of["fed_pretrain.analyze"]


@pytest.mark.parametrize("name", [n for n in plans.shipped() if n.endswith("_embedded")])
def test_an_embedded_plan_says_what_it_reduces_and_needs_no_file(name):
    plan = plans.load(name)
    assert plan.reductions
    for task in plan.tasks.values():
        assert registry.get(task.task).prepare is not None
        assert "input" not in task.dataset


@pytest.mark.parametrize("name", plans.shipped())
def test_an_algorithm_named_fedavg_has_no_server_momentum(name):
    """MimeLite brings momentum along by default, which would make it FedAvgM."""
    for label, flags in plans.load(name).algorithms.items():
        if label.startswith("FedAvg-") and flags["client_update"] == "mimelite":
            assert flags["server_momentum"] == 0
