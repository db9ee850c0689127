import dataclasses
from pathlib import Path

import pytest

from data_prep.inspection import verification
from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store import manifest
from data_prep.store.reader import PreparedDataset
from tests.data_prep.store.small_dataset import prepared_digits


def quiet(sentence: str) -> None:
    del sentence


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """A dataset of a few kilobytes, so that every byte of it can be flipped."""
    folder = tmp_path_factory.mktemp("verification")
    (folder / "few.csv").write_text(
        "client,label,text\n" + "".join(f"c{n % 3},{n % 2},t{n}\n" for n in range(9))
    )
    return prepare(
        PrepareConfig(
            "csv",
            str(folder / "few"),
            input=str(folder / "few.csv"),
            source_options={"client": "client"},
            split="none",
        )
    )


def flipped(path: Path, position: int, bit: int) -> bytes:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    return bytes(content)


def test_a_sound_dataset_has_no_fault(small: PreparedDataset) -> None:
    assert verification.verify(small.path, quiet) == []
    assert verification.strangers(small.path) == []


@pytest.mark.parametrize("stride", [29, pytest.param(1, marks=pytest.mark.slow)])
def test_every_flipped_byte_of_every_file_is_found(small: PreparedDataset, stride: int) -> None:
    files = sorted(small.path.iterdir())
    assert "croissant.json" in {path.name for path in files}
    for path in files:
        original = path.read_bytes()
        try:
            for position in range(0, len(original), stride):
                path.write_bytes(flipped(path, position, position % 8))
                faults = verification.verify(small.path, quiet)
                assert faults, f"{path.name} byte {position}"
                assert path.name in faults[0]
                path.write_bytes(original)
        finally:
            path.write_bytes(original)


def test_faults_name_the_client_and_files_that_are_missing(tmp_path: Path) -> None:
    digits = prepared_digits(tmp_path, shards=2)
    shard = digits.path / "train-00001-of-00002.tfrecord"
    shard.write_bytes(flipped(shard, 5000, 3))
    (digits.path / "test-00000-of-00002.tfrecord").unlink()
    (digits.path / "left-over").write_text("x")
    faults = verification.verify(digits.path, quiet)
    assert any("damaged record" in fault and "client at byte" in fault for fault in faults)
    assert any("test-00000-of-00002.tfrecord cannot be read" in fault for fault in faults)
    assert verification.strangers(digits.path) == ["left-over"]


def test_an_account_that_does_not_add_up_is_a_fault(tmp_path: Path) -> None:
    digits = prepared_digits(tmp_path)
    counts = dict(digits.manifest.counts) | {"read": 1800}
    manifest.write(digits.path, dataclasses.replace(digits.manifest, counts=counts))
    assert any("read" in fault for fault in verification.verify(digits.path, quiet))
