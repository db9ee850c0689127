"""Large libraries are imported only where they are used: not by help, and not by TFF."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "program", ["data_prep.prepare", "fed_pretrain.analyze", "pipelines.study"]
)
def test_help_needs_no_large_library(program):
    command = [sys.executable, "-X", "importtime", "-m", program, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout
    # `-X importtime` names what was run; a library put off for later has no parts.
    assert [
        name for name in ("numpy.core", "pyarrow.lib", "yaml.nodes") if name in done.stderr
    ] == []


def test_a_library_that_help_does_use_is_imported_then():
    code = (
        "from groundwork import late_imports; late_imports.provide(late_imports.OF_HELP)\n"
        "import numpy as np, yaml\n"
        "import sys; assert 'numpy.core' not in sys.modules\n"
        "print(np.arange(3).sum(), isinstance(np.zeros(1), np.ndarray), yaml.safe_load('[1]'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3 True [1]\n"


def test_tff_uses_the_libraries_of_privacy_that_it_did_not_import():
    code = (
        "import fed_pretrain, sys, numpy as np, tensorflow_federated as tff\n"
        "assert 'tensorflow_probability' not in sys.modules\n"
        "assert 'scipy.stats' not in sys.modules\n"
        "factory = tff.aggregators.DifferentiallyPrivateFactory.gaussian_fixed(1.0, 5, 1.0)\n"
        "factory.create(tff.TensorType(np.float32, [2]))\n"
        "import tensorflow_privacy, dp_accounting.pld\n"
        "class Own(tensorflow_privacy.SumAggregationDPQuery): pass\n"
        "print(Own.__mro__[1].__module__.partition('.')[0], tensorflow_privacy.__version__)\n"
        "print(dp_accounting.GaussianDpEvent(1.0), dp_accounting.pld.PLDAccountant.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = ["tensorflow_privacy 0.9.0", "GaussianDpEvent(noise_multiplier=1.0) PLDAccountant"]
    assert done.stdout.splitlines() == said
