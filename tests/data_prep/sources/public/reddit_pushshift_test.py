import bz2
import json
import lzma

import pytest
import zstandard

from data_prep.sources import known_sources
from data_prep.sources.parsing import text_cleaning
from data_prep.sources.source import resolve_options
from groundwork.errors import UserError

WRITERS = {
    "": bytes,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(3, window_log=31)
    ).compress(content),
}


def _comment(author, body, created, number, **more):
    return {
        "author": author,
        "body": body,
        "subreddit": "CasualConversation",
        "subreddit_id": "t5_323oy",
        "created_utc": created,
        "id": f"d{number:05x}",
        "link_id": "t3_abc",
        "parent_id": "t1_def",
        "score": 1,
        "controversiality": 0,
        "edited": False,
        "retrieved_on": created,
        **more,
    }


def _lines(comments):
    return b"".join(json.dumps(comment).encode() + b"\n" for comment in comments)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("as_string", [False, True])
def test_real_messages_come_back_from_every_packing(
    tmp_path, read_source, chat_messages, suffix, as_string
):
    path = tmp_path / f"RC_2017-12{suffix}"
    comments = [
        _comment(author, text, str(created) if as_string else created, number)
        for number, (author, text, created) in enumerate(chat_messages)
    ]
    path.write_bytes(WRITERS[suffix](_lines(comments)))
    outcome = read_source("reddit_pushshift", path)
    assert [
        (r.client_id, r.features["text"], r.features["created"]) for r in outcome.records
    ] == chat_messages
    assert outcome.bad == []
    assert outcome.dropped == {}
    assert outcome.records[0].features["subreddit"] == "CasualConversation"


def test_only_deleted_and_removed_comments_are_dropped_and_they_are_counted(tmp_path, read_source):
    path = tmp_path / "RC"
    path.write_bytes(
        _lines(
            [
                _comment("a", "[deleted]", 1, 1),
                _comment("a", "[removed]", 2, 2),
                _comment("[deleted]", "still there", 3, 3),
                _comment("AutoModerator", "I am a bot, &gt; http://x.y", 4, 4),
                _comment("a", "ok", 5, 5),
            ]
        )
    )
    outcome = read_source("reddit_pushshift", path)
    assert outcome.texts == ["I am a bot, &gt; http://x.y", "ok"]
    assert outcome.dropped == {"deleted_or_removed_comment": 2, "deleted_author": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"author": "a", "body"', "malformed_json"),
        (b"[1, 2]", "malformed_json"),
        (b"\xff\xfe{}", "not_utf8"),
        (json.dumps({"author": "a", "created_utc": 1}).encode(), "missing_field"),
        (json.dumps({"author": "a", "body": 5, "created_utc": 1}).encode(), "wrong_type"),
        (json.dumps({"author": "a", "body": "x", "created_utc": "soon"}).encode(), "wrong_type"),
        (json.dumps({"author": "a", "body": "x", "created_utc": 1e300}).encode(), "wrong_type"),
        (json.dumps({"author": "a", "body": "x"}).encode(), "missing_field"),
    ],
)
def test_a_bad_line_is_named(tmp_path, read_source, line, reason):
    path = tmp_path / "RC"
    path.write_bytes(_lines([_comment("a", "x", 1, 1)]) + line + b"\n")
    outcome = read_source("reddit_pushshift", path)
    assert [(bad.reason, bad.file, bad.line) for bad in outcome.bad] == [(reason, str(path), 2)]
    assert len(outcome.records) == 1


def test_a_lone_surrogate_does_not_stop_the_job(tmp_path, read_source):
    path = tmp_path / "RC"
    path.write_bytes(
        b'{"author": "a", "body": "broken \\ud83d emoji", "created_utc": 1, "subreddit": "s"}\n'
    )
    assert read_source("reddit_pushshift", path).texts == ["broken \ufffd emoji"]


def test_leaf_filters_cut_into_ten_tokens_with_shifted_targets(tmp_path, read_source):
    path = tmp_path / "RC"
    body = "One two three four five six seven eight nine ten ELEVEN http://a.b/c"
    path.write_bytes(
        _lines(
            [
                _comment("someone", body, 10, 1),
                _comment("someone", "only four words here", 11, 2),
                _comment("someone", "thank you for participating in this sub", 12, 3),
                _comment("tippr", "a bot that LEAF knows by its name", 13, 4),
                _comment("ModeratorOfThings", "left out for the name it has", 14, 5),
                _comment("x", "left out for the subreddit", 15, 6, subreddit="AskReddit"),
            ]
        )
    )
    outcome = read_source("reddit_pushshift", path, filters="leaf")
    assert [(r.features["text"], r.features["target"]) for r in outcome.records] == [
        (
            "<BOS> one two three four five six seven eight nine",
            "one two three four five six seven eight nine ten",
        ),
        (
            "ten eleven <url> <EOS> <PAD> <PAD> <PAD> <PAD> <PAD> <PAD>",
            "eleven <url> <EOS> <PAD> <PAD> <PAD> <PAD> <PAD> <PAD> <PAD>",
        ),
    ]
    assert [r.features["chunk"] for r in outcome.records] == [0, 1]
    assert outcome.dropped == {
        "leaf_short_comment": 1,
        "leaf_automatic_message": 1,
        "leaf_bot_or_moderator": 3,
    }
    assert outcome.reader.client_limits[:3] == (5, 1000, "chunk")


def test_an_unknown_filter_is_refused():
    with pytest.raises(UserError, match=r"filters='strict'.*none, leaf"):
        resolve_options(known_sources.get("reddit_pushshift"), {"filters": "strict"})


def test_prepared_comments_stand_by_author_and_time(tmp_path, prepared, chat_messages):
    path = tmp_path / "RC_2018-05.zst"
    comments = [_comment(a, t, c, n) for n, (a, t, c) in enumerate(chat_messages)]
    path.write_bytes(
        WRITERS[".zst"](_lines([*reversed(comments), _comment("a", "[deleted]", 1, 99)]))
    )
    dataset = prepared("reddit_pushshift", path, split_fractions=(1.0, 0.0, 0.0))
    index = dataset.index("train")
    assert sorted(index.client_ids) == sorted({author for author, _, _ in chat_messages})
    for client in index.client_ids:
        stored = dataset.read_client("train", client)
        times = stored["created"].numpy().tolist()
        assert times == sorted(c for a, _, c in chat_messages if a == client)
        assert sorted(text.decode() for text in stored["text"].numpy()) == sorted(
            t for a, t, _ in chat_messages if a == client
        )


def test_prepared_leaf_comments_keep_only_users_of_leafs_sizes(tmp_path, prepared):
    path = tmp_path / "RC"
    path.write_bytes(
        _lines(
            [_comment("five", f"comment number {n} of a user", n, n) for n in range(5)]
            + [_comment("four", f"comment number {n} of a user", n, 10 + n) for n in range(4)]
        )
    )
    dataset = prepared(
        "reddit_pushshift", path, {"filters": "leaf"}, split_fractions=(1.0, 0.0, 0.0)
    )
    assert list(dataset.index("train").client_ids) == ["five"]


@pytest.mark.parametrize(
    ("raw", "clean"),
    # Expected values: nltk 3.9's TweetTokenizer after LEAF's own steps.
    [
        ("see /r/python and u/bob http://x.y/z?a=1 :)", "see <subreddit> and <user> <url> :)"),
        ("Don't!!!!!! it's 3.14 at 10:30...", "don't ! ! ! it's 3.14 at 10:30 ..."),
        ("(555) 123-4567 **bold** _it_ &gt; $5.00", "(555) 123-4567 * * bold * * _it_ > $ 5.00"),
        ("mail a@b.com #tag @me <3 ---->", "mail a@b.com #tag @me <3 --->"),
        ("caf\u00e9\n\n  na\u00efve", "caf nave"),
        ("youtube.com/watch?v=ofx2odi6uke now", "youtube.com/watch?v=ofx2odi6uke now"),
    ],
)
def test_leafs_cleaning(raw, clean):
    assert text_cleaning.leaf_reddit(raw) == clean
