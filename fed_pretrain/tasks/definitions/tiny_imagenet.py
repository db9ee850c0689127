"""TinyImageNet: 200 classes of ImageNet at 64x64, split by a Dirichlet distribution."""

import dataclasses

from data_prep.store.reader import PreparedDataset
from fed_pretrain.tasks.definition import ModelChoice, TaskDefaults, TaskDefinition, TaskOptions
from fed_pretrain.tasks.encoders.images import ImageEncoder, LabelledImages, expected_images


def images_by_wordnet_id(dataset: PreparedDataset, options: TaskOptions) -> ImageEncoder:
    """Classes named by WordNet id, by which an ImageNet head is sliced."""
    encoder = LabelledImages()(dataset, options)
    wnids = dataset.manifest.extra.get("wnids")
    return encoder if wnids is None else dataclasses.replace(encoder, label_names=tuple(wnids))


TINY_IMAGENET = TaskDefinition(
    name="tiny_imagenet",
    title="photos of 200 ImageNet classes, 64x64, Dirichlet clients",
    kind="image",
    expects=expected_images(64, 64, 3),
    encoder=images_by_wordnet_id,
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
