"""Questions and answers, whatever file they come from, as sentences (or whole posts) by user."""

import dataclasses
import re
from collections.abc import Iterator, Mapping

from data_prep.sources.parsing import fields, text_cleaning
from data_prep.sources.source import Dropped, Item, Record, SourceOption
from data_prep.store.features import FeatureSpec

FEATURES = (
    FeatureSpec("text", "text"),
    FeatureSpec("created", "int64"),
    FeatureSpec("score", "int64"),
    FeatureSpec("tags", "text"),
    FeatureSpec("title", "text"),
    FeatureSpec("kind", "text"),
)
SPLITS = ("train", "validation", "test")
KINDS = {1: "question", 2: "answer"}
COMMUNITY = -1
HELD_OUT_EVERY = 10
TEST_FROM = 1_514_764_800  # 2018-01-01 UTC
_MOST_SENTENCES = 1 << 16
_TAG = re.compile(r"[^<>|]+")

OPTIONS = (
    SourceOption(
        "examples",
        "a sentence (as TFF) or a whole post as one example",
        default="sentence",
        choices=("sentence", "post"),
    ),
    SourceOption(
        "splits",
        "tff: validation = users whose id ends in 0, test = since 2018-01-01, train = the rest; "
        "none: left to the partition",
        default="none",
        choices=("none", "tff"),
    ),
)


@dataclasses.dataclass(frozen=True)
class Post:
    number: int
    kind: int
    owner: int | None
    created: int
    score: int
    title: str
    tags: str
    body: str


def extra(options: Mapping[str, str]) -> dict[str, str]:
    return {"cleaning": "tff_stack_overflow", **options}


def items(post: Post, options: Mapping[str, str]) -> Iterator[Item]:
    """The post's examples; those that no user wrote are left out and counted."""
    if post.kind not in KINDS:
        yield Dropped("neither_question_nor_answer")
        return
    if post.owner is None:
        yield Dropped("no_owner")
        return
    if post.owner == COMMUNITY:
        yield Dropped("owned_by_community")
        return
    texts = text_cleaning.sentences(post.body)
    if options["examples"] == "post" and texts:
        texts = [" ".join(texts)]
    if not texts:
        yield Dropped("no_text")
        return
    about = {
        "created": post.created,
        "score": post.score,
        "tags": "|".join(_TAG.findall(post.tags)),
        "title": text_cleaning.stack_overflow(post.title),
        "kind": KINDS[post.kind],
    }
    split = _split(post) if options["splits"] == "tff" else None
    for place, text in enumerate(texts):
        order = post.number * _MOST_SENTENCES + min(place, _MOST_SENTENCES - 1)
        yield Record(str(post.owner), split, {"text": text, **about}, order)


def _split(post: Post) -> str:
    if post.owner is not None and post.owner % HELD_OUT_EVERY == 0:
        return "validation"
    return "test" if post.created >= TEST_FROM else "train"


def checked_number(number: int) -> int:
    if not 0 <= number < 1 << 46:
        raise fields.BadField("wrong_type", f"the post's id {number} is out of range")
    return number
