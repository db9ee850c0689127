"""Pages of studies that stay when the runs are gone."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from fed_pretrain.reporting import published
from fed_pretrain.reporting.published import page, record, summary
from fed_pretrain.reporting.results import study_of
from groundwork.errors import UserError
from groundwork.markdown import plain
from tests.fed_pretrain.reporting import toy_study

RESULTS = Path(__file__).resolve().parents[3] / "docs" / "results"


@pytest.fixture(scope="module")
def study_file(tmp_path_factory):
    return toy_study.on_disk(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def folder(study_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "results"
    published.publish([study_file], folder)
    return folder


def test_a_page_says_what_was_found_and_how_it_was_made(folder):
    page = (folder / "toy.md").read_text()
    for text in (
        "# Toy study",
        "Which start?",
        "| Higher final accuracy | toy, from imagenet | ✓ holds | +0.30 |",
        "## No pair of algorithms is turned round",
        "| fedprox | 0.491 (0.489 to 0.493) | 0.791 (0.789 to 0.793) |",
        "| toy | imagenet | fedavg | 0.801 (0.799 to 0.803) | −0.0200 (−0.0200 to −0.0200) | b |",
        "- 5 rounds only",
        "--workdir=toy",
        "3m 20s",
        "0123456789ab",
        "feedfeed",
    ):
        assert text in page
    assert "/home/me" not in page


def test_a_page_shows_at_most_three_figures_and_each_is_small(folder):
    shown = re.findall(r"!\[[^]]*\]\((.*?)\)", (folder / "toy.md").read_text())
    assert 1 <= len(shown) <= 3
    assert sorted(shown) == sorted(f"figures/{one.name}" for one in (folder / "figures").iterdir())
    assert max((folder / one).stat().st_size for one in shown) < 200_000


def test_the_summary_has_every_check_and_links_to_its_study(folder):
    summary = (folder / "index.md").read_text()
    checks = record.read(folder / "toy.json").checks
    assert len(checks) > 3
    assert summary.count("](toy.md)") >= len(checks)
    for check in checks:
        assert f"### {check.short}" in summary
    assert "1 study, 3m 20s of wall time" in summary


def test_a_remark_says_of_which_check_it_is(folder):
    toy = record.read(folder / "toy.json")
    one = dataclasses.replace(toy.checks[0], short="Nearer", remarks=("so it is",))
    several = tuple(dataclasses.replace(one, task=task) for task in ("alpha 1", "alpha 0.1"))
    for checks, places in (
        ((one,), "imagenet"),
        (several, "alpha 1, alpha 0.1"),
        (
            (several[0], dataclasses.replace(several[1], start="plays")),
            "alpha 1 from imagenet, alpha 0.1 from plays",
        ),
    ):
        told = list(page.remarks(dataclasses.replace(toy, checks=checks)))
        assert told == [f"- Nearer ({places}): so it is."]


def test_what_a_person_wrote_stays_when_a_page_is_made_again(study_file, folder):
    page = folder / "toy.md"
    page.write_text(page.read_text().replace("<!-- end -->", "## Why\n\nTested.\n<!-- end -->"))
    published.publish([study_file], folder)
    assert "<!-- written -->\n## Why\n\nTested.\n<!-- end -->\n" in page.read_text()


def test_a_page_says_where_the_machine_did_much_else(study_file):
    content = json.loads(study_file.read_text())
    content["passes"][0]["load"] = 18.4
    busy = study_of(content, study_file.parent)
    assert "on 2 CPU cores that did much else (load 18)" in "; ".join(record.of_study(busy).meta)


def test_a_study_made_again_is_compared_by_its_verdicts(study_file, folder, tmp_path):
    assert "verdicts are those of" in list(published.check(study_file, folder))[-1]
    before = record.read(folder / "toy.json")
    changed = dataclasses.replace(before.checks[0], verdict="does not hold")
    record.write(tmp_path, dataclasses.replace(before, checks=(changed, *before.checks[1:-1])))
    with pytest.raises(UserError, match=r"does not hold, now holds.*published as absent"):
        list(published.check(study_file, tmp_path))


def test_a_study_that_was_never_published_and_a_broken_record_are_refused(study_file, tmp_path):
    with pytest.raises(UserError, match=r"toy\.json: no such record"):
        list(published.check(study_file, tmp_path))
    (tmp_path / "toy.json").write_text(json.dumps({"name": "toy"}))
    with pytest.raises(UserError, match="not the record of a published study"):
        list(published.check(study_file, tmp_path))


def test_a_folder_without_a_finished_study_is_refused(tmp_path):
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(UserError, match="no study with a finished run"):
        published.publish([tmp_path / "study.json"], tmp_path / "results")


@pytest.mark.parametrize("name", [one.name for one in record.read_all(RESULTS)])
def test_a_committed_page_says_what_its_record_says(name):
    one = record.read(RESULTS / f"{name}.json")
    text = (RESULTS / f"{name}.md").read_text()
    for told in (f"**{plain(one.answer)}**", *page.remarks(one)):
        assert f"{told}\n" in text


def test_the_committed_summary_is_that_of_the_records(tmp_path):
    folder = shutil.copytree(RESULTS, tmp_path / "results")
    summary.write(folder)
    assert (folder / "index.md").read_text() == (RESULTS / "index.md").read_text()
