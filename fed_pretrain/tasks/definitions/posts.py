"""What people write on a site, by author: the next word, and the next character.

For both tasks of "Where to Begin?": its text models, and the settings it gives for Stack Overflow,
which are used for Reddit too, since the paper gives none for it.
"""

import dataclasses

from fed_pretrain.tasks.definition import ExpectedFeature, ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.byte_pairs import BytePairText
from fed_pretrain.tasks.encoders.character_rows import character_rows
from fed_pretrain.tasks.encoders.characters import character_windows
from fed_pretrain.tasks.encoders.word_characters import SpelledWords
from fed_pretrain.tasks.encoders.words import Words

# The release gives DistilGPT2 64 subwords.
SUBWORDS = 64

# "Where to Begin?": 1050 rounds in the text; batch 16, 10 clients and at most 200 sentences a user
# in its released config. 10,000 evaluation sentences: TFF's baseline.
_WORDS = TaskDefaults(
    clients_per_round=10,
    batch_size=16,
    rounds=1050,
    evaluate_every=20,
    max_examples=200,
    evaluation_examples=10_000,
)
# Windows are many: a text of 60 characters is 61 rows. Batch and texts: ours.
_CHARACTERS = dataclasses.replace(_WORDS, batch_size=64, max_examples=50, evaluation_examples=1000)


def next_word(name: str, what: str, words: int, split_long: bool = False) -> TaskDefinition:
    """`words`: of a sequence; a longer text is cut there, or goes on in further sequences."""
    return TaskDefinition(
        name=name,
        title=f"next word of {what}",
        kind="text",
        expects=(ExpectedFeature("text", "text"),),
        encoder=Words(words, split_long=split_long),
        models=(
            ModelChoice("word_lstm"),
            ModelChoice("char_cnn_lm", encoder=SpelledWords(words, split_long=split_long)),
            ModelChoice("distilgpt2", encoder=BytePairText(SUBWORDS)),
            ModelChoice("gpt2", encoder=BytePairText(SUBWORDS)),
        ),
        defaults=_WORDS,
    )


def next_character(name: str, what: str, rows: TaskDefaults = _WORDS) -> TaskDefinition:
    """`rows`: the defaults of a model that reads a text as one row."""
    return TaskDefinition(
        name=name,
        title=f"next character of {what}",
        kind="text",
        expects=(ExpectedFeature("text", "text"),),
        encoder=character_windows,
        models=(
            ModelChoice("char_lstm", start="package:textgenrnn"),
            ModelChoice("char_cnn", encoder=character_rows, defaults=rows),
        ),
        defaults=_CHARACTERS,
    )
