"""Which modules a command line names, and when a name is taken."""

import json
import sys
from pathlib import Path

import pytest

from fed_pretrain.experiment.workdir import saved_config
from groundwork import plugins
from groundwork.errors import UserError

FORMAT_1 = Path(__file__).parents[1] / "fed_pretrain/experiment/workdir/run_of_format_1"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--task=digits", "--plugin=one,two"],
        ["--plugin=one", "--seed=1", "--plugin", "two"],
        ["-plugin=one", "--plugin= two "],
    ],
)
def test_the_modules_are_found_before_the_flags_are_parsed(arguments):
    assert plugins.named(["train", *arguments, "--plugins=three"]) == ("one", "two")


def test_what_an_old_run_was_made_with_is_read_reported_and_not_imported(
    tmp_path: Path, monkeypatch, capsys
):
    (tmp_path / "stored_plugin.py").write_text("raise SystemExit('it was imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    content = json.loads((FORMAT_1 / "config.json").read_text())
    content["config"]["task_module"] = "stored_plugin"
    (tmp_path / "config.json").write_text(json.dumps(content))
    saved = saved_config.read(tmp_path)
    assert saved.plugins == ("stored_plugin",)
    plugins.report_unloaded("--run=old", saved.plugins)
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "--plugin=stored_plugin" in sentence
    assert "stored_plugin" not in sys.modules


def test_a_plugin_that_ends_the_program_is_refused(tmp_path: Path, monkeypatch):
    (tmp_path / "ends_the_program.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"ends_the_program cannot be imported \(SystemExit: 0; "):
        plugins.load(["ends_the_program"])
