"""When a DAG runs: the Scheduler starts the pipeline when Airflow would start the DAG, or a finding says otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pendulum
import pytest
from airflow.timetables.base import TimeRestriction
from airflow.timetables.events import EventsTimetable
from airflow.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable, DeltaTriggerTimetable
from botocore.validate import validate_parameters
from dag_makers import empty, make_dag, step, steps_of
from dateutil.relativedelta import relativedelta
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scheduler_times import times

from sagemaker_provider.hooks.schedule import due
from sagemaker_provider.translator import convert
from sagemaker_provider.translator.cron import NoCronError, clock_changes, scheduler_crons
from sagemaker_provider.translator.schedule import SCHEDULED_TIME, date_inputs, schedules

JANUARY = pendulum.datetime(2026, 1, 1)
KNOWN = pendulum.datetime(2038, 1, 1)
"""Until when the changes of clocks are looked for."""
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo")


def scheduled(schedule: Any, **options: Any) -> Any:
    with make_dag(schedule=schedule, **{"start_date": JANUARY, "catchup": True, **options}) as dag:
        empty("work")
    return dag


def only(schedule: Any, **options: Any) -> dict[str, Any]:
    (request,), _ = schedules(scheduled(schedule, **options))
    return request


def codes_of(schedule: Any, **options: Any) -> list[str]:
    return [item.code for item in schedules(scheduled(schedule, **options))[1]]


def airflow_times(timetable: Any, start: Any, end: Any, count: int) -> list[datetime]:
    """When Airflow starts runs, catching up from a start date to an end date."""
    restriction = TimeRestriction(earliest=start, latest=end, catchup=True)
    found, last = [], None
    while len(found) < count:
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if info is None:
            break
        found.append(info.run_after)
        last = info.data_interval
    return found


# Cron expressions


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 * * *", ["cron(0 0 * * ? *)"]),
        ("*/15 8-18 * * MON-FRI", ["cron(0/15 8-18 ? * MON-FRI *)"]),
        ("5,35 9-17/2 * * *", ["cron(5,35 9,11,13,15,17 * * ? *)"]),
        ("0 0 * * 0", ["cron(0 0 ? * SUN *)"]),
        ("0 0 * * 7", ["cron(0 0 ? * SUN *)"]),
        ("0 0 * * fri-mon", ["cron(0 0 ? * SUN,MON,FRI,SAT *)"]),
        ("0 0 1 nov-feb *", ["cron(0 0 1 1,2,11,12 ? *)"]),
        ("0 0 L * *", ["cron(0 0 L * ? *)"]),
        ("0 0 15,L * *", ["cron(0 0 15 * ? *)", "cron(0 0 L * ? *)"]),
        ("0 0 15W * *", ["cron(0 0 15W * ? *)"]),
        ("0 0 * * 5#3", ["cron(0 0 ? * 6#3 *)"]),
        ("0 0 * * 5#3,1#1", ["cron(0 0 ? * 2#1 *)", "cron(0 0 ? * 6#3 *)"]),
        ("0 0 * * L5", ["cron(0 0 ? * 6L *)"]),
        ("0 0 1 * MON", ["cron(0 0 1 * ? *)", "cron(0 0 ? * MON *)"]),
        ("0 0 1 1 * 0 2027-2029", ["cron(0 0 1 1 ? 2027-2029)"]),
    ],
)
def test_a_cron_expression_becomes_that_of_the_scheduler(expression: str, expected: list[str]) -> None:
    assert scheduler_crons(expression, "UTC").expressions == expected


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 31 2 *",
        "0 0 * * * 30",
        "0 0 1 1 * 0 2001",
        "R 0 * * *",
        "H 0 * * *",
        "0 0 1-7 * 1#1",
        "0 0 15W * MON",
        "0 0 31W * *",
        "0 0 * *",
        ",".join(str(item) for item in range(60) if item % 3) + " 0,3,4,7,8,11,12,15,16,19 "
        "1,3,4,7,8,11,12,15,16,19,20,23,24,27,28,31 1,3,5,8,10,12 *",
    ],
)
def test_what_the_scheduler_has_not_is_refused(expression: str) -> None:
    try:
        crons = scheduler_crons(expression, "UTC")
    except NoCronError:
        return
    assert max(map(len, crons.expressions)) <= 256


def test_an_expression_too_long_for_the_scheduler_is_refused() -> None:
    minutes = ",".join(str(item) for item in range(60) if item % 3)
    with pytest.raises(NoCronError, match="256 are allowed"):
        scheduler_crons(
            f"{minutes} * {minutes.partition(',31,')[0]} * * 0 {','.join(map(str, range(2027, 2099, 2)))},2099", "UTC"
        )


def test_a_schedule_of_every_hour_needs_no_time_zone() -> None:
    crons = scheduler_crons("*/15 * * * *", "Europe/Berlin")
    assert (crons.expressions, crons.zone, crons.clock) == (["cron(0/15 * * * ? *)"], "UTC", "")
    assert scheduler_crons("0 * * * *", "Asia/Kolkata").zone == "Asia/Kolkata"
    assert scheduler_crons("0 * * * *", "Australia/Lord_Howe").clock


def test_a_time_in_the_changed_hour_is_a_difference() -> None:
    assert "02:30" in scheduler_crons("30 2 * * *", "Europe/Berlin").clock
    assert scheduler_crons("30 3 * * *", "Europe/Berlin").clock == ""
    assert scheduler_crons("30 2 * * MON", "Europe/Berlin").clock == ""
    assert codes_of(CronTriggerTimetable("30 2 * * *", timezone="Europe/Berlin")) == ["SMP611", "SMP671"]


def test_the_changes_of_a_clock_are_those_of_its_zone() -> None:
    spring, autumn = clock_changes("Europe/Berlin")[:2]
    assert spring == (datetime(2025, 3, 30, 2), datetime(2025, 3, 30, 3), True)
    assert autumn == (datetime(2025, 10, 26, 2), datetime(2025, 10, 26, 3), False)
    assert clock_changes("UTC") == ()


numbers = st.integers
minute = st.one_of(
    st.sampled_from(["*", "0", "30", "*/7", "0,15,45", "50-59/3", "5/20", "10-12"]), numbers(0, 59).map(str)
)
hour = st.one_of(st.sampled_from(["*", "*/2", "*/6", "1-3", "0,2", "22-3", "2/5"]), numbers(0, 23).map(str))
day = st.one_of(
    st.sampled_from(["*", "*", "*", "L", "15,L", "30,L", "*/10", "1-7", "25-31", "12W", "1,31"]),
    numbers(1, 31).map(str),
)
month = st.sampled_from(["*", "*", "*", "*/3", "3,10", "mar-may", "oct-feb", "1-12"])
weekday = st.sampled_from(
    ["*", "*", "*", "0", "7", "MON-FRI", "fri-mon", "1,3,5", "*/2", "sun#2", "5#5", "L5", "1#1,3#2", "L1,1#4", "0-6"]
)
crons = st.builds(lambda *fields: " ".join(fields), minute, hour, day, month, weekday)


@st.composite
def starts(draw: Any, zone: str) -> Any:
    """A time from which to look; often shortly before the clock changes."""
    changes = [change.start for change in clock_changes(zone) if change.start.year in (2026, 2027)]
    if changes and draw(st.booleans()):
        near = draw(st.sampled_from(changes)) - timedelta(minutes=draw(st.integers(0, 3000)))
        return pendulum.instance(near, tz="UTC")
    return JANUARY.add(minutes=draw(st.integers(0, 525_600)))


@settings(max_examples=150, deadline=None)
@given(st.data(), crons, st.sampled_from(ZONES), st.booleans(), st.booleans())
def test_the_scheduler_starts_when_airflow_would(
    data: Any, expression: str, zone: str, intervals: bool, ends: bool
) -> None:
    timetable = (CronDataIntervalTimetable if intervals else CronTriggerTimetable)(expression, timezone=zone)
    start = data.draw(starts(zone))
    end = start.add(minutes=data.draw(st.integers(0, 200_000))) if ends else None
    with make_dag(schedule=timetable, start_date=start, end_date=end, catchup=True) as dag:
        empty("work")
    requests, findings = schedules(dag)
    codes = [item.code for item in findings]
    if "SMP670" in codes:
        try:
            scheduler_crons(expression, zone)
        except NoCronError:
            return
        assert airflow_times(timetable, start, end, 1) == []
        return
    if "SMP671" in codes and expression.split()[1] == "*":
        return  # Airflow shifts all that follows, or cannot go on
    expected = airflow_times(timetable, start, end, 150)
    until = min(expected[-1] if len(expected) == 150 else end.add(days=400), KNOWN)
    expected = [item for item in expected if item <= until]
    found = sorted(item for request in requests for item in times(request, start, until))
    assert len(set(found)) == len(found) or "SMP672" in codes
    missing = {item.timestamp() for item in expected} ^ {item.timestamp() for item in found}
    if "SMP671" not in codes:
        assert missing == set()
    else:
        changes = [change.end.replace(tzinfo=timezone.utc).timestamp() for change in clock_changes(zone)]
        assert all(min(abs(moment - change) for change in changes) < 86_400 for moment in missing)


# Distances


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.integers(1, 20_000).map(lambda minutes: timedelta(minutes=minutes)),
        st.integers(1, 40).map(lambda days: relativedelta(days=days)),
        st.sampled_from([1, 2, 3, 4, 5, 6, 12]).map(lambda months: relativedelta(months=months)),
        st.just(relativedelta(years=1)),
    ),
    st.integers(0, 525_600),
    st.booleans(),
    st.integers(0, 400_000),
)
def test_distances_start_when_airflow_would(delta: Any, minutes: int, intervals: bool, length: int) -> None:
    timetable = (DeltaDataIntervalTimetable if intervals else DeltaTriggerTimetable)(delta)
    start = JANUARY.add(minutes=minutes)
    end = start.add(minutes=length)
    with make_dag(schedule=timetable, start_date=start, end_date=end, catchup=True) as dag:
        empty("work")
    requests, findings = schedules(dag)
    if "SMP670" in [item.code for item in findings]:
        assert isinstance(delta, relativedelta) and (start.day > 28 or 12 % (12 * delta.years + delta.months))
        return
    expected = airflow_times(timetable, start, end, 150)
    until = expected[-1] if len(expected) == 150 else expected[-1].add(days=800)
    assert [item for request in requests for item in times(request, start, until)] == expected


@pytest.mark.parametrize(
    ("schedule", "options", "expected"),
    [
        (timedelta(days=1), {"catchup": False}, ["SMP611", "SMP673"]),
        (DeltaDataIntervalTimetable(timedelta(days=1)), {"catchup": False}, ["SMP611"]),
        (
            DeltaDataIntervalTimetable(timedelta(days=1)),
            {"catchup": False, "start_date": JANUARY.add(hours=5)},
            ["SMP611", "SMP673"],
        ),
        (timedelta(seconds=90), {}, ["SMP670"]),
        (relativedelta(months=1, days=1), {}, ["SMP670"]),
        (relativedelta(days=1, hour=5), {}, ["SMP670"]),
        (relativedelta(months=5), {}, ["SMP670"]),
    ],
)
def test_distances_that_differ_are_findings(schedule: Any, options: dict[str, Any], expected: list[str]) -> None:
    if schedule == timedelta(days=1):
        schedule = DeltaTriggerTimetable(schedule)
    assert codes_of(schedule, **options) == expected


# Other schedules


def several(*expressions: str, timezone: str) -> Any:
    """A timetable of several cron expressions, which Airflow 2 has not."""
    from airflow.timetables import trigger

    if not hasattr(trigger, "MultipleCronTriggerTimetable"):
        pytest.skip("this Airflow has no MultipleCronTriggerTimetable")
    return trigger.MultipleCronTriggerTimetable(*expressions, timezone=timezone)


def test_several_cron_expressions_are_several_schedules() -> None:
    timetable = several("0 9 * * *", "30 17 * * *", "0 9 * * *", timezone="Asia/Tokyo")
    requests, findings = schedules(scheduled(timetable))
    assert [(item["Name"], item["ScheduleExpression"]) for item in requests] == [
        ("work-1", "cron(0 9 * * ? *)"),
        ("work-2", "cron(30 17 * * ? *)"),
    ]
    assert [item.code for item in findings] == ["SMP611"]


@pytest.mark.parametrize("other", ["*/30 9 * * *", "0 * * * MON"])
def test_cron_expressions_that_may_meet_are_a_difference(other: str) -> None:
    assert "SMP672" in codes_of(several("0 9 * * *", other, timezone="UTC"))


def test_days_that_may_meet_are_a_difference() -> None:
    assert codes_of("0 0 1 * MON") == ["SMP611", "SMP672"]
    assert codes_of("0 0 15,L * *") == ["SMP611"]
    assert codes_of("0 0 28,L * *") == ["SMP611", "SMP672"]


def test_events_are_single_schedules_within_the_dates_of_the_dag() -> None:
    moments = [JANUARY.add(days=days) for days in (40, 3, -1, 3)]
    requests, findings = schedules(scheduled(EventsTimetable(moments), end_date=JANUARY.add(days=50)))
    assert [item["ScheduleExpression"] for item in requests] == ["at(2026-01-04T00:00:00)", "at(2026-02-10T00:00:00)"]
    assert [item.code for item in findings] == ["SMP611"]


def test_a_single_run_is_one_time_and_a_finding() -> None:
    assert only("@once")["ScheduleExpression"] == "at(2026-01-01T00:00:00)"
    assert codes_of("@once") == ["SMP611", "SMP674"]


def test_a_single_run_without_a_date_is_started_by_hand() -> None:
    try:
        dag = make_dag(schedule="@once")
    except ValueError:
        pytest.skip("this Airflow makes no DAG with a schedule and without a date")
    requests, findings = schedules(dag)
    assert (requests, [item.code for item in findings]) == ([], ["SMP674"])


def test_a_dag_without_schedule_has_none() -> None:
    assert schedules(scheduled(None)) == ([], [])


def test_runs_without_end_have_no_schedule() -> None:
    assert codes_of("@continuous", max_active_runs=1) == ["SMP670"]


def test_a_timetable_of_ones_own_has_no_schedule() -> None:
    class Holidays(CronTriggerTimetable):
        """Python code."""

    assert codes_of(Holidays("0 0 * * *", timezone="UTC")) == ["SMP670"]


def test_a_schedule_whose_end_comes_first_has_no_run() -> None:
    assert codes_of("0 0 * * *", start_date=JANUARY.add(hours=1), end_date=JANUARY.add(hours=2)) == ["SMP670"]


def asset_schedules() -> tuple[Any, Any]:
    """The class of assets, and the timetable that has a time too, in either Airflow."""
    try:
        from airflow.sdk import Asset
        from airflow.timetables.assets import AssetOrTimeSchedule

        return Asset, AssetOrTimeSchedule
    except ImportError:
        from airflow.datasets import Dataset
        from airflow.timetables.datasets import DatasetOrTimeSchedule

        return Dataset, lambda assets, timetable: DatasetOrTimeSchedule(datasets=assets, timetable=timetable)


def test_a_schedule_by_assets_names_them() -> None:
    asset, _ = asset_schedules()
    requests, (found,) = schedules(scheduled([asset("s3://bucket/rows"), asset("s3://bucket/more")]))
    assert requests == []
    assert found.code == "SMP677" and "s3://bucket/more, s3://bucket/rows" in found.message


def test_a_schedule_by_assets_or_time_keeps_the_time() -> None:
    asset, or_time = asset_schedules()
    timetable = or_time(assets=[asset("s3://bucket/rows")], timetable=CronTriggerTimetable("0 5 * * *", timezone="UTC"))
    (request,), findings = schedules(scheduled(timetable))
    assert request["ScheduleExpression"] == "cron(0 5 * * ? *)"
    assert sorted(item.code for item in findings) == ["SMP611", "SMP677"]


def test_an_offset_from_utc_is_a_time_zone_where_it_has_a_name() -> None:
    by_offset = {
        hours: CronTriggerTimetable("0 0 * * *", timezone=pendulum.timezone(hours * 3600)) for hours in (2, -5)
    }
    assert only(by_offset[2])["ScheduleExpressionTimezone"] == "Etc/GMT-2"
    assert only(by_offset[-5])["ScheduleExpressionTimezone"] == "Etc/GMT+5"
    assert codes_of(CronTriggerTimetable("0 0 * * *", timezone=pendulum.timezone(19_800))) == ["SMP670"]


# The request


def test_a_request_is_one_of_the_scheduler_but_for_what_deployment_adds() -> None:
    request = only("0 0 * * *", end_date=JANUARY.add(years=1))
    target = {
        **request["Target"],
        "Arn": "arn:aws:sagemaker:us-west-2:1:pipeline/work",
        "RoleArn": "arn:aws:iam::1:role/R",
    }
    model = boto3.client("scheduler", region_name="us-west-2").meta.service_model.operation_model("CreateSchedule")
    validate_parameters({**request, "Target": target}, model.input_shape)
    assert request["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert request["Target"] == {"SageMakerPipelineParameters": {"PipelineParameterList": []}}


def test_a_dag_paused_upon_creation_has_a_disabled_schedule() -> None:
    assert only("@daily")["State"] == "ENABLED"
    assert only("@daily", is_paused_upon_creation=True)["State"] == "DISABLED"


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    names = [only("@daily", dag_id="d" * 70 + letter)["Name"] for letter in "ab"]
    assert len(names[0]) == len(names[1]) == 64
    assert names[0] != names[1]


def test_data_intervals_start_a_run_at_their_end() -> None:
    end = JANUARY.add(days=3)
    interval = only(CronDataIntervalTimetable("0 0 * * *", timezone="UTC"), end_date=end)
    trigger = only(CronTriggerTimetable("0 0 * * *", timezone="UTC"), end_date=end)
    assert (interval["StartDate"], interval["EndDate"]) == ("2026-01-02T00:00:00Z", "2026-01-05T00:00:59Z")
    assert (trigger["StartDate"], trigger["EndDate"]) == ("2026-01-01T00:00:00Z", "2026-01-04T00:00:59Z")


NOW = datetime(2026, 6, 1, 10, 20, tzinfo=timezone.utc)


def test_a_start_in_the_past_is_left_out_of_a_cron_schedule() -> None:
    assert "StartDate" not in (due(only("@daily"), NOW) or {"StartDate": "?"})
    coming = only("@daily", start_date=JANUARY.add(years=1))
    assert due(coming, NOW) == coming


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(0, 500_000))
def test_a_rate_goes_on_as_if_it_had_started_in_the_past(minutes: int, later: int) -> None:
    request = only(DeltaTriggerTimetable(timedelta(minutes=minutes)))
    now = JANUARY.add(minutes=later)
    moved = due(request, now)
    assert moved is not None
    before = [item for item in times(request, now, now.add(days=10)) if item > now]
    assume(before)
    assert times(moved, now, now.add(days=10)) == before


@pytest.mark.parametrize(
    ("schedule", "options"),
    [
        ("@daily", {"end_date": JANUARY.add(days=9)}),
        ("@once", {}),
        (DeltaTriggerTimetable(timedelta(days=300)), {"end_date": JANUARY.add(days=200)}),
    ],
)
def test_a_schedule_that_is_over_is_none(schedule: Any, options: dict[str, Any]) -> None:
    assert due(only(schedule, **options), NOW) is None


# Dates

TRIGGER = CronTriggerTimetable("0 0 * * *", timezone="UTC")
INTERVAL = CronDataIntervalTimetable("0 0 * * *", timezone="UTC")
FORM = ".strftime('%Y-%m-%dT%H:%M:%SZ')"


@pytest.mark.parametrize(
    ("timetable", "expression", "code"),
    [
        (TRIGGER, f"logical_date{FORM}", None),
        (TRIGGER, f"data_interval_end{FORM}", None),
        (INTERVAL, f"data_interval_end{FORM}", None),
        (INTERVAL, f"logical_date{FORM}", "SMP675"),
        (
            CronTriggerTimetable("0 0 * * *", timezone="UTC", interval=timedelta(days=1)),
            f"logical_date{FORM}",
            "SMP675",
        ),
        (TRIGGER, "ts", "SMP676"),
        (INTERVAL, "ts", "SMP675"),
        (TRIGGER, "ds", "SMP675"),
        (TRIGGER, "logical_date.strftime('%Y')", "SMP675"),
        (None, f"logical_date{FORM}", "SMP675"),
    ],
)
def test_a_date_is_filled_where_the_scheduled_time_is_that_date(
    timetable: Any, expression: str, code: str | None
) -> None:
    filled, findings = date_inputs({"date": f"{{{{ {expression} }}}}"}, scheduled(timetable))
    assert [item.code for item in findings] == ([code] if code else [])
    assert filled == ({} if code == "SMP675" else {"date": SCHEDULED_TIME})


def test_the_schedule_of_a_conversion_gives_the_date() -> None:
    form = "{{ logical_date.strftime('%Y-%m-%dT%H:%M:%SZ') }}"
    with make_dag(schedule=TRIGGER, start_date=JANUARY) as dag:
        step("work", config={"at": form, "day": "{{ ds }}"})
    conversion = convert(dag)
    (request,) = conversion.schedules
    (given,) = request["Target"]["SageMakerPipelineParameters"]["PipelineParameterList"]
    assert given["Value"] == SCHEDULED_TIME
    assert steps_of(conversion)["work"]["Arguments"]["at"] == {"Get": f"Parameters.{given['Name']}"}
    assert [item.place for item in conversion.findings if item.code == "SMP675"] == ["Parameters.ds"]


def test_two_dates_in_one_form_are_not_taken_for_one() -> None:
    twice = f"{{{{ logical_date{FORM} }}}}-{{{{ logical_date{FORM} }}}}"
    assert date_inputs({"date": twice}, scheduled(TRIGGER))[0] == {}
