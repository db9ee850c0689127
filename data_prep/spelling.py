"""The nearest right word for a misspelt one."""

import difflib
from collections.abc import Sequence


def nearest(word: str, words: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
