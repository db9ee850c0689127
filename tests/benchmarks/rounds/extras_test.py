"""How the page compares rounds that differ in what is asked for beside them."""

from benchmarks.rounds import extras, page

MADE = {
    "date": "2026-01-01",
    "command": "python -m benchmarks.round_costs --only=extras",
    "commit": "0" * 40,
    "machine": "a machine, 2 cores",
    "core_count": 2,
    "load": 0.1,
}


def test_a_round_is_compared_with_the_plain_one_of_its_own_turn():
    spent = {extras.PLAIN: [(1.0, 2.0), (4.0, 8.0)], "more": [(1.1, 2.0), (4.4, 16.0)]}
    assert extras.ratios(spent, "more", 0) == [1.1, 1.1]
    assert extras.ratios(spent, "more", 1) == [1.0, 2.0]


def test_the_page_shows_the_median_ratio_and_no_ratio_of_the_plain_round_to_itself():
    spent = {name: [(1.25, 2.0), (1.5, 2.0), (1.75, 2.0)] for name in sorted(extras.EXTRAS)}
    spent[extras.PLAIN] = [(1.0, 2.0)] * 3
    first, *_, last = page.added({"extras": {"made": MADE, "spent": spent}}).splitlines()
    more = "1.500 | 2.000 | 1.500 (1.250 to 1.750) | 1.000 (1.000 to 1.000)"
    assert last == f"| `--tensorboard` | {more} |"
    assert "busy" not in first


def test_without_the_other_figures_only_its_own_block_is_written(monkeypatch):
    written = {}
    monkeypatch.setattr(page.page_tables, "rewrite", lambda _, blocks: written.update(blocks))
    page.write({"extras": {}})
    assert set(written) == {"extras"}
