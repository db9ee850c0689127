import csv
import json

import py7zr
import pytest
import tensorflow_federated as tff

from data_prep.sources.parsing import text_cleaning
from groundwork.errors import UserError

# Rows as the dump of Stack Overflow writes them (ids and dates of its first posts).
ROWS = [
    '<row Id="4" PostTypeId="1" AcceptedAnswerId="7" CreationDate="2008-07-31T21:42:52.667" '
    'Score="543" ViewCount="5" Body="&lt;p&gt;I want C#, please. Use '
    "&lt;code&gt;double&lt;/code&gt;?&lt;/p&gt;&#xA;&lt;pre&gt;&lt;code&gt;int x;&lt;/code&gt;"
    '&lt;/pre&gt;&lt;p&gt;Don\'t &amp;amp; thanks&lt;/p&gt;" OwnerUserId="8" '
    'LastActivityDate="2019-07-19T01:39:54.173" Title="Convert to vb.net (C#)" '
    'Tags="&lt;c#&gt;&lt;winforms&gt;" AnswerCount="13" ContentLicense="CC BY-SA 3.0" />',
    '<row Id="7" PostTypeId="2" ParentId="4" CreationDate="2018-01-01T00:00:00.000" Score="-2" '
    'Body="&lt;p&gt;See &lt;a href=&quot;http://a.b&quot;&gt;here&lt;/a&gt;: '
    'https://x.y/z?q=1.&lt;/p&gt;" OwnerUserId="20" LastActivityDate="2018-01-01T00:00:00.000" />',
    '<row Id="8" PostTypeId="1" CreationDate="2018-02-01T00:00:00.000" Score="0" '
    'Body="&lt;p&gt;newer tags&lt;/p&gt;" OwnerUserId="9" Title="t" Tags="|c#|java|" />',
    '<row Id="9" PostTypeId="5" CreationDate="2010-01-01T00:00:00.000" Score="0" Body="wiki" '
    'OwnerUserId="1" />',
    '<row Id="10" PostTypeId="2" CreationDate="2010-01-01T00:00:00.000" Score="0" '
    'Body="gone" OwnerDisplayName="user123" />',
    '<row Id="11" PostTypeId="2" CreationDate="2010-01-01T00:00:00.000" Score="0" '
    'Body="all" OwnerUserId="-1" />',
    '<row Id="12" PostTypeId="2" CreationDate="2010-01-01T00:00:00.000" Score="0" '
    'Body="&lt;pre&gt;&lt;code&gt;x&lt;/code&gt;&lt;/pre&gt;" OwnerUserId="3" />',
]
SENTENCES = [
    ("8", "i want c # , please ."),
    ("8", "use double ?"),
    ("8", "don't & thanks"),
    ("20", "see here : <URL>"),
    ("9", "newer tags"),
]


def _posts(rows=ROWS, end="</posts>\n"):
    body = "\n".join(f"  {row}" for row in rows)
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n{body}\n{end}'


@pytest.fixture(params=["xml", "7z"])
def dump(tmp_path, request):
    plain = tmp_path / "Posts.xml"
    plain.write_text(_posts(), encoding="utf-8")
    if request.param == "xml":
        return plain
    packed = tmp_path / "stackoverflow.com-Posts.7z"
    with py7zr.SevenZipFile(packed, "w") as archive:
        archive.write(plain, "Posts.xml")
    return packed


def test_a_dump_gives_cleaned_sentences_by_user(dump, read_source):
    outcome = read_source("stackoverflow_dump", dump)
    assert [(r.client_id, r.features["text"]) for r in outcome.records] == SENTENCES
    assert outcome.bad == []
    assert outcome.dropped == {
        "neither_question_nor_answer": 1,
        "no_owner": 1,
        "owned_by_community": 1,
        "no_text": 1,
    }
    question, answer, newer = (outcome.records[n].features for n in (0, 3, 4))
    assert question["title"] == "convert to vb . net ( c # )"
    assert question["tags"] == "c#|winforms"
    assert newer["tags"] == "c#|java"
    assert (question["kind"], question["score"], question["created"]) == (
        "question",
        543,
        1217540572,
    )
    assert (answer["kind"], answer["score"], answer["title"]) == ("answer", -2, "")
    orders = [r.order for r in outcome.records[:3]]
    assert orders == sorted(set(orders))


def test_whole_posts_and_tffs_splits_are_options(dump, read_source):
    outcome = read_source("stackoverflow_dump", dump, examples="post", splits="tff")
    assert [(r.client_id, r.split) for r in outcome.records] == [
        ("8", "train"),
        ("20", "validation"),
        ("9", "test"),
    ]
    assert outcome.texts[0] == "i want c # , please . use double ? don't & thanks"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('<row Id="4" PostTypeId="1"', "malformed_xml"),
        ("<post/>", "malformed_xml"),
        ('<row PostTypeId="1" CreationDate="2010-01-01" />', "missing_field"),
        ('<row Id="4" PostTypeId="one" CreationDate="2010-01-01" />', "wrong_type"),
        ('<row Id="4" PostTypeId="1" CreationDate="yesterday" />', "wrong_type"),
    ],
)
def test_a_bad_row_is_named(tmp_path, read_source, row, reason):
    path = tmp_path / "Posts.xml"
    path.write_text(_posts([ROWS[0], row, ROWS[1]]), encoding="utf-8")
    outcome = read_source("stackoverflow_dump", path)
    assert [(bad.reason, bad.line) for bad in outcome.bad] == [(reason, 4)]
    assert len(outcome.records) == 4


def test_a_dump_without_its_end_is_noticed(tmp_path, read_source):
    path = tmp_path / "Posts.xml"
    path.write_text(_posts(ROWS[:2], end=""), encoding="utf-8")
    (bad,) = read_source("stackoverflow_dump", path).bad
    assert (bad.reason, bad.line) == ("truncated_file", 4)


@pytest.mark.parametrize("size", [4, 50, 300])
def test_a_plain_dump_is_shared_in_slices(tmp_path, read_source, monkeypatch, size):
    from data_prep.sources.parsing import table_rows

    path = tmp_path / "Posts.xml"
    path.write_text(_posts(), encoding="utf-8")
    whole = read_source("stackoverflow_dump", path)
    units = table_rows.line_units([path], slice_bytes=size)
    monkeypatch.setattr(
        "data_prep.sources.public.stackoverflow_dump.line_units", lambda files: units
    )
    sliced = read_source("stackoverflow_dump", path)
    assert len(sliced.reader.units) >= 5
    assert (sliced.records, sliced.bad, sliced.dropped) == (
        whole.records,
        whole.bad,
        whole.dropped,
    )


EXPORT = [
    {
        "id": 4,
        "title": "Convert",
        "body": "<p>First one. Second one!</p>",
        "creation_date": "2008-07-31 21:42:52.667 UTC",
        "owner_user_id": 8,
        "parent_id": None,
        "post_type_id": 1,
        "score": 543,
        "tags": "c#|winforms",
    },
    {
        "id": 7,
        "title": None,
        "body": '<p>line\nbreak, "quoted"</p>',
        "creation_date": "2008-08-01 00:00:00 UTC",
        "owner_user_id": 9,
        "parent_id": 4,
        "post_type_id": 2,
        "score": 1,
        "tags": None,
    },
    {
        "id": 8,
        "title": None,
        "body": "nobody's",
        "creation_date": "2008-08-01 00:00:00 UTC",
        "owner_user_id": None,
        "parent_id": 4,
        "post_type_id": 2,
        "score": 1,
        "tags": None,
    },
]


def _write_export(path, kind):
    if kind == "csv":
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, EXPORT[0])
            writer.writeheader()
            writer.writerows(EXPORT)
    else:  # BigQuery writes int64 as strings
        rows = [{k: str(v) if isinstance(v, int) else v for k, v in row.items()} for row in EXPORT]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_export_gives_the_same_as_csv_and_as_json_lines(tmp_path, read_source, kind):
    path = tmp_path / f"posts.{kind}"
    _write_export(path, kind)
    outcome = read_source("stackoverflow_export", path)
    assert [(r.client_id, r.features["text"], r.features["kind"]) for r in outcome.records] == [
        ("8", "first one .", "question"),
        ("8", "second one !", "question"),
        ("9", 'line break , " quoted "', "answer"),
    ]
    assert outcome.dropped == {"no_owner": 1}
    assert outcome.records[0].features["tags"] == "c#|winforms"


def test_bad_csv_rows_are_named_with_their_line(tmp_path, read_source):
    path = tmp_path / "posts.csv"
    path.write_text(
        "id,owner_user_id,body,creation_date\n"
        '1,5,"two\nlines",2010-01-01\n'
        "2,5,short\n"
        "x,5,body,2010-01-01\n"
        "3,5,fine,2010-01-01\n"
    )
    outcome = read_source("stackoverflow_export", path)
    assert [(bad.reason, bad.line) for bad in outcome.bad] == [
        ("wrong_columns", 4),
        ("wrong_type", 5),
    ]
    assert outcome.texts == ["two lines", "fine"]


@pytest.mark.parametrize(
    ("raw", "clean"),
    # Expected values: sentences and titles of TFF's own synthetic Stack Overflow data.
    [
        (
            "Iterator pattern in VB.NET (C# would use yield!)",
            "iterator pattern in vb . net ( c # would use yield ! )",
        ),
        ("Writing to /system/framework in emulator", "writing to / system / framework in emulator"),
        (
            "If you&#39;re using SQL 2005 or better this is a nice, simple-ish median calculation "
            "for a single column in a table:",
            "if you're using sql 2005 or better this is a nice , simple-ish median calculation "
            "for a single column in a table :",
        ),
        (
            "which is exactly how you'd  want it to work.",
            "which is exactly how you'd want it to work .",
        ),
        ("caf\u00e9 http://Foo.bar/x?y <b>", "caf <URL> < b >"),
    ],
)
def test_tffs_cleaning(raw, clean):
    assert text_cleaning.stack_overflow(raw) == clean


@pytest.fixture(scope="module")
def tff_sqlite(tmp_path_factory):
    """TFF's synthetic Stack Overflow, written by TFF's own writer."""
    path = tmp_path_factory.mktemp("tff") / "stackoverflow.sqlite"
    data = tff.simulation.datasets.stackoverflow.get_synthetic()
    tff.simulation.datasets.save_to_sql_client_data(
        data.client_ids,
        data.create_tf_dataset_for_client,
        str(path),
        split_names_by_client_id=dict(
            zip(data.client_ids, ("train", "heldout", "test"), strict=True)
        ),
    )
    return path


def test_tffs_sqlite_gives_tffs_own_examples(tff_sqlite, read_source):
    outcome = read_source("stackoverflow_tff", tff_sqlite)
    data = tff.simulation.datasets.stackoverflow.get_synthetic()
    expected = [
        (client, example["tokens"].decode(), int(example["score"]), example["title"].decode())
        for client in data.client_ids
        for example in data.create_tf_dataset_for_client(client).as_numpy_iterator()
    ]
    assert [
        (r.client_id, r.features["text"], r.features["score"], r.features["title"])
        for r in outcome.records
    ] == expected
    assert [r.split for r in outcome.records] == ["train"] * 3 + ["validation"] * 3 + ["test"] * 2
    assert outcome.records[0].features["created"] == 1262943245  # 2010-01-08 09:34:05 UTC
    assert outcome.records[0].features["kind"] == "answer"


def test_prepared_sqlite_keeps_the_published_splits(tff_sqlite, prepared):
    dataset = prepared("stackoverflow_tff", tff_sqlite)
    assert set(dataset.splits) == {"train", "validation", "test"}
    assert list(dataset.index("validation").client_ids) == ["synthetic_2"]


def test_prepared_dump_and_export_are_read(tmp_path, prepared):
    path = tmp_path / "Posts.xml"
    path.write_text(_posts(), encoding="utf-8")
    dataset = prepared("stackoverflow_dump", path, split_fractions=(1.0, 0.0, 0.0))
    texts = dataset.read_client("train", "8")["text"].numpy().tolist()
    assert texts == [b"i want c # , please .", b"use double ?", b"don't & thanks"]


def test_another_database_is_refused(tmp_path, read_source):
    import sqlite3

    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE federated_data (client_id TEXT)")
    connection.close()
    with pytest.raises(UserError, match="schema"):
        read_source("stackoverflow_tff", path)
    path.write_bytes(b"no database")
    with pytest.raises(UserError, match="not an SQLite"):
        read_source("stackoverflow_tff", path)
