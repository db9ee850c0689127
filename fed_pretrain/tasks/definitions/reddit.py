"""Reddit comments by author (LEAF or a pushshift dump)."""

from fed_pretrain.tasks.definitions.posts import next_character, next_word

_WHAT = "Reddit comments, by author"

DEFINITIONS = (
    # LEAF: sequences of 10 words, a long comment continued in further ones.
    next_word("reddit", _WHAT, words=10, split_long=True),
    next_character("reddit_char", _WHAT),
)
