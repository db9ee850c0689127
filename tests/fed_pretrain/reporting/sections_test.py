"""Sections of the report that show what one kind of study measures."""

import dataclasses

import pytest

from fed_pretrain.reporting import style
from fed_pretrain.reporting.sections import basin, fine_tuning, iid_gap, misalignment, starts, sweep
from fed_pretrain.reporting.sections.accuracy import row_keys
from tests.fed_pretrain.reporting import toy_study


@pytest.fixture(autouse=True)
def report_look():
    with style.look():
        yield


def misaligned(at_start):
    return {"misalignment": {"rounds": [0, 4], "total": [at_start, 0.0]}}


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
    assert [axes.get_title() for axes in section.figures[0].figure.axes] == ["iid", "skewed"]
    assert section.tables[0].rows == [
        ["iid", "0.550 ± 0.071", "0.350 ± 0.071"],
        ["skewed", "0.650 ± 0.071", "–"],
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
    assert list(table.header) == ["", "random", "digits", "megabytes sent"]
    assert table.rows == [
        ["start", "0.100", "0.400", "1.0"],
        ["start, fine-tuned by each client", "0.200", "0.500", "2.0"],
        ["federated", "0.300", "0.600", "3.0"],
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
    assert [row[:2] for row in table.rows] == [
        ["fedavg · federated", "0.500"],
        ["fedadam · federated", "0.700"],
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
    assert any("digits closes 75% of the gap that random leaves" in line for line in text)


def test_no_share_is_told_of_a_gap_that_may_not_be_there(tmp_path):
    text = " ".join(iid_gap.iid_section(gap_study(tmp_path, (-0.2, 0.1, 0.3))).text)
    assert "%" not in text.replace("95 %", "")
    assert "whether random has a gap at all is not sure here" in text


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
    assert section.tables[0].rows == [["random", "2.500 ± 0.707"], ["digits", "0.500 ± 0.707"]]
    random_line = section.figures[0].figure.axes[0].get_lines()[0]
    assert list(random_line.get_ydata()) == [1.0, 3.5, 1.0]


def test_graded_starts_are_drawn_from_start_to_end_in_the_plans_order(tmp_path):
    graded = {"random": {"start": "random"}, "half": {}, "digits": {}}
    finals = {"random": 0.5, "half": 0.6, "digits": 0.8}
    study = toy_study.study(
        [toy_study.run(tmp_path, final, start=start) for start, final in finals.items()],
        starts=graded,
    )
    (figure,) = starts.quality_section(study).figures
    axes = figure.figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(finals)
    marks = [tuple(line.get_xdata()) for line in axes.get_lines() if line.get_marker() == "o"]
    assert marks == [(0.1,), (0.5,), (0.1,), (0.6,), (0.1,), (0.8,)]


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
    assert accuracy.rows[0] == ["random", "0.800", "0.700", "-0.100"]
    # The mean over rounds: (0.2 + 0.4) / 2 and twice that.
    assert drift.rows[0] == ["random", "0.300", "0.600", "0.300"]
    assert len(section.figures[0].figure.axes) == 2
    assert any("Relative client drift" in text for text in section.text)


def test_a_row_of_a_sweep_says_what_was_swept(tmp_path):
    runs = [
        toy_study.run(tmp_path, 0.5, start="random", local_epochs=str(points)) for points in (1, 2)
    ]
    labels = [label for label, _ in row_keys(toy_study.study(runs), "toy")]
    assert labels == ["local epochs 1", "local epochs 2"]


def test_a_sweep_without_a_drift_probe_shows_accuracy_alone(tmp_path):
    runs = [
        toy_study.run(tmp_path, 0.5, start="random", local_epochs=str(points)) for points in (1, 2)
    ]
    section = sweep.sweep_section(toy_study.study(runs, sweep={"local_epochs": {}}))
    assert len(section.tables) == 1
    assert len(section.figures[0].figure.axes) == 1
