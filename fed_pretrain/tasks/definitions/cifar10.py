"""CIFAR-10, split among clients by a Dirichlet distribution."""

from fed_pretrain.tasks.definition import ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.images import LabelledImages, expected_images

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

CIFAR10 = TaskDefinition(
    name="cifar10",
    title="small colour photos, 10 classes, 32x32, Dirichlet clients",
    kind="image",
    expects=expected_images(32, 32, 3),
    encoder=LabelledImages(CLASSES),
    models=(
        ModelChoice("squeezenet1_1", preprocessing="cifar", start="package:ndf"),
        ModelChoice("squeezenet1_0", preprocessing="cifar"),
        ModelChoice("resnet18", preprocessing="cifar"),
        ModelChoice("resnet20", preprocessing="cifar"),
        ModelChoice(
            "efficientnet_lite0", preprocessing="cifar", start="package:efficientnet_lite0"
        ),
        ModelChoice("edge_cnn", preprocessing="cifar"),
        ModelChoice("small_cnn", preprocessing="cifar"),
        ModelChoice("vgg11", preprocessing="cifar"),
    ),
    # "Where to Begin?": 1000 rounds in the text; batch 32 and 10 of 100 clients in the first
    # author's code. Evaluation: ours.
    defaults=TaskDefaults(clients_per_round=10, batch_size=32, rounds=1000, evaluate_every=20),
)

DEFINITIONS = (CIFAR10,)
