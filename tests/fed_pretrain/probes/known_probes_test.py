"""One probe is one class in one file: its flags, help, table and refusals follow from it."""

import subprocess
import sys

import pytest

from fed_pretrain.probes import known_probes
from fed_pretrain.probes.probe import Probe
from groundwork.errors import UserError


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(known_probes.KNOWN, "registered", {})
    return known_probes.register


def named(name, **facts):
    return type("Mine", (Probe,), {"name": name, "help": "a probe of a test", **facts})


def test_names_help_and_flags_need_no_library_that_is_slow_to_import():
    lines = (
        "import sys",
        "from fed_pretrain.probes import known_probes",
        "assert len(known_probes.known()) == 14 and len(known_probes.options()) == 5",
        "known_probes.of_an_analysis('plane', ['run', 'other_run'])",
        "slow = ('tensorflow', 'tensorflow_federated', 'matplotlib', 'scipy')",
        "sys.exit(', '.join(name for name in slow if name in sys.modules) or 0)",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_probe_states_what_it_is():
    for name, probe in known_probes.known().items():
        assert probe.name == name
        assert probe.help
        assert probe.in_rounds or probe.at_checkpoints
        assert bool(probe.needs) == bool(probe.asks_for)
        if probe.at_checkpoints:
            assert (probe.measure, probe.at_end) != (Probe.measure, Probe.at_end), name
        if probe.of_snapshots:
            assert probe.at_end is not Probe.at_end, name
    files = [probe.file for probe in known_probes.at_checkpoints().values()]
    assert len(set(files)) == len(files)


def test_a_list_keeps_its_order_and_each_name_once():
    found = known_probes.of_a_run(" drift,alignment, drift,")
    assert [probe.name for probe in found] == ["drift", "alignment"]
    assert known_probes.of_a_run("") == []


def test_a_misspelt_probe_is_refused_with_the_nearest_one():
    with pytest.raises(UserError, match=r"--probes=distances is not .*mean 'distance'"):
        known_probes.of_a_run("distances")
    with pytest.raises(UserError, match="--probes=plane is not one of"):
        known_probes.of_a_run("plane")


@pytest.mark.parametrize(
    ("name", "given", "enough"),
    [
        ("plane", {"run"}, False),
        ("plane", {"other_run"}, False),
        ("plane", {"run", "other_run"}, True),
        ("landscape", set(), False),
        ("landscape", {"other_run"}, True),
        ("distance", {"other_run"}, False),
        ("misalignment", {"run"}, True),
        ("loss", set(), True),
    ],
)
def test_a_probe_without_the_models_it_needs_is_refused(name, given, enough):
    if enough:
        assert known_probes.of_an_analysis(name, given)[0].name == name
        return
    with pytest.raises(UserError, match=f"--probes={name} .*--run=DIR"):
        known_probes.of_an_analysis(f"loss,{name}", given)


def test_an_analysis_without_probes_is_refused_and_a_run_is_not():
    with pytest.raises(UserError, match="--probes is empty"):
        known_probes.of_an_analysis(" ,", ())


def test_a_registered_probe_is_known_and_its_file_has_its_name(registered):
    mine = registered(named("mine"))
    assert known_probes.of_an_analysis("loss,mine", ())[1] is mine
    assert mine.file == "mine"
    assert "mine" not in known_probes.in_rounds()


def test_a_name_that_is_taken_or_missing_is_refused(registered):
    with pytest.raises(UserError, match="already a probe named 'drift'"):
        registered(named("drift"))
    with pytest.raises(UserError, match="no name"):
        registered(named(""))
    with pytest.raises(UserError, match="no help"):
        registered(named("mine", help=""))
    again = registered(named("mine"))
    assert registered(again) is again  # a module that is loaded twice
