"""Subwords beside those of HuggingFace's `tokenizers`, which `make test-hub` installs."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from groundwork import embedded_packages
from tests.groundwork.real_hub_test import PYTHON, ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="`make test-hub` runs these"),
]
# Run by the other interpreter. A character whose category was never changed is one that every
# version of Unicode knows alike: the two have tables of different years.
BOTH = """
import itertools, json, pathlib, random, sys, time, unicodedata
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from fed_pretrain.tasks.encoders.byte_pairs import END_OF_TEXT, read_byte_pairs
from fed_pretrain.tasks.encoders.wordpieces import UNKNOWN, read_vocabulary

kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
conversations = json.loads(pathlib.Path(sys.argv[3]).read_text()).values()
turns = itertools.chain.from_iterable(one["messages"] for one in conversations)
messages = [message["text"] for turn in itertools.islice(turns, 10_000) for message in turn]
old, random = unicodedata.ucd_3_2_0, random.Random(0)
known = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cn", "Co", "Cs")]
known = [c for c in known if unicodedata.category(c) == old.category(c)]
strange = ["".join(random.choices([*known, *"  a'sl1é中"], [1] * len(known) + [9_000] * 9, k=20))
           for _ in range(5_000)]
if kind == "wordpiece":
    theirs = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    theirs.normalizer = normalizers.BertNormalizer(lowercase=True)
    theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", UNKNOWN, "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=8_000, special_tokens=special)
else:
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=8_000, special_tokens=[END_OF_TEXT], initial_alphabet=letters)
theirs.train_from_iterator(messages[:5_000] + strange[:500], trainer)
files = [folder / pathlib.Path(file).name for file in theirs.model.save(str(folder))]
ours = read_vocabulary(*files) if kind == "wordpiece" else read_byte_pairs(*files)

def timed(ids, texts):
    began = time.process_time()
    found = [ids(text) for text in texts]
    return time.process_time() - began, found

by_them = lambda text: theirs.encode(text, add_special_tokens=False).ids
(mine, found), (other, expected) = timed(ours.ids, messages), timed(by_them, messages)
wrong = [text for text, a, b in zip(messages, found, expected) if a != b]
wrong += [text for text in strange if ours.ids(text) != by_them(text)]
print(json.dumps({"texts": len(messages), "wrong": wrong[:9], "ours": mine, "theirs": other,
                  "subwords": sum(map(len, expected))}))
"""


@pytest.mark.parametrize("kind", ["wordpiece", "byte pairs"])
def test_every_text_has_the_subwords_that_tokenizers_finds(kind: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(PYTHON), "-c", BOTH, kind, str(tmp_path), str(embedded_packages.path("chitchat"))],
        cwd=ROOT,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{kind}: {found}")
    assert found["wrong"] == []
    assert found["texts"] > 15_000
    assert found["subwords"] > 10 * found["texts"]
