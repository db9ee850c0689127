import os
from pathlib import Path

import pytest

from data_prep.sources import known_sources
from data_prep.sources.source import Source, SourceOption, SourceReader, resolve_options
from data_prep.sources.work_units import file_units, input_files
from groundwork.errors import UserError


def never(pattern: str, options: object) -> SourceReader:
    raise AssertionError("not opened here")


SOURCE = Source("toy", "a toy", never, (SourceOption("size", "how big", "3", ("3", "4")),))


def test_options_get_their_defaults_and_wrong_ones_are_refused() -> None:
    assert resolve_options(SOURCE, {}) == {"size": "3"}
    assert resolve_options(SOURCE, {"size": "4"}) == {"size": "4"}
    with pytest.raises(UserError, match="no option 'colour'.*size"):  # noqa: RUF043
        resolve_options(SOURCE, {"colour": "red"})
    with pytest.raises(UserError, match="size='5' is none of 3, 4"):
        resolve_options(SOURCE, {"size": "5"})


def test_an_input_is_a_file_a_folder_a_glob_or_a_list_of_them(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/c.txt", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    a, b, c = tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "deep" / "c.txt"
    assert input_files(str(a)) == [a]
    assert input_files(str(tmp_path)) == [a, b, c]
    assert input_files(f"{tmp_path}/*.txt") == [a, b]
    assert input_files(f"{tmp_path}/**/*.txt") == [a, b, c]
    assert input_files(f"{b}, {a}, {b}") == [a, b]


def test_an_input_that_names_nothing_is_refused(tmp_path: Path) -> None:
    for pattern in (str(tmp_path / "no"), f"{tmp_path}/*.txt", str(tmp_path)):
        with pytest.raises(UserError, match="no file"):
            input_files(pattern)
    with pytest.raises(UserError, match="--input is missing"):
        input_files("")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0)
    with pytest.raises(UserError, match=r"secret cannot be read"):
        input_files(str(tmp_path))


def test_unit_ids_do_not_depend_on_the_folder_they_lie_in(tmp_path: Path) -> None:
    ids = []
    for root in (tmp_path / "one", tmp_path / "two" / "deeper"):
        (root / "x").mkdir(parents=True)
        for name in ("x/b", "a"):
            (root / name).write_text("12345")
        units = file_units(input_files(str(root)))
        ids.append([(unit.id, unit.ordinal, unit.size) for unit in units])
    assert ids[0] == ids[1] == [("a", 0, 5), ("x/b", 1, 5)]


def test_every_registered_source_is_found_and_described() -> None:
    text = known_sources.describe()
    for name in known_sources.names():
        source = known_sources.get(name)
        assert source.name == name
        assert source.summary in text
        assert source.input_summary or not source.needs_input


def test_unknown_names_and_wrong_prefixes_are_refused() -> None:
    with pytest.raises(UserError, match="--source=digitz is not one of"):
        known_sources.get("digitz")
    with pytest.raises(UserError, match="takes no name after a colon"):
        known_sources.get("digits:28")
    assert known_sources.get("tfds:mnist").name == "tfds"
