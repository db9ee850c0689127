import json

import pytest

from data_prep.sources.public import reddit_chunks

COMMENT = "one two three four five six seven eight nine ten eleven"


def _user(comments):
    x, y = [], []
    for created, comment in comments:
        chunks = reddit_chunks.chunks(comment)
        x.append([text.split() for text, _ in chunks])
        y.append(
            {
                "subreddit": "pics",
                "created_utc": created,
                "score": 3,
                "target_tokens": [target.split() for _, target in chunks],
                "count_tokens": [[1.0] * 10 for _ in chunks],
            }
        )
    return {"x": x, "y": y}


@pytest.fixture
def leaf_folder(tmp_path):
    """As LEAF writes it: num_samples is the whole user's in every split."""
    for split, user in (
        ("train", [(5, COMMENT), (7, "short one")]),
        ("val", []),
        ("test", [(9, "z")]),
    ):
        (tmp_path / split).mkdir()
        content = {"users": ["1"], "num_samples": [17], "user_data": {"1": _user(user)}}
        (tmp_path / split / f"reddit_0_{split}.json").write_text(json.dumps(content))
    return tmp_path


def test_comments_are_joined_again_and_keep_their_split(leaf_folder, read_source):
    outcome = read_source("reddit_leaf", leaf_folder)
    assert [(r.client_id, r.split, r.features["text"]) for r in outcome.records] == [
        ("1", "test", "z"),
        ("1", "train", COMMENT),
        ("1", "train", "short one"),
    ]
    assert outcome.bad == []  # a wrong num_samples is LEAF's habit, not damage


def test_chunks_keep_leafs_ten_tokens(leaf_folder, read_source):
    outcome = read_source("reddit_leaf", leaf_folder, examples="chunk")
    first, second = [r for r in outcome.records if r.features["created"] == 5]
    assert first.features["text"] == "<BOS> one two three four five six seven eight nine"
    assert second.features["target"].startswith("eleven <EOS> <PAD>")
    assert (first.features["chunk"], second.features["chunk"]) == (0, 1)
    assert first.order < second.order


@pytest.mark.parametrize(
    "broken", [{"x": [["a"]], "y": []}, {"x": []}, [], {"x": [[["a"]]], "y": [{}]}]
)
def test_a_broken_user_is_named(tmp_path, read_source, broken):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"users": [], "num_samples": [], "user_data": {"17": broken}}))
    (bad,) = read_source("reddit_leaf", path).bad
    assert bad.file == str(path)
    assert "'17'" in bad.detail


def test_a_cut_file_is_named(leaf_folder, read_source):
    path = leaf_folder / "train" / "reddit_0_train.json"
    path.write_bytes(path.read_bytes()[:-20])
    (bad,) = read_source("reddit_leaf", leaf_folder).bad
    assert (bad.reason, bad.file) == ("malformed_json", str(path))


def test_prepared_chunks_keep_the_published_splits(leaf_folder, prepared):
    dataset = prepared("reddit_leaf", leaf_folder, {"examples": "chunk"})
    assert set(dataset.splits) == {"train", "test"}
    stored = dataset.read_client("train", "1")
    assert stored["chunk"].numpy().tolist() == [0, 1, 0]
