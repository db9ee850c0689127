"""Numbers as the page writes them: few digits, a true minus, a dash for what is undefined."""

import math

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def fixed(value: float, decimals: int = 3) -> str:
    if not math.isfinite(value):
        return NONE
    text = f"{value:,.{decimals}f}"
    # A negative number that rounds to zero is a zero.
    negative = text.startswith("-") and any(digit in text for digit in "123456789")
    return MINUS * negative + text.lstrip("-")


def significant(value: float, digits: int = 2) -> str:
    """`0.090`, `2.8`, `3,925`: that many digits, but never fewer than those before the point."""
    if not math.isfinite(value):
        return NONE
    if value == 0.0:
        return "0"
    # Rounded first, so that 0.0999 has the digits of 0.10.
    size = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if size < -4:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    return fixed(value, max(0, digits - 1 - size))


def signed(value: float, digits: int = 2) -> str:
    """An effect: `+0.49`."""
    text = significant(value, digits)
    return f"+{text}" if math.isfinite(value) and value > 0 and text != "0" else text


def span(low: float, high: float, digits: int = 2) -> str:
    """`+0.31 to +0.67`."""
    return f"{signed(low, digits)} to {signed(high, digits)}"


def probability(value: float) -> str:
    return "below 0.0001" if value < 1e-4 else significant(value)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 seed`, `2 seeds`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def in_words(number: int) -> str:
    """Small numbers as a sentence has them."""
    return _WORDS[number] if 0 <= number < len(_WORDS) else f"{number:,}"


def listed(names: list[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {joint} {names[-1]}"
