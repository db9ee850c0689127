"""FEMNIST: handwritten characters by writer (LEAF, NIST SD19 or TFF's EMNIST)."""

import string

from fed_pretrain.tasks.definition import ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.images import LabelledImages, expected_images

CHARACTERS = tuple(string.digits + string.ascii_uppercase + string.ascii_lowercase)

FEMNIST = TaskDefinition(
    name="femnist",
    title="handwritten digits and letters by writer, 62 classes, 28x28",
    kind="image",
    expects=expected_images(28, 28, 1),
    encoder=LabelledImages(CHARACTERS),
    models=(
        ModelChoice("edge_cnn", preprocessing="mnist"),
        ModelChoice("emnist_cnn", preprocessing="unit"),
        # Both papers' models need more than 28 pixels and three channels.
        ModelChoice("squeezenet1_0", preprocessing="mnist", input_size=32, channels=3),
        ModelChoice(
            "squeezenet1_1", preprocessing="mnist", input_size=32, channels=3, start="package:ndf"
        ),
        ModelChoice("resnet18", preprocessing="mnist", input_size=32, channels=3),
        ModelChoice(
            "efficientnet_lite0",
            preprocessing="mnist",
            input_size=32,
            channels=3,
            start="package:efficientnet_lite0",
        ),
    ),
    # "Where to Begin?": 1082 rounds in the text; batch 10 and 5 clients in its released config.
    # Evaluation: ours.
    defaults=TaskDefaults(
        clients_per_round=5,
        batch_size=10,
        rounds=1082,
        evaluate_every=20,
        evaluation_examples=10_000,
    ),
    background=255,
)

DEFINITIONS = (FEMNIST,)
