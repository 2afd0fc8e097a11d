"""Date macros: every distinct form of one is a String parameter, which whoever starts the pipeline computes.

A form is the source of an expression that reads dates only, such as ``ds`` or ``(logical_date - macros.timedelta(days=1)) | ds``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from functools import cache, lru_cache
from typing import Any, Final

import jinja2

from sagemaker_provider.definition import limits
from sagemaker_provider.translator import jinja
from sagemaker_provider.translator.names import clean

_STEMS: Final = {"ds": "YYYY-MM-DD", "ds_nodash": "YYYYMMDD"}
MACROS: Final = {
    **{name: f"{form} of the logical date" for name, form in _STEMS.items()},
    "ts": "ISO 8601 time of the logical date",
    "ts_nodash": "YYYYMMDDTHHMMSS of the logical date",
    "ts_nodash_with_tz": "YYYYMMDDTHHMMSS and offset of the logical date",
    "logical_date": "logical date, such as 2026-01-31 00:00:00+00:00",
    "data_interval_start": "start of the data interval, such as 2026-01-31 00:00:00+00:00",
    "data_interval_end": "end of the data interval, such as 2026-01-31 00:00:00+00:00",
    **{f"yesterday_{name}": f"{form} of the day before the logical date" for name, form in _STEMS.items()},
    **{f"tomorrow_{name}": f"{form} of the day after the logical date" for name, form in _STEMS.items()},
    **{f"prev_{name}": f"{form} of the logical date of the run before" for name, form in _STEMS.items()},
    **{f"next_{name}": f"{form} of the logical date of the run after" for name, form in _STEMS.items()},
    "prev_execution_date": "logical date of the run before, such as 2026-01-31 00:00:00+00:00",
    "next_execution_date": "logical date of the run after, such as 2026-01-31 00:00:00+00:00",
}
"""Date macros -> what whoever starts the run passes for them as they are."""

NAMES: Final = frozenset(MACROS)
AIRFLOW_2: Final = frozenset(
    {"execution_date", *(name for name in MACROS if name.startswith(("yesterday_", "tomorrow_", "prev_", "next_")))}
)
"""What Airflow 3 no longer has."""

_SAMPLE: Final = datetime(2026, 1, 31, tzinfo=timezone.utc)
_WORDS: Final = (
    (r"macros\.(?:dateutil\.relativedelta\.)?(?:timedelta|relativedelta)\((\w+)=(\d+)\)", r"\2_\1"),
    (r"macros\.timedelta\((\d+)\)", r"\1_days"),
    (r"macros\.ds_add\((.*?), -(\d+)\)", r"\1 minus \2_days"),
    (r"macros\.ds_add\((.*?), (\d+)\)", r"\1 plus \2_days"),
    (r"macros\.ds_format\((.*?), '.*?', '(.*?)'\)", r"\1 \2"),
    (r"\.add\((\w+)=(\d+)\)", r" plus \2_\1"),
    (r"\.subtract\((\w+)=(\d+)\)", r" minus \2_\1"),
    (r"(\w+) \| ds", r"\1_ds"),
    (r"macros\.|\.strftime|\.format|%", ""),
    (r" - ", " minus "),
    (r" \+ ", " plus "),
    (r"[^A-Za-z0-9\-]+", "_"),
    (r"_-_", "_"),
)
"""What is said in words in the name of a parameter."""


def parameter_name(form: str) -> str:
    """A readable name for the parameter of a form; two forms may have the same."""
    name = form
    for pattern, word in _WORDS:
        name = re.sub(pattern, word, name)
    return clean(name.strip("_-"))


def description(form: str) -> str:
    """What the value of a form is."""
    return MACROS.get(form) or f"{{{{ {form} }}}}, such as {example(form)}"


@lru_cache(maxsize=4096)
def example(form: str) -> Any:
    """The value of a form for a run of 2026-01-31.

    :raises ValueError: it has no value, or one that is no text, number or date.
    """
    value = jinja.compute(form, _sample_context())
    if not isinstance(value, (str, int, float, date, time)):
        raise ValueError(f"it gives a {type(value).__name__}")
    if len(str(value)) > limits.PARAMETER_VALUE:
        raise ValueError(f"it gives more than {limits.PARAMETER_VALUE} characters, the longest value of a parameter")
    return value


@lru_cache(maxsize=4096)
def constant(text: str) -> Any:
    """The value of an expression that reads nothing, no date either.

    :raises ValueError: it has none.
    """
    return jinja.compute(text, {"macros": _sample_context()["macros"]})


@cache
def _sample_context() -> dict[str, Any]:
    day = timedelta(days=1)
    return context(_SAMPLE, _SAMPLE, _SAMPLE + day, _SAMPLE - day, _SAMPLE + day)


def context(
    logical_date: datetime,
    data_interval_start: datetime,
    data_interval_end: datetime,
    prev_logical_date: datetime | None = None,
    next_logical_date: datetime | None = None,
) -> dict[str, Any]:
    """The dates in the context that Airflow renders templates with, and its macros.

    :param logical_date: of the run.
    :param data_interval_start: of the run.
    :param data_interval_end: of the run.
    :param prev_logical_date: of the scheduled run before it; for a manual run, its own. Airflow 2 only.
    :param next_logical_date: of the scheduled run after it; for a manual run, its own. Airflow 2 only.
    """
    import pendulum

    try:
        from airflow.sdk.execution_time import macros
    except ImportError:
        from airflow import macros  # type: ignore[no-redef,attr-defined]

    run = pendulum.instance(logical_date).in_timezone("UTC")
    found: dict[str, Any] = {
        "macros": macros,
        "logical_date": run,
        "data_interval_start": pendulum.instance(data_interval_start).in_timezone("UTC"),
        "data_interval_end": pendulum.instance(data_interval_end).in_timezone("UTC"),
        "ts": run.isoformat(),
        "ts_nodash": run.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": run.isoformat().replace("-", "").replace(":", ""),
    }
    days = {"": run, "yesterday_": run - timedelta(days=1), "tomorrow_": run + timedelta(days=1)}
    for word, given in (("prev_", prev_logical_date), ("next_", next_logical_date)):
        if given is not None:
            days[word] = found[f"{word}execution_date"] = pendulum.instance(given).in_timezone("UTC")
    for word, moment in days.items():
        found |= {f"{word}ds": moment.strftime("%Y-%m-%d"), f"{word}ds_nodash": moment.strftime("%Y%m%d")}
    return found


def render_dates(
    forms: Mapping[str, str],
    *,
    logical_date: datetime,
    data_interval_start: datetime,
    data_interval_end: datetime,
    prev_logical_date: datetime | None = None,
    next_logical_date: datetime | None = None,
) -> dict[str, str]:
    """The values of date parameters for a run, as Airflow renders them.

    :param forms: name of a parameter -> its template, such as ``{{ ds }}``.
    :param logical_date: see :func:`context`, as for the others. A time without time zone is in UTC.
    :return: name of a parameter -> value.
    :raises ValueError: a template has no value, for example because it reads a date that is not given; or it reads more
        than dates, so that it may do anything.
    """
    given = context(logical_date, data_interval_start, data_interval_end, prev_logical_date, next_logical_date)
    return {name: _rendered(name, template, given) for name, template in forms.items()}


def _rendered(name: str, template: str, given: Mapping[str, Any]) -> str:
    form = template.strip().removeprefix("{{").removesuffix("}}").strip()
    try:
        node = jinja.expression(form)
        if not jinja.closed(node, NAMES):
            raise ValueError("it reads more than dates")
        return str(jinja.compute(form, given))
    except (ValueError, jinja2.TemplateSyntaxError) as error:
        raise ValueError(f"the parameter {name!r}, {template}: {error}") from None
