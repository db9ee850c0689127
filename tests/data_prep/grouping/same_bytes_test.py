"""The same input gives the same bytes, whatever reads it and in whatever order."""

from pathlib import Path

import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.store.reader import PreparedDataset
from tests.data_prep.grouping import table_of_digits

DIRICHLET = {"partition": "dirichlet", "num_clients": 9, "concentration": "each"}
NATURAL: dict[str, object] = {"split": "by_order", "split_fractions": (0.6, 0.2, 0.2)}


def prepared(source: Path, output: Path, **settings: object) -> PreparedDataset:
    config = PrepareConfig(
        "csv",
        str(output),
        input=str(source),
        source_options=table_of_digits.OPTIONS,
        shards=3,
        **settings,  # type: ignore[arg-type]
    )
    return prepare(config)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_of_digits.write(tmp_path_factory.mktemp("source") / "table")


@pytest.fixture(scope="module", params=["natural", "dirichlet"])
def settings(request: pytest.FixtureRequest) -> dict[str, object]:
    return NATURAL if request.param == "natural" else DIRICHLET


@pytest.fixture(scope="module")
def reference(
    source: Path, settings: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> PreparedDataset:
    return prepared(source, tmp_path_factory.mktemp("same") / "reference", workers=1, **settings)


@pytest.mark.parametrize(
    "how",
    [
        {"workers": 2},
        {"beam_options": ("--direct_num_workers=2", "--direct_running_mode=multi_threading")},
        {
            "beam_options": (
                "--runner=PortableRunner",
                "--job_endpoint=embed",
                "--environment_type=LOOPBACK",
            )
        },
        {"spill_mb": 1, "workers": 1},
    ],
    ids=["two_processes", "threads", "portable_runner", "small_runs"],
)
def test_any_runner_and_any_number_of_workers_write_the_same_dataset(
    reference: PreparedDataset,
    source: Path,
    settings: dict[str, object],
    how: dict[str, object],
    tmp_path: Path,
) -> None:
    other = prepared(source, tmp_path / "other", **how, **settings)
    assert other.fingerprint == reference.fingerprint
    assert table_of_digits.content(other.path) == table_of_digits.content(reference.path)


@pytest.mark.parametrize("files", [1, 7])
def test_the_order_of_lines_and_files_does_not_matter(
    reference: PreparedDataset, settings: dict[str, object], files: int, tmp_path: Path
) -> None:
    shuffled = table_of_digits.write(tmp_path / "table", files=files, shuffle=files)
    other = prepared(shuffled, tmp_path / "other", workers=1, **settings)
    assert table_of_digits.content(other.path) == table_of_digits.content(reference.path)
    assert table_of_digits.account(other) == table_of_digits.account(reference)


def test_another_seed_gives_another_partition(
    reference: PreparedDataset, source: Path, settings: dict[str, object], tmp_path: Path
) -> None:
    other = prepared(source, tmp_path / "other", seed=1, **settings)
    same = table_of_digits.content(other.path) == table_of_digits.content(reference.path)
    assert same == (settings is NATURAL)  # Nothing is drawn in the natural partition by order.
