"""Sections of the report that show what one kind of study measures."""

import csv
import dataclasses
import io
import json
import math
import re

import pytest

from fed_pretrain.reporting.estimates import Estimate
from fed_pretrain.reporting.naming import cells
from fed_pretrain.reporting.results import load_study
from fed_pretrain.reporting.sections import (
    algorithms,
    alignment,
    basin,
    cost,
    curvature,
    curvature_along_training,
    fine_tuning,
    iid_gap,
    learning,
    left_behind,
    misalignment,
    ranking,
    starts,
    sweep,
    trend,
)
from tests.fed_pretrain.reporting import toy_study


def means(row):
    """A row with its estimates as their means, rounded."""
    return [round(c.mean, 3) if isinstance(c, Estimate) else c for c in row]


def misaligned(at_start):
    layers = {"first": [at_start + 0.1, 0.0], "second": [at_start - 0.1, 0.0]}
    found = {
        "rounds": [0, 4],
        "total": [at_start, 0.0],
        "definitions": {"live": {"layers": layers}},
    }
    return {"misalignment": found}


def test_misaligned_filters_have_a_panel_and_a_row_for_each_partition(tmp_path):
    shares = {("random", "iid"): 0.5, ("random", "skewed"): 0.6, ("digits", "iid"): 0.3}
    study = toy_study.study(
        [
            toy_study.run(
                tmp_path, 0.5, misaligned(share + seed / 10), start=s, partition=p, seed=seed
            )
            for (s, p), share in shares.items()
            for seed in (0, 1)
        ]
    )
    section = misalignment.misalignment_section(study)
    (row,) = section.figures[0].rows
    assert [panel.title for panel in row.panels] == ["iid", "skewed"]
    rows = section.tables[0].rows
    assert [means(row)[:2] for row in rows] == [["iid", 0.55], ["skewed", 0.65]]
    assert means(rows[0])[2] == 0.35
    assert not rows[1][2].known
    (row,) = section.figures[1].rows
    assert [(line.x, line.mean) for line in row.panels[0].lines] == [
        ((1, 2), pytest.approx((0.65, 0.45))),
        ((1, 2), pytest.approx((0.45, 0.25))),
    ]
    by_layer = section.tables[1]
    assert by_layer.header[:3] == ["layer", "random weights, iid", "random weights, skewed"]
    assert [means(row)[:4] for row in by_layer.rows] == [
        ["first", 0.65, 0.75, 0.45],
        ["second", 0.45, 0.55, 0.25],
    ]


def test_fine_tuning_is_a_row_a_way_of_training_and_a_column_a_start(tmp_path):
    def baselines(accuracy):
        names = ("start", "start, fine-tuned by each client", "federated")
        rows = [
            {"name": name, "accuracy": accuracy + i / 10, "bytes_down": 1e6, "bytes_up": i * 1e6}
            for i, name in enumerate(names)
        ]
        return {"baselines": {"rows": rows, "clients": 7, "epochs": 5}}

    study = toy_study.study(
        [toy_study.run(tmp_path, 0.5, start=start) for start in ("random", "digits")],
        [
            toy_study.analysis(tmp_path, baselines(0.1), start="random"),
            toy_study.analysis(tmp_path, baselines(0.4), start="digits"),
        ],
    )
    (table,) = fine_tuning.fine_tuning_section(study).tables
    assert list(table.header) == ["", "random weights", "digits", "megabytes sent"]
    assert [means(row) for row in table.rows] == [
        ["start", 0.1, 0.4, 1.0],
        ["start, fine-tuned by each client", 0.2, 0.5, 2.0],
        ["federated", 0.3, 0.6, 3.0],
    ]
    assert "7 clients" in table.caption


def test_fine_tuning_of_several_algorithms_is_told_apart(tmp_path):
    def baselines(accuracy):
        row = {"name": "federated", "accuracy": accuracy, "bytes_down": 0, "bytes_up": 0}
        return {"baselines": {"rows": [row], "clients": 7, "epochs": 5}}

    analyses = [
        toy_study.analysis(tmp_path, baselines(value), start="random", algorithm=name)
        for name, value in {"fedavg": 0.5, "fedadam": 0.7}.items()
    ]
    study = toy_study.study([toy_study.run(tmp_path, 0.5, start="random")], analyses)
    (table,) = fine_tuning.fine_tuning_section(study).tables
    assert [means(row)[:2] for row in table.rows] == [
        ["fedavg · federated", 0.5],
        ["fedadam · federated", 0.7],
    ]


def gap_study(folder, random_gap):
    """Three seeds whose random gap is 0.3 give or take, and whose pre-trained gap is 0.1."""
    gaps = {"random": random_gap, "digits": (0.1, 0.1, 0.1)}
    return toy_study.study(
        [
            toy_study.run(folder, 0.5 + iid * gap, start=start, seed=seed, partition=partition)
            for start, several in gaps.items()
            for seed, gap in enumerate(several)
            for partition, iid in (("dirichlet", 0), ("iid", 1))
        ]
    )


def test_the_share_of_the_gap_that_closes_is_told_where_the_gap_is_sure(tmp_path):
    text = iid_gap.iid_section(gap_study(tmp_path, (0.39, 0.4, 0.41))).text
    assert any("digits closes 75% of the gap that random weights leave" in line for line in text)


def test_an_algorithm_without_the_control_is_no_row_of_the_gap(tmp_path):
    study = gap_study(tmp_path, (0.39, 0.4, 0.41))
    other = toy_study.run(tmp_path, 0.5, start="random", partition="dirichlet", algorithm="other")
    study = dataclasses.replace(study, runs=[*study.runs, other])
    section = iid_gap.iid_section(study)
    assert {row[0] for row in section.tables[0].rows} == {"sgd-sgd"}
    assert not any("other" in text for text in section.text)


def test_no_share_is_told_of_a_gap_that_may_not_be_there(tmp_path):
    text = " ".join(iid_gap.iid_section(gap_study(tmp_path, (-0.2, 0.1, 0.3))).text)
    assert "%" not in text.replace("95 %", "")
    assert "whether random weights leave a gap at all is not sure here" in text


def test_the_loss_between_two_solutions_is_drawn_with_its_barrier(tmp_path):
    def line(rise):
        test = {
            "shares": [0.0, 0.5, 1.0],
            "loss": [1.0, 1.0 + rise, 1.0],
            "accuracy": [0.8, 0.8 - rise / 10, 0.8],
            "barrier": rise,
        }
        return {"landscape": {"splits": {"train": test, "test": test}}}

    study = toy_study.study(
        [toy_study.run(tmp_path, 0.5, start=start) for start in ("random", "digits")],
        [
            toy_study.analysis(tmp_path, line(rise), start=start, seed=seed)
            for start, rises in {"random": (2.0, 3.0), "digits": (0.0, 1.0)}.items()
            for seed, rise in enumerate(rises)
        ],
    )
    section = basin.basin_section(study)
    rows = section.tables[0].rows
    assert [means(row) for row in rows] == [
        ["toy", "random weights", 2.5],
        ["toy", "digits", 0.5],
    ]
    panel = section.figures[0].rows[0].panels[0]
    assert panel.lines[0].mean == (1.0, 3.5, 1.0)


def test_graded_starts_are_drawn_from_start_to_end_in_the_plans_order(tmp_path):
    graded = {"random": {"start": "random"}, "half": {}, "digits": {}}
    finals = {"random": 0.5, "half": 0.6, "digits": 0.8}
    study = toy_study.study(
        [toy_study.run(tmp_path, final, start=start) for start, final in finals.items()],
        starts=graded,
    )
    (chart,) = starts.quality_section(study).figures
    assert [row.label for row in chart.rows] == ["random weights", "half", "digits"]
    assert [[mark.values for mark in row.marks] for row in chart.rows] == [
        [(0.1,), (0.5,)],
        [(0.1,), (0.6,)],
        [(0.1,), (0.8,)],
    ]


def test_two_starts_are_no_grading(tmp_path):
    study = toy_study.study(
        [toy_study.run(tmp_path, 0.5, start=start) for start in ("random", "digits")]
    )
    assert starts.quality_section(study) is None


def drifting(run, values):
    """The same run with the drift of its probed rounds."""
    rows = [{**row, "relative_drift": value} for row, value in zip(run.rows, values, strict=True)]
    return dataclasses.replace(run, rows=rows)


def test_a_swept_axis_shows_accuracy_and_the_drift_that_was_measured(tmp_path):
    runs = [
        drifting(
            toy_study.run(tmp_path, 0.9 - points / 10, start=start, local_epochs=str(points)),
            (0.2 * points, 0.4 * points),
        )
        for start in ("random", "digits")
        for points in (1, 2)
    ]
    section = sweep.sweep_section(toy_study.study(runs, sweep={"local_epochs": {}}))
    accuracy, drift = section.tables
    assert means(accuracy.rows[0]) == ["random weights", 0.8, 0.7, -0.1]
    # The mean over rounds: (0.2 + 0.4) / 2 and twice that.
    assert means(drift.rows[0]) == ["random weights", 0.3, 0.6, 0.3]
    assert len(section.figures[0].rows) == 2
    assert any("Relative client drift" in text for text in section.text)


def test_a_row_of_a_sweep_says_what_was_swept(tmp_path):
    runs = [
        toy_study.run(tmp_path, 0.5, start="random", local_epochs=str(points)) for points in (1, 2)
    ]
    labels = [label for label, _ in cells(toy_study.study(runs), "toy")]
    assert labels == ["local epochs 1", "local epochs 2"]


def test_a_sweep_says_whether_its_points_have_equal_rounds(tmp_path):
    runs = [
        toy_study.run(tmp_path, 0.5, start="random", local_epochs=str(points)) for points in (1, 2)
    ]
    shorter = dataclasses.replace(runs[1], rows=runs[1].rows[:-1])
    for several, told in (
        (runs, "equal rounds for every point"),
        ([runs[0], shorter], "points differ in their rounds"),
    ):
        section = sweep.sweep_section(toy_study.study(several, sweep={"local_epochs": {}}))
        assert told in section.text[0]


def test_a_sweep_without_a_drift_probe_shows_accuracy_alone(tmp_path):
    runs = [
        toy_study.run(tmp_path, 0.5, start="random", local_epochs=str(points)) for points in (1, 2)
    ]
    section = sweep.sweep_section(toy_study.study(runs, sweep={"local_epochs": {}}))
    assert len(section.tables) == 1
    assert len(section.figures[0].rows) == 1


def test_the_distance_between_iid_and_non_iid_solutions_is_a_table_over_seeds(tmp_path):
    def analysis(seed, same=True):
        whole = {"apart": 1.0 + seed, "relative": 0.5, "angle_degrees": None if seed else 60.0}
        content = {"distances": {"between": {"whole": whole, "same_start": same}}}
        place = {"algorithm": "fedavg", "start": "random", "seed": seed}
        return toy_study.analysis(tmp_path, content, **place)

    analyses = [analysis(0), analysis(2), analysis(7, same=False)]
    study = toy_study.study([toy_study.run(tmp_path, 0.5, start="random")], analyses)
    (table,) = iid_gap.solutions_apart(study, "toy")
    assert [means(row) for row in table.rows] == [["fedavg", "random weights", 2.0, 0.5, 60.0]]
    assert iid_gap.solutions_apart(study, "another") == []


def test_a_list_of_algorithms_is_best_first_with_differences_by_seed(tmp_path):
    study = load_study(toy_study.on_disk(tmp_path))
    ordered = algorithms.AlgorithmList(study, "toy", "imagenet")
    assert ordered.labels == ["fedadam", "fedavg", "fedprox"]
    assert ordered.behind("fedprox").mean == pytest.approx(-0.03)
    # Differences without any spread over the three seeds are beyond its smallest deviation.
    assert list(ordered.letters()) == ["a", "b", "c"]
    assert algorithms.algorithms_section(study).title == "6 of 6 pairs can be told apart"


def test_two_seeds_can_tell_algorithms_apart_and_one_cannot(tmp_path):
    for seeds in (1, 2):
        study = load_study(toy_study.on_disk(tmp_path / str(seeds), seeds=seeds))
        ordered = algorithms.AlgorithmList(study, "toy", "imagenet")
        assert (len(set(ordered.letters())) > 1) == (seeds == 2)
        assert bool(ordered.apart) == (seeds == 2)


def test_one_algorithm_has_a_table_and_no_groups(tmp_path):
    study = load_study(toy_study.on_disk(tmp_path, algorithms=("fedavg",)))
    section = algorithms.algorithms_section(study)
    assert section.figures == ()
    assert means(section.tables[0].rows[0]) == ["fedavg", 0.501, 0.801]


def test_a_pair_is_turned_round_only_where_both_starts_tell_it_apart(tmp_path):
    finals = {
        ("random", "a"): 0.6, ("random", "b"): 0.5, ("random", "c"): 0.4,
        ("digits", "a"): 0.7, ("digits", "b"): 0.8, ("digits", "c"): 0.4,
    }  # fmt: skip
    runs = [
        toy_study.run(tmp_path, final + seed / 1000, start=start, seed=seed, algorithm=name)
        for (start, name), final in finals.items()
        for seed in range(3)
    ]
    (row,) = ranking.ranking_section(toy_study.study(runs)).tables[0].rows
    assert row == ["toy", 3, 3, 2, 1, "b over a"]


def test_the_cost_to_the_target_is_its_first_round_and_bytes(tmp_path):
    study = load_study(toy_study.on_disk(tmp_path, algorithms=("fedavg",)))
    # 90 % of 0.501 is reached at 4/4 of 0.5 and at 3/4 of 0.8.
    assert cost.target(study, "toy") == pytest.approx(0.9 * 0.501)
    tables = dict(cost.cost_section(study).figures[0].tables())
    rows = list(csv.DictReader(io.StringIO(tables["tables/cost.csv"])))
    assert [(row["start"], float(row["rounds"])) for row in rows] == [
        ("random weights", 4.0),
        ("imagenet", 3.0),
    ]
    # Both ways over rounds 0 to 3.
    assert float(rows[1]["megabytes"]) == pytest.approx(0.008)


def test_learning_curves_are_drawn_again_only_where_more_than_the_algorithm_varies(tmp_path):
    plain = [toy_study.run(tmp_path, 0.5, start="random", algorithm=a) for a in ("a", "b")]
    assert learning.learning_section(toy_study.study(plain)) is None
    swept = [toy_study.run(tmp_path, 0.5, start="random", epochs=str(n)) for n in (1, 2)]
    (chart,) = learning.learning_section(toy_study.study(swept)).figures
    assert [panel.title for panel in chart.rows[0].panels] == ["epochs 1", "epochs 2"]


def test_alignment_shows_what_was_measured_and_nothing_else(tmp_path):
    study = load_study(toy_study.on_disk(tmp_path))
    (chart,) = alignment.alignment_section(study).figures
    assert [row.title for row in chart.rows] == [
        "Held-out loss", "Cosine between client updates", "Gradient diversity",
        "Distance to the last weights",
    ]  # fmt: skip
    unmeasured = toy_study.study([toy_study.run(tmp_path / "x", 0.5, start="random")])
    assert alignment.alignment_section(unmeasured) is None


def test_a_heading_calls_nothing_undecided_that_the_plan_does_not_ask(tmp_path):
    study = load_study(toy_study.on_disk(tmp_path))
    other = dataclasses.replace(study, plan={**study.plan, "claims": ["accuracy"]})
    assert alignment.alignment_section(study).title != "Loss, alignment and distance"
    assert alignment.alignment_section(other).title == "Loss, alignment and distance"
    title = starts.start_loss_section(other).title
    assert title.startswith("The mean loss before training is ")
    runs = [
        toy_study.run(tmp_path, 0.5, start=start, partition=partition)
        for start in ("random", "digits")
        for partition in ("iid", "dirichlet")
    ]
    for claims, title in ((["accuracy"], "What non-IID data costs"), (["iid_gap"], "Whether ")):
        study = toy_study.study(runs, claims=claims)
        assert iid_gap.iid_section(study).title.startswith(title)


def eigenvalues(value):
    return {"eigenvalues": {"top": {"eigenvalues": [value], "converged": True}}}


def test_curvature_at_the_start_is_a_geometric_mean_with_its_ratio(tmp_path):
    tops = {"random": (10.0, 1000.0), "digits": (1000.0, 1000.0)}
    analyses = [
        toy_study.analysis(tmp_path, eigenvalues(value), start=start, seed=seed)
        for start, several in tops.items()
        for seed, value in enumerate(several)
    ]
    runs = [toy_study.run(tmp_path, 0.5, start=start) for start in tops]
    section = curvature.curvature_section(toy_study.study(runs, analyses))
    ours, paper = section.figures[0].blocks
    assert ours.rows[0].note == "10× sharper"
    assert [ours.middle(mark).mean for mark in ours.rows[0].marks] == pytest.approx([100.0, 1000.0])
    assert paper.cited


def curved(run, tops, losses):
    """The same run with an eigenvalue and a loss in each of its rounds."""
    rows = [
        {"round": r, "eval_accuracy": 0.5, "eval_loss": loss, "top_eigenvalue": top}
        for r, (top, loss) in enumerate(zip(tops, losses, strict=True))
    ]
    (run.folder / "start.json").write_text(json.dumps({"tensors": [{"shape": [4, 10]}]}))
    return dataclasses.replace(run, rows=rows)


def test_each_reading_compares_the_starts_at_its_own_moment(tmp_path):
    curves = {
        "random": ((1.0, 8.0, 4.0), (3.0, 2.0, 1.0)),
        "digits": ((2.0, 2.0, 8.0), (2.0, 1.0, 0.5)),
    }
    runs = [
        curved(
            toy_study.run(tmp_path, 0.5, start=start, seed=seed),
            [top * 1.01**seed for top in tops],
            losses,
        )
        for start, (tops, losses) in curves.items()
        for seed in range(3)
    ]
    section = curvature_along_training.along_training_section(toy_study.study(runs))
    found = {row[2]: (round(row[4], 3), row[5]) for row in section.tables[0].rows}
    assert found == {
        "before training": (0.5, "sharper"),
        # Random weights are below ln 10 from round 1 on, digits from round 0 on.
        "once each loss is below guessing": (4.0, "flatter"),
        "at the sharpest round": (1.0, "not clear"),
        "after the last round": (0.5, "sharper"),
    }
    assert "is reproduced once each loss is below guessing" in section.text[1]
    assert section.answer == (
        "Pre-trained weights are sharper before training and after the last round; they are"
        " flatter once each loss is below guessing."
    )
    (level,) = section.figures[0].rows[1].panels[0].levels
    assert level.value == pytest.approx(math.log(10))


def test_a_pre_trained_start_is_read_against_each_initialisation(tmp_path):
    tops = {"random": (8.0, 8.0), "keras": (1.0, 4.0), "digits": (2.0, 2.0)}
    runs = [
        curved(toy_study.run(tmp_path, 0.5, start=start, seed=seed), top, (3.0, 2.0))
        for start, top in tops.items()
        for seed in range(2)
    ]
    starts = {**toy_study.STARTS, "keras": {"start": "random:keras"}}
    study = toy_study.study(runs, starts=starts)
    assert study.pretrained_starts("toy") == ["digits"]
    found = {
        (row[0].rpartition("against ")[2], row[2]): row[4]
        for row in curvature_along_training.along_training_section(study).tables[0].rows
        if row[2] in ("before training", "after the last round")
    }
    assert found == {
        ("random weights", "before training"): pytest.approx(4.0),
        ("random weights", "after the last round"): pytest.approx(4.0),
        ("keras", "before training"): pytest.approx(0.5),
        ("keras", "after the last round"): pytest.approx(2.0),
    }


def test_two_over_the_rate_is_drawn_where_the_rate_is_known(tmp_path):
    runs = []
    for start, rate in (("random", 0.2), ("digits", 0.1)):
        run = curved(toy_study.run(tmp_path, 0.5, start=start), (1.0, 8.0), (3.0, 2.0))
        config = {"config": {"algorithm": {"client_learning_rate": rate}}}
        (run.folder / "config.json").write_text(json.dumps(config))
        runs.append(run)
    section = curvature_along_training.along_training_section(toy_study.study(runs))
    levels = section.figures[0].rows[0].panels[0].levels
    assert [(level.value, level.colour) for level in levels] == [(10.0, 0), (20.0, 1)]


def test_controls_of_equal_rates_have_columns_of_their_own(tmp_path):
    def run(start, top, **place):
        made = toy_study.run(tmp_path, 0.5, start=start, **place)
        return curved(made, (1.0, top), (3.0, 2.0))

    runs = [run("random", 8.0), run("digits", 2.0)]
    controls = [run("random", 4.0, rates="digits"), run("digits", 16.0, rates="random")]
    study = dataclasses.replace(toy_study.study(runs), controls=controls)
    section = curvature_along_training.along_training_section(study)
    last = {
        row[0]: round(row[4], 3)
        for row in section.tables[0].rows
        if row[2] == "after the last round"
    }
    assert last == {
        "own rates": 4.0,
        "at the rates of digits": 2.0,
        "at the rates of random weights": 0.5,
    }


def test_curvature_of_one_round_alone_is_no_course(tmp_path):
    run = curved(toy_study.run(tmp_path, 0.5, start="random"), (1.0,), (3.0,))
    assert curvature_along_training.along_training_section(toy_study.study([run])) is None


def test_the_heading_of_cost_is_about_the_subject_and_not_its_control(tmp_path):
    ends = {
        ("random", "dirichlet"): (0.1, 0.5), ("digits", "dirichlet"): (0.5, 0.6),
        ("random", "iid"): (0.6, 0.6), ("digits", "iid"): (0.6, 0.6),
    }  # fmt: skip
    runs = [
        dataclasses.replace(
            toy_study.run(tmp_path, after, start=start, partition=partition),
            rows=[{"round": 0, "eval_accuracy": before}, {"round": 4, "eval_accuracy": after}],
        )
        for (start, partition), (before, after) in ends.items()
    ]
    title = cost.cost_section(toy_study.study(runs)).title
    assert title == "Pre-trained weights reach the target before any training on toy"


def test_clients_left_behind_have_a_row_a_start_algorithm_and_model(tmp_path):
    def columns(worst, own):
        shared = {"mean": 0.6, "std": 0.1, "worst_decile": worst}
        found = {f"eval_clients_accuracy_{k}": (0.1, v) for k, v in shared.items()}
        if own:
            found |= {f"eval_personal_accuracy_{k}": (0.1, v + 0.2) for k, v in shared.items()}
        return found

    study = toy_study.study(
        [
            toy_study.run(tmp_path, 0.5, columns=columns(worst, own), start=start, seed=seed)
            for start, worst, own in (("random", 0.2, False), ("digits", 0.4, True))
            for seed in (0, 1)
        ]
    )
    section = left_behind.left_behind_section(study)
    assert "as low as 0.200" in section.title
    (table,) = section.tables
    assert [means(row)[2:] for row in table.rows] == [
        ["shared", 0.6, 0.1, 0.2],
        ["shared", 0.6, 0.1, 0.4],
        ["own layers", 0.8, 0.3, 0.6],
    ]


def test_a_study_without_figures_by_client_has_no_such_section(tmp_path):
    study = toy_study.study([toy_study.run(tmp_path, 0.5, start="random")])
    assert left_behind.left_behind_section(study) is None


def test_a_trend_has_a_carried_start_from_the_second_interval_on_and_says_what_it_gives(tmp_path):
    finals = {
        ("random", "2018-04"): 0.3,
        ("random", "2018-05"): 0.4,
        ("random", "2018-09"): 0.5,
        ("carried", "2018-05"): 0.6,
        ("carried", "2018-09"): 0.8,
    }
    starts = {"random": {"start": "random"}, "carried": {}}
    study = toy_study.study(
        [
            toy_study.run(
                tmp_path, final + seed / 100, start=s, partition=p, seed=seed, before=final / 2
            )
            for (s, p), final in finals.items()
            for seed in (0, 1)
        ],
        starts=starts,
        intervals=["2018-04", "2018-05", "2018-09"],
        tasks={"toy": {"starts": starts, "continued": {"carried": "random"}}},
    )
    section = trend.trend_section(study)
    before, after = (row.panels[0] for row in section.figures[0].rows)
    assert [line.x for line in after.lines] == [(0.0, 1.0, 2.0), (1.0, 2.0)]
    assert before.lines[1].runs[0] == (0.3, 0.4)
    # (0.2 + 0.3) / 2 at the end, (0.1 + 0.15) / 2 before training, the same in each seed.
    (sentence,) = [one for one in section.text if "instead of" in one]
    assert "+0.12 (+0.12 to +0.12) accuracy before training" in sentence
    assert "+0.25 (+0.25 to +0.25) final accuracy" in sentence
    random_row = means(section.tables[1].rows[0])
    assert random_row[1:] == [0.305, 0.405, 0.505, 0.2]
    two = {**study.plan, "intervals": ["2018-04", "2018-05"]}
    only_once = trend.trend_section(dataclasses.replace(study, plan=two)).tables[1].rows[1]
    assert not only_once[-1].known


def test_a_study_of_one_interval_has_no_trend(tmp_path):
    assert trend.trend_section(toy_study.study([], intervals=["2018-04"])) is None


def test_the_iid_gap_of_a_seed_is_the_mean_over_its_runs(tmp_path):
    ends = {"iid": (0.9, 0.8), "skewed": (0.6, 0.7)}
    runs = [
        toy_study.run(tmp_path, end, partition=one, seed=seed, start="random", proxy=proxy)
        for one, (low, high) in ends.items()
        for seed in (0, 1)
        for proxy, end in (("a", low + seed / 100), ("b", high + seed / 50))
    ]
    study = toy_study.study(runs)
    one, other, gap = iid_gap.iid_gap(study, "toy", "random", "sgd-sgd")
    # By hand: (0.3 + 0.1) / 2 in the seed 0, and the same again in the seed 1.
    assert gap.mean == pytest.approx(0.2)
    assert one.mean - other.mean == pytest.approx(0.2)


def test_a_start_is_marked_at_its_share_of_the_rounds(tmp_path):
    runs = [
        toy_study.run(tmp_path, end, before=before, start=start, seed=seed)
        for start, before, end in (("random", 0.1, 0.8), ("digits", 0.1, 0.9))
        for seed in (0, 1)
    ]
    for run in runs:
        reaches = 1 if run.coordinates["start"] == "digits" else 3
        run.rows[1:1] = [
            {"round": one, "eval_accuracy": 0.1 if one < reaches else 0.9} for one in (1, 2, 3)
        ]
    drawn = str(cost.cost_section(toy_study.study(runs)).figures[0].html())
    places = [float(one) for one in re.findall(r'cx="([\d.]+)%"', drawn)]
    assert sorted(places) == [25.0, 75.0]
