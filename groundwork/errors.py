"""The one exception that means: the user can mend this."""

import difflib
from collections.abc import Sequence


class UserError(Exception):
    """A mistake of the user's, told in one sentence that names the flag, file or line to change."""


def nearest(word: str, words: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
