"""`--executor=beam` on workers that share nothing but one folder (`make test-engines`)."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from groundwork import array_file
from tests.data_prep.engines import clusters

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not clusters.installed(), reason="`make engines` installs them"),
]


def _run(module: str, *flags: str) -> None:
    done = subprocess.run(
        [clusters.BIN / "python", "-m", module, *flags],
        cwd=clusters.ROOT,
        env=clusters.environment(),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr


def test_a_round_and_a_hessian_are_those_of_this_process(tmp_path: Path) -> None:
    if not clusters.can_be_apart():
        pytest.skip("only root may keep workers apart")
    (tmp_path / "input").mkdir()
    common = tmp_path / "common"
    common.mkdir()
    dataset = f"--dataset={common / 'digits'}"
    _run("data_prep.prepare", "--source=digits", f"--output={common / 'digits'}")
    weights, eigenvalues = {}, {}
    with clusters.job_service(tmp_path) as (runner, *options):
        apart = (runner, f"--runner_options={' '.join(options)}", f"--exchange={common}")
        for name, more in (("device", ()), ("beam", apart)):
            where = (f"--executor={name}", *more)
            run = tmp_path / name
            train = ("--task=digits", "--rounds=1", "--clients_per_round=3", "--seed=1")
            _run("fed_pretrain.train", *train, dataset, f"--workdir={run}", *where)
            few = ("--probes=hessian", "--hessian_iterations=4", "--hessian_examples=200")
            _run("fed_pretrain.analyze", f"--run={run}", *few, *where)
            (checkpoint,) = run.glob("checkpoints/*000001.ckpt")
            weights[name] = array_file.load(checkpoint).arrays
            (found,) = run.glob("probes/*000001/eigenvalues.json")
            eigenvalues[name] = json.loads(found.read_text())["top"]["eigenvalues"]
    np.testing.assert_allclose(eigenvalues["beam"], eigenvalues["device"], rtol=1e-4)
    assert weights["beam"].keys() == weights["device"].keys()
    for tensor, here in weights["device"].items():
        np.testing.assert_allclose(weights["beam"][tensor], here, atol=1e-6)
    assert {path.name for path in common.iterdir()} == {"digits"}
