"""Shakespeare's plays by role: the next character."""

import dataclasses

from fed_pretrain.tasks.definition import ExpectedFeature, ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.character_rows import character_rows
from fed_pretrain.tasks.encoders.characters import character_windows

# Ours: a speech has 140 characters on average, each of them a row of the character LSTM.
_WINDOWS = TaskDefaults(
    clients_per_round=10,
    batch_size=64,
    rounds=50,
    evaluate_every=5,
    max_examples=10,
    evaluation_examples=200,
)
_ROWS = dataclasses.replace(_WINDOWS, batch_size=16, max_examples=32, evaluation_examples=2_000)

SHAKESPEARE = TaskDefinition(
    name="shakespeare",
    title="next character of speeches in Shakespeare's plays, by role",
    kind="text",
    expects=(ExpectedFeature("text", "text"),),
    encoder=character_windows,
    models=(
        ModelChoice("char_lstm", start="package:textgenrnn"),
        ModelChoice("char_cnn", encoder=character_rows, defaults=_ROWS),
    ),
    defaults=_WINDOWS,
    prepare={"source": "shakespeare", "partition": "natural"},
)

DEFINITIONS = (SHAKESPEARE,)
