"""Combinations that make no sense, each with the reason."""

from fed_pretrain.algorithms.algorithm_config import AlgorithmConfig
from groundwork.errors import UserError

_OWN_SERVER_SUMS = ("mimelite", "mime", "scaffold", "feddyn")


def check(config: AlgorithmConfig) -> None:
    for reason in _reasons(config):
        raise UserError(reason)


def check_averaging(config: AlgorithmConfig) -> None:
    """Refuses to send moving statistics where they must not or cannot go."""
    if config.private:
        raise UserError(
            "--bn_statistics=average sends statistics that --dp_noise_multiplier does not cover"
        )
    if config.client_update == "mime":
        raise UserError("--bn_statistics=average cannot go with mime, which runs clients twice")


def _reasons(config: AlgorithmConfig) -> list[str]:
    update, found = config.client_update, []
    if update != "proximal" and update != "nova" and config.proximal_strength:
        found.append(
            f"--proximal_strength has no meaning for --client_update={update}; use proximal or nova"
        )
    if update == "nova" and config.proximal_strength and config.client_momentum:
        found.append(
            "FedNova's normaliser is known for momentum or for a proximal term, not for both: "
            "drop --client_momentum or --proximal_strength"
        )
    if config.client_momentum and update in ("scaffold", "mimelite", "mime", "gd", "fedsgd"):
        why = {
            "scaffold": "its control variates take Delta / (K eta) for the mean gradient",
            "mimelite": "its momentum is the server's, held fixed (--server_momentum)",
            "mime": "its momentum is the server's, held fixed (--server_momentum)",
        }.get(update, "it takes a single step")
        found.append(f"--client_momentum cannot go with --client_update={update}: {why}")
    if update in ("gd", "fedsgd", "mime") and (
        config.client_weight_decay or config.client_clip_norm
    ):
        found.append(
            f"--client_weight_decay and --client_clip_norm are not part of {update}; "
            "set --server_weight_decay or --clipping"
        )
    if config.server_momentum and config.server_optimizer != "sgd":
        found.append(
            f"--server_momentum belongs to sgd; {config.server_optimizer} has --server_beta1"
        )
    if update in ("mimelite", "mime") and config.server_optimizer in ("adamw", "lamb"):
        found.append(
            f"{update} holds the optimizer's state fixed and lets it take no weights: "
            f"decoupled decay ({config.server_optimizer}) has no place in it"
        )
    if update == "feddyn" and not config.dyn_alpha:
        found.append("--dyn_alpha=0 divides by zero in FedDyn's server step")
    if update == "feddyn" and config.server_optimizer != "sgd":
        found.append(
            "FedDyn's server step is its own (mean plus drift): "
            f"--server_optimizer={config.server_optimizer} would rescale it; use sgd"
        )
    if config.stateful and config.population < 1:
        found.append(f"--client_update={update} needs the number of training clients")
    if config.late_rounds and update in _OWN_SERVER_SUMS:
        found.append(
            f"late updates of {update} would mix control variates of different rounds: "
            "set --late_rounds=0"
        )
    return found + _private_reasons(config)


def _private_reasons(config: AlgorithmConfig) -> list[str]:
    if not config.private:
        return []
    found = []
    if config.client_update in (*_OWN_SERVER_SUMS, "nova"):
        found.append(
            f"--dp_noise_multiplier covers the update only, but {config.client_update} sends "
            "more than that: it would leak"
        )
    if config.weighting != "uniform":
        found.append("differential privacy bounds each client alike: set --weighting=uniform")
    if config.client_update == "nova_authors":
        found.append("differential privacy weighs clients alike, which undoes nova_authors")
    if config.zeroing or config.clipping:
        found.append(
            "--zeroing and --clipping adapt to norms without noise, which "
            "--dp_noise_multiplier does not account for; --dp_clip_norm clips"
        )
    if config.alignment != "none":
        found.append(
            "alignment sums are exact sums over clients, outside the privacy guarantee: "
            "set --alignment=none"
        )
    if config.clients_per_round < 1:
        found.append("differential privacy needs the number of clients a round")
    return found
