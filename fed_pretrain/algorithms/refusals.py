"""Combinations that make no sense, each with the reason."""

from fed_pretrain.algorithms import accountants, known_server_optimizers
from fed_pretrain.algorithms.algorithm_config import (
    HEAD_SETTINGS,
    KEPT,
    SECURE_RANGE,
    AlgorithmConfig,
    ResolvedAlgorithm,
)
from fed_pretrain.algorithms.client_updates import known_updates, local_optimizers
from fed_pretrain.algorithms.client_updates.client_update import ClientUpdate
from groundwork.errors import UserError

# Whoever asks for privacy gets these without asking.
SET_BY_PRIVACY = {"weighting": "uniform", "alignment": "none"}


def check(config: ResolvedAlgorithm) -> None:
    for reason in _reasons(config):
        raise UserError(reason)


def check_averaging(config: ResolvedAlgorithm) -> None:
    """Refuses to send moving statistics where they must not or cannot go."""
    if config.private:
        raise UserError(
            "--bn_statistics=average sends statistics that --dp_noise_multiplier does not cover"
        )
    update = known_updates.named(config.client_update)
    if update.two_passes:
        raise UserError(
            f"--bn_statistics=average cannot go with {update.name}, which runs clients twice"
        )


def check_correction(config: ResolvedAlgorithm) -> None:
    """Refuses what hides each client's adapters from the server, or moves the model otherwise."""
    update = known_updates.named(config.client_update)
    hidden = {
        "--secure_aggregation": config.secure_aggregation,
        "--dp_noise_multiplier": config.private,
        "--clipping": config.clipping,
        "--zeroing": config.zeroing,
        f"--compression={config.compression}": config.compression != "none",
        "--late_rounds": bool(config.late_rounds),
    }
    for flag in (flag for flag, given in hidden.items() if given):
        raise UserError(
            f"--lora_average=fedex needs the adapters of each client as they are, at the same"
            f" model: {flag} does not let the server see them; use --lora_average=ffa, whose mean"
            " is exact with it"
        )
    purpose = "--lora_average=fedex makes the model the mean of the clients' models:"
    if update.servers_own or update.scaled:
        raise UserError(f"{purpose} --client_update={update.name} makes it another; use ffa")
    takes_the_mean = config.server_optimizer == "sgd" and config.server_learning_rate == 1.0
    if not takes_the_mean or config.server_momentum or config.server_weight_decay:
        raise UserError(
            f"{purpose} it needs --server_optimizer=sgd with --server_learning_rate=1, no momentum"
            " and no decay; with other servers use ffa"
        )
    if config.server_schedule != "constant":
        raise UserError(f"{purpose} it needs --server_schedule=constant; with others use ffa")


def _reasons(config: ResolvedAlgorithm) -> list[str]:
    update = known_updates.named(config.client_update)
    optimizer = known_server_optimizers.named(config.server_optimizer)
    found = _not_understood(config, update) + update.refusals(config)
    if config.client_momentum and update.no_momentum:
        found.append(
            f"--client_momentum cannot go with --client_update={update.name}: {update.no_momentum}"
        )
    if update.own_gradient_steps and (config.client_weight_decay or config.client_clip_norm):
        instead = "" if update.own_server_sums else " or --clipping"
        found.append(
            f"--client_weight_decay and --client_clip_norm are not part of {update.name}; "
            f"set --server_weight_decay{instead}"
        )
    found += _schedules_without_length(config)
    found += _of_the_head(config, update) + _of_local_steps(config, update)
    found += _of_personal_layers(config, update)
    if config.server_momentum and not optimizer.takes_momentum:
        found.append(f"--server_momentum belongs to sgd; {optimizer.name} has --server_beta1")
    if update.holds_server_optimizer and optimizer.decoupled_decay:
        found.append(
            f"{update.name} holds the optimizer's state fixed and lets it take no weights: "
            f"decoupled decay ({optimizer.name}) has no place in it"
        )
    if update.keeps_state and not config.population_weight:
        what = "number" if config.weighting == "uniform" else "rows"
        found.append(f"--client_update={update.name} needs the {what} of all training clients")
    if config.late_rounds and update.own_server_sums:
        found.append(
            f"late updates of {update.name} would mix control variates of different rounds: "
            "set --late_rounds=0"
        )
    for flag in ("zeroing", "clipping", "secure_aggregation"):
        if (update.own_server_sums or update.scaled) and getattr(config, flag):
            found.append(
                f"--{flag} covers the mean update, not the sums that {update.name} takes beside "
                f"it: leave out --{flag}"
            )
    reach = config.secure_bound * config.most_clients * (1 + config.late_rounds)
    if config.secure_aggregation and reach >= SECURE_RANGE:
        found.append(
            f"secure sums hold values below {SECURE_RANGE:.0f}, but {config.most_clients} "
            f"clients a round may add up to {reach:.0f}: lower --secure_bound"
        )
    return found + (_private_reasons(config, update) if config.private else [])


def _schedules_without_length(config: ResolvedAlgorithm) -> list[str]:
    """What is wrong with schedules that do not know how long they take."""
    lengths = {
        "cosine": ("--schedule_rounds (or --rounds)", config.schedule_rounds or config.rounds),
        "step": ("--schedule_step_rounds", config.schedule_step_rounds),
        "warmup": ("--warmup_rounds", config.warmup_rounds),
    }
    found = []
    for flag in ("client_schedule", "head_schedule", "server_schedule"):
        kind = getattr(config, flag)
        needs, given = lengths.get(kind, ("", 1))
        if not given:
            found.append(f"--{flag}={kind} needs {needs}")
    return found


def _of_the_head(config: ResolvedAlgorithm, update: type[ClientUpdate]) -> list[str]:
    found = []
    if config.moves_head_apart and update.one_rate:
        found.append(
            f"{HEAD_SETTINGS} cannot go with --client_update={update.name}: {update.one_rate}"
        )
    still = "would move the rest of the model in the rounds of --head_rounds: train the head by "
    still += "--trainable=head first and start another run from it"
    if config.head_rounds and config.server_weight_decay:
        found.append(f"--server_weight_decay {still}")
    if config.head_rounds and config.private:
        found.append(f"the noise of --dp_noise_multiplier {still}")
    return found


def _of_local_steps(config: ResolvedAlgorithm, update: type[ClientUpdate]) -> list[str]:
    optimizer, found = local_optimizers.named(config.client_optimizer), []
    if optimizer.scale_free and config.client_momentum:
        found.append(f"--client_momentum belongs to sgd; {optimizer.name} has --client_beta1")
    chosen = optimizer.scale_free or config.client_optimizer_state == KEPT
    if chosen and (update.no_momentum or update.scaled):
        reason = update.no_momentum or "its normaliser is known for plain and momentum steps alone"
        found.append(
            f"--client_optimizer={optimizer.name} and --client_optimizer_state="
            f"{config.client_optimizer_state} cannot go with {update.name}: {reason}"
        )
    if config.client_optimizer_state == KEPT and not (
        optimizer.scale_free or config.client_momentum
    ):
        found.append("--client_optimizer_state=kept: plain sgd has no state to keep")
    return found


def _of_personal_layers(config: ResolvedAlgorithm, update: type[ClientUpdate]) -> list[str]:
    if not config.personalised:
        return ["--personal_steps needs --personal"] if config.personal_steps else []
    found = []
    if update.own_server_sums or update.keeps_state or update.no_momentum:
        found.append(
            f"--personal cannot go with --client_update={update.name}, which sends sums of every "
            "layer or takes no local steps"
        )
    if config.private:
        found.append(
            "--personal: the noise of --dp_noise_multiplier would move layers nobody sends"
        )
    if config.personal_steps and (config.client_momentum or config.client_optimizer != "sgd"):
        found.append(
            "--personal_steps needs plain steps: the state of an optimizer goes on while layers "
            "rest"
        )
    return found


def _not_understood(config: ResolvedAlgorithm, update: type[ClientUpdate]) -> list[str]:
    """Settings that were changed and that only other client updates read."""
    found = []
    for name in known_updates.settings_of_some():
        readers = [u.name for u in known_updates.all_updates() if name in u.understands]
        changed = getattr(config, name) != getattr(AlgorithmConfig, name)
        if changed and name not in update.understands:
            found.append(
                f"--{name} has no meaning for --client_update={update.name}; "
                f"use {' or '.join(readers)}"
            )
    return found


def _private_reasons(config: ResolvedAlgorithm, update: type[ClientUpdate]) -> list[str]:
    found = []
    if update.own_server_sums or update.scaled:
        found.append(
            f"--dp_noise_multiplier covers the update only, but {update.name} sends "
            "more than that: it would leak"
        )
    if config.weighting != SET_BY_PRIVACY["weighting"]:
        found.append(
            "differential privacy bounds each client alike: leave out --weighting, which it sets"
        )
    if update.not_private:
        found.append(update.not_private)
    if config.zeroing or config.clipping:
        found.append(
            "--zeroing and --clipping adapt to norms without noise, which "
            "--dp_noise_multiplier does not account for; --dp_clip_norm clips"
        )
    if config.alignment != SET_BY_PRIVACY["alignment"]:
        found.append(
            "alignment sums are exact sums over clients, outside the privacy guarantee: "
            "leave out --alignment, which privacy sets to none"
        )
    if config.late_rounds:
        found.append(
            "a client may count twice in a round, once of them late, which "
            "--dp_noise_multiplier does not account for: leave out --late_rounds"
        )
    if not 0.0 < config.dp_delta < 1.0:
        found.append(f"--dp_delta must be between 0 and 1, not {config.dp_delta}")
    if not 1 <= config.clients_per_round <= config.population:
        found.append("differential privacy needs the numbers of clients and of clients a round")
    elif config.dp_noise == "correlated" and config.restart_rounds == 1:
        found.append(
            "--dp_noise=correlated begins anew once every client had its turn, after each round "
            f"of --sampling={config.sampling}: give --dp_restart_rounds"
        )
    return accountants.refusals(config) + found
