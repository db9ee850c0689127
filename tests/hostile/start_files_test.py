"""Weights files that were made to hurt: each is refused in one sentence, in little memory."""

from pathlib import Path

import pytest

from fed_pretrain.starts.formats import detect
from groundwork.errors import UserError
from tests.hostile.bounds import bounded
from tests.hostile.start_files import FILES


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_weights_file_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    file, write, why = FILES[name]
    path = tmp_path / file
    write(path)
    with bounded(), pytest.raises(UserError, match=why) as refusal:
        detect.read(str(path))
    sentence = str(refusal.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    assert len(sentence) < 1000
