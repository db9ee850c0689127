"""Who takes part: one module each, run in its own process by the Python of its environment."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Contestant:
    title: str
    packages: tuple[str, ...]
    """The last is what computes."""
    environment: str = ""
    """Its name in .cache; empty: that of the project."""


OURS = "ours"
CONTESTANTS = {
    OURS: Contestant("fed_pretrain", ("tensorflow-federated", "tensorflow")),
    "tensorflow_loop": Contestant("bare TensorFlow loop", ("tensorflow",)),
    "torch_loop": Contestant("bare PyTorch loop", ("torch",), "peer-flower"),
    "blazefl": Contestant("BlazeFL", ("blazefl", "torch"), "peer-blazefl"),
    "fluke": Contestant("fluke", ("fluke-fl", "torch"), "peer-fluke"),
    "pfl": Contestant("pfl", ("pfl", "torch"), "peer-pfl"),
    "flower": Contestant("Flower", ("flwr", "ray", "torch"), "peer-flower"),
    "stock_tff": Contestant("stock TFF", ("tensorflow-federated", "tensorflow")),
    "fedjax": Contestant("FedJAX", ("fedjax", "jax"), "peer-fedjax"),
}
SMOKE = (OURS, "tensorflow_loop")
