"""An algorithm as flat settings: every field is a flag of the same name."""

import dataclasses
from collections.abc import Collection, Hashable

from fed_pretrain.clients import sampling
from groundwork import randomness
from groundwork.errors import UserError
from groundwork.settings import check_bounds, setting

SCHEDULES = ("constant", "warmup", "cosine", "step")
WEIGHTINGS = ("examples", "uniform")
COMPRESSIONS = ("none", "quantize")
ALIGNMENTS = ("none", "whole", "layers")
NOISES = ("independent", "correlated")
FRESH, KEPT = "fresh", "kept"
HEAD_SETTINGS = "--head_learning_rate, --head_schedule and --head_rounds"
_BELOW_ONE = (
    *("client_momentum", "client_beta1", "client_beta2"),
    *("server_momentum", "server_beta1", "server_beta2"),
)
NOT_PERSONAL = "none"

# Secure sums are of fixed-point numbers, modulo a power of two: a larger sum would wrap silently.
SECURE_FRACTION = 2**24
SECURE_MODULUS = 2**48
SECURE_RANGE = SECURE_MODULUS / 2 / SECURE_FRACTION


@dataclasses.dataclass(frozen=True)
class AlgorithmConfig:
    """A client update, a server optimizer and what is around the update."""

    client_update: str = setting(
        "sgd", "What a client does between receiving and sending; `help` lists the choices."
    )
    client_learning_rate: float = setting(
        0.1, "Learning rate of a local step.", lower_bound=0.0, value=True
    )
    head_learning_rate: float | None = setting(
        None,
        "Learning rate of the head in a local step; default that of the rest.",
        lower_bound=0.0,
        value=True,
    )
    head_schedule: str | None = setting(
        None,
        "Schedule of the head's learning rate over rounds; default that of the rest.",
        choices=SCHEDULES,
    )
    head_rounds: int = setting(
        0,
        "Rounds in which the head moves alone, before all of the model does: linear probing, then "
        "fine-tuning (LP-FT).",
        lower_bound=0,
        value=True,
    )
    client_optimizer: str = setting(
        "sgd", "What applies the gradient of a local step: sgd, momentum, adam, adamw or yogi."
    )
    client_optimizer_state: str = setting(
        FRESH,
        "What becomes of its state between rounds: fresh in each, or kept at the client.",
        choices=(FRESH, KEPT),
    )
    client_beta1: float = setting(
        0.9, "Beta1 of adaptive client optimizers.", lower_bound=0.0, value=True
    )
    client_beta2: float = setting(
        0.999, "Beta2 of adaptive client optimizers.", lower_bound=0.0, value=True
    )
    client_epsilon: float = setting(
        1e-8,
        "Epsilon of adaptive client optimizers, after bias correction.",
        lower_bound=0.0,
        value=True,
    )
    client_momentum: float = setting(0.0, "Momentum of local steps.", lower_bound=0.0, value=True)
    client_weight_decay: float = setting(
        0.0, "L2 decay in local gradients.", lower_bound=0.0, value=True
    )
    client_clip_norm: float = setting(
        0.0, "Norm local gradients are clipped to; 0 clips nothing.", lower_bound=0.0, value=True
    )
    personal: str = setting(
        NOT_PERSONAL,
        "Layers that stay at their client and are trained there only: none, head (FedPer), norm "
        "(scales and shifts of normalisation, FedBN), regex:PATTERN of layer names.",
    )
    personal_steps: int = setting(
        0,
        "Local steps of a round that train these layers alone, before those that train the others "
        "alone (FedRep); 0 trains all together.",
        lower_bound=0,
    )
    proximal_strength: float = setting(
        0.0, "Mu of FedProx, for the proximal and nova clients.", lower_bound=0.0, value=True
    )
    dyn_alpha: float = setting(0.1, "Alpha of FedDyn.", lower_bound=0.0, value=True)

    server_optimizer: str = setting(
        "sgd", "What applies the aggregated update; `help` lists the choices."
    )
    server_learning_rate: float = setting(1.0, "Server learning rate.", lower_bound=0.0, value=True)
    server_momentum: float = setting(
        0.0, "Momentum of the server's SGD (FedAvgM).", lower_bound=0.0, value=True
    )
    server_beta1: float = setting(
        0.9, "Beta1 of adaptive servers with momentum.", lower_bound=0.0, value=True
    )
    server_beta2: float = setting(
        0.999,
        "Decay of the second moment of adaptive servers, adagrad's aside.",
        lower_bound=0.0,
        value=True,
    )
    server_epsilon: float = setting(
        1e-8,
        "Epsilon of adaptive servers, before bias correction as in TFF; tau of adam_reddi.",
        lower_bound=0.0,
        value=True,
    )
    server_initial_accumulator: float = setting(
        0.0, "Initial second moment of TFF's adagrad and yogi.", lower_bound=0.0, value=True
    )
    server_weight_decay: float = setting(
        0.0,
        "Server weight decay: decoupled in adamw and lamb, L2 elsewhere.",
        lower_bound=0.0,
        value=True,
    )

    client_schedule: str = setting(
        "constant", "Schedule of the client learning rate over rounds.", choices=SCHEDULES
    )
    server_schedule: str = setting(
        "constant", "Schedule of the server learning rate over rounds.", choices=SCHEDULES
    )
    schedule_rounds: int = setting(
        0, "Rounds until a cosine schedule ends; 0 takes --rounds.", lower_bound=0, value=True
    )
    warmup_rounds: int = setting(
        0, "Rounds of linear warmup before a schedule.", lower_bound=0, value=True
    )
    schedule_step_rounds: int = setting(
        0, "A step schedule drops every this many rounds.", lower_bound=0, value=True
    )
    schedule_step_factor: float = setting(
        0.1, "Factor of each drop of a step schedule.", lower_bound=0.0, value=True
    )
    schedule_final_factor: float = setting(
        0.0, "Last factor of a cosine schedule.", lower_bound=0.0, value=True
    )
    local_steps_schedule: str = setting(
        "constant",
        "How the local steps tau shrink over rounds (Initialization Matters proposes it).",
        choices=("constant", "halve", "linear", "inverse_sqrt"),
    )
    local_steps_every: int = setting(
        0, "The halve schedule halves every this many rounds.", lower_bound=0
    )
    local_steps_minimum: int = setting(1, "Fewest local steps of a round.", lower_bound=1)

    weighting: str = setting("examples", "Weight of a client's update.", choices=WEIGHTINGS)
    alignment: str = setting(
        "whole", "Of which updates --probes=alignment has sums each round.", choices=ALIGNMENTS
    )
    zeroing: bool = setting(False, "Zero updates far larger than those seen so far.")
    clipping: bool = setting(False, "Clip updates to an adaptive norm (the 0.8 quantile).")
    compression: str = setting("none", "Compression of updates.", choices=COMPRESSIONS)
    compression_bits: int = setting(8, "Bits per value when quantizing.", lower_bound=1)
    secure_aggregation: bool = setting(
        False, "Simulate secure aggregation: fixed-point, modular sums."
    )
    secure_bound: float = setting(
        1000.0, "Largest weighted update value that secure sums can hold.", lower_bound=0.0
    )
    dp_noise_multiplier: float | None = setting(
        None, "Central differential privacy: noise over clip norm.", lower_bound=0.0, value=True
    )
    dp_clip_norm: float = setting(
        1.0, "Norm each update is clipped to for privacy.", lower_bound=0.0, value=True
    )
    dp_delta: float = setting(
        1e-5, "The delta at which the spent epsilon is reported.", lower_bound=0.0
    )
    dp_noise: str = setting(
        "independent",
        "Privacy noise of rounds: independent, or correlated so that it cancels in later rounds "
        "(DP-FTRL), for cohorts that are not sampled.",
        choices=NOISES,
    )
    dp_noise_bands: int = setting(
        32, "Draws that correlated noise of a round is made of, one for each round.", lower_bound=1
    )
    dp_restart_rounds: int = setting(
        0,
        "Rounds after which correlated noise begins anew; 0: once every client had its turn.",
        lower_bound=0,
    )
    late_rounds: int = setting(
        0, "Old models the server keeps, for updates that arrive late.", lower_bound=0
    )
    late_weight_power: float = setting(
        0.5, "A late update weighs (1 + rounds late) ** -power.", lower_bound=0.0, value=True
    )

    def __post_init__(self) -> None:
        check_bounds(self)
        for name in _BELOW_ONE:
            if getattr(self, name) >= 1.0:
                raise UserError(f"--{name} must be below 1, not {getattr(self, name)}")

    @property
    def moves_head_apart(self) -> bool:
        """Whether the head has its own rate, in some round at least; see HEAD_SETTINGS."""
        given = (self.head_learning_rate, self.head_schedule)
        return any(one is not None for one in given) or self.head_rounds > 0

    @property
    def follows_cosine(self) -> bool:
        """Whether some rate falls over the length of the run or of --schedule_rounds."""
        return "cosine" in (self.client_schedule, self.head_schedule, self.server_schedule)

    @property
    def personalised(self) -> bool:
        """Whether clients keep their own layers."""
        return self.personal != NOT_PERSONAL

    @property
    def private(self) -> bool:
        return self.dp_noise_multiplier is not None

    def of_run(self, **facts: int | str) -> "ResolvedAlgorithm":
        """With the facts of a run that the algorithm depends on."""
        return ResolvedAlgorithm(**(dataclasses.asdict(self) | facts))


@dataclasses.dataclass(frozen=True)
class ResolvedAlgorithm(AlgorithmConfig):
    """An algorithm with what it has to know of its run.

    clients_per_round: of the cohort; sampling: how they are drawn; population: the number of
    training clients; population_rows: of their rows; rounds: the length of the run; seed: of
    privacy noise; releases: of noisy sums over all clients before the rounds.
    """

    clients_per_round: int = 0
    sampling: str = setting("uniform", "How they are drawn, from --sampling.", moves_numbers=False)
    population: int = 0
    population_rows: int = 0
    rounds: int = setting(0, "How many there are, from --rounds.", value=True)
    seed: int = 0
    releases: int = 0

    def values(self) -> dict[str, float]:
        """What enters a round as numbers, with what stands in for settings that are not given."""
        head = self.head_learning_rate
        given = {
            **{name: getattr(self, name) for name in VALUE_SETTINGS},
            "head_learning_rate": self.client_learning_rate if head is None else head,
            "schedule_rounds": self.schedule_rounds or self.rounds,
            "dp_noise_multiplier": self.dp_noise_multiplier or 0.0,
            "population_weight": self.population_weight,
            "planned_clients": self.planned_clients,
            "restart_rounds": self.restart_rounds if self.private else 0,
            **dict(
                zip(NOISE_KEY, randomness.stateless_seed(self.seed, "privacy noise"), strict=True)
            ),
        }
        return {name: float(given[name]) for name in VALUES}

    def structure(self, values: Collection[str]) -> Hashable:
        """Equal for algorithms that are compiled alike, if these settings enter as numbers."""

        def kept(name: str) -> Hashable:
            value: Hashable = getattr(self, name)
            return (value is None, bool(value)) if name in values else value

        return tuple((field.name, kept(field.name)) for field in dataclasses.fields(self))

    @property
    def population_weight(self) -> float:
        """The weight of all training clients together: what a mean over them all divides by."""
        return float(self.population if self.weighting == "uniform" else self.population_rows)

    @property
    def planned_clients(self) -> int:
        """The clients of a round, on average where their number is drawn."""
        return sampling.planned_clients(self.sampling, self.clients_per_round, self.population)

    @property
    def most_clients(self) -> int:
        """The most clients that a round may have."""
        return sampling.most_clients(self.sampling, self.clients_per_round, self.population)

    @property
    def rounds_apart(self) -> int:
        """The fewest rounds from one turn of a client to its next."""
        return sampling.rounds_apart(self.sampling, self.clients_per_round, self.population)

    @property
    def restart_rounds(self) -> int:
        """After how many rounds correlated noise begins anew."""
        return self.dp_restart_rounds or self.rounds_apart


VALUE_SETTINGS = tuple(
    field.name for field in dataclasses.fields(ResolvedAlgorithm) if field.metadata.get("value")
)
"""The names of the settings that enter a round as numbers."""
NOISE_KEY = ("noise_key_0", "noise_key_1")
"""The key of privacy noise, which follows from the seed."""
VALUES = (*VALUE_SETTINGS, "population_weight", "planned_clients", "restart_rounds", *NOISE_KEY)
"""The names of these and of the other facts of a run that enter a round as numbers."""
SETTINGS = "settings"
"""Their place in the states of the client work and of server optimizers, as one vector."""
