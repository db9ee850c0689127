"""What a user says about a start; each field is a flag."""

import dataclasses
import re

from fed_pretrain.models.adapters import Adapters
from fed_pretrain.starts import closed_form, quality, schemes
from fed_pretrain.starts import trainable as trainable_layers
from groundwork.errors import UserError, check_choice
from groundwork.settings import check_bounds, setting

# What becomes of BatchNorm layers, of their statistics, and of GroupNorm's scale and shift.
GROUP_NORM, FOLD, KEEP = "group_norm", "fold", "keep"
BATCH_NORMS = (GROUP_NORM, FOLD, KEEP)
FROZEN, AVERAGE, LOCAL = "frozen", "average", "local"
STATISTICS = (FROZEN, AVERAGE, LOCAL)
CARRY, FRESH = "carry", "fresh"
AFFINE = (CARRY, FRESH)

# How the server averages low-rank adapters.
FEDIT, FFA, FEDEX = "fedit", "ffa", "fedex"
LORA_AVERAGES = (FEDIT, FFA, FEDEX)

# What becomes of the head.
HEAD_AUTO, HEAD_NEW, HEAD_KEEP, HEAD_SLICE = "auto", "new", "keep", "slice"
GAUSSIAN = "gaussian"
DIAGONAL, SPHERICAL = "diagonal", "spherical"
COVARIANCES = (DIAGONAL, SPHERICAL)
HEADS = (HEAD_AUTO, HEAD_NEW, HEAD_KEEP, HEAD_SLICE, *closed_form.FORMS)


@dataclasses.dataclass(frozen=True)
class BatchNormPolicy:
    """How BatchNorm layers enter federated training; nothing changes in a model without them.

    groups: GroupNorm's number of groups, lowered to a divisor of the channels where need be.
    """

    policy: str = GROUP_NORM
    statistics: str = FROZEN
    affine: str = CARRY
    groups: int = 32

    def __post_init__(self) -> None:
        for flag, value, choices in (
            ("batch_norm", self.policy, BATCH_NORMS),
            ("bn_statistics", self.statistics, STATISTICS),
            ("group_norm_affine", self.affine, AFFINE),
        ):
            check_choice(f"--{flag}", value, choices)
        if self.groups < 1:
            raise UserError(f"--group_norm_groups is {self.groups}, must be at least 1")


@dataclasses.dataclass(frozen=True)
class StartConfig:
    """Where a run begins, what of it is kept, and what trains."""

    spec: str = setting(
        "random",
        "Initial weights: random (as the model says; random:keras, random:torchvision as these "
        "do), checkpoint:PATH (Keras, SavedModel, TensorFlow, PyTorch, "
        "safetensors, .npz or a run's own), package:NAME (ndf, efficientnet_lite0, textgenrnn, "
        "glove, minilm), keras:NAME (keras.applications), hub:NAME[@REVISION] (HuggingFace or "
        "torchvision).",
        flag="start",
        url=True,
    )
    head: str = setting(
        HEAD_AUTO,
        "The layer of the classes: new (seeded, the task's size), keep, slice (the task's classes "
        "out of the file's), or auto: keep for language models and where the file names the "
        "task's classes, otherwise new. In closed form from one pass over the clients: ncm (class "
        "means), ridge (least squares), cof (least squares from the clients' class means), "
        "gaussian (trained on features drawn from the clients' Gaussians of each class).",
        flag="start_head",
        choices=HEADS,
    )
    head_strength: float = setting(
        0.01,
        "For --start_head=ridge, cof and gaussian: the regulariser, as a share of the mean "
        "eigenvalue of the second moment of what the head is given.",
        flag="start_head_strength",
        lower_bound=0.0,
    )
    head_clip: float = setting(
        8.0,
        "For --start_head=ncm, ridge and gaussian with --dp_noise_multiplier: the examples that a "
        "client's sums count as at most; fewer mean less noise.",
        flag="start_head_clip",
        lower_bound=0.0,
    )
    head_mixtures: int = setting(
        1,
        "For --start_head=gaussian: the Gaussians that a client sends for each of its classes.",
        flag="start_head_mixtures",
        lower_bound=1,
    )
    head_covariance: str = setting(
        DIAGONAL,
        "For --start_head=gaussian: a variance for each feature, or one for all of them.",
        flag="start_head_covariance",
        choices=COVARIANCES,
    )
    head_classes: str | None = setting(
        None,
        "For --start_head=slice: JSON file of class name -> index in the file's head; not needed "
        "for ImageNet weights and labels that are WordNet ids.",
        flag="start_head_classes",
    )
    batch_norm: str = setting(
        GROUP_NORM,
        "What becomes of BatchNorm layers: group_norm (convolutions kept), fold (into the "
        "convolution before), keep.",
        choices=BATCH_NORMS,
    )
    bn_statistics: str = setting(
        FROZEN,
        "For --batch_norm=keep: moving statistics stay the start's (frozen), are averaged with "
        "the update (average), or are each client's own and lost (local).",
        choices=STATISTICS,
    )
    group_norm_affine: str = setting(
        CARRY,
        "For --batch_norm=group_norm: carry the scale and shift over, or start them fresh.",
        choices=AFFINE,
    )
    group_norm_groups: int = setting(
        32, "GroupNorm's groups, lowered to a divisor of the channels.", lower_bound=1
    )
    trainable: str = setting(
        "all",
        "What trains: all, head, bias (biases and the head), lora (low-rank adapters and the "
        "head), last_N (layers with weights), regex:PATTERN of layer names.",
    )
    lora_rank: int = setting(
        8,
        "For --trainable=lora: the rank of an adapter, lowered to the inputs of a smaller layer.",
        lower_bound=1,
    )
    lora_alpha: float = setting(
        8.0,
        "For --trainable=lora: adapters count by this number over --lora_rank.",
        lower_bound=0.0,
    )
    lora_targets: str = setting(
        "",
        "For --trainable=lora: a pattern of the names of the Dense and convolution layers that get "
        "an adapter; default all but the head.",
    )
    lora_average: str = setting(
        FEDIT,
        "For --trainable=lora: fedit takes the means of A and of B, whose product is not the mean "
        "of the products; ffa keeps A as drawn, so that the mean is exact; fedex adds to the "
        "kernels what fedit leaves out.",
        choices=LORA_AVERAGES,
    )
    noise: float = setting(
        0.0,
        "Adds Gaussian noise of this share of each tensor's root mean square.",
        flag="start_noise",
        lower_bound=0.0,
    )
    blend: str | None = setting(
        None,
        "Blends with another start: START:SHARE, for example random:0.5.",
        flag="start_blend",
    )
    allow_partial: bool = setting(
        False,
        "Start although tensors are missing, unused or of another shape.",
        flag="allow_partial_start",
    )

    def __post_init__(self) -> None:
        """Refuses early what no file and no model could make right."""
        check_bounds(self)
        if self.head != GAUSSIAN and (self.head_mixtures > 1 or self.head_covariance != DIAGONAL):
            raise UserError(
                "--start_head_mixtures and --start_head_covariance need --start_head=gaussian"
            )
        if self.head_classes is not None and self.head != HEAD_SLICE:
            raise UserError("--start_head_classes needs --start_head=slice")
        if self.head == HEAD_SLICE and schemes.scheme_of(self.spec) is not None:
            raise UserError(f"--start_head=slice: --start={self.spec} has no head to cut from")
        if self.blend is not None:
            quality.parse_blend(self.blend)
        trainable_layers.check(self.trainable)
        self._check_adapters()

    @property
    def fits_head(self) -> bool:
        """Whether the head comes from a pass over the clients' data."""
        return self.head in closed_form.FORMS

    def adapters(self) -> Adapters | None:
        """Those of --trainable=lora."""
        if self.trainable != trainable_layers.LORA:
            return None
        return Adapters(
            self.lora_rank,
            self.lora_alpha / self.lora_rank,
            self.lora_targets,
            trains_a=self.lora_average != FFA,
            corrects=self.lora_average == FEDEX,
        )

    def _check_adapters(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not field.name.startswith("lora_") or value == field.default:
                continue
            if self.trainable != trainable_layers.LORA:
                raise UserError(f"--{field.name} needs --trainable=lora")
        if not self.lora_alpha:
            raise UserError("--lora_alpha=0: adapters that count by nothing cannot train")
        try:
            re.compile(self.lora_targets)
        except re.error as error:
            raise UserError(
                f"--lora_targets={self.lora_targets}: not a regular expression ({error})"
            ) from error

    def batch_norm_policy(self) -> BatchNormPolicy:
        return BatchNormPolicy(
            self.batch_norm, self.bn_statistics, self.group_norm_affine, self.group_norm_groups
        )
