"""A row of the campaign's table adds up over commands."""

from pathlib import Path

from benchmarks.campaign.trial import LOST, SAME, Row


def test_the_next_command_adds_to_a_row_by_other_trials(tmp_path: Path) -> None:
    makers = [{"command": "a"}, {"command": "a"}, {"command": "b"}]
    drawn = []
    for number, maker in enumerate(makers):
        row = Row.go_on(tmp_path / "kills.json", 0, 60, maker)
        assert (row.name, row.tried) == ("kills", 2 * number)
        drawn.append(row.random.random())
        row.note("by SIGKILL")
        row.count(SAME)
        row.count(LOST, "a byte")
    assert len(set(drawn)) == len(makers)
    assert (row.counts, row.notes) == ({SAME: 3, LOST: 3}, {"by SIGKILL": 3})
    assert row.losses == ["a byte"] * 3
    assert row.made == [{"command": "a"}, {"command": "b"}]
