"""Any dataset of labelled images: the way in for your own data."""

from fed_pretrain.tasks.definition import ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.images import LabelledImages, expected_images

IMAGES = TaskDefinition(
    name="images",
    title="your own labelled images, of any size",
    kind="image",
    expects=expected_images(None, None, None),
    encoder=LabelledImages(),
    models=(
        ModelChoice("edge_cnn", input_size=32),
        ModelChoice("squeezenet1_1", input_size=64, channels=3, start="package:ndf"),
        ModelChoice("resnet18", input_size=64, channels=3),
        ModelChoice(
            "efficientnet_lite0", input_size=64, channels=3, start="package:efficientnet_lite0"
        ),
    ),
    defaults=TaskDefaults(),
)

DEFINITIONS = (IMAGES,)
