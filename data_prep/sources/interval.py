"""A source cut to what was created in one year, month or day, for data that comes by intervals."""

import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping

from data_prep.sources.source import Dropped, Item, Record, SourceReader, WorkUnit
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError
from groundwork.untyped import Json

TIME = "created"
_OUTSIDE = Dropped("outside_the_interval")
_FORM = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


class Within:
    """A reader of what another reads, and of that what is within the interval."""

    def __init__(self, reader: SourceReader, interval: str) -> None:
        self.reader = reader
        self.interval = interval
        self.first, self.end = bounds(interval)
        for name in ("client_limits", "splits", "natural"):
            if hasattr(reader, name):
                setattr(self, name, getattr(reader, name))

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        return self.reader.features

    @property
    def label_names(self) -> tuple[str, ...] | None:
        return self.reader.label_names

    @property
    def extra(self) -> Mapping[str, Json]:
        return {**self.reader.extra, "interval": self.interval}

    def units(self) -> list[WorkUnit]:
        """How many of a unit's examples are within is not known before they are read."""
        return [dataclasses.replace(unit, examples=None) for unit in self.reader.units()]

    def read(self, unit: WorkUnit) -> Iterator[Item]:
        for item in self.reader.read(unit):
            if isinstance(item, Record) and not self.first <= item.features[TIME] < self.end:
                yield _OUTSIDE
            else:
                yield item


def within(reader: SourceReader, interval: str, source: str) -> SourceReader:
    if not interval:
        return reader
    if not any(spec.name == TIME and spec.kind == "int64" for spec in reader.features):
        raise UserError(f"--interval={interval}: records of --source={source} have no time")
    return Within(reader, interval)


def bounds(interval: str) -> tuple[int, int]:
    """The first second of a year, month or day (UTC), and the first one after it."""
    form = _FORM.fullmatch(interval)
    try:
        if form is None:
            raise ValueError
        year, month, day = (int(part) if part else None for part in form.groups())
        first = datetime.date(year or 0, month or 1, day or 1)
        if day:
            end = first + datetime.timedelta(days=1)
        elif month:
            end = (first + datetime.timedelta(days=31)).replace(day=1)
        else:
            end = first.replace(year=first.year + 1)
    except (ValueError, OverflowError):
        raise UserError(
            f"--interval={interval} is no year, month or day: write 2018, 2018-05 or 2018-05-14"
        ) from None
    return _seconds(first), _seconds(end)


def _seconds(day: datetime.date) -> int:
    return (day - datetime.date(1970, 1, 1)).days * 86_400
