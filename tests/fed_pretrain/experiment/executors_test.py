"""`--executor` and `--runner` from the command line: the same numbers whatever runs them."""

import json
import pathlib
import subprocess
import sys

import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare

pytestmark = pytest.mark.slow
RUNNERS = {
    "device": ["--executor=device"],
    "native": ["--executor=native", "--start_timeout=600"],
    "beam": ["--executor=beam"],
    "beam, portable": [
        "--executor=beam",
        "--runner=PortableRunner",
        "--runner_options=--job_endpoint=embed --environment_type=LOOPBACK",
    ],
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data") / "digits"
    prepare(PrepareConfig(source="digits", output=str(folder)))
    return str(folder)


def run(program: str, workdir: pathlib.Path, dataset: str, *flags: str) -> str:
    common = ["--task=digits", "--start=random", "--clients_per_round=3", "--max_examples=16"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", f"fed_pretrain.{program}", f"--workdir={workdir}"),
            *(*common, f"--dataset={dataset}", *flags),
        ],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_train_gives_the_same_metrics_by_each(tmp_path, dataset):
    losses = {}
    for name, flags in RUNNERS.items():
        folder = tmp_path / name.replace(", ", "-").replace(" ", "-")
        work = ("--algorithm=fedavg", "--rounds=2", "--evaluate_every=1")
        run("train", folder, dataset, *work, *flags)
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        losses[name] = [row["eval_loss"] for row in rows] + [rows[-1]["train_loss"]]
        assert ("seconds_engine" in rows[-1]) == name.startswith("beam")
    for name, found in losses.items():
        assert found == pytest.approx(losses["device"], abs=1e-5), name


def test_analyze_gives_the_same_eigenvalue_by_each(tmp_path, dataset):
    found = {}
    for name in ("device", "native", "beam"):
        folder = tmp_path / name
        flags = ("--probes=hessian", "--hessian_iterations=3", *RUNNERS[name])
        run("analyze", folder, dataset, *flags)
        content = json.loads((folder / "probes" / "eigenvalues.json").read_text())
        found[name] = content["top"]["eigenvalues"]
    for name in ("native", "beam"):
        assert found[name] == pytest.approx(found["device"], rel=1e-4), name


def test_a_dry_run_on_beam_tells_what_each_round_costs_beside_the_work(tmp_path, dataset):
    told = run("train", tmp_path / "run", dataset, "--rounds=2", "--dry_run", "--executor=beam")
    assert "Beam's own for each round: it is for evaluations, Hessians and large cohorts" in told
    assert not (tmp_path / "run").exists()
