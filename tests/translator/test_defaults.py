"""Conversion settings: whose value holds, and what is wrong with a file of them."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator
from dag_makers import FUNCTION, codes, make_dag, messages, steps_of

from sagemaker_provider.translator import Defaults, Setting, Settings, TaskStep, convert, translates


class Invoke(BaseOperator):
    """Calls a function with values of settings."""

    def __init__(self, values: Any, **options: Any) -> None:
        super().__init__(**options)
        self.values = values


@translates(f"{__name__}.Invoke")
def invoke(task: Any, given: Any) -> TaskStep:
    arguments = {**task.values, "region": given("region") or "none"}
    return TaskStep("Lambda", arguments, {"FunctionArn": FUNCTION, "OutputParameters": ()})


def arguments(values: Any, defaults: Any = None, **options: Any) -> Any:
    with make_dag(**options) as dag:
        Invoke(task_id="t", values=values)
    return steps_of(convert(dag, Settings(defaults=Defaults.from_object(defaults))))["t"]["Arguments"]


def test_the_task_goes_before_its_dag_and_the_dag_before_all() -> None:
    file = {"region": "all", "dags": {"work": {"region": "dag", "tasks": {"t": {"region": "task"}}}}}
    assert arguments({}, file)["region"] == "task"
    del file["dags"]["work"]["tasks"]
    assert arguments({}, file)["region"] == "dag"
    del file["dags"]
    assert arguments({}, file)["region"] == "all"
    assert arguments({})["region"] == "none"
    assert arguments({}, {"dags": {"other": {"region": "x", "tasks": {"t": {"region": "x"}}}}})["region"] == "none"


def test_a_setting_among_the_arguments_is_its_value() -> None:
    given = {"role": "arn:aws:iam::111122223333:role/R", "code_location": "s3://b/code"}
    found = arguments(
        {"a": Setting("role"), "b": Setting("code_location", "/x"), "c": Setting("volume_size_in_gb")}, given
    )
    assert (found["a"], found["b"], found["c"]) == (given["role"], "s3://b/code/x", 30)


def test_a_setting_without_a_value_is_a_parameter() -> None:
    with make_dag() as dag:
        Invoke(task_id="t", values={"a": Setting("role"), "b": Setting("code_location", "/x"), "c": Setting("role")})
    conversion = convert(dag)
    found = steps_of(conversion)["t"]["Arguments"]
    assert found["a"] == found["c"] == {"Get": "Parameters.RoleArn"}
    assert found["b"] == {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.CodeLocation"}, "/x"]}}
    assert [item.name for item in conversion.definition.parameters] == ["RoleArn", "CodeLocation"]
    assert len(messages(conversion, "SMP635")) == 2


def test_a_param_with_the_name_of_a_settings_parameter_is_refused() -> None:
    with make_dag(params={"RoleArn": "x"}) as dag:
        Invoke(task_id="t", values={"a": Setting("role")})
    assert codes(convert(dag)) == ["SMP301"]


@pytest.mark.parametrize(
    ("file", "problems"),
    [
        ([], ["the file is not a mapping"]),
        ({"rolle": 1}, ["rolle is no setting; there are role,"]),
        ({"role": 1, "volume_size_in_gb": "2"}, ["role is 1, not text", "volume_size_in_gb is '2', not a number"]),
        ({"dags": {"d": []}}, ["dags.d is not a mapping"]),
        ({"dags": {"d": {"x": 1, "tasks": {"t": {"image": 3}, "u": 4}}}}, ["dags.d.x is no", "dags.d.tasks.t.image is 3", "dags.d.tasks.u is not a mapping"]),
    ],
)  # fmt: skip
def test_every_problem_of_a_file_is_named_at_once(file: Any, problems: list[str]) -> None:
    with pytest.raises(ValueError, match=problems[0]) as error:
        Defaults.from_object(file)
    assert all(problem in str(error.value) for problem in problems)


def test_a_setting_for_a_task_that_does_not_exist_is_told() -> None:
    with make_dag() as dag:
        Invoke(task_id="t", values={})
    defaults = Defaults(tasks={("work", "tt"): {"region": "x"}, ("other", "u"): {"region": "x"}})
    assert messages(convert(dag, Settings(defaults=defaults)), "SMP689") == [
        "there is no task 'tt' in 'work'; did you mean 't'?"
    ]


def test_an_empty_file_sets_nothing() -> None:
    assert Defaults.from_object(None) == Defaults()
    with pytest.raises(KeyError):
        Defaults().value("d", "t", "rolle")
