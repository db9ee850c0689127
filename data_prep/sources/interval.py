"""A source cut to what was created in one year, month or day, for data that comes by intervals."""

import calendar
import dataclasses
import datetime
import functools
import re
from collections.abc import Callable, Iterator

from data_prep.sources.items import Dropped, Item, Record
from data_prep.sources.source import SourceReader
from data_prep.sources.work_units import WorkUnit
from groundwork.errors import UserError

TIME = "created"
_OUTSIDE = Dropped("outside_the_interval")
_FORM = re.compile(r"\d{4}(-\d\d){0,2}")
_MOST_DAYS = {len("2018"): 366, len("2018-05"): 31, len("2018-05-14"): 1}


def within(reader: SourceReader, interval: str, source: str) -> SourceReader:
    """A reader of what another reads, and of that what is within the interval."""
    if not interval:
        return reader
    if not any(spec.name == TIME and spec.kind == "int64" for spec in reader.features):
        raise UserError(f"--interval={interval}: records of --source={source} have no time")
    return dataclasses.replace(
        reader,
        # How many of a unit's examples are within is not known before they are read.
        units=tuple(dataclasses.replace(unit, examples=None) for unit in reader.units),
        read=functools.partial(_within, reader.read, *bounds(interval)),
        extra={**reader.extra, "interval": interval},
    )


def _within(
    read: Callable[[WorkUnit], Iterator[Item]], first: int, end: int, unit: WorkUnit
) -> Iterator[Item]:
    for item in read(unit):
        outside = isinstance(item, Record) and not first <= item.features[TIME] < end
        yield _OUTSIDE if outside else item


def bounds(interval: str) -> tuple[int, int]:
    """The first second of a year, month or day (UTC), and the first one after it."""
    try:
        if not _FORM.fullmatch(interval):
            raise ValueError
        first = datetime.date.fromisoformat(f"{interval}-01-01"[:10])
        most = _MOST_DAYS[len(interval)]
        end = first + datetime.timedelta(days=most)
        end = end if most == 1 else end.replace(day=1)
    except (ValueError, OverflowError):
        raise UserError(
            f"--interval={interval} is not a year, month or day: write 2018, 2018-05 or 2018-05-14"
        ) from None
    return calendar.timegm(first.timetuple()), calendar.timegm(end.timetuple())
