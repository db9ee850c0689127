"""Chat messages by sender: the next character, the next word, or which prompt they answer."""

import dataclasses

from data_prep.store.reader import PreparedDataset
from fed_pretrain.clients.encoder import as_texts
from fed_pretrain.tasks.definition import ExpectedFeature, ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.character_rows import character_rows
from fed_pretrain.tasks.encoders.characters import character_windows
from fed_pretrain.tasks.encoders.text_labels import LabelledTexts, Labels
from fed_pretrain.tasks.encoders.word_characters import SpelledWords
from fed_pretrain.tasks.encoders.words import Words

# A message has 9.6 words on average, 128 at most.
WORDS, LABELLED_WORDS = 20, 32
MISSING_PROMPTS = {"", "(no prompt)"}

# Ours. A message of 48 characters is 49 windows of the character LSTM, one row of the others.
_CHARACTERS = TaskDefaults(
    clients_per_round=10,
    batch_size=64,
    rounds=50,
    evaluate_every=5,
    max_examples=20,
    evaluation_examples=500,
)
_MESSAGES = dataclasses.replace(
    _CHARACTERS, batch_size=16, max_examples=100, evaluation_examples=5_000
)
_ROWS = dataclasses.replace(_MESSAGES, max_examples=32, evaluation_examples=2_000)

# The word models read the most frequent words of the training messages; a public vocabulary
# (--vocabulary=glove) needs the large packages.
PREPARE = {"source": "chitchat", "partition": "natural", "vocabulary": "count:10000"}

CHITCHAT = TaskDefinition(
    name="chitchat",
    title="next character (or word) of chat messages, by sender",
    kind="text",
    expects=(ExpectedFeature("text", "text"),),
    encoder=character_windows,
    models=(
        ModelChoice("char_lstm", start="package:textgenrnn"),
        ModelChoice("char_cnn", encoder=character_rows, defaults=_ROWS),
        ModelChoice("word_lstm", encoder=Words(WORDS), defaults=_MESSAGES),
        ModelChoice("char_cnn_lm", encoder=SpelledWords(WORDS), defaults=_MESSAGES),
    ),
    defaults=_CHARACTERS,
    prepare=PREPARE,
)


def prompt_labels(dataset: PreparedDataset) -> Labels:
    """The prompts the manifest lists, otherwise those that occur; a missing one has no label."""
    listed = dataset.manifest.extra.get("prompts")
    if listed is None:
        listed = {
            prompt
            for split in dataset.splits
            for client_id in dataset.index(split).client_ids
            for prompt in as_texts(dataset.read_client(split, client_id)["prompt"])
        }
    return Labels("prompt", tuple(sorted(set(listed) - MISSING_PROMPTS)), numbered=False)


_LABELLED = LabelledTexts(prompt_labels, LABELLED_WORDS)

CHITCHAT_PROMPT = TaskDefinition(
    name="chitchat_prompt",
    title="which of the prompts a chat message answers, by sender",
    kind="text",
    expects=(ExpectedFeature("text", "text"), ExpectedFeature("prompt", "text")),
    encoder=_LABELLED.hashed,
    models=_LABELLED.models(),
    defaults=_MESSAGES,
    prepare=PREPARE,
)

DEFINITIONS = (CHITCHAT, CHITCHAT_PROMPT)
