import dataclasses
import json
from pathlib import Path

import pytest

from data_prep.store import manifest
from data_prep.store.reader import PreparedDataset
from groundwork import versions
from groundwork.errors import UserError
from tests.data_prep.store.small_dataset import prepared_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepared_digits(tmp_path_factory.mktemp("manifest"))


def test_it_survives_writing_and_reading(digits: PreparedDataset, tmp_path: Path) -> None:
    manifest.write(tmp_path, digits.manifest)
    assert manifest.read(tmp_path) == digits.manifest


def test_command_and_time_do_not_change_the_fingerprint_but_everything_else_does(
    digits: PreparedDataset,
) -> None:
    value = digits.manifest.to_json()
    for key in value:
        changed = value | {key: "something else"}
        same = manifest.fingerprint(changed) == digits.fingerprint
        assert same == (key in ("command", "versions", "created")), key


def test_it_names_the_versions_that_made_it_and_damage_to_them_is_noticed(
    digits: PreparedDataset, tmp_path: Path
) -> None:
    assert digits.manifest.versions == versions.current()
    manifest.write(tmp_path, digits.manifest)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"numpy": "1.', '"numpy": "2.'))
    with pytest.raises(UserError, match="damaged"):
        manifest.read(tmp_path)


def test_a_manifest_of_before_versions_were_recorded_is_read(
    digits: PreparedDataset, tmp_path: Path
) -> None:
    command = digits.manifest.command
    older = dataclasses.replace(
        digits.manifest, versions={}, created=manifest.now_with_check(command, {})
    )
    manifest.write(tmp_path, older)
    assert "versions" not in json.loads((tmp_path / "manifest.json").read_text())
    assert manifest.read(tmp_path) == older
    assert older.fingerprint == digits.fingerprint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", "../../elsewhere"),
        ("file", "/etc/passwd"),
        ("file", ".."),
        ("sha256", "../../elsewhere"),
        ("bytes", -1),
        ("bytes", None),
    ],
)
def test_a_manifest_of_somebody_else_names_files_of_its_own_folder_only(
    digits: PreparedDataset, tmp_path: Path, field: str, value: object
) -> None:
    hostile = digits.manifest.to_json()
    hostile["splits"]["train"]["shards"][0][field] = value
    hostile["fingerprint"] = manifest.fingerprint(hostile)
    (tmp_path / "manifest.json").write_text(manifest._text(hostile))
    with pytest.raises(
        UserError, match=r"manifest.json is not a manifest of ours .*; do not use it"
    ):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    "parts",
    [
        {"source": []},
        {"partition": {"rule": 3}},
        {"label_names": [1, 2]},
        {"counts": None},
        {"command": ["rm"]},
        {"splits": {"train": {"clients": "2", "examples": 1, "index": {}, "shards": []}}},
    ],
    ids=str,
)
def test_a_manifest_of_somebody_else_holds_values_of_their_types(
    digits: PreparedDataset, tmp_path: Path, parts: dict[str, object]
) -> None:
    hostile = digits.manifest.to_json() | parts
    hostile["created"] = manifest.now_with_check(hostile["command"], hostile["versions"])
    hostile["fingerprint"] = manifest.fingerprint(hostile)
    (tmp_path / "manifest.json").write_text(manifest._text(hostile))
    with pytest.raises(
        UserError, match=r"manifest.json is not a manifest of ours .*; do not use it"
    ):
        manifest.read(tmp_path)


def test_read_is_written_plus_dropped(digits: PreparedDataset) -> None:
    assert digits.manifest.counts == {"read": 1797, "written": 1797, "dropped": {}}
    assert sum(split.examples for split in digits.manifest.splits.values()) == 1797


def test_another_format_version_is_refused_by_its_number(
    digits: PreparedDataset, tmp_path: Path
) -> None:
    value = digits.manifest.to_json() | {"format_version": 99}
    (tmp_path / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match="version 99"):
        manifest.read(tmp_path)


_HALF = b'{"format_version": 1, "fingerprint": "", "created": "", "source": "\\ud800"}'
_DEEP = b'{"format_version": 1, "extra": ' + b"[" * 700 + b"]" * 700 + b"}"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format_version": 1}', b"[" * 9999, _DEEP, _HALF]
)
def test_what_is_no_manifest_is_called_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        manifest.read(tmp_path)
