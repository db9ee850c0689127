"""Times as the data sets write them, as whole seconds since 1970 (UTC)."""

import datetime
import re

_WRITTEN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d*)?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def seconds(value: object) -> int:
    """Reads 1514764800, "1514764800" and "2018-01-01T00:00:00.123Z" alike; ValueError on others."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is no time")
    if isinstance(value, (int, float)):
        return int(value // 1)
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return int(float(text) // 1) if "." in text else int(text)
    match = _WRITTEN.fullmatch(text)
    if not match:
        raise ValueError(f"{value!r} is no time")
    *parts, zone = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    moment = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    return int(moment.timestamp()) - _offset(zone)


def _offset(zone: str | None) -> int:
    if not zone or zone in ("Z", "UTC", "GMT"):
        return 0
    digits = zone[1:].replace(":", "")
    amount = 3600 * int(digits[:2]) + 60 * int(digits[2:])
    return amount if zone[0] == "+" else -amount
