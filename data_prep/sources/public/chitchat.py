"""Embedded chat messages by sender: the stand-in for Reddit, not Reddit itself.

Myers, Etchart, Fulda 2020 (BYU PCC lab). A message is a comment, its sender the client, the
conversation's prompt the subreddit and title; the first turn of a conversation is a question,
later ones answers. Times are taken as written; they are probably US Mountain local time.
"""

from collections.abc import Iterator

from data_prep.sources.items import BadRecord, Item, Record
from data_prep.sources.parsing import compressed, fields
from data_prep.sources.parsing.json_files import JsonStream, MalformedJson
from data_prep.sources.source import Source, SourceReader
from data_prep.sources.work_units import WorkUnit, embedded_unit
from data_prep.store.features import FeatureSpec
from groundwork.untyped import Feature

NO_PROMPT = "(no prompt)"
_MESSAGES_A_CONVERSATION = 1 << 16
# Of the one file there is, whose bytes are checked by their hash.
MESSAGES, SENDERS = 258_145, 1_315
_FEATURES = (
    FeatureSpec("text", "text"),
    FeatureSpec("created", "int64"),
    FeatureSpec("prompt", "text"),
    FeatureSpec("kind", "text"),
)


def _read(unit: WorkUnit) -> Iterator[Item]:
    """Messages by sender; a client's order is time, then the file's order."""
    with compressed.open_bytes(unit.path) as file:
        stream = JsonStream(file)
        try:
            for conversation in stream.members():
                yield from _messages(unit.path, conversation, stream.value())
        except MalformedJson as error:
            yield BadRecord("malformed_json", unit.path, None, str(error))


def _messages(path: str, conversation: str, content: Feature) -> Iterator[Item]:
    place = 0
    try:
        prompt = fields.text(content, "prompt", default=NO_PROMPT)
        for turn_number, turn in enumerate(fields.present(content, "messages")):
            for message in turn:
                place += 1
                text = fields.text(message, "text")
                created = fields.time(message, "timestamp")
                features = {
                    "text": text,
                    "created": created,
                    "prompt": prompt,
                    "kind": "answer" if turn_number else "question",
                }
                order = created << 16 | min(place, _MESSAGES_A_CONVERSATION - 1)
                yield Record(fields.text(message, "sender"), None, features, order)
    except (fields.BadField, AttributeError, TypeError) as error:
        reason = getattr(error, "reason", "wrong_type")
        detail = f"conversation {conversation}, message {place}: {error}"
        yield BadRecord(reason, path, None, detail)


SOURCE = Source(
    name="chitchat",
    summary=f"embedded: {MESSAGES:,} chat messages by {SENDERS:,} senders",
    open=lambda pattern, options: SourceReader(
        _FEATURES,
        (embedded_unit("chitchat", MESSAGES),),
        _read,
        extra={"times": "as written, zone uncertain"},
    ),
    needs_input=False,
    clients=SENDERS,
)
