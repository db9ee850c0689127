import bz2
from collections import Counter

import pytest
import tensorflow_federated as tff

from data_prep.sources.parsing import vocabulary
from groundwork import embedded_packages
from groundwork.errors import UserError


def test_counting_is_the_same_however_the_texts_are_dealt():
    texts = ["the cat", "the dog the", "a cat", "zebra ant"]
    whole, dealt = (
        Counter(word for text in dealt for word in vocabulary.split_at_spaces(text))
        for dealt in (texts, [*texts[::2], *reversed(texts[1::2])])
    )
    assert vocabulary.build("count:4", whole) == vocabulary.build("count:4", dealt)
    words, origin = vocabulary.build("count:4", whole)
    assert words == ["the", "cat", "a", "ant"]  # ties go by the word
    assert origin["distinct_tokens"] == 6
    assert origin["tokens"] == 9
    assert "clients" in origin["origin"]


def test_counts_agree_with_tffs_own_of_its_synthetic_data():
    data = tff.simulation.datasets.stackoverflow.get_synthetic()
    texts = [
        example["tokens"].decode()
        for client in data.client_ids
        for example in data.create_tf_dataset_for_client(client).as_numpy_iterator()
    ]
    counts = Counter(word for text in texts for word in vocabulary.split_at_spaces(text))
    assert counts == Counter(tff.simulation.datasets.stackoverflow.get_synthetic_word_counts())


def test_marks_of_a_cleaning_are_no_words():
    assert vocabulary.build("count:5", {"<BOS>": 9, "<PAD>": 9, "<url>": 2, "a": 1})[0] == [
        "<url>",
        "a",
    ]


def test_contractions_are_cut_as_in_the_public_vectors():
    assert vocabulary.split_as_stanford("Don't stop, it\u2019s 5-fold!") == [
        *("do", "n't", "stop", ",", "it", "'s", "5-fold", "!")
    ]


def test_cleaned_datasets_are_cut_at_spaces():
    assert vocabulary.tokenizer({"cleaning": "leaf"}) is vocabulary.split_at_spaces
    assert vocabulary.tokenizer({}) is vocabulary.split_as_stanford


@pytest.mark.parametrize("pack", [bytes, bz2.compress])
def test_a_word_count_file_gives_its_first_words(tmp_path, pack):
    path = tmp_path / "stackoverflow.word_count"
    path.write_bytes(pack(b". 400\nthe 300\n, 200\nto 100\n"))
    spec = f"file:{path}:3"
    vocabulary.check(spec)
    assert not vocabulary.needs_counts(spec)
    words, origin = vocabulary.build(spec)
    assert words == [".", "the", ","]
    assert origin["origin"] == "file: stackoverflow.word_count"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"the 300\nto many words\n", "line 2"),
        (b"the 300\nthe 200\n", "line 2: 'the' is there twice"),
        (b"the 300\n" + b"a" * (1 << 16), "line 2: is too long for a word"),
        (b"", "no words"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_bad_word_count_file_is_named(tmp_path, content, sentence):
    path = tmp_path / "word_count"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        vocabulary.build(f"file:{path}:10")


@pytest.mark.parametrize(
    "spec", ["", "count", "count:0", "count:x", "words:5", "file:5", "glove:-1"]
)
def test_a_wrong_spec_is_refused(spec):
    with pytest.raises(UserError, match="--vocabulary="):
        vocabulary.check(spec)


def test_an_absent_file_is_refused_before_any_work(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        vocabulary.check(f"file:{tmp_path}/absent:5")


@pytest.mark.skipif(not embedded_packages.available("glove"), reason="`fetch_embedded --large`")
def test_public_vectors_give_their_most_frequent_words():
    words, origin = vocabulary.build("glove:6")
    assert words == ["the", ",", ".", "of", "to", "and"]
    assert origin["origin"].startswith("public")
