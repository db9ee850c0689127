"""Raw data that was made to hurt: refused in one sentence, or counted as a bad record."""

import dataclasses
import re
from pathlib import Path

import pytest

from data_prep.grouping import reading
from data_prep.preparing.preparation import PrepareConfig
from groundwork.errors import UserError
from tests.hostile.bounds import bounded
from tests.hostile.data_files import CASES, Case
from tests.hostile.readers import read_data

_RULE = {"partition": "iid", "num_clients": 1}


def _config(case: Case, folder: Path) -> PrepareConfig:
    name = case.file if case.name is None else case.name
    natural = case.source not in ("cifar10", "fashion_mnist", "tiny_imagenet")
    return PrepareConfig(
        source=case.source,
        input=str(folder / name),
        output=str(folder / "out"),
        source_options=case.options,
        **({} if natural else _RULE),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", CASES)
def test_hostile_data_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    path = tmp_path / case.file
    if isinstance(case.write, bytes):
        path.write_bytes(case.write)
    else:
        case.write(path)
    config = _config(case, tmp_path)
    refusals = (UserError, reading.TooManyBadRecords)
    with bounded(), pytest.raises(refusals, match=case.why) as refusal:
        read_data(config, tmp_path)
    sentence = str(refusal.value)
    assert "\n" not in sentence
    assert len(sentence) < 1000
    assert re.search(r"--\w+|" + re.escape(str(tmp_path)) + r"|line \d+|feature '", sentence)
    if isinstance(refusal.value, reading.TooManyBadRecords):
        read_data(dataclasses.replace(config, max_bad_records=1000), tmp_path)
