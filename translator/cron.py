"""Cron expressions of Airflow as cron expressions of EventBridge Scheduler.

What both mean is documented: Airflow's follow croniter; for the Scheduler see "Cron expressions reference" of the EventBridge
user guide (fields, ``?``, ``L``, ``W``, ``#``) and "Daylight savings time on EventBridge Scheduler" of the Scheduler user
guide: a time that the clock skips is skipped, a time that it repeats is invoked once, before the clock is set back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

LONGEST: Final = 256
"""Characters of a schedule expression."""

_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY, _SECOND, _YEAR = range(7)
_ALL: Final = ["*"]
_YEARS: Final = (2025, 2038)
"""The years in which changes of the clock are looked for; the rules of time zones are known no further."""


class NoCronError(ValueError):
    """The Scheduler has no cron expression for it; the text says why."""


class Crons(NamedTuple):
    """What a cron expression becomes.

    :param expressions: ``cron(...)``; one, or several that together start at the same times.
    :param zone: name of the time zone in which they are evaluated.
    :param twice: why one time may start two of them; empty where none does.
    :param clock: how the times differ when the clock changes; empty where they do not.
    """

    expressions: list[str]
    zone: str
    twice: str = ""
    clock: str = ""


def scheduler_crons(expression: str, zone: str) -> Crons:
    """The cron expressions of EventBridge Scheduler for one of Airflow.

    :param expression: of 5 fields, or 6 or 7 with the seconds and the year at the end.
    :param zone: name of a time zone.
    :raises NoCronError: there is none.
    """
    from croniter import CroniterError, croniter

    try:
        cron = croniter(expression)
        runs = croniter(expression, datetime(_YEARS[0], 1, 1)).get_next(datetime)
    except CroniterError as error:
        raise NoCronError(f"{expression!r} matches no time from {_YEARS[0]}: {error}") from error
    if re.search(r"\br\b", expression, re.IGNORECASE):
        raise NoCronError(f"{expression!r} is random")
    fields = cron.expanded
    if len(fields) > _SECOND and fields[_SECOND] != [0]:
        raise NoCronError(f"{expression!r} counts seconds; the Scheduler counts minutes")
    days, twice = _days(expression, fields, cron.nth_weekday_of_month, sorted(getattr(cron, "nearest_weekday", ())))
    minutes, hours = _field(fields[_MINUTE], 0, 59), _field(fields[_HOUR], 0, 23)
    months = _field(fields[_MONTH], 1, 12)
    years = _field(fields[_YEAR], 1970, 2199) if len(fields) > _YEAR else "*"
    expressions = [f"cron({minutes} {hours} {day} {months} {weekday} {years})" for day, weekday in days]
    if too_long := [item for item in expressions if len(item) > LONGEST]:
        raise NoCronError(f"{expression!r} needs {len(too_long[0])} characters; {LONGEST} are allowed")
    if hours == "*" and (months, years, days) == ("*", "*", [("*", "?")]) and _whole_hours(zone):
        return Crons(expressions, "UTC")  # every hour of the clock is every hour: no change of the clock matters
    clock = _clock(expression, zone, every_hour=hours == "*", first=runs) if zone != "UTC" else ""
    return Crons(expressions, zone, twice, clock)


def may_meet(expressions: Sequence[str]) -> bool:
    """Whether two cron expressions of Airflow may mean the same time: not when minutes or hours differ."""
    from croniter import croniter

    fields = [croniter(expression).expanded for expression in expressions]
    return any(
        all(
            _ALL in (one[index], other[index]) or set(one[index]) & set(other[index])
            for index in (_MINUTE, _HOUR, _MONTH)
        )
        for number, one in enumerate(fields)
        for other in fields[:number]
    )


def _days(expression: str, fields: Any, nth: Any, nearest: list[int]) -> tuple[list[tuple[str, str]], str]:
    """The pairs of day-of-month and day-of-week, one of which is ``?``; and why two may mean the same day."""
    days, weekdays = fields[_DAY], fields[_WEEKDAY]
    by_day, by_weekday = days != _ALL, bool(nth) or weekdays != _ALL
    if by_day and by_weekday and (nth or nearest):
        raise NoCronError(f"{expression!r} restricts the day of the month and the week in a way the Scheduler cannot")
    if "*" in nth or any(day > 28 for day in nearest) or any(not isinstance(day, int) for day in set(weekdays) - {"*"}):
        raise NoCronError(f"{expression!r} has a day that the Scheduler does not know")
    pairs: list[tuple[str, str]] = []
    twice = "the day of the month and the day of the week" if by_day and by_weekday else ""
    if nearest:
        pairs += [(f"{day}W", "?") for day in nearest]
    elif by_day:
        numbers = [day for day in days if isinstance(day, int)]
        pairs += [(_field(numbers, 1, 31), "?")] if numbers else []
        if "l" in days:
            pairs.append(("L", "?"))
            twice = twice or ("the last day and its number" if numbers and numbers[-1] > 27 else "")
    if nth:
        for day in sorted(nth):
            ordinals = sorted(nth[day], key=str)
            pairs += [("?", f"{day + 1}L" if which == "l" else f"{day + 1}#{which}") for which in ordinals]
            if "l" in ordinals and {4, 5} & set(ordinals):
                twice = "the last weekday and its number"
    elif by_weekday:
        pairs.append(("?", _field(weekdays, 0, 6, _WEEKDAYS)))
    return pairs or [("*", "?")], twice


def _field(values: list[Any], low: int, high: int, names: Sequence[str] = ()) -> str:
    """The text of a field: ``*``, first/step where that is all, or a list of numbers and ranges."""
    if values == _ALL or len(set(values)) == high - low + 1:
        return "*"
    numbers = sorted(set(values))
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) > 2 and len(steps) == 1 and steps != {1} and not names:
        (step,) = steps
        if numbers[-1] + step > high:
            return f"{numbers[0]}/{step}"
    texts = {number: names[number] if names else str(number) for number in numbers}
    return ",".join(
        f"{texts[run[0]]}-{texts[run[-1]]}" if len(run) > 2 else ",".join(texts[number] for number in run)
        for run in _runs(numbers)
    )


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers in groups that follow each other without a gap."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


# Changes of the clock


class Change(NamedTuple):
    """A change of the clock: the local times from ``start`` to before ``end`` are skipped, or come twice."""

    start: datetime
    end: datetime
    skipped: bool


@lru_cache(maxsize=64)
def clock_changes(zone: str) -> tuple[Change, ...]:
    """The changes of the clock of a time zone, from 2025 to 2037."""
    changes = []
    moment, end = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in _YEARS)
    info = ZoneInfo(zone)
    while moment < end:
        later = moment + timedelta(days=1)
        if _offset(info, moment) != _offset(info, later):
            before, after = moment, later
            while after - before > timedelta(minutes=1):
                middle = before + timedelta(minutes=(after - before) // timedelta(minutes=2))
                before, after = (middle, after) if _offset(info, middle) == _offset(info, moment) else (before, middle)
            sides = [(after + _offset(info, side)).replace(tzinfo=None) for side in (moment, later)]
            changes.append(Change(min(sides), max(sides), sides[0] < sides[1]))
        moment = later
    return tuple(changes)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _whole_hours(zone: str) -> bool:
    """Whether the clock always differs from UTC by whole hours."""
    info, hour = ZoneInfo(zone), timedelta(hours=1)
    sides = [datetime(_YEARS[0], 1, 1), *(side for change in clock_changes(zone) for side in change[:2])]
    return not any(
        _offset(info, moment.replace(tzinfo=timezone.utc) + day) % hour
        for moment in sides
        for day in (-timedelta(days=1), timedelta(days=1))
    )


def _clock(expression: str, zone: str, *, every_hour: bool, first: datetime) -> str:
    """How the times differ when the clock changes.

    Airflow starts a run of a skipped time when that time would have been, and one of a repeated time at the second
    (``CronMixin`` and ``make_aware``); where every hour matches, it counts the time between two runs by the clock.
    """
    from croniter import CroniterError, croniter

    changes = clock_changes(zone)
    if every_hour and changes:
        return f"in {zone} Airflow shifts or repeats runs of {expression!r} when the clock changes"
    texts = {}
    for change in changes:
        if change.skipped in texts or change.end <= first:
            continue
        try:
            met = croniter(expression, change.start - timedelta(seconds=1)).get_next(datetime)
        except CroniterError:
            break  # no time is left
        if met < change.end:
            what = "is skipped by the clock: Airflow runs later, the Scheduler not at all"
            again = "comes twice: Airflow runs at the second, the Scheduler at the first"
            texts[change.skipped] = f"{met:%Y-%m-%d %H:%M} in {zone} {what if change.skipped else again}"
    return "; ".join(texts[side] for side in sorted(texts, reverse=True))
