"""Help imports a large library only where it uses it."""

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
    assert _printed(code) == "3 True [1]\n"


def test_what_few_runs_ask_for_is_imported_when_they_do():
    code = (
        "from groundwork import late_imports; late_imports.provide(late_imports.OF_RUNS)\n"
        "import sys, sklearn, tensorflow_probability\n"
        "from scipy import signal, special, stats\n"
        "from sklearn import preprocessing\n"
        "assert not {'sklearn.base', 'scipy.stats.distributions'} & set(sys.modules)\n"
        "print(stats.norm.cdf(0), special.expit(0), signal.__name__)\n"
        "assert 'scipy.stats.distributions' in sys.modules\n"
        "import scipy.stats; assert scipy.stats.norm is stats.norm\n"
    )
    assert _printed(code) == "0.5 0.5 scipy.signal\n"


def test_parts_of_tensorflow_and_tff_are_imported_when_they_are_asked_for():
    code = (
        "from groundwork import command_line; command_line.quiet_libraries()\n"
        "import sys, tensorflow as tf, tensorflow_federated as tff\n"
        "assert not {'jax', 'vizier', 'tensorflow.lite.python.lite'} & set(sys.modules)\n"
        "print(callable(tff.jax.computation), 'jax' in sys.modules)\n"
        "print(tf.compat.v1.lite.TFLiteConverter.__name__, tf.lite.TFLiteConverter.__name__)\n"
        "print(tf.experimental.numpy.arange(3).shape, tff.program.ReleaseManager.__name__)\n"
        "print(tff.learning.programs.train_model.__name__, 'vizier' in sys.modules)\n"
        "print(tff.simulation.datasets.TestClientData({'a': [1]}).client_ids)\n"
        "import tensorflow.lite.python.interpreter\n"
        "print(tf.lite.TFLiteConverter.__name__)\n"
    )
    assert _printed(code).splitlines() == [
        "True True",
        "TFLiteConverter TFLiteConverterV2",
        "(3,) ReleaseManager",
        "train_model True",
        "['a']",
        "TFLiteConverterV2",
    ]


def _printed(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
