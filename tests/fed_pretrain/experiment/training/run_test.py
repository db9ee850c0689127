"""A finished run is answered before anything large is imported."""

import subprocess
import sys


def test_what_answers_for_a_finished_run_imports_no_tensorflow():
    code = (
        "import sys, fed_pretrain.train, fed_pretrain.experiment.training.result\n"
        "import fed_pretrain.experiment.training.run\n"
        "sys.exit(str({'tensorflow', 'tensorflow_federated'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.strip() == "set()"
