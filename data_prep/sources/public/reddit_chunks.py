"""LEAF's cut of a comment into sequences of ten tokens, each with its shifted target."""

LENGTH = 10
BEGIN, END, PAD = "<BOS>", "<EOS>", "<PAD>"


def chunks(comment: str) -> list[tuple[str, str]]:
    """(sequence, its target) of a cleaned comment; ten tokens each, joined by spaces."""
    words = comment.split()
    inputs = [BEGIN, *words, END]
    targets = [*words, END, PAD]
    filling = [PAD] * (-len(inputs) % LENGTH)
    return [
        (" ".join(x), " ".join(y))
        for x, y in zip(_tens(inputs + filling), _tens(targets + filling), strict=True)
    ]


def _tens(tokens: list[str]) -> list[list[str]]:
    return [tokens[start : start + LENGTH] for start in range(0, len(tokens), LENGTH)]


def rejoined(sequences: list[list[str]]) -> str:
    """The comment that LEAF cut into these sequences."""
    return " ".join(
        token for sequence in sequences for token in sequence if token not in (BEGIN, END, PAD)
    )
