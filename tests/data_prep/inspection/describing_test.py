from pathlib import Path

import pytest
from PIL import Image

from data_prep.inspection import describing
from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store.reader import PreparedDataset


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return prepare(PrepareConfig("digits", str(tmp_path_factory.mktemp("describing") / "digits")))


def test_the_table_says_what_the_manifest_holds(digits: PreparedDataset) -> None:
    text = describing.table(digits)
    for part in (
        "digits",
        digits.fingerprint,
        "1,797 read",
        "14 clients, 1,437 examples",
        "h 0.88",
    ):
        assert part in text


def test_pictures_show_something_and_repeat_their_bytes(
    digits: PreparedDataset, tmp_path: Path
) -> None:
    first = describing.pictures(digits, tmp_path / "one")
    names = ["test_labels.png", "test_sizes.png", "train_labels.png", "train_sizes.png"]
    assert sorted(path.name for path in first) == names
    second = describing.pictures(digits, tmp_path / "two")
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
        with Image.open(one) as image:
            colours = image.convert("RGB").getcolors(1 << 20)
        assert colours is not None
        assert len(colours) > 10


def test_a_dataset_of_texts_has_no_label_picture(tmp_path: Path) -> None:
    dataset = prepare(
        PrepareConfig("shakespeare", str(tmp_path / "plays"), min_examples=50, split="none")
    )
    assert [path.name for path in describing.pictures(dataset, tmp_path)] == ["train_sizes.png"]
    assert "clients_below_minimum" in describing.table(dataset)


def test_the_table_names_the_law_of_a_dirichlet_partition(tmp_path: Path) -> None:
    config = PrepareConfig("digits", str(tmp_path / "d"), partition="dirichlet", num_clients=9)
    dataset = prepare(config)
    drawn = dataset.manifest.partition["drawn"]
    text = describing.table(dataset)
    assert "law           the label mix of each client ~ Dir(0.1 p)" in text
    assert 0 < drawn["mean_deviation"]["train"] < 1
    assert f"had run out: train {drawn['mean_deviation']['train']:.1%}" in text
