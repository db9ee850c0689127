"""Stack Overflow's sentences by user: the next word, or the next character."""

import dataclasses

from fed_pretrain.tasks.byte_pairs import BytePairText
from fed_pretrain.tasks.characters import character_windows
from fed_pretrain.tasks.defaults import TaskDefaults
from fed_pretrain.tasks.definition import ExpectedFeature, ModelChoice, TaskDefinition
from fed_pretrain.tasks.word_characters import SpelledWords
from fed_pretrain.tasks.words import Words

# TFF's Stack Overflow baseline: sequences of 20 words. The release of "Where to Begin?" gives
# DistilGPT2 64 subwords.
WORDS, SUBWORDS = 20, 64

# "Where to Begin?": 1050 rounds in the text; batch 16, 10 clients and at most 200 sentences a user
# in its released config. 10,000 evaluation sentences: TFF's baseline.
_DEFAULTS = TaskDefaults(
    clients_per_round=10,
    batch_size=16,
    rounds=1050,
    evaluate_every=20,
    max_examples=200,
    evaluation_examples=10_000,
)

STACKOVERFLOW = TaskDefinition(
    name="stackoverflow",
    title="next word of Stack Overflow sentences, by user",
    kind="text",
    expects=(ExpectedFeature("text", "text"),),
    encoder=Words(WORDS),
    models=(
        ModelChoice("word_lstm"),
        ModelChoice("char_cnn_lm", encoder=SpelledWords(WORDS)),
        ModelChoice("distilgpt2", encoder=BytePairText(SUBWORDS)),
        ModelChoice("gpt2", encoder=BytePairText(SUBWORDS)),
    ),
    defaults=_DEFAULTS,
)

STACKOVERFLOW_CHAR = TaskDefinition(
    name="stackoverflow_char",
    title="next character of Stack Overflow sentences, by user",
    kind="text",
    expects=(ExpectedFeature("text", "text"),),
    encoder=character_windows,
    models=(ModelChoice("char_lstm", start="package:textgenrnn"),),
    # Windows are many: a sentence of 60 characters is 61 rows. Batch and sentences: ours.
    defaults=dataclasses.replace(
        _DEFAULTS, batch_size=64, max_examples=50, evaluation_examples=1000
    ),
)

DEFINITIONS = (STACKOVERFLOW, STACKOVERFLOW_CHAR)
