"""Tasks that become several steps, read files, or depend on what they read."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator
from dag_makers import FUNCTION, codes, make_dag, step, steps_of

from sagemaker_provider.definition.model import OutputParameter, PropertyFile
from sagemaker_provider.translator import Steps, TaskStep, XComFile, convert, translates
from sagemaker_provider.translator.registry import XComOf
from sagemaker_provider.translator.values import XComSource

MEMBERS = {"FunctionArn": FUNCTION, "OutputParameters": (OutputParameter("o"),)}
PROCESSING = {
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}},
    "AppSpecification": {"ImageUri": "image"},
    "RoleArn": "arn:aws:iam::111122223333:role/R",
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "xcom",
                "S3Output": {"S3Uri": "s3://b/x", "LocalPath": "/opt/ml/x", "S3UploadMode": "EndOfJob"},
            }
        ]
    },
}


class Several(BaseOperator):
    """A task of several steps: a translation of its own."""

    def __init__(self, translation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.translation = translation


@translates(f"{__name__}.Several")
def several(task: Any, given: Any) -> Any:
    return task.translation


def function(arguments: Any = None, **options: Any) -> TaskStep:
    return TaskStep("Lambda", arguments or {}, MEMBERS, **options)


def gate(if_tasks: Any, else_tasks: Any = (), **options: Any) -> TaskStep:
    condition = {"Type": "Equals", "LeftValue": "{{ params.go }}", "RightValue": 1}
    branches = {"IfSteps": tuple(if_tasks), "ElseSteps": tuple(else_tasks)}
    return TaskStep("Condition", {"Conditions": [condition]}, branches=branches, **options)


def test_the_steps_are_a_chain_between_what_is_before_and_after() -> None:
    with make_dag() as dag:
        step("before") >> Several(task_id="t", translation=Steps({"a": function(), "": function()})) >> step("after")
    steps = steps_of(convert(dag))
    assert list(steps) == ["before", "t--a", "t", "after"]
    assert [item.get("DependsOn") for item in steps.values()] == [None, ["before"], ["t--a"], ["t"]]


def test_each_may_wait_for_others_and_be_waited_for() -> None:
    steps = {"": function(), "b": function(), "c": function()}
    with make_dag() as dag:
        task = Several(task_id="t", translation=Steps(steps, (("", "b"), ("", "c")), {"one": "b", "two": "c"}))
        step("before") >> task >> [step("one"), step("two")]
    found = steps_of(convert(dag))
    waits = {name: item.get("DependsOn") for name, item in found.items()}
    assert waits == {"before": None, "t": ["before"], "t--b": ["t"], "t--c": ["t"], "one": ["t--b"], "two": ["t--c"]}


def test_conditions_of_a_task_branch_to_tasks() -> None:
    chain = {"": function(), "1": gate(["a"], ["t--2"]), "2": gate(["b"], ["c"])}
    with make_dag(params={"go": 1}) as dag:
        task = Several(task_id="t", translation=Steps(chain, exits={"a": "1"}))
        task >> [step("a"), step("b"), step("c")]
    found = steps_of(convert(dag))
    inside = {name: [item["Name"] for item in found[name]["Arguments"]["IfSteps"]] for name in ("t--1", "t--2")}
    assert inside == {"t--1": ["a"], "t--2": ["b"]}
    assert found["t--1"]["DependsOn"] == ["t"]


def test_a_short_circuit_skips_whatever_the_rules_say() -> None:
    with make_dag(params={"go": 1}) as dag:
        task = Several(task_id="t", translation=Steps({"": function(), "go": gate(["a"], short_circuit=True)}))
        task >> step("a") >> step("b", trigger_rule="all_done") >> step("c", trigger_rule="none_failed")
    found = steps_of(convert(dag))
    assert [item["Name"] for item in found["t--go"]["Arguments"]["IfSteps"]] == ["a", "b", "c"]
    assert found["t--go"]["Arguments"]["ElseSteps"] == []


def test_without_it_rules_decide() -> None:
    with make_dag(params={"go": 1}) as dag:
        task = Several(task_id="t", translation=Steps({"": function(), "go": gate(["a"])}))
        task >> step("a") >> step("b", trigger_rule="none_failed")
    found = steps_of(convert(dag))
    assert [item["Name"] for item in found["t--go"]["Arguments"]["ElseSteps"]] == ["b-else"]


def test_an_xcom_may_be_in_another_step_or_in_a_file() -> None:
    def xcom(key: str, path: Any) -> Any:
        return XComOf("a", ("OutputParameters", "o")) if path[0] == "first" else XComFile("xcom", (key, *path))

    main = TaskStep(
        "Processing", PROCESSING, {"PropertyFiles": (PropertyFile("xcom", "xcom", "xcom.json"),)}, xcom=xcom
    )
    with make_dag() as dag:
        task = Several(task_id="t", translation=Steps({"a": function(), "": main}))
        pull = "{{ ti.xcom_pull('t')"
        config = {"a": pull + "['first'] }}", "b": pull + "['rows'][0] }}"}
        config |= {"c": "{{ ti.xcom_pull('t', key='k')['x'] }}"}
        task >> step("after", config=config)
    found = steps_of(convert(dag))["after"]["Arguments"]
    file = {"Get": "Steps.t.PropertyFiles.xcom"}
    assert found["a"] == {"Get": "Steps.t--a.OutputParameters['o']"}
    assert found["b"] == {"Std:JsonGet": {"PropertyFile": file, "Path": "return_value.rows[0]"}}
    assert found["c"] == {"Std:JsonGet": {"PropertyFile": file, "Path": "k.x"}}


def test_a_step_is_built_when_it_is_known_what_it_reads() -> None:
    sources: dict[str, XComSource] = {}

    def build(values: Any) -> TaskStep:
        sources.update({name: values.source(name) for name in ("file", "training", "function")})
        return function({"uri": sources["file"].file}, assets={"code/1/run.py": b"x"})

    file = TaskStep("Processing", PROCESSING, xcom=lambda key, path: XComFile("xcom", (key, *path)))
    job = {
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::111122223333:role/R",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    with make_dag() as dag:
        upstream = [
            Several(task_id="file", translation=file),
            Several(task_id="training", translation=TaskStep("Training", job, wrapper="Training")),
            step("function"),
        ]
        upstream >> Several(task_id="t", translation=function(build=build))
    conversion = convert(dag)
    assert conversion.assets == {"code/1/run.py": b"x"}
    uri = {"Get": "Steps.file.ProcessingOutputConfig.Outputs['xcom'].S3Output.S3Uri"}
    assert steps_of(conversion)["t"]["Arguments"] == {"uri": uri}
    training = sources["training"]
    assert (training.operation, training.wrapper) == (("sagemaker", "DescribeTrainingJob"), "Training")
    assert {key: item.path for key, item in training.request.items()} == {
        "TrainingJobName": "Steps.training.TrainingJobName"
    }
    assert list(sources["function"].values) == ["OutputParameters.o"]


def test_what_cannot_be_read_is_an_error_of_the_task() -> None:
    with make_dag() as dag:
        Several(task_id="t", translation=function(build=lambda values: values.source("none")))
    assert codes(convert(dag), task="t") == ["SMP303"]


def test_findings_of_a_step_name_the_task() -> None:
    with make_dag() as dag:
        Several(task_id="t", translation=Steps({"a": function({"x": "{{ nothing }}"}), "": function()}))
    (found,) = convert(dag).findings
    assert (found.code, found.task) == ("SMP301", "t")
