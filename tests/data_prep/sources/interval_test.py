"""A source is cut to a year, a month or a day of UTC."""

import calendar
import json

import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.sources import interval
from groundwork.errors import UserError


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2018", (2018, 1, 1, 0, 0, 0), (2018, 12, 31, 23, 59, 59)),
        ("2018-12", (2018, 12, 1, 0, 0, 0), (2018, 12, 31, 23, 59, 59)),
        ("2020-02", (2020, 2, 1, 0, 0, 0), (2020, 2, 29, 23, 59, 59)),
        ("2018-05-31", (2018, 5, 31, 0, 0, 0), (2018, 5, 31, 23, 59, 59)),
    ],
)
def test_an_interval_has_its_first_and_its_last_second(text, first, last) -> None:
    assert interval.bounds(text) == (calendar.timegm(first), calendar.timegm(last) + 1)


@pytest.mark.parametrize("text", ["2018-13", "18", "2018-02-30", "May", "2018-5", "0000", "9999"])
def test_what_is_no_interval_is_refused(text) -> None:
    with pytest.raises(UserError, match=f"--interval={text}"):
        interval.bounds(text)


def test_a_month_of_comments_is_prepared_by_itself_and_the_rest_is_counted(tmp_path) -> None:
    lines = [
        {"author": f"a{i % 2}", "body": "some words", "id": str(i), "created_utc": seconds}
        for i, seconds in enumerate([1525132799, 1525132800, 1527811199, 1527811200])
    ]
    dump = tmp_path / "RC.json"
    dump.write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = PrepareConfig(
        "reddit_pushshift", str(tmp_path / "may"), input=str(dump), interval="2018-05"
    )
    made = json.loads((prepare(config).path / "manifest.json").read_text())
    print(made["counts"])
    assert made["extra"]["interval"] == "2018-05"


def test_a_source_without_times_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="records of --source=digits have no time"):
        prepare(PrepareConfig("digits", str(tmp_path / "x"), interval="2018"))
