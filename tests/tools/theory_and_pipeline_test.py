"""The theory beside the pipeline: verdicts follow from differences, the page from both networks."""

from fed_pretrain.reporting.estimates import estimate
from tests.fed_pretrain.reporting import toy_study
from tools.theory_and_pipeline import ORDERS, PRETRAINED, RANDOM, Measured, Order, of_study, page

SEEDS = range(5)


def network(harm):
    """One label a client costs random weights `harm` at many local steps, and nothing else does."""
    error, misaligned = {}, {}
    for start in (RANDOM, PRETRAINED):
        for h in (0.0, 0.5):
            for tau in (1, 40):
                hurt = harm if (start, h, tau) == (RANDOM, 0.0, 40) else 0.0
                key = start, h, tau
                error[key] = {s: 0.2 + hurt + s * (1 + tau / 99) / 1000 for s in SEEDS}
                misaligned[key] = {s: (0.5 if start == RANDOM else 0.1) + s / 1000 for s in SEEDS}
    return Measured("a network", error, misaligned)


def verdicts(measured):
    return [order.verdict(estimate(order.value(measured).values())) for order in ORDERS]


def test_a_network_that_does_as_the_theory_says_is_said_to() -> None:
    assert verdicts(network(0.3)) == ["yes"] * len(ORDERS)


def test_a_network_in_which_the_harm_is_turned_round_is_said_to_reverse_the_order() -> None:
    found = verdicts(network(-0.3))
    assert found[:3] == ["no, the reverse"] * 3
    assert found[3] == "yes"


def test_an_effect_that_should_be_small_and_is_not_is_said_so() -> None:
    order = Order("small", lambda _: {}, positive=False)
    assert order.verdict(estimate([0.3, 0.31, 0.29])) == "no"
    assert order.verdict(estimate([0.0, 0.01, -0.01])) == "yes"
    assert order.verdict(estimate([-0.3, -0.31, -0.29])) == "yes"
    assert order.verdict(estimate([0.0, 0.3, -0.3])) == "not clear"
    assert order.verdict(estimate([0.1])) == "not measured"


def test_the_runs_of_a_study_become_errors_by_start_split_and_local_steps(tmp_path) -> None:
    runs = [
        toy_study.run(
            tmp_path,
            0.9,
            {"misalignment": {"rounds": [0, 4], "total": [share, 0.0]}},
            start=start,
            partition=partition,
            tau=tau,
        )
        for start, share in (("random", 0.5), ("digits", 0.25))
        for partition in ("one_label", "iid")
        for tau in (1, 40)
    ]
    study = toy_study.study(runs, title="T", name="t")
    measured = of_study(study)
    assert measured.splits == [0.0, 0.9]
    assert measured.taus == [1, 40]
    assert round(measured.mean((RANDOM, 0.0, 1)), 6) == 0.1
    assert measured.at_start(PRETRAINED) == {0: 0.25}
    text = page([network(0.3), network(0.0)], study)
    assert "hold in both networks" in text
    assert text.count("| yes: +0.30") >= 2
