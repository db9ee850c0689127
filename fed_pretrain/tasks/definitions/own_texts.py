"""Any dataset of texts: the way in for your own, to classify or to continue."""

import dataclasses

from data_prep.store.reader import PreparedDataset
from fed_pretrain.tasks.definition import ExpectedFeature, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.definitions import posts
from fed_pretrain.tasks.encoders.images import class_names
from fed_pretrain.tasks.encoders.text_labels import LabelledTexts, Labels

WORDS = 20
_CLASSIFIED_WORDS = 64

# Ours: small enough for a first look on a laptop.
_TEXTS = TaskDefaults(
    clients_per_round=10,
    batch_size=16,
    rounds=50,
    evaluate_every=5,
    max_examples=100,
    evaluation_examples=5_000,
)
# A text is as many windows as it has characters.
_WINDOWS = dataclasses.replace(_TEXTS, batch_size=64, max_examples=20, evaluation_examples=500)


def labels(dataset: PreparedDataset) -> Labels:
    return Labels("label", class_names(dataset), numbered=True)


_LABELLED = LabelledTexts(labels, _CLASSIFIED_WORDS)

TEXT_CLASSIFICATION = TaskDefinition(
    name="text_classification",
    title="your own labelled texts",
    kind="text",
    expects=(ExpectedFeature("text", "text"), ExpectedFeature("label", "int64")),
    encoder=_LABELLED.hashed,
    models=_LABELLED.models(),
    defaults=_TEXTS,
)

NEXT_WORD = dataclasses.replace(
    posts.next_word("next_word", "your own texts", words=WORDS), defaults=_TEXTS
)
NEXT_CHARACTER = dataclasses.replace(
    posts.next_character("next_character", "your own texts", rows=_TEXTS), defaults=_WINDOWS
)

DEFINITIONS = (TEXT_CLASSIFICATION, NEXT_WORD, NEXT_CHARACTER)
