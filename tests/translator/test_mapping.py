"""Mapped tasks are one step for each item, or a loop, or a finding says why not."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
from airflow.providers.common.compat.sdk import BaseOperator, task, task_group
from dag_makers import FUNCTION, IMAGE, ROLE, codes, make_dag, messages, step, steps_of

from sagemaker_provider.definition.model import OutputParameter
from sagemaker_provider.operators import SageMakerLambdaStepOperator
from sagemaker_provider.translator import Defaults, Settings, TaskStep, convert, translates

LOOP = Settings(defaults=Defaults({"mapped": "loop"}))


class Invoke(BaseOperator):
    """Calls a function with two values."""

    template_fields = ("a", "b")

    def __init__(self, a: Any = None, b: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.a, self.b = a, b


@translates(f"{__name__}.Invoke")
def invoke(task: Any, given: Any) -> TaskStep:
    values = {key: value for key, value in (("a", task.a), ("b", task.b)) if value is not None}
    members = {"FunctionArn": FUNCTION, "OutputParameters": (OutputParameter("o"),)}
    xcom = lambda key, path: ("OutputParameters", "o")  # noqa: E731
    return TaskStep("Lambda", values, members, xcom=xcom)


def arguments(dag: Any, settings: Any = None) -> dict[str, Any]:
    return {name: item["Arguments"] for name, item in steps_of(convert(dag, settings)).items()}


def test_one_step_for_each_item() -> None:
    with make_dag(params={"x": "y"}) as dag:
        mapped = Invoke.partial(task_id="t", b="{{ params.x }}").expand(a=["u", "v", "{{ params.x }}"])
        step("before") >> mapped >> step("after")
    found = steps_of(convert(dag))
    x = {"Get": "Parameters.x"}
    assert [found[f"t--{index}"]["Arguments"] for index in range(3)] == [
        {"a": "u", "b": x},
        {"a": "v", "b": x},
        {"a": x, "b": x},
    ]
    assert {name: item.get("DependsOn") for name, item in found.items()} == {
        "before": None,
        "t--0": ["before"],
        "t--1": ["before"],
        "t--2": ["before"],
        "after": ["t--0", "t--1", "t--2"],
    }
    assert codes(convert(dag), task="t") == ["SMP685"]


def test_several_lists_give_every_combination_in_airflows_order() -> None:
    with make_dag() as dag:
        Invoke.partial(task_id="t").expand(a=["u", "v"], b=[1, 2])
    assert list(arguments(dag).values()) == [
        {"a": "u", "b": 1},
        {"a": "u", "b": 2},
        {"a": "v", "b": 1},
        {"a": "v", "b": 2},
    ]


def test_objects_of_arguments() -> None:
    with make_dag() as dag:
        Invoke.partial(task_id="t").expand_kwargs([{"a": 1}, {"b": 2}])
    assert list(arguments(dag).values()) == [{"a": 1}, {"b": 2}]


def test_our_operators_may_be_mapped_over_configs() -> None:
    with make_dag() as dag:
        SageMakerLambdaStepOperator.partial(task_id="t", function_arn=FUNCTION).expand(config=[{"n": 1}, {"n": 2}])
    assert list(arguments(dag).values()) == [{"n": 1}, {"n": 2}]


def test_a_task_mapped_over_the_results_of_a_mapped_task() -> None:
    with make_dag() as dag:
        first = Invoke.partial(task_id="first").expand(a=[1, 2])
        Invoke.partial(task_id="second").expand(a=first.output)
    found = steps_of(convert(dag))
    assert found["second--1"]["Arguments"] == {"a": {"Get": "Steps.first--1.OutputParameters['o']"}}
    assert found["second--1"]["DependsOn"] == ["first--0"]  # as in Airflow, all of the first come before


def test_in_a_mapped_group_each_item_goes_its_own_way() -> None:
    with make_dag() as dag:

        @task_group
        def work(item: Any) -> None:
            first = Invoke(task_id="first", a=item)
            Invoke(task_id="second", a=first.output, b=item)

        step("before") >> work.expand(item=["u", "v"]) >> step("after")
    found = steps_of(convert(dag))
    assert found["work-second--1"]["Arguments"] == {
        "a": {"Get": "Steps.work-first--1.OutputParameters['o']"},
        "b": "v",
    }
    assert found["work-first--0"]["DependsOn"] == ["before"]
    assert found["work-second--1"].get("DependsOn") is None
    assert found["after"]["DependsOn"] == ["work-second--0", "work-second--1"]


def test_a_loop_over_literals() -> None:
    with make_dag(max_active_tasks=3) as dag:
        step("before") >> Invoke.partial(task_id="t", b="x").expand(a=["u", 2, True]) >> step("after")
    found = steps_of(convert(dag, LOOP))
    loop = found["t"]
    assert loop["Type"] == "ForEach"
    assert loop["Arguments"]["IterableItems"] == ["u", 2, True]
    assert loop["Arguments"]["MaxConcurrency"] == 3
    assert loop["DependsOn"] == ["before"]
    assert found["after"]["DependsOn"] == ["t"]
    assert found["t-item"]["Arguments"] == {"a": {"Get": "ForEach.CurrentItem"}, "b": "x"}
    assert "DependsOn" not in found["t-item"]
    assert codes(convert(dag, LOOP), task="t") == ["SMP686"]


def refused(dag: Any, settings: Any = None) -> list[str]:
    conversion = convert(dag, settings)
    assert conversion.definition is None
    return messages(conversion, "SMP204")


@pytest.mark.parametrize(
    ("expand", "loop", "reason"),
    [
        (lambda task: task.expand(a=[]), False, "the list is empty"),
        (lambda task: task.expand(a=list(range(51))), False, "the list has 51 items"),
        (lambda task: task.expand_kwargs([Invoke(task_id="other").output]), False, "are not objects"),
        (lambda task: task.expand(a=Invoke(task_id="other").output), False, "which only the run knows"),
        (lambda task: task.expand(a=Invoke(task_id="other").output.map(lambda x: x)), False, "is a MapXComArg"),
        (lambda task: task.expand(a=[1], b=[2]), True, "a loop goes over one list"),
        (lambda task: task.expand(a=[{"k": 1}]), True, "a loop goes over a list of texts"),
        (lambda task: task.expand(a=list(range(101))), True, "a loop goes over 1 to 100 items, not 101"),
    ],
)
def test_what_cannot_be_mapped(expand: Any, loop: bool, reason: str) -> None:
    with make_dag() as dag:
        expand(Invoke.partial(task_id="t"))
    (message,) = refused(dag, LOOP if loop else None)
    assert reason in message


@pytest.mark.parametrize("settings", [None, LOOP])
def test_the_results_of_a_mapped_task_are_no_expression(settings: Any) -> None:
    with make_dag() as dag:
        mapped = Invoke.partial(task_id="t").expand(a=[1, 2])
        Invoke(task_id="reader", a=mapped.output)
    conversion = convert(dag, settings)
    assert conversion.definition is None
    assert messages(conversion, "SMP304") == ["the task 't' is mapped; its result is a list, which no expression is"]


def test_a_task_without_translation_stays_when_it_is_mapped() -> None:
    class Other(BaseOperator):
        def __init__(self, a: Any, **options: Any) -> None:
            super().__init__(**options)

    with make_dag() as dag:
        Other.partial(task_id="t").expand(a=[1, 2])
    assert codes(convert(dag)) == ["SMP201"]


def over_a_result(body: Any, **options: Any) -> Any:
    with make_dag(**options) as dag:

        @task
        def numbers() -> list[int]:
            return [1, 2]

        body(numbers())
    return convert(dag, Settings(defaults=Defaults({"code_location": "s3://b/code", "role": ROLE, "image": IMAGE})))


def test_a_loop_goes_over_the_indexes_of_what_a_python_task_returns() -> None:
    @task
    def double(number: int) -> int:
        return number * 2

    conversion = over_a_result(lambda numbers: double.expand(number=numbers))
    found = steps_of(conversion)
    file = {"PropertyFile": {"Get": "Steps.numbers.PropertyFiles.indexes"}, "Path": "return_value"}
    assert found["double"]["Arguments"]["IterableItems"] == {"Std:JsonGet": file}
    assert {item["PropertyFileName"] for item in found["numbers"]["PropertyFiles"]} == {"xcom", "indexes"}
    body = found["double-item"]["Arguments"]
    assert {"Get": "ForEach.CurrentItem"} in body["Environment"].values()
    output = body["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]["Std:Join"]["Values"]
    assert output[-2:] == [{"Get": "ForEach.CurrentItem"}, "out"]
    assert codes(conversion, task="double") == ["SMP651", "SMP686", "SMP688"]


def test_only_python_tasks_read_the_items_of_a_result() -> None:
    conversion = over_a_result(lambda numbers: Invoke.partial(task_id="t").expand(a=numbers))
    assert conversion.definition is None
    assert "only Python and Bash tasks can read" in messages(conversion, "SMP204")[0]


def test_a_request_that_another_task_returns_is_refused() -> None:
    conversion = over_a_result(lambda numbers: SageMakerTrainingOperator.partial(task_id="t").expand(config=numbers))
    assert conversion.definition is None
    assert "the config is an item of what 'numbers' returns" in messages(conversion, "SMP204")[0]


def test_a_loop_goes_over_one_result_only() -> None:
    conversion = over_a_result(lambda numbers: Invoke.partial(task_id="t").expand(a=numbers, b=[1, 2]))
    assert messages(conversion, "SMP204") == ["a loop goes over one list"]
