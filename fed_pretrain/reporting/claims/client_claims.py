"""A claim about single clients: whether a start leaves some of them behind."""

from fed_pretrain.reporting.claims.claim import MARGIN, Claim
from fed_pretrain.reporting.claims.update_claims import beside_like
from fed_pretrain.reporting.results import Run

SHARED = "eval_clients_accuracy"
"""The columns of the shared model on every client by itself."""


def gap(run: Run) -> float:
    """How far the worst tenth of the clients is below their mean at the end."""
    return run.last(f"{SHARED}_mean") - run.last(f"{SHARED}_worst_decile")


CLIENT_GAP = Claim(
    "client_gap",
    "Fewer clients left behind",
    "The worst tenth of the clients is nearer to their mean from a pre-trained start.",
    "ours",
    "mean accuracy of the clients less that of their worst tenth, random minus pre-trained",
    beside_like(gap, -1.0, MARGIN),
)
