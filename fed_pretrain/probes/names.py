"""What the probes are called: known without TensorFlow, so that a misspelt one is told at once."""

from collections.abc import Sequence

from groundwork.errors import UserError, nearest

OF_A_RUN = ("alignment", "distance", "drift", "hessian", "misalignment")
OF_AN_ANALYSIS = (
    "hessian",
    "gauss_newton",
    "fisher",
    "clients",
    "eigenvector",
    "alignment",
    "drift",
    "misalignment",
    "distances",
    "landscape",
    "plane",
    "loss",
    "baselines",
)


def listed(text: str, known: Sequence[str]) -> list[str]:
    """The probes of a comma-separated list, each once and in that order."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in known:
            hint = nearest(name, known)
            raise UserError(f"--probes: no probe {name!r}{hint}; there are {', '.join(known)}")
    return names
