import csv
import io
import json
import re
import subprocess
import sys

import pytest
from PIL import Image

from fed_pretrain.reporting.claims import ledger
from fed_pretrain.reporting.part import Table
from fed_pretrain.reporting.results import Analysis, Study, load_study
from fed_pretrain.reporting.sections import iid_gap
from fed_pretrain.reporting.study_report import ReportConfig, make_report, to_csv
from groundwork.errors import UserError

ALGORITHMS = {"fedavg": 0.0, "fedadam": 0.02, "fedprox": -0.01}


def write_run(folder, start, algorithm, seed):
    """A finished run whose pre-trained start is better by a margin far above its seed noise."""
    final = (0.5 if start == "random" else 0.8) + ALGORITHMS[algorithm] + seed / 1000
    rows = [
        {
            "round": r,
            "eval_loss": 2.3 - r / 10,
            "eval_accuracy": final * r / 4,
            "train_loss": 2.0 - r / 10,
            "train_accuracy": final * r / 4,
            "gradient_diversity": 0.9 if start == "random" else 0.4,
            "mean_pairwise_cosine": 0.1 if start == "random" else 0.5 + seed / 1000,
            "bytes_down": 1000,
            "bytes_up": 1000,
        }
        for r in range(5)
    ]
    (folder / "probes").mkdir(parents=True)
    step = 2.0 if start == "random" else 1.0 + seed / 100
    distances = {"rounds": list(range(5)), "to_final": [(4 - r) * step for r in range(5)]}
    (folder / "probes" / "distances.json").write_text(json.dumps(distances))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    optimizer = "adam" if algorithm == "fedadam" else "sgd"
    config = {"config": {"algorithm": {"server_optimizer": optimizer}}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "SUCCESS").write_text("{}")


@pytest.fixture
def study_file(tmp_path):
    steps = []
    for start in ("random", "imagenet"):
        for algorithm in ALGORITHMS:
            for seed in range(3):
                output = f"steps/{start}-{algorithm}-{seed}"
                write_run(tmp_path / output, start, algorithm, seed)
                place = {"task": "toy", "start": start, "algorithm": algorithm, "seed": seed}
                steps.append(
                    {
                        "id": output,
                        "kind": "train",
                        "coordinates": place,
                        "status": "done",
                        "message": "",
                        "output": output,
                        "seconds": 1.0,
                    }
                )
    failed = {**steps[0], "id": "train/broken", "status": "failed", "message": "<b>no disk</b>"}
    plan = {
        "name": "toy",
        "title": "Toy study",
        "question": "Which start?",
        "origin": "nowhere",
        "reductions": ["5 rounds only"],
        "tasks": {
            "toy": {"starts": {"random": {"start": "random"}, "imagenet": {"start": "package:x"}}}
        },
        "algorithms": {name: {} for name in ALGORITHMS},
        "sweep": {},
        "claims": [],
        "sections": [],
    }
    path = tmp_path / "study.json"
    path.write_text(json.dumps({"plan": plan, "steps": [*steps, failed]}))
    return path


def test_the_page_holds_everything_and_needs_no_network(study_file, tmp_path):
    page = make_report(ReportConfig(str(tmp_path / "report"), str(study_file)))
    html = page.read_text()
    for text in ("Toy study", "Which start?", "5 rounds only", "Kendall", "Ledger of claims"):
        assert text in html
    assert "&lt;b&gt;no disk&lt;/b&gt;" in html
    assert not re.search(r'(?:src|href)="(?!#)', html)
    assert html.count("<svg") >= 3


def test_every_figure_and_table_is_also_a_file(study_file, tmp_path):
    make_report(ReportConfig(str(tmp_path / "report"), str(study_file)))
    figures = {path.suffix for path in (tmp_path / "report" / "figures").iterdir()}
    tables = {path.suffix for path in (tmp_path / "report" / "tables").iterdir()}
    assert figures == {".png", ".svg"}
    assert tables == {".csv", ".tex"}
    with open(tmp_path / "report" / "tables" / "accuracy_toy.csv") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["", "random", "imagenet"]
    assert rows[1] == ["fedavg", "0.501 ± 0.001", "0.801 ± 0.001"]


def test_a_png_is_opaque_on_white(study_file, tmp_path):
    make_report(ReportConfig(str(tmp_path / "report"), str(study_file)))
    for path in (tmp_path / "report" / "figures").glob("*.png"):
        corner = Image.open(path).convert("RGBA").getpixel((0, 0))
        assert corner == (255, 255, 255, 255)


def test_the_same_runs_give_the_same_page(study_file, tmp_path):
    pages = [
        make_report(ReportConfig(str(tmp_path / name), str(study_file))).read_bytes()
        for name in ("one", "two")
    ]
    assert pages[0] == pages[1]


def test_claims_are_judged_by_their_interval_over_seeds(study_file):
    verdicts = {v.claim: v.verdict for v in ledger.verdicts(load_study(study_file))}
    assert verdicts["A pre-trained start ends with higher accuracy."] == ledger.HOLDS
    assert verdicts["A pre-trained start lies nearer to where training ends."] == ledger.HOLDS
    assert verdicts["Client updates point more the same way from a pre-trained start."] == (
        ledger.HOLDS
    )
    loss = "A pre-trained start need not begin at a lower loss (holds where it is higher)."
    assert verdicts[loss] == ledger.OPEN


@pytest.fixture
def study_at_chance(study_file):
    """The same study, but its runs from random weights stay where they began."""
    for path in study_file.parent.glob("steps/random-*/metrics.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        stuck = [{**row, "eval_accuracy": 0.1 + row["round"] / 1000} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in stuck))
    return study_file


def test_what_training_does_is_left_open_while_the_random_start_is_at_chance(study_at_chance):
    verdicts = {v.claim: v for v in ledger.verdicts(load_study(study_at_chance))}
    nearer = verdicts["A pre-trained start lies nearer to where training ends."]
    assert nearer.verdict == ledger.OPEN
    assert nearer.measured.endswith("random stayed at chance")
    assert verdicts["A pre-trained start ends with higher accuracy."].verdict == ledger.HOLDS


def test_a_ranking_at_chance_is_called_noise_and_the_target_is_one_that_was_learned(
    study_at_chance, tmp_path
):
    page = make_report(ReportConfig(str(tmp_path / "report"), str(study_at_chance))).read_text()
    assert "noise at chance" in page
    # 90 % of the best pre-trained mean: 0.9 * (0.8 + 0.02 + 0.001).
    assert "to accuracy 0.739" in page


def test_the_loss_at_the_start_is_counted_once_a_seed(study_file, tmp_path):
    make_report(ReportConfig(str(tmp_path / "report"), str(study_file)))
    with open(tmp_path / "report" / "tables" / "start_loss_toy.csv") as file:
        rows = list(csv.reader(file))
    assert rows[1] == ["random", "2.300 ± 0.000", "0.000 ± 0.000"]
    assert "3 seeds" in (tmp_path / "report" / "index.html").read_text()


def test_a_caption_tells_rounds_and_seeds(study_file, tmp_path):
    page = make_report(ReportConfig(str(tmp_path / "report"), str(study_file))).read_text()
    assert "toy: 4 rounds, 3 seeds" in page


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1.0], ledger.OPEN),
        ([1.0, -1.0, 0.5], ledger.OPEN),
        ([1.0, 1.1, 0.9], ledger.HOLDS),
        ([-1.0, -1.1, -0.9], ledger.FAILS),
    ],
)
def test_a_verdict_never_goes_beyond_its_interval(values, verdict):
    assert ledger.judge(ledger.CLAIMS[0], "here", values).verdict == verdict


def test_a_study_without_a_finished_run_is_refused(tmp_path):
    path = tmp_path / "study.json"
    path.write_text(json.dumps({"plan": {"tasks": {}}, "steps": []}))
    with pytest.raises(UserError, match="nothing to report"):
        make_report(ReportConfig(str(tmp_path / "report"), str(path)))


def test_a_folder_that_is_no_finished_run_is_named(tmp_path):
    with pytest.raises(UserError, match="not a finished run"):
        make_report(ReportConfig(str(tmp_path / "report"), runs=(str(tmp_path),)))


def test_the_distance_between_iid_and_non_iid_solutions_is_a_table_over_seeds(tmp_path):
    def analysis(seed, same=True):
        folder = tmp_path / str(seed)
        (folder / "probes").mkdir(parents=True)
        whole = {"apart": 1.0 + seed, "relative": 0.5, "angle_degrees": None if seed else 60.0}
        content = {"between": {"whole": whole, "same_start": same}}
        (folder / "probes" / "distances.json").write_text(json.dumps(content))
        place = {"task": "toy", "algorithm": "fedavg", "start": "random", "seed": seed}
        return Analysis(place, folder)

    study = Study({}, [], [analysis(0), analysis(2), analysis(7, same=False)], [], [])
    (table,) = iid_gap.solutions_apart(study, "toy")
    assert table.rows == [["fedavg · random", "2.000 ± 1.414", "0.500 ± 0.000", "60.000"]]
    assert iid_gap.solutions_apart(study, "another") == []


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\tx"])
def test_a_name_that_a_spreadsheet_would_run_is_quoted_in_a_csv(name):
    text = io.StringIO(to_csv(Table("it", "", ["", name], [[name, "1.0"]])), newline="")
    assert list(csv.reader(text)) == [["", f"'{name}"], [f"'{name}", "1.0"]]


def test_a_carriage_return_in_a_name_does_not_end_a_row():
    text = io.StringIO(to_csv(Table("it", "", ["x"], [["name\r=1"]])), newline="")
    assert list(csv.reader(text)) == [["x"], ["name =1"]]


@pytest.mark.parametrize("cell", ["-0.100", "-0.1 ± 0.05", "-1e-05 ± 0.2 (95 %, 3 seeds)", "–"])
def test_a_negative_figure_stays_as_it_is_in_a_csv(cell):
    assert list(csv.reader(to_csv(Table("it", "", ["x"], [[cell]])).splitlines()))[1] == [cell]


def test_dollars_in_a_name_do_not_break_a_figure(study_file, tmp_path):
    text = study_file.read_text().replace('"fedprox"', '"a $ {sign$"')
    study_file.write_text(text)
    page = make_report(ReportConfig(str(tmp_path / "report"), str(study_file))).read_text()
    assert "a $ {sign$  0." in page


def test_drawing_leaves_matplotlibs_backend_alone():
    code = (
        "import sys; from fed_pretrain.reporting import style; made, _ = style.figure();"
        " style.to_png(made); style.to_svg(made); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
