"""TinyImageNet: 200 classes of ImageNet at 64x64, split by a Dirichlet distribution."""

from fed_pretrain.tasks.defaults import TaskDefaults
from fed_pretrain.tasks.definition import ModelChoice, TaskDefinition
from fed_pretrain.tasks.images import LabelledImages, expected_images

TINY_IMAGENET = TaskDefinition(
    name="tiny_imagenet",
    title="photos of 200 ImageNet classes, 64x64, Dirichlet clients",
    kind="image",
    expects=expected_images(64, 64, 3),
    # The manifest names the classes by their wnid, which is how an ImageNet head is sliced.
    encoder=LabelledImages(),
    models=(
        ModelChoice("resnet18", preprocessing="imagenet_torch"),
        ModelChoice("squeezenet1_1", preprocessing="imagenet_torch", start="package:ndf"),
        ModelChoice("squeezenet1_0", preprocessing="imagenet_torch"),
        ModelChoice(
            "efficientnet_lite0", preprocessing="imagenet_torch", start="package:efficientnet_lite0"
        ),
        ModelChoice("vgg11", preprocessing="imagenet_torch"),
    ),
    # "Initialization Matters" uses ResNet18 on it; its settings are not known. Ours: as CIFAR-10.
    defaults=TaskDefaults(clients_per_round=10, batch_size=32, rounds=1000, evaluate_every=20),
)

DEFINITIONS = (TINY_IMAGENET,)
