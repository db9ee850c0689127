import io
import json

import pytest

from data_prep.sources.parsing import json_files
from data_prep.sources.parsing.json_files import JsonStream, MalformedJson
from groundwork import embedded_packages

DOCUMENT = {
    "users": ["a", 'q"uote', "back\\"],
    "empty": [{}, [], ""],
    "numbers": [1, -2.5e3, True, None],
    "user_data": {"ä€𝄞": {"x": [[0.5, 1], [2]], "y": ["]}", "{["]}, 'q"uote': {}},
}


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_walk_gives_what_json_gives_however_the_bytes_arrive(monkeypatch, chunk, indent):
    monkeypatch.setattr(json_files, "_CHUNK", chunk)
    content = json.dumps(DOCUMENT, indent=indent, ensure_ascii=False).encode()
    stream = JsonStream(io.BytesIO(content))
    read = {}
    for key in stream.members():
        if key == "user_data":
            read[key] = {user: stream.value() for user in stream.members()}
        else:
            read[key] = stream.value()
    stream.finish()
    assert read == DOCUMENT


def test_skipping_passes_over_a_value():
    stream = JsonStream(io.BytesIO(b'{"a": {"b": "}"}, "c": 3}'))
    for key in stream.members():
        if key == "a":
            stream.value()
        else:
            assert (key, stream.value()) == ("c", 3)


@pytest.mark.parametrize(
    "content", [b'{"a": [1, 2', b'{"a" 1}', b'{"a": 1,}', b"[1]", b"", b'{"a": "x', b'{"a": }']
)
def test_malformed_documents_are_refused(content):
    def walk():
        stream = JsonStream(io.BytesIO(content))
        for _ in stream.members():
            stream.value()

    with pytest.raises(MalformedJson, match="near character"):
        walk()


def test_text_after_the_document_is_refused():
    stream = JsonStream(io.BytesIO(b"{} {}"))
    assert list(stream.members()) == []
    with pytest.raises(MalformedJson, match="follows"):
        stream.finish()


def test_of_forty_real_megabytes_only_a_few_are_held_at_once():
    path = embedded_packages.path("chitchat")
    held = []
    with open(path, "rb") as file:
        stream = JsonStream(file)
        for _ in stream.members():
            stream.value()
            held.append(len(stream._text))
    assert len(held) == 7168
    assert max(held) < 5 << 20
    assert path.stat().st_size > 40_000_000
