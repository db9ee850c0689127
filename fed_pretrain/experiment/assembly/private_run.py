"""What differential privacy asks of a run beyond its algorithm, and what the run says of it.

A guarantee covers the models. What a run writes beside them must follow from them, or be left out.
"""

from fed_pretrain.algorithms import accountants
from fed_pretrain.algorithms.refusals import SET_BY_PRIVACY
from fed_pretrain.experiment.assembly.run_config import ResolvedRun
from fed_pretrain.probes import known_probes
from fed_pretrain.probes.probe import Probe
from groundwork.errors import UserError
from groundwork.untyped import Json


def check(config: ResolvedRun) -> None:
    """Refuses what would be exact figures of training clients, or join their fates."""
    if not config.algorithm.private:
        return
    if config.evaluation.eval_cohort:
        raise UserError(
            "--eval_cohort publishes exact figures of training clients, which "
            "--dp_noise_multiplier does not cover: leave it out"
        )
    if config.system.stragglers == "late" and config.system.deadline_steps:
        raise UserError(
            "--stragglers=late lets a client count twice in a round, which --dp_noise_multiplier "
            "does not account for: use partial or drop"
        )
    if config.system.varied_share and config.work.sampling == "poisson":
        raise UserError(
            "--varied_share draws among all clients of a cohort, so that one more changes what "
            "others do, which --sampling=poisson does not account for: leave it out"
        )


def probes(config: ResolvedRun) -> list[type[Probe]]:
    """The run's probes; with privacy those that read models alone."""
    asked = known_probes.of_a_run(config.probes.probes)
    return [p for p in asked if p.of_models_alone or not config.algorithm.private]


def statement(config: ResolvedRun) -> dict[str, Json] | None:
    """The accountant and all it assumes; None without privacy."""
    if not config.algorithm.private:
        return None
    return accountants.accountant(config.algorithm).statement()


def sentences(config: ResolvedRun) -> list[str]:
    """What a run says of its privacy before it begins; nothing without privacy."""
    algorithm = config.algorithm
    if not algorithm.private:
        return []
    accountant = accountants.accountant(algorithm)
    epsilon = accountant.epsilon(config.work.rounds)
    own = ", ".join(f"--{name}={value}" for name, value in SET_BY_PRIVACY.items())
    found = [
        f"epsilon {epsilon:.2f} at delta {algorithm.dp_delta:g} after {config.work.rounds} rounds,"
        f" for {accountant.neighbours}; {accountant.name}",
        f"it takes {own}, and no figure of training clients is written",
    ]
    asked, kept = known_probes.of_a_run(config.probes.probes), probes(config)
    left_out = [probe.name for probe in asked if probe not in kept]
    if left_out:
        found.append(f"left out, as they read clients: the probes {', '.join(left_out)}")
    if algorithm.dp_delta * algorithm.population >= 1.0:
        found.append(
            f"--dp_delta={algorithm.dp_delta:g} is no less than 1 / {algorithm.population} clients,"
            " so that publishing one client whole would keep within it: lower it"
        )
    return found
