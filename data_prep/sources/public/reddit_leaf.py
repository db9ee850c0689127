"""Reddit as LEAF ships it: JSON files of users under train/, val/ and test/.

`num_samples` is not looked at: LEAF writes the count of the whole user into every split.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from data_prep.sources.parsing import fields, json_files
from data_prep.sources.public.reddit_chunks import LENGTH, rejoined
from data_prep.sources.public.reddit_pushshift import CHUNK_FEATURES, COMMENT_FEATURES
from data_prep.sources.source import BadRecord, Item, Record, Source, SourceOption, WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Feature, Json


@dataclasses.dataclass(frozen=True)
class RedditLeafReader:
    """Comments, or their ten-token chunks, of LEAF's JSON files."""

    work: tuple[WorkUnit, ...]
    chunked: bool
    features: tuple[FeatureSpec, ...]
    extra: Mapping[str, Json]
    label_names: tuple[str, ...] | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        return json_files.splits_of(self.work)

    def units(self) -> list[WorkUnit]:
        return list(self.work)

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        for user in json_files.users(unit.path):
            if isinstance(user, BadRecord):
                yield user
                continue
            for number, (sequences, about) in enumerate(zip(user.x, user.y, strict=True)):
                try:
                    yield from self._records(unit, user.id, sequences, about, number)
                except fields.BadField as error:
                    detail = f"user {user.id!r}, comment {number + 1}: {error}"
                    yield BadRecord(error.reason, unit.path, None, detail)

    def _records(
        self, unit: WorkUnit, user: str, sequences: Feature, about: Feature, number: int
    ) -> Iterator[Record]:
        _check_tokens(sequences, "x")
        if not isinstance(about, dict):
            raise fields.BadField("wrong_type", "its y is not an object")
        created = fields.time(about, "created_utc")
        features = {
            "created": created,
            "subreddit": fields.text(about, "subreddit", default=""),
            "score": fields.integer(about, "score", default=0),
        }
        order = created << 26 | min(number, 8191) << 13
        if not self.chunked:
            features["text"] = fields.encodable(rejoined(sequences))
            yield Record(user, unit.split, features, order)
            return
        targets = fields.present(about, "target_tokens")
        _check_tokens(targets, "target_tokens")
        if len(targets) != len(sequences):
            raise fields.BadField("wrong_type", "x and target_tokens differ in length")
        for part, (tokens, target) in enumerate(zip(sequences, targets, strict=True)):
            texts = {"text": " ".join(tokens), "target": " ".join(target), "chunk": part}
            yield Record(user, unit.split, {**features, **texts}, order | min(part, 8191))


def _check_tokens(sequences: Feature, name: str) -> None:
    if not isinstance(sequences, list) or not sequences or not all(map(_is_ten, sequences)):
        raise fields.BadField("wrong_type", f"its {name} is no list of sequences of 10 tokens")


def _is_ten(tokens: Feature) -> bool:
    return (
        isinstance(tokens, list)
        and len(tokens) == LENGTH
        and all(isinstance(token, str) for token in tokens)
    )


def open_leaf(pattern: str, options: Mapping[str, str]) -> RedditLeafReader:
    chunked = options["examples"] == "chunk"
    units = json_files.split_units(pattern)
    if not units:
        raise UserError(f"--input={pattern}: no .json file")
    return RedditLeafReader(
        work=tuple(units),
        chunked=chunked,
        features=CHUNK_FEATURES if chunked else COMMENT_FEATURES,
        extra={"examples": options["examples"], "cleaning": "leaf"},
    )


SOURCE = Source(
    name="reddit_leaf",
    summary="Reddit comments from LEAF's JSON files, by author",
    open=open_leaf,
    input_summary="LEAF's data folder (train/, val/, test/) or .json files",
    options=(
        SourceOption(
            "examples",
            "a whole comment, or each of LEAF's 10-token chunks, as one example",
            default="comment",
            choices=("comment", "chunk"),
        ),
    ),
    splits=("train", "validation", "test"),
)
