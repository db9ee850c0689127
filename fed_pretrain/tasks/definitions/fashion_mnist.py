"""Fashion-MNIST in CIFAR-10's role: ten balanced classes, split by a Dirichlet distribution."""

from fed_pretrain.tasks.definition import ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.images import LabelledImages, expected_images, numbered

FASHION_MNIST = TaskDefinition(
    name="fashion_mnist",
    title="grey photos of clothing, 10 classes, 28x28, in CIFAR-10's role",
    kind="image",
    expects=expected_images(28, 28, 1),
    encoder=LabelledImages(numbered(10)),
    models=(
        ModelChoice("edge_cnn"),
        ModelChoice("emnist_cnn"),
        ModelChoice("small_cnn"),
        ModelChoice("squeezenet1_1", input_size=32, channels=3, start="package:ndf"),
        ModelChoice("squeezenet1_0", input_size=32, channels=3),
        ModelChoice("resnet18", input_size=32, channels=3),
        ModelChoice("resnet20"),
        ModelChoice("resnet8"),
        ModelChoice(
            "efficientnet_lite0", input_size=32, channels=3, start="package:efficientnet_lite0"
        ),
        ModelChoice("vgg11", input_size=32, channels=3),
    ),
    # The CIFAR-10 settings of "Where to Begin?" (see cifar10.py), fewer rounds: ours.
    defaults=TaskDefaults(clients_per_round=10, batch_size=32, rounds=200, evaluate_every=10),
    # 100 clients and alpha 0.1: as the paper's CIFAR-10.
    prepare={"source": "fashion_mnist", "partition": "dirichlet", "num_clients": 100, "alpha": 0.1},
)

DEFINITIONS = (FASHION_MNIST,)
