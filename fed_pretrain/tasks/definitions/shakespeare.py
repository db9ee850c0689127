"""Shakespeare's plays by role: the next character."""

from fed_pretrain.tasks.definition import ExpectedFeature, ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.characters import character_windows

SHAKESPEARE = TaskDefinition(
    name="shakespeare",
    title="next character of speeches in Shakespeare's plays, by role",
    kind="text",
    expects=(ExpectedFeature("text", "text"),),
    encoder=character_windows,
    models=(ModelChoice("char_lstm", start="package:textgenrnn"),),
    # Ours: a speech has 140 characters on average, each of them a row.
    defaults=TaskDefaults(
        clients_per_round=10,
        batch_size=64,
        rounds=50,
        evaluate_every=5,
        max_examples=10,
        evaluation_examples=200,
    ),
    prepare={"source": "shakespeare", "partition": "natural"},
)

DEFINITIONS = (SHAKESPEARE,)
