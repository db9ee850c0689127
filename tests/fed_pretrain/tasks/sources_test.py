"""What data_prep makes of the real sources' formats is what the tasks read."""

import json

import numpy as np
import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.tasks import known_tasks
from fed_pretrain.tasks.definition import TaskOptions

USERS = ("f0001_01", "f0002_02")


def prepared(folder, **settings):
    return prepare(PrepareConfig(output=str(folder / "dataset"), workers=1, **settings))


@pytest.fixture
def femnist_files(tmp_path):
    """One bright writer and one dark one, in LEAF's JSON."""
    for split in ("train", "test"):
        data = {
            user: {"x": [[brightness] * 784] * 3, "y": [61, 0, 36]}
            for user, brightness in zip(USERS, (1.0, 0.2), strict=True)
        }
        content = {"users": list(USERS), "num_samples": [3, 3], "user_data": data}
        folder = tmp_path / "data" / split
        folder.mkdir(parents=True)
        (folder / f"all_data_0_{split}.json").write_text(json.dumps(content))
    return tmp_path / "data"


def test_leafs_femnist_becomes_bytes_that_the_model_does_not_invert(tmp_path, femnist_files):
    dataset = prepared(tmp_path, source="femnist_leaf", input=str(femnist_files))
    task = known_tasks.load("femnist", dataset)
    x, y = task.reader("train").rows(USERS[0])
    assert (x.min(), x.max(), x.dtype) == (255, 255, np.uint8)
    assert [task.label_names[label] for label in sorted(y)] == ["0", "a", "z"]
    assert "background" not in {layer.name for layer in task.build_model().layers}
    assert task.reader("test").rows(USERS[1])[0].max() == 51


@pytest.fixture
def reddit_files(tmp_path):
    """Two authors of five comments each in LEAF's JSON; the first comment takes two sequences."""
    first = ["<BOS>", *(f"word{n}" for n in range(9))]
    second = ["word9", "<EOS>", *["<PAD>"] * 8]
    targets = [[*first[1:], "word9"], ["<EOS>", *["<PAD>"] * 9]]
    about = {"subreddit": "pics", "created_utc": 1512086400, "score": 1}
    counts = [[1.0] * 10, [1.0] + [0.0] * 9]
    comment = {**about, "target_tokens": targets, "count_tokens": counts}
    users = {name: {"x": [[first, second]] * 5, "y": [comment] * 5} for name in ("1", "2")}
    content = {"users": list(users), "num_samples": [5, 5], "user_data": users}
    for split in ("train", "val", "test"):
        (tmp_path / "data" / split).mkdir(parents=True)
        (tmp_path / "data" / split / "data.json").write_text(json.dumps(content))
    (tmp_path / "words.txt").write_text("\n".join(f"word{n}" for n in range(10)))
    return tmp_path / "data"


def test_leafs_reddit_sequences_keep_their_targets(tmp_path, reddit_files):
    dataset = prepared(
        tmp_path,
        source="reddit_leaf",
        input=str(reddit_files),
        source_options={"examples": "chunk"},
    )
    options = TaskOptions(vocabulary=str(tmp_path / "words.txt"))
    x, y = known_tasks.load("reddit", dataset, options=options).reader("train").rows("1")
    bos, eos = 12, 13
    assert x[0].tolist() == [bos, *range(1, 10)]
    assert y[0].tolist() == list(range(1, 11))
    assert x[1].tolist() == [10, eos, *[0] * 8]
    assert y[1].tolist() == [eos, *[-1] * 9]


def test_leafs_reddit_comments_are_cut_into_the_same_sequences_by_the_task(tmp_path, reddit_files):
    dataset = prepared(tmp_path, source="reddit_leaf", input=str(reddit_files))
    options = TaskOptions(vocabulary=str(tmp_path / "words.txt"))
    x, y = known_tasks.load("reddit", dataset, options=options).reader("train").rows("1")
    assert y[0].tolist() == list(range(1, 11))
    assert y[1].tolist() == [13, *[-1] * 9]
    assert x[0].tolist() == [12, *range(1, 10)]


def test_your_own_lines_of_text_train_with_a_vocabulary_counted_on_the_way(tmp_path):
    lines = [
        {"client_id": client, "text": f"Hello {client}, hello again! {n}"}
        for client in ("ann", "bob")
        for n in range(10)
    ]
    (tmp_path / "chat.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    dataset = prepared(
        tmp_path, source="jsonl", input=str(tmp_path / "chat.jsonl"), vocabulary="count:4"
    )
    task = known_tasks.load("stackoverflow", dataset)
    assert set(task.encoder.vocabulary.words) >= {"hello", "!"}
    x, _ = task.reader("train").rows("ann")
    assert x[0, 1] == task.encoder.vocabulary.ids(["hello"])[0]
