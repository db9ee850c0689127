import subprocess
import sys

import pytest

from fed_pretrain.reporting import known_sections
from fed_pretrain.reporting.part import Section
from fed_pretrain.reporting.study_report import build_sections
from groundwork.errors import UserError
from tests.fed_pretrain.reporting import toy_study


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(known_sections.KNOWN, "registered", {})

    @known_sections.register("worst_run")
    def worst_run(study):
        return Section(
            "worst_run", "The worst run", [str(min(r.rows[-1]["round"] for r in study.runs))]
        )

    return worst_run


def test_a_registered_section_is_built_after_the_built_in_ones(registered, tmp_path):
    study = toy_study.study([toy_study.run(tmp_path, 0.5, start="random")])
    sections = build_sections(study)
    assert sections[-1] == Section("worst_run", "The worst run", ["4"])
    assert known_sections.names()[-2:] == ("cost", "worst_run")


def test_a_plan_may_ask_for_a_registered_section_alone(registered, tmp_path):
    study = toy_study.study([toy_study.run(tmp_path, 0.5, start="random")], sections=["worst_run"])
    assert [section.key for section in build_sections(study)] == ["worst_run"]


@pytest.mark.parametrize("name", ["accuracy", "worst_run"])
def test_a_taken_name_is_refused(registered, name):
    with pytest.raises(UserError, match=f"report section named '{name}'"):
        known_sections.register(name)(lambda study: None)


def test_every_built_in_section_has_a_builder():
    assert all(callable(known_sections.builder(name)) for name in known_sections.names())


def test_names_are_known_without_matplotlib():
    code = (
        "import sys; from fed_pretrain.reporting import known_sections; known_sections.names();"
        " sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
