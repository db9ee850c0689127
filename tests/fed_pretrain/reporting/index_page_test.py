"""One page over several studies."""

import csv
import json
import re

import pytest

from fed_pretrain.reporting.index_page import make_index
from fed_pretrain.reporting.study_report import ReportConfig, make_report
from groundwork.errors import UserError
from tests.fed_pretrain.reporting import toy_study


def study(folder, name, **shape):
    """A finished study with its page, as `pipelines.study` leaves it."""
    own = folder / name
    own.mkdir(parents=True)
    path = toy_study.on_disk(own, algorithms=("fedavg",), name=name, title=f"About {name}", **shape)
    make_report(ReportConfig(str(own / "steps" / "report"), str(path), figures=False))
    content = json.loads(path.read_text())
    content["steps"].append(toy_study.step("steps/report", "report", {}))
    path.write_text(json.dumps(content))


@pytest.fixture
def studies(tmp_path):
    study(tmp_path, "first")
    study(tmp_path / "group", "second", starts=("a", "b"))
    (tmp_path / "begun").mkdir()
    unfinished = {"plan": {"tasks": {}}, "steps": []}
    (tmp_path / "begun" / "study.json").write_text(json.dumps(unfinished))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "study.json").write_text("{}")
    return tmp_path


def test_it_names_each_study_with_its_answer_and_leads_to_its_page(studies):
    page = make_index(str(studies))
    html = page.read_text()
    assert page == studies / "index.html"
    assert html.count("<h1") == 1
    assert "2 studies" in html
    for text in (
        "About first",
        "About second",
        "Pre-trained weights end ahead by 0.30",
        "Which start?",
        "29 November 2026",
    ):
        assert text in html  # fmt: skip
    for link in re.findall(r'href="([^"#]+)(?:#[^"]*)?"', html):
        assert (studies / link).exists(), link
    assert str(studies) not in html


def test_a_mark_leads_to_its_check_on_the_page_of_its_study(studies):
    html = make_index(str(studies)).read_text()
    links = re.findall(r'href="(group/second/[^"#]+)#([^"]+)"', html)
    assert len(links) >= 4
    for link, anchor in links:
        assert f'id="{anchor}"' in (studies / link).read_text()


def test_every_check_is_a_row_of_the_csv(studies):
    page = make_index(str(studies), str(studies / "over_all"))
    with open(page.parent / "checks.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["check"] == "accuracy"]
    assert [(row["study"], row["start"]) for row in rows] == [
        ("first", "imagenet"),
        ("second", "a"),
        ("second", "b"),
    ]
    assert float(rows[0]["estimate"]) == pytest.approx(0.3)


def test_a_folder_without_a_finished_study_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no study\.json with a finished run"):
        make_index(str(tmp_path))
