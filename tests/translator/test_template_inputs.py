"""What a template reads, so that it can be rendered in the container of a Python or Bash task."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from sagemaker_provider.translator import jinja
from sagemaker_provider.translator.dates import context
from sagemaker_provider.translator.template_inputs import TemplateInputs, inputs
from sagemaker_provider.translator.templates import UntranslatableError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", TemplateInputs()),
        (
            "{{ params.b }}{{ params['a'] | upper }}{{ params.get('c', params.d) }}",
            TemplateInputs(params=("a", "b", "c", "d")),
        ),
        ("{{ dag_run.conf['x'] }}{{ dag_run.conf.get('y', 1) }}", TemplateInputs(params=("x", "y"))),
        ("{{ ds }}{{ execution_date.strftime('%Y') }}", TemplateInputs(dates=("ds", "logical_date"))),
        ("{{ macros.ds_add(ds, params.n) }}", TemplateInputs(params=("n",), dates=("ds",))),
        ("{{ (data_interval_end - macros.timedelta(days=1)) | ds }}", TemplateInputs(dates=("data_interval_end",))),
        (
            "{{ var.value.b }}{{ var.value.get('a', '') }}{{ var.json.c.deep }}",
            TemplateInputs(variables=("a", "b"), json_variables=("c",)),
        ),
        (
            "{{ ti.xcom_pull('t')['a'].split('/')[-1] }}{{ task_instance.xcom_pull(task_ids=['t', 'u'], key='k') | first }}",
            TemplateInputs(xcoms=(("t", "k"), ("t", "return_value"), ("u", "k"))),
        ),
        ("{{ ti.xcom_pull(key='k') }}", TemplateInputs(xcoms=((None, "k"),))),
        ("{{ ti.xcom_pull('t', dag_id='d', default=1) }}", TemplateInputs(xcoms=(("t", "return_value"),))),
        (
            "{{ run_id }}{{ dag.dag_id }}{{ ti.task_id }}",
            TemplateInputs(names=("dag.dag_id", "run_id", "task.task_id")),
        ),
        ("{{ dag_run.run_id }}", TemplateInputs(names=("run_id",))),
        ("{% for x in params.list %}{{ loop.index }}{{ x.name }}{% endfor %}", TemplateInputs(params=("list",))),
        (
            "{% set y = ds[:4] %}{{ y }}{% if params.a > 1 %}{{ range(3) | list }}{% endif %}",
            TemplateInputs(("a",), ("ds",)),
        ),
    ],
)
def test_what_a_template_reads(text: str, expected: TemplateInputs) -> None:
    assert inputs(text, "d") == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ conn.aws.password }}", "SMP310"),
        ("{{ conf.get('core', 'x') }}", "SMP301"),
        ("{{ my_macro(1) }}", "SMP301"),
        ("{{ ds | my_filter }}", "SMP301"),
        ("{{ 1 is my_test }}", "SMP301"),
        ("{{ macros.uuid.uuid4() }}", "SMP301"),
        ("{{ macros.datetime.now() }}", "SMP301"),
        ("{{ ti.try_number }}", "SMP301"),
        ("{{ params }}", "SMP301"),
        ("{{ params[ds] }}", "SMP301"),
        ("{{ params.get(ds) }}", "SMP301"),
        ("{{ params.items() }}", "SMP301"),
        ("{{ dag_run.start_date }}", "SMP301"),
        ("{{ prev_start_date_success }}", "SMP301"),
        ("{{ ti.xcom_pull(params.t) }}", "SMP301"),
        ("{{ ti.xcom_pull(task_ids=1) }}", "SMP301"),
        ("{{ ti.xcom_pull('t', dag_id='other') }}", "SMP301"),
        ("{{ ti.xcom_pull('t', include_prior_dates=true) }}", "SMP301"),
        ("{{ ti.xcom_pull('t', map_indexes=0) }}", "SMP301"),
        ("{% include 'other' %}", "SMP301"),
        ("{% import 'other' as o %}", "SMP301"),
        ("{{ ds", "SMP301"),
    ],
)
def test_what_only_airflow_knows_is_refused(text: str, code: str) -> None:
    with pytest.raises(UntranslatableError) as error:
        inputs(text, "d")
    assert error.value.code == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ ti.xcom_pull('t').name.split('/')[-1] | upper }}-{{ macros.ds_add(ds, params.n) }}", "Y-2026-02-02"),
        ("{% for x in params.list if x > 1 %}{{ loop.index }}:{{ x }},{% endfor %}", "1:2,2:3,"),
        ("{{ 'a' if var.value.mode == 'big' else logical_date.year }}", "2026"),
    ],
)
def test_a_template_can_be_rendered_with_what_it_reads_and_nothing_else(text: str, expected: str) -> None:
    known = {
        "params": {"n": 2, "list": [1, 2, 3], "other": 1},
        "variables": {"mode": "small", "other": ""},
        "xcoms": {("t", "return_value"): {"name": "x/y"}},
    }
    found = inputs(text, "d")
    day = datetime(2026, 1, 31, tzinfo=timezone.utc)
    moments = context(day, day, day)
    params, variables = ({name: known[kind][name] for name in getattr(found, kind)} for kind in ("params", "variables"))
    xcoms = {task: known["xcoms"][task, key] for task, key in found.xcoms}
    given: dict[str, Any] = {
        "params": params,
        "var": {"value": variables},
        "ti": SimpleNamespace(xcom_pull=lambda task_ids: xcoms[task_ids]),
        "macros": moments["macros"],
        **{name: moments[name] for name in found.dates},
    }
    assert jinja.environment().from_string(text).render(given) == expected
