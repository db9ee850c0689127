"""The sections of a report by name: built-in ones in reading order, then those of a user's module.

A section from outside the package is a function of the study that a module registers:

    @register("my_section")
    def my_section(study: Study) -> Section | None: ...

It returns None where the study has nothing to show. Names are known without importing Matplotlib.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from groundwork.registry import Late, Registry

if TYPE_CHECKING:
    from fed_pretrain.reporting.part import Section
    from fed_pretrain.reporting.results import Study

    Builder = Callable[[Study], Section | None]

# In reading order: a plan's name for the section, and the function that builds it.
_BUILT_IN = {
    "claims": "sections.claims:claims_section",
    "iid_gap": "sections.iid_gap:iid_section",
    "trend": "sections.trend:trend_section",
    "sweep": "sections.sweep:sweep_section",
    "start_quality": "sections.starts:quality_section",
    "fine_tuning": "sections.fine_tuning:fine_tuning_section",
    "left_behind": "sections.left_behind:left_behind_section",
    "start_loss": "sections.starts:start_loss_section",
    "curvature": "sections.curvature:curvature_section",
    "curvature_along_training": "sections.curvature_along_training:along_training_section",
    "alignment": "sections.alignment:alignment_section",
    "misalignment": "sections.misalignment:misalignment_section",
    "basin": "sections.basin:basin_section",
    "accuracy": "sections.algorithms:algorithms_section",
    "ranking": "sections.ranking:ranking_section",
    "learning": "sections.learning:learning_section",
    "cost": "sections.cost:cost_section",
}


KNOWN: Registry["Builder"] = Registry(
    "report section", "sections", lambda: Late(__package__, _BUILT_IN)
)
names, builder = KNOWN.names, KNOWN.named


def register(name: str) -> Callable[["Builder"], "Builder"]:
    """Adds a section from outside; a name can be taken only once."""
    return functools.partial(KNOWN.add, name)
