"""The page of a study: what it holds, whether it is true to its tables, and what it needs."""

import csv
import html as html_module
import json
import re
import subprocess
import sys

import pytest

from fed_pretrain.reporting.study_report import ReportConfig, make_report
from groundwork.errors import UserError
from tests.fed_pretrain.reporting import toy_study


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Of a study of which one step failed, with the figures for papers."""
    folder = tmp_path_factory.mktemp("study")
    path = toy_study.on_disk(folder)
    content = json.loads(path.read_text())
    failed = {**content["steps"][0], "id": "train/broken", "status": "failed"}
    content["steps"].append({**failed, "message": "<b>no disk</b>"})
    path.write_text(json.dumps(content))
    return report(folder, path, figures=True)


def report(folder, study_file, figures=False):
    return make_report(ReportConfig(str(folder / "report"), str(study_file), figures=figures))


def text_of(page):
    """What a reader sees, without scripts, styles and pictures."""
    text = re.sub(r"<(script|style|svg|code)\b.*?</\1>", " ", page.read_text(), flags=re.DOTALL)
    text = re.sub(r'<div class="(sc|scale)" aria-hidden.*?</div>', " ", text, flags=re.DOTALL)
    return html_module.unescape(re.sub(r"<[^>]+>", " ", text))


def test_the_page_says_the_answer_first_and_names_what_failed(page):
    html = page.read_text()
    assert html.count("<h1") == 1
    assert re.search(r"<h1>Pre-trained weights end ahead by 0\.30 in accuracy", html)
    for text in ("Toy study", "Which start?", "5 rounds only", "All 18 runs"):
        assert text in html
    assert "&lt;b&gt;no disk&lt;/b&gt;" in html
    assert html.index("<h1>") < html.index('<figure class="hero">') < html.index('id="claims"')


def test_the_page_needs_no_network_and_says_no_place_of_the_machine(page):
    html = page.read_text()
    assert not re.search(r"https?://|//[a-z]", re.sub(r"data:[^\"]*", "", html))
    assert str(page.parent.parent) not in html
    assert "/home/" not in html
    assert "--plan=toy.yaml --workdir=toy" in html
    assert page.stat().st_size < 600_000
    for link in re.findall(r'(?:href|src)="([^"]*)"', html):
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in html
        elif not link.startswith("data:"):
            assert (page.parent / link).exists(), link


def test_every_number_of_the_page_is_in_a_csv(page):
    known = set()
    for path in (page.parent / "tables").glob("*.csv"):
        for cell in (cell for row in csv.reader(path.open()) for cell in row):
            found = re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]?\d+)?", cell)
            known |= {float(number) for number in found}
    body = text_of(page).partition("How it was made 1")[0]
    shown = re.findall(r"(?<![\w.])[+−]?(\d[\d,]*\.\d+)(?![\w.])", body)
    fixed = {"0.05", "0.02"}  # the level of a verdict and the margin
    missing = [
        number
        for number in shown
        if number not in fixed and not any(_rounds_to(value, number) for value in known)
    ]
    assert len(shown) > 40
    assert missing == []


def _rounds_to(value, text):
    number = text.replace(",", "")
    half = 0.5 * 10 ** -len(number.partition(".")[2])
    return abs(value - float(number)) <= half * 1.001


def test_every_table_and_figure_is_also_a_file(page):
    suffixes = {path.suffix for path in (page.parent / "figures").iterdir()}
    assert suffixes == {".pdf", ".svg"}
    assert {path.suffix for path in (page.parent / "tables").iterdir()} == {".csv", ".tex"}
    rows = list(csv.reader((page.parent / "tables" / "accuracy_toy.csv").open()))
    assert rows[0][:4] == ["", "random weights", "random weights low", "random weights high"]
    assert rows[1][:2] == ["fedavg", "0.501"]
    runs = list(csv.DictReader((page.parent / "tables" / "runs.csv").open()))
    assert len(runs) == 18
    assert float(runs[0]["accuracy after"]) == 0.5


def test_the_same_runs_give_the_same_page_and_tables(tmp_path):
    path = toy_study.on_disk(tmp_path, algorithms=("fedavg",))

    def everything():
        page = report(tmp_path, path)
        return {p.name: p.read_bytes() for p in page.parent.rglob("*") if p.is_file()}

    assert everything() == everything()


@pytest.mark.parametrize(
    "shape",
    [
        {"seeds": 1},
        {"seeds": 1, "algorithms": ("fedavg",)},
        {"starts": ("a", "b", "c", "d", "e")},
        {"starts": ()},
        {"tasks": ("one", "two", "three", "four"), "seeds": 2},
        {"sections": ["accuracy"]},
    ],
    ids=["one_seed", "one_run_a_start", "five_starts", "random_alone", "four_tasks", "one_section"],
)
def test_a_study_of_another_shape_has_a_page(shape, tmp_path):
    html = report(tmp_path, toy_study.on_disk(tmp_path, **shape)).read_text()
    assert html.count("<h1") == 1
    assert not re.search(r"\bnan\b", re.sub(r"data:[^\"]*", "", html).lower())


def test_one_seed_has_no_interval_and_no_verdict(tmp_path):
    html = report(tmp_path, toy_study.on_disk(tmp_path, seeds=1)).read_text()
    assert "which decides nothing" in html
    assert 'class="ci"' not in html
    assert "✓" not in html


def test_five_starts_have_names_and_colours_of_their_own(tmp_path):
    html = report(
        tmp_path, toy_study.on_disk(tmp_path, starts=("a", "b", "c", "d", "e"))
    ).read_text()
    labels = set(re.findall(r'class="lab (s\d)"[^>]*>([^<]*)<', html))
    assert labels == {("s0", "random weights"), *((f"s{i}", n) for i, n in enumerate("abcde", 1))}


def test_short_titles_of_the_plan_replace_its_keys(tmp_path):
    path = toy_study.on_disk(tmp_path, algorithm_titles={"fedavg": "Averaging"}, name="study")
    content = json.loads(path.read_text())
    content["plan"]["title"] = "A study"
    content["plan"]["tasks"]["toy"] |= {"title": "Toys", "start_titles": {"imagenet": "photos"}}
    path.write_text(json.dumps(content))
    text = text_of(report(tmp_path, path)).partition("How it was made 1")[0]
    assert "Toys" in text
    assert "photos" in text
    assert "Averaging" in text
    assert not re.search(r"\b(toy|imagenet|fedavg)\b", text)


def test_how_it_was_made_is_told(page):
    html = page.read_text()
    for text in (
        "29 November 2026, 3m 20s on 2 CPU cores",
        "commit 0123456",
        "tensorflow 2.14.1",
        "no local changes",
        "2026-11-29 09:00 to 2026-11-29 09:03 UTC",
        "feedfeedfeed",
    ):
        assert text in html  # fmt: skip


def test_what_would_decide_more_is_the_same_command_with_an_override(tmp_path):
    html = report(tmp_path, toy_study.on_disk(tmp_path, seeds=2)).read_text()
    assert "<code>python -m pipelines.study --plan=toy.yaml --workdir=toy</code>" in html
    assert re.search(r"<code>--set &#39;seeds=\{until: decided, at_most: \d+\}&#39;</code>", html)


def test_random_weights_at_chance_are_said_to_be(tmp_path):
    path = toy_study.on_disk(tmp_path)
    for rows_file in tmp_path.glob("steps/toy-random-*/metrics.jsonl"):
        rows = [json.loads(line) for line in rows_file.read_text().splitlines()]
        stuck = [{**row, "eval_accuracy": 0.1 + row["round"] / 1000} for row in rows]
        rows_file.write_text("".join(json.dumps(row) + "\n" for row in stuck))
    html = report(tmp_path, path).read_text()
    assert "Random weights never leave chance (0.100 to 0.104)." in html
    assert "near chance within these rounds" in html
    # 90 % of the best pre-trained mean: 0.9 * (0.8 + 0.02 + 0.001).
    assert "to accuracy 0.739" in html


def test_a_study_without_a_finished_run_is_refused(tmp_path):
    path = tmp_path / "study.json"
    path.write_text(json.dumps({"plan": {"tasks": {}}, "steps": []}))
    with pytest.raises(UserError, match="nothing to report"):
        report(tmp_path, path)


def test_a_folder_that_is_no_finished_run_is_named(tmp_path):
    with pytest.raises(UserError, match="not a finished run"):
        make_report(ReportConfig(str(tmp_path / "report"), runs=(str(tmp_path),)))


def test_dollars_and_tags_in_a_name_break_neither_page_nor_figure(tmp_path):
    path = toy_study.on_disk(tmp_path)
    path.write_text(path.read_text().replace('"fedprox"', '"a $ {<i>sign$"'))
    html = report(tmp_path, path).read_text()
    assert "a $ {&lt;i&gt;sign$" in html
    assert "<i>sign" not in html


def test_drawing_leaves_matplotlibs_backend_alone():
    code = (
        "import sys; from fed_pretrain.reporting.charts import paper; made, _ = paper.grid(1, 1);"
        " dict(paper.files('a', made)); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_figure_of_ones_own_section_is_drawn_in_the_page(tmp_path):
    from matplotlib.figure import Figure

    from fed_pretrain.reporting.part import NamedFigure

    made = Figure()
    made.subplots().plot([0, 1], [0, 1])
    figure = NamedFigure("own", "A line", made)
    assert figure.html().startswith('<figure class="own"><svg')
    assert {name for name, _ in figure.figures()} == {"figures/own.pdf", "figures/own.svg"}


def test_controls_of_equal_rates_are_listed_with_the_runs(tmp_path):
    path = toy_study.on_disk(tmp_path, algorithms=("fedavg",))
    content = json.loads(path.read_text())
    crossed = content["steps"][0]
    place = {**crossed["coordinates"], "rates": "imagenet"}
    content["steps"].append({**crossed, "id": "train/crossed", "coordinates": place})
    path.write_text(json.dumps(content))
    page = report(tmp_path, path)
    assert "All 7 runs" in page.read_text()
    assert "3 seeds and 1 control" in page.read_text()
    rows = list(csv.DictReader((page.parent / "tables" / "runs.csv").open()))
    assert [row["rates"] for row in rows] == [""] * 6 + ["imagenet"]
