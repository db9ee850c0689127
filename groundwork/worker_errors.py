"""A user's mistake that a worker of an engine meets: an exception there, text on its way, and an
exception again in the process that asked for the job.
"""

import re

from groundwork.errors import UserError
from groundwork.staging import Interrupted

_KINDS = {"UserError": UserError, "Interrupted": Interrupted}
_RAISED = re.compile(rf"\bgroundwork\.\w+\.({'|'.join(_KINDS)}): (.+)")
_WHERE = re.compile(r"( \[while running|\\n|\" ).*")


def raised(error: BaseException) -> UserError | None:
    """The user's mistake behind an engine's failure; None where it failed by itself."""
    if isinstance(error, UserError):
        return type(error)(_WHERE.sub("", str(error)))
    found = _RAISED.findall(str(error))
    return _KINDS[found[-1][0]](_WHERE.sub("", found[-1][1])) if found else None
