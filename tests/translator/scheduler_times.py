"""EventBridge Scheduler's expressions, read anew from its user guide: when does a schedule invoke its target?

Sources: "Cron expressions reference" (EventBridge user guide), "Schedule types on EventBridge Scheduler" and "Daylight savings
time on EventBridge Scheduler" (Scheduler user guide). Nothing here is shared with the translator.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
UTC = timezone.utc


def times(request: Mapping[str, Any], start: datetime, end: datetime) -> list[datetime]:
    """The times from ``start`` to ``end`` (in UTC, both included) at which a CreateSchedule request invokes its target."""
    kind, text = re.fullmatch(r"(cron|rate|at)\((.*)\)", request["ScheduleExpression"]).groups()  # type: ignore[union-attr]
    zone = ZoneInfo(request["ScheduleExpressionTimezone"])
    if kind == "at":  # StartDate and EndDate are ignored
        found: Iterator[datetime] = iter([datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)])
        return [item for item in found if start <= item <= end]
    first, last = (request.get(name) for name in ("StartDate", "EndDate"))
    begin = max(start, _read(first)) if first else start
    finish = min(end, _read(last)) if last else end
    if kind == "rate":
        number, unit = text.split()
        found = _rate(_read(first), timedelta(**{unit: int(number)}), finish)
    else:
        found = _cron(text, zone, begin, finish)
    return [item for item in found if begin <= item <= finish]


def _read(text: Any) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _rate(start: datetime, length: timedelta, end: datetime) -> Iterator[datetime]:
    while start <= end:
        yield start
        start += length


def _cron(text: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    minutes, hours, days, months, weekdays, years = text.split()
    assert [days, weekdays].count("?") == 1, "one of day-of-month and day-of-week is ?"
    assert len(text) + len("cron()") <= 256
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    at = [(hour, minute) for hour in _values(hours, 0, 23) for minute in _values(minutes, 0, 59)]
    months_of, years_of = _values(months, 1, 12), _values(years, 1970, 2199)
    while day <= last:
        if day.month in months_of and day.year in years_of and _day(day, days) and _weekday(day, weekdays):
            for hour, minute in at:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)  # the first of two
                moment = local.astimezone(UTC)
                if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):  # else it is skipped
                    yield moment
        day += timedelta(days=1)


def _values(field: str, low: int, high: int, names: Mapping[str, int] | None = None) -> set[int]:
    """Lists, ranges and steps; ``*`` is everything."""

    def number(word: str) -> int:
        value = (names or {}).get(word) or int(word)
        assert low <= value <= high
        return value

    found: set[int] = set()
    for part in field.split(","):
        body, _, step = part.partition("/")
        first, dash, last = body.partition("-")
        begin = low if first == "*" else number(first)
        end = number(last) if dash else high if step or first == "*" else begin
        assert begin <= end, "a range goes upwards"
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


def _day(day: date, field: str) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    if field == "?":
        return True
    if field == "L":
        return day.day == length
    if field.endswith("W"):  # the weekday nearest to it, in the same month
        wanted = day.replace(day=int(field[:-1]))
        shift = {5: -1 if wanted.day > 1 else 2, 6: 1 if wanted.day < length else -2}.get(wanted.weekday(), 0)
        return day == wanted + timedelta(days=shift)
    return day.day in _values(field, 1, 31)


def _weekday(day: date, field: str) -> bool:
    number = day.isoweekday() % 7 + 1
    if field == "?":
        return True
    if match := re.fullmatch(r"(\d)#(\d)", field):  # the n-th of the month; only one may be given
        return number == int(match[1]) and (day.day - 1) // 7 + 1 == int(match[2])
    if match := re.fullmatch(r"(\d)L", field):
        return number == int(match[1]) and day.day + 7 > calendar.monthrange(day.year, day.month)[1]
    return number in _values(field, 1, 7, WEEKDAYS)
