"""Reddit comments by author (LEAF or a pushshift dump): the next word, or the next character."""

import dataclasses

from fed_pretrain.tasks.byte_pairs import BytePairText
from fed_pretrain.tasks.characters import character_windows
from fed_pretrain.tasks.defaults import TaskDefaults
from fed_pretrain.tasks.definition import ExpectedFeature, ModelChoice, TaskDefinition
from fed_pretrain.tasks.word_characters import SpelledWords
from fed_pretrain.tasks.words import Words

# LEAF: sequences of 10 words, a long comment continued in further ones.
WORDS, SUBWORDS = 10, 64

# "Where to Begin?" does not give Reddit's settings: its Stack Overflow ones stand in.
_DEFAULTS = TaskDefaults(
    clients_per_round=10,
    batch_size=16,
    rounds=1050,
    evaluate_every=20,
    max_examples=200,
    evaluation_examples=10_000,
)

REDDIT = TaskDefinition(
    name="reddit",
    title="next word of Reddit comments, by author",
    kind="text",
    expects=(ExpectedFeature("text", "text"),),
    encoder=Words(WORDS, split_long=True),
    models=(
        ModelChoice("word_lstm"),
        ModelChoice(
            "char_cnn_lm",
            encoder=SpelledWords(WORDS, split_long=True),
        ),
        ModelChoice("distilgpt2", encoder=BytePairText(SUBWORDS)),
        ModelChoice("gpt2", encoder=BytePairText(SUBWORDS)),
    ),
    defaults=_DEFAULTS,
)

REDDIT_CHAR = TaskDefinition(
    name="reddit_char",
    title="next character of Reddit comments, by author",
    kind="text",
    expects=(ExpectedFeature("text", "text"),),
    encoder=character_windows,
    models=(ModelChoice("char_lstm", start="package:textgenrnn"),),
    # Windows are many: a comment of 60 characters is 61 rows. Batch and comments: ours.
    defaults=dataclasses.replace(
        _DEFAULTS, batch_size=64, max_examples=50, evaluation_examples=1000
    ),
)

DEFINITIONS = (REDDIT, REDDIT_CHAR)
