"""When a DAG runs, as requests to EventBridge Scheduler.

Times are those at which Airflow starts runs: for a timetable with data intervals the end of each interval. Facts about the
Scheduler are from its user guide ("Schedule types", "Using context attributes") and the API reference of CreateSchedule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.hooks.schedule import MADE, iso, schedule_name
from sagemaker_provider.operators.names import pipeline_name
from sagemaker_provider.translator.cron import NoCronError, may_meet, scheduler_crons

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""What the Scheduler replaces by the time for which a run is due, such as ``2026-01-31T00:00:00Z``."""

_BEFORE_THE_NEXT: Final = timedelta(seconds=59)
"""A last run is due at a full minute; ``EndDate`` may or may not be included, so it lies behind."""


class Bounds(NamedTuple):
    """From when to when runs may be due, and whether Airflow catches up; ``None`` where there is no bound."""

    earliest: Any
    latest: Any
    catchup: bool


class Timing(NamedTuple):
    """A schedule expression, and when it holds (in UTC)."""

    expression: str
    zone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None


class _NoScheduleError(ValueError):
    """There is no schedule for it; the text says why, and what to do."""

    def __init__(self, reason: str, code: str = "SMP670") -> None:
        super().__init__(reason)
        self.code = code


def schedules(dag: Any) -> tuple[list[dict[str, Any]], list[Finding]]:
    """The requests that start the pipeline when Airflow would start the DAG.

    :param dag: an Airflow DAG.
    :return: requests of ``boto3.client("scheduler").create_schedule``, whose ``Target`` lacks ``Arn`` (the pipeline's) and
        ``RoleArn`` (a role that may start it), which are not known before the pipeline is created; and findings. Dates are
        text in ISO 8601. A date may lie in the past: see :func:`sagemaker_provider.hooks.schedule.due`.
    """
    timetable = _core(dag.timetable)
    shown = shown_schedule(dag)
    if shown is None:
        return [], []
    bounds = _bounds(dag)
    found: list[Finding] = []
    try:
        timings = _timings(timetable, bounds, found)
    except _NoScheduleError as error:
        return [], [*found, finding(error.code, f"the schedule {shown}: {error}", place="schedule")]
    timings = [item for item in timings if not (item.start and item.end and item.start > item.end)]
    if not timings:
        return [], [*found, finding("SMP670", f"the schedule {shown} has no run before its end", place="schedule")]
    became = ", ".join(f"{item.expression} in {item.zone}" for item in timings[:3]) + (", ..." if timings[3:] else "")
    found.insert(0, finding("SMP611", f"the schedule {shown} becomes {became}", place="schedule"))
    return [_request(dag, item, number, len(timings)) for number, item in enumerate(timings, 1)], found


def shown_schedule(dag: Any) -> str | None:
    """The schedule as its author wrote it; ``None`` where there is none."""
    written = dag.schedule_interval if hasattr(dag, "schedule_interval") else dag.schedule
    if written is None or type(_core(dag.timetable)).__name__ == "NullTimetable":
        return None
    text = str(written)
    return type(written).__name__ if " at 0x" in text else text  # an address is another in every process


# What a timetable becomes


def _timings(timetable: Any, bounds: Bounds, found: list[Finding]) -> list[Timing]:
    kind = type(timetable)
    become = _TIMETABLES.get(kind.__name__) if kind.__module__.startswith("airflow.timetables.") else None
    if become is None:
        raise _NoScheduleError("a timetable of one's own is Python code")
    return become(timetable, bounds, found)


def _by_cron(timetable: Any, bounds: Bounds, found: list[Finding]) -> list[Timing]:
    from croniter import CroniterError

    told = timetable.serialize()
    written = list(dict.fromkeys(told.get("expressions") or [told["expression"]]))
    zone = _zone(told["timezone"])
    try:
        become = [scheduler_crons(expression, zone) for expression in written]
        start, end = _first(timetable, bounds), _last(timetable, bounds)
    except (NoCronError, CroniterError) as error:
        raise _NoScheduleError(str(error)) from error
    for expression, crons in zip(written, become):
        if crons.clock:
            found.append(finding("SMP671", crons.clock, place="schedule"))
        if crons.twice:
            reason = f"{expression!r} becomes {len(crons.expressions)} schedules: {crons.twice} may mean the same day"
            found.append(finding("SMP672", reason, place="schedule"))
    if len(written) > 1 and may_meet(written):
        found.append(finding("SMP672", f"two of {', '.join(written)} may mean the same time", place="schedule"))
    return [Timing(item, crons.zone, start, end) for crons in become for item in crons.expressions]


def _by_delta(timetable: Any, bounds: Bounds, found: list[Finding]) -> list[Timing]:
    delta = timetable._delta
    length, months = _length(delta)
    start = _first(timetable, bounds)
    if start and bounds.latest:  # the Scheduler is no more precise than a minute
        bounds = bounds._replace(latest=bounds.latest - (start - _full_minute(start)))
    start, end = _full_minute(start), _last(timetable, bounds)
    by_clock = type(timetable).__name__ == "DeltaDataIntervalTimetable" and not months
    if start is None:
        found.append(finding("SMP673", f"every {delta} is counted from the schedule's creation on", place="schedule"))
    elif not bounds.catchup and not (by_clock and start.timestamp() % length.total_seconds() == 0):
        reason = f"every {delta} is counted from {iso(start)}; Airflow without catchup may count from another time"
        found.append(finding("SMP673", reason, place="schedule"))
    return [Timing(_monthly(months, start) if months else _rate(length), "UTC", start, end)]


def _length(delta: Any) -> tuple[timedelta, int]:
    """A distance as a length of time, or as a number of months."""
    if isinstance(delta, timedelta):
        return delta, 0
    set_parts = ("year", "month", "day", "weekday", "hour", "minute", "second", "microsecond")
    if any(getattr(delta, name) is not None for name in set_parts) or delta.leapdays:
        raise _NoScheduleError(f"{delta} sets parts of the date")
    rest = timedelta(
        days=delta.days,
        hours=delta.hours,
        minutes=delta.minutes,
        seconds=delta.seconds,
        microseconds=delta.microseconds,
    )
    months = 12 * delta.years + delta.months
    if months and rest:
        raise _NoScheduleError(f"{delta} mixes months with days or hours")
    return rest, months


def _rate(length: timedelta) -> str:
    for unit in ("days", "hours", "minutes"):
        number, rest = divmod(length, timedelta(**{unit: 1}))
        if number and not rest:
            return f"rate({number} {unit})"
    raise _NoScheduleError(f"every {length} is no whole number of minutes")


def _monthly(months: int, start: datetime | None) -> str:
    """A cron expression for every so many months, from a first run on."""
    if start is None:
        raise _NoScheduleError("months are counted from a start date, which it lacks")
    if start.day > 28 or 12 % months:
        raise _NoScheduleError(f"every {months} months from {iso(start)} are not the same days of each year")
    which = sorted((start.month - 1 + step) % 12 + 1 for step in range(0, 12, months))
    text = "*" if months == 1 else ",".join(map(str, which))
    return f"cron({start.minute} {start.hour} {start.day} {text} ? *)"


def _once(timetable: Any, bounds: Bounds, found: list[Finding]) -> list[Timing]:
    if bounds.earliest is None:
        raise _NoScheduleError("it runs once, as soon as Airflow knows the DAG", "SMP674")
    reason = f"it runs once, at {iso(bounds.earliest)}, or at once when that is past; the Scheduler takes no past time"
    found.append(finding("SMP674", reason, place="schedule"))
    return _at([bounds.earliest], bounds)


def _events(timetable: Any, bounds: Bounds, found: list[Finding]) -> list[Timing]:
    return _at(timetable.event_dates, bounds)


def _at(moments: Iterable[Any], bounds: Bounds) -> list[Timing]:
    inside = sorted(
        moment.astimezone(timezone.utc)
        for moment in set(moments)
        if not (bounds.earliest and moment < bounds.earliest) and not (bounds.latest and moment > bounds.latest)
    )
    return [Timing(f"at({moment:%Y-%m-%dT%H:%M:%S})") for moment in inside]


def _continuous(timetable: Any, bounds: Bounds, found: list[Finding]) -> list[Timing]:
    raise _NoScheduleError(
        "a run follows when the one before has ended; the nearest is a rule on the pipeline's events"
    )


def _by_assets(timetable: Any, bounds: Bounds, found: list[Finding]) -> list[Timing]:
    raise _NoScheduleError(f"it runs when {_assets(timetable)} change", "SMP677")


def _by_assets_or_time(timetable: Any, bounds: Bounds, found: list[Finding]) -> list[Timing]:
    reason = f"it also runs when {_assets(timetable)} change"
    found.append(finding("SMP677", reason, place="schedule"))
    return _timings(_core(timetable.timetable), bounds, found)


def _assets(timetable: Any) -> str:
    condition = getattr(timetable, "asset_condition", None) or timetable.dataset_condition
    items = condition.iter_assets() if hasattr(condition, "iter_assets") else condition.iter_datasets()
    return ", ".join(sorted({str(getattr(item[1], "uri", item[0])) for item in items})) or "its assets"


_TIMETABLES: Final[dict[str, Callable[[Any, Bounds, list[Finding]], list[Timing]]]] = {
    "CronTriggerTimetable": _by_cron,
    "CronDataIntervalTimetable": _by_cron,
    "MultipleCronTriggerTimetable": _by_cron,
    "DeltaTriggerTimetable": _by_delta,
    "DeltaDataIntervalTimetable": _by_delta,
    "OnceTimetable": _once,
    "EventsTimetable": _events,
    "ContinuousTimetable": _continuous,
    "AssetTriggeredTimetable": _by_assets,
    "DatasetTriggeredTimetable": _by_assets,
    "PartitionedAssetTimetable": _by_assets,
    "AssetOrTimeSchedule": _by_assets_or_time,
    "DatasetOrTimeSchedule": _by_assets_or_time,
}


# Start and end


def _bounds(dag: Any) -> Bounds:
    """As Airflow's ``DAG._time_restriction``: the first start of the DAG and its tasks, and the end of all."""
    starts = [item.start_date for item in (dag, *dag.tasks) if item.start_date]
    ends = [task.end_date for task in dag.tasks]
    ends = [*ends, dag.end_date] if all(ends) else [dag.end_date]
    return Bounds(_pendulum(min(starts, default=None)), _pendulum(max(filter(None, ends), default=None)), dag.catchup)


def _first(timetable: Any, bounds: Bounds) -> datetime | None:
    """When the first run starts: with data intervals, at the end of the first one."""
    info = _info(timetable, bounds.earliest)
    first: datetime | None = info and info.run_after
    return first


def _last(timetable: Any, bounds: Bounds) -> datetime | None:
    """A time behind the last run and before the next: the end date limits when data intervals start."""
    if bounds.latest is None:
        return None
    if type(timetable).__name__.endswith("DataIntervalTimetable"):
        info = _info(timetable, bounds.latest)
        inside = info.data_interval.start == bounds.latest
        last = info.run_after if inside else info.data_interval.start
    else:
        last = bounds.latest
    last_minute: datetime = _full_minute(last)
    return last_minute + _BEFORE_THE_NEXT


def _full_minute(moment: Any) -> Any:
    return moment and moment.replace(second=0, microsecond=0)


def _info(timetable: Any, earliest: Any) -> Any:
    """The first run from a time on, if Airflow catches up."""
    from airflow.timetables.base import TimeRestriction

    if earliest is None:
        return None
    restriction = TimeRestriction(earliest=earliest, latest=None, catchup=True)
    return timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)


def _zone(zone: str | int | float) -> str:
    """The name of a time zone that Airflow writes as a name, or as an offset in seconds."""
    if isinstance(zone, str):
        return zone
    hours, rest = divmod(int(zone), 3600)
    if rest:
        raise _NoScheduleError(f"the time zone {zone} s east of UTC has no name")
    return f"Etc/GMT{-hours:+d}" if hours else "UTC"  # these names count hours to the west


def _core(timetable: Any) -> Any:
    """The timetable that knows its runs; in Airflow 3.3 a DAG holds only its description."""
    if not type(timetable).__module__.startswith("airflow.sdk."):
        return timetable
    from airflow.serialization.encoders import coerce_to_core_timetable

    try:
        return coerce_to_core_timetable(timetable)
    except ValueError:  # it holds a timetable of one's own
        return timetable


def _pendulum(moment: Any) -> Any:
    import pendulum

    return moment and pendulum.instance(moment).in_timezone("UTC")


# The request


def _request(dag: Any, timing: Timing, number: int, count: int) -> dict[str, Any]:
    request: dict[str, Any] = {
        "Name": schedule_name(pipeline_name(dag.dag_id), f"-{number}" if count > 1 else ""),
        "Description": f"{MADE}of the Airflow DAG {dag.dag_id}"[:512],
        "ScheduleExpression": timing.expression,
        "ScheduleExpressionTimezone": timing.zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "DISABLED" if dag.is_paused_upon_creation else "ENABLED",
        "Target": {"SageMakerPipelineParameters": {"PipelineParameterList": []}},
    }
    dates = {"StartDate": timing.start, "EndDate": timing.end}
    return {**request, **{name: iso(date) for name, date in dates.items() if date}}


# Dates


def date_inputs(date_parameters: Mapping[str, str], dag: Any) -> tuple[dict[str, str], list[Finding]]:
    """The date parameters that a schedule fills with the time for which a run is due.

    :param date_parameters: from the name of a parameter to the template it stands for, such as ``{{ ds }}`` or
        ``{{ logical_date.strftime('%Y-%m-%dT%H:%M:%SZ') }}``.
    :return: values of ``PipelineParameterList`` by parameter, and a finding for each that differs or stays empty.
    """
    filled, found = {}, []
    names = _scheduled_names(_core(dag.timetable))
    exact = (
        re.compile(rf"({'|'.join(map(re.escape, names))})\.strftime\((['\"])%Y-%m-%dT%H:%M:%SZ\2\)") if names else None
    )
    for parameter, template in date_parameters.items():
        expression = template.removeprefix("{{").removesuffix("}}").strip()
        place = f"Parameters.{parameter}"
        if exact and exact.fullmatch(expression):
            filled[parameter] = SCHEDULED_TIME
        elif "logical_date" in names and expression in _SAME_TIME:
            filled[parameter] = SCHEDULED_TIME
            reason = (
                f"{parameter!r} is {{{{ {expression} }}}}, which ends in +00:00; a schedule writes 2026-01-31T00:00:00Z"
            )
            found.append(finding("SMP676", reason, place=place))
        else:
            reason = f"a schedule cannot give {parameter!r}, which is {{{{ {expression} }}}}"
            found.append(finding("SMP675", reason, place=place))
    return filled, found


_SAME_TIME: Final = ("ts", "logical_date", "execution_date", "logical_date.isoformat()", "execution_date.isoformat()")


def _scheduled_names(timetable: Any) -> tuple[str, ...]:
    """What templates call the time for which a run is due."""
    kind, ends = type(timetable).__name__, ("data_interval_end", "dag_run.data_interval_end")
    starts = ("logical_date", "execution_date", "dag_run.logical_date", "dag_run.execution_date", "data_interval_start")
    if kind in ("OnceTimetable", "EventsTimetable"):
        return (*starts, *ends)
    if kind in ("CronTriggerTimetable", "MultipleCronTriggerTimetable", "DeltaTriggerTimetable"):
        return ends if timetable.serialize().get("interval") else (*starts, *ends)
    return (*ends, "next_execution_date") if kind.endswith("DataIntervalTimetable") else ()
