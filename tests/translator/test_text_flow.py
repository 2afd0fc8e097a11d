"""Data flow that is only text: readers of S3 locations that other tasks write to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.providers.amazon.aws.operators import sagemaker as operators
from airflow_context import evaluated, rendered, template_context
from dag_makers import IMAGE, ROLE, choice, codes, empty, make_dag, messages, step, steps_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.expressions import Get, decode
from sagemaker_provider.definition.findings import errors
from sagemaker_provider.translator import Conversion, convert, text_flow
from sagemaker_provider.translator.dates import render_dates

RUN_PARAMS = {"p": "s3://other/p"}
S3 = "s3://amzn-s3-demo-bucket"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
OUT = {"Get": "Steps.prepare.ProcessingOutputConfig.Outputs['data'].S3Output.S3Uri"}


def join(*values: Any) -> dict[str, Any]:
    return {"Std:Join": {"On": "", "Values": list(values)}}


def processing(task_id: str, reads: str = "", writes: str = "", *, mode: str = "EndOfJob", **options: Any) -> Any:
    name = options.pop("name", task_id)
    inputs = [
        {"InputName": "in", "S3Input": {"S3Uri": reads, "LocalPath": "/opt/ml/processing/i", "S3DataType": "S3Prefix"}}
    ]
    output = {"S3Uri": writes, "LocalPath": "/opt/ml/processing/o", "S3UploadMode": mode}
    config = {
        "ProcessingJobName": name,
        "AppSpecification": {"ImageUri": IMAGE},
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "RoleArn": ROLE,
        **({"ProcessingInputs": inputs} if reads else {}),
        **({"ProcessingOutputConfig": {"Outputs": [{"OutputName": "data", "S3Output": output}]}} if writes else {}),
    }
    return operators.SageMakerProcessingOperator(task_id=task_id, config=config, **options)


def training(task_id: str, reads: str = "", writes: str = f"{S3}/models", name: str = "churn-{{ ts_nodash }}") -> Any:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": reads, "S3DataDistributionType": "FullyReplicated"}}
    config = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "ResourceConfig": CLUSTER,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "OutputDataConfig": {"S3OutputPath": writes},
        "RoleArn": ROLE,
        **({"InputDataConfig": [{"ChannelName": "train", "DataSource": source}]} if reads else {}),
    }
    return operators.SageMakerTrainingOperator(task_id=task_id, config=config)


def transform(task_id: str, reads: str = f"{S3}/in", writes: str = f"{S3}/out") -> Any:
    config = {
        "TransformJobName": task_id,
        "ModelName": "some-model",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": reads}}},
        "TransformOutput": {"S3OutputPath": writes},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    return operators.SageMakerTransformOperator(task_id=task_id, config=config)


def model(task_id: str, reads: str) -> Any:
    container = {"Image": IMAGE, "ModelDataUrl": reads}
    config = {"ModelName": "m", "PrimaryContainer": container, "ExecutionRoleArn": ROLE}
    return operators.SageMakerModelOperator(task_id=task_id, config=config)


def found_input(conversion: Conversion, name: str) -> Any:
    """What a step reads."""
    arguments = steps_of(conversion)[name]["Arguments"]
    if "ProcessingInputs" in arguments:
        return arguments["ProcessingInputs"][0]["S3Input"]["S3Uri"]
    if "PrimaryContainer" in arguments:
        return arguments["PrimaryContainer"]["ModelDataUrl"]
    source = arguments["TransformInput"] if "TransformInput" in arguments else arguments["InputDataConfig"][0]
    return source["DataSource"]["S3DataSource"]["S3Uri"]


@pytest.mark.parametrize("reader", [processing, training, transform, model])
def test_what_a_processing_writes_is_read_from_its_step(reader: Any) -> None:
    with make_dag() as dag:
        processing("prepare", writes=f"{S3}/data") >> reader("reader", f"{S3}/data")
    conversion = convert(dag)
    assert found_input(conversion, "reader") == OUT
    assert "SMP706" in codes(conversion, task="reader")
    assert "DependsOn" not in steps_of(conversion)["reader"]


def test_a_tuning_and_a_registration_read_from_the_step_too() -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{S3}/data/train"}}
    definition = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": source}],
        "OutputDataConfig": {"S3OutputPath": f"{S3}/models"},
        "ResourceConfig": CLUSTER,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "RoleArn": ROLE,
    }
    limits = {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1}
    tuning = {
        "HyperParameterTuningJobName": "tune",
        "HyperParameterTuningJobConfig": {"Strategy": "Bayesian", "ResourceLimits": limits},
        "TrainingJobDefinition": definition,
    }
    with make_dag() as dag:
        prepare = processing("prepare", writes=f"{S3}/data")
        prepare >> operators.SageMakerTuningOperator(task_id="tune", config=tuning)
        prepare >> operators.SageMakerRegisterModelVersionOperator(
            task_id="register", image_uri=IMAGE, model_url=f"{S3}/data/m.tar.gz", package_group_name="churn"
        )
    steps = steps_of(convert(dag))
    channel = steps["tune"]["Arguments"]["TrainingJobDefinition"]["InputDataConfig"][0]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == join(OUT, "/train")
    (container,) = steps["register"]["Arguments"]["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == join(OUT, "/m.tar.gz")


@pytest.mark.parametrize(
    ("writes", "reads", "expected"),
    [
        (f"{S3}/data", f"{S3}/data/train/part.csv", join(OUT, "/train/part.csv")),
        (f"{S3}/data", f"{S3}/data/", join(OUT, "/")),
        (f"{S3}/data/", f"{S3}/data/", OUT),
        (f"{S3}/data/", f"{S3}/data/train", join(OUT, "train")),
        (f"{S3}/{{{{ ds }}}}/data", f"{S3}/{{{{ds}}}}/data", OUT),
        (f"{S3}/{{{{ params['p'] }}}}/data", f"{{{{ '{S3}/' ~ params.p ~ '/data' }}}}", OUT),
        (f"{S3}/{{{{ execution_date | ds }}}}", f"{S3}/{{{{ logical_date|ds }}}}/x", join(OUT, "/x")),
        (f"{S3}/d", f"{S3}/d/{{{{ params.p }}}}/x", join(OUT, "/", {"Get": "Parameters.p"}, "/x")),
        ("{{ params.p }}", "{{ params.p }}/x", join(OUT, "/x")),
    ],
)
def test_locations_are_compared_by_what_they_mean(writes: str, reads: str, expected: Any) -> None:
    with make_dag(params={"p": "x"}) as dag:
        processing("prepare", writes=writes) >> training("reader", reads)
    assert found_input(convert(dag), "reader") == expected


@pytest.mark.parametrize(
    "reads",
    [
        f"{S3}/dat",
        f"{S3}/data2",
        f"{S3}/data2/x",
        f"{S3}",
        f"{S3}//data",
        f"{S3}/{{{{ ds_nodash }}}}",
        "s3://other/data",
    ],
)
def test_another_location_stays_as_it_is(reads: str) -> None:
    with make_dag() as dag:
        processing("prepare", writes=f"{S3}/data") >> training("reader", reads)
    conversion = convert(dag)
    assert "prepare" not in str(found_input(conversion, "reader"))
    assert not {"SMP706", "SMP714"} & set(codes(conversion, task="reader"))


def test_all_of_a_bucket_is_nobodys_location() -> None:
    with make_dag() as dag:
        processing("prepare", writes=S3) >> training("reader", f"{S3}/data")
    assert found_input(convert(dag), "reader") == f"{S3}/data"


def test_a_prefix_without_the_slash_of_the_location_is_told() -> None:
    with make_dag() as dag:
        processing("prepare", writes=f"{S3}/data/") >> training("reader", f"{S3}/data")
    conversion = convert(dag)
    assert found_input(conversion, "reader") == OUT
    assert "SMP648" in codes(conversion, task="reader")


def test_what_a_transform_writes_is_read_from_its_step() -> None:
    with make_dag() as dag:
        transform("score", writes=f"{S3}/out") >> processing("reader", f"{S3}/out/part.csv.out")
    output = {"Get": "Steps.score.TransformOutput.S3OutputPath"}
    assert found_input(convert(dag), "reader") == join(output, "/part.csv.out")


def test_the_innermost_location_is_the_one_that_is_read() -> None:
    with make_dag() as dag:
        outer, inner = processing("outer", writes=f"{S3}/d"), processing("prepare", writes=f"{S3}/d/train")
        outer >> inner >> training("reader", f"{S3}/d/train/x")
    assert found_input(convert(dag), "reader") == join(OUT, "/x")


def test_what_is_made_from_the_name_of_a_job_is_still_the_location_it_writes_to() -> None:
    with make_dag() as dag:
        prepare = processing("prepare", writes=f"{S3}/p-{{{{ ts_nodash }}}}/data", name="p-{{ ts_nodash }}")
        prepare >> training("reader", f"{S3}/p-{{{{ ts_nodash }}}}/data/train")
    assert found_input(convert(dag), "reader") == join(OUT, "/train")


JOB = "churn-{{ ts_nodash }}"
OUTPUT_PATH = {"Get": "Steps.train.OutputDataConfig.S3OutputPath"}
JOB_NAME = {"Get": "Steps.train.TrainingJobName"}


@pytest.mark.parametrize(
    ("writes", "reads", "expected"),
    [
        ("models", f"{S3}/models/{JOB}/output/model.tar.gz", {"Get": "Steps.train.ModelArtifacts.S3ModelArtifacts"}),
        ("models/", f"{S3}/models/{JOB}/output/model.tar.gz", {"Get": "Steps.train.ModelArtifacts.S3ModelArtifacts"}),
        (
            "models",
            f"{{{{ '{S3}/models/' ~ 'churn-' ~ ts_nodash ~ '/output/model.tar.gz' }}}}",
            {"Get": "Steps.train.ModelArtifacts.S3ModelArtifacts"},
        ),
        (
            "{{ ds }}",
            f"{{{{ '/'.join(['{S3}', ds]) }}}}/churn-{{{{ts_nodash}}}}/output/model.tar.gz",
            {"Get": "Steps.train.ModelArtifacts.S3ModelArtifacts"},
        ),
        ("models", f"{S3}/models/{JOB}/output", join(OUTPUT_PATH, "/", JOB_NAME, "/output")),
        ("models/", f"{S3}/models/{JOB}/output/output.tar.gz", join(OUTPUT_PATH, JOB_NAME, "/output/output.tar.gz")),
        ("models", f"{S3}/models", OUTPUT_PATH),
    ],
)
def test_what_a_training_writes_is_found_in_the_folder_of_its_job(writes: str, reads: str, expected: Any) -> None:
    with make_dag() as dag:
        training("train", writes=f"{S3}/{writes}") >> processing("reader", reads)
    conversion = convert(dag)
    assert found_input(conversion, "reader") == expected
    assert "SMP706" in codes(conversion, task="reader")


@pytest.mark.parametrize("below", ["debug-output", "profiler", "outputs"])
def test_other_places_below_the_folder_of_a_job_are_refused(below: str) -> None:
    with make_dag() as dag:
        training("train") >> processing("reader", f"{S3}/models/{JOB}/{below}")
    assert "SMP309" in codes(convert(dag), task="reader")


def kept(dag: Any, reads: str, reason: str) -> None:
    """The text stays, and a finding says why."""
    conversion = convert(dag)
    assert found_input(conversion, "reader") == reads
    (message,) = messages(conversion, "SMP714")
    assert message.startswith(f"{reads!r} stays text: ") and reason in message, message


def test_what_two_tasks_write_stays_text() -> None:
    with make_dag() as dag:
        both = [processing("a", writes=f"{S3}/data"), processing("b", writes=f"{S3}/data/")]
        both >> training("reader", f"{S3}/data/x")
    kept(dag, f"{S3}/data/x", "'a' and 'b' all write there")


def test_what_the_reader_itself_writes_too_stays_text() -> None:
    with make_dag() as dag:
        processing("a", writes=f"{S3}/data") >> processing("reader", f"{S3}/data", f"{S3}/data")
    kept(dag, f"{S3}/data", "'a' and 'reader' all write there")


@pytest.mark.parametrize("mode", ["EndOfJob", "Continuous"])
def test_what_a_task_beside_writes_stays_text(mode: str) -> None:
    with make_dag() as dag:
        processing("a", writes=f"{S3}/data", mode=mode)
        training("reader", f"{S3}/data")
    kept(dag, f"{S3}/data", "not upstream")


def test_what_a_training_does_not_write_stays_text() -> None:
    with make_dag() as dag:
        training("train") >> model("reader", f"{S3}/models/output/model.tar.gz")
    kept(dag, f"{S3}/models/output/model.tar.gz", "a folder there that is called after its job")


def test_what_one_branch_writes_stays_text_after_the_join() -> None:
    with make_dag(params={"c": 1}) as dag:
        one, other = processing("one", writes=f"{S3}/data"), step("other")
        choice("c", ["one"], ["other"]) >> [one, other]
        join_ = empty("join", trigger_rule="none_failed_min_one_success")
        [one, other] >> join_ >> training("reader", f"{S3}/data")
    conversion = convert(dag)
    texts = [
        item["Arguments"]["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
        for name, item in steps_of(conversion).items()
        if name.startswith("reader")
    ]
    assert sorted(map(str, texts)) == sorted(
        [f"{S3}/data", "{'Get': \"Steps.one.ProcessingOutputConfig.Outputs['data'].S3Output.S3Uri\"}"]
    )
    assert any("has not run in every branch" in item for item in messages(conversion, "SMP714"))


@pytest.mark.parametrize("rules", [("all_done", "all_success"), ("all_success", "all_done")])
def test_a_reader_that_runs_after_a_failure_keeps_its_text(rules: tuple[str, str]) -> None:
    with make_dag() as dag:
        middle = step("middle", trigger_rule=rules[0])
        reader = processing("reader", f"{S3}/data", trigger_rule=rules[1])
        processing("a", writes=f"{S3}/data") >> middle >> reader
    kept(dag, f"{S3}/data", "this task also runs when 'a' failed")


def test_a_param_of_the_reader_itself_is_another_location() -> None:
    with make_dag(params={"p": "of the DAG"}) as dag:
        reader = training("reader", f"{S3}/{{{{ params.p }}}}")
        reader.params = {"p": "of the task"}
        processing("prepare", writes=f"{S3}/{{{{ params.p }}}}") >> reader
    assert "SMP305" in codes(convert(dag), task="reader")


def test_the_id_of_the_task_is_another_in_every_task() -> None:
    text = f"{S3}/{{{{ task.task_id }}}}"
    with make_dag() as dag:
        processing("prepare", writes=text) >> training("reader", text)
    assert found_input(convert(dag), "reader") == f"{S3}/reader"


def test_a_name_made_of_the_id_of_the_task_is_another_in_every_task() -> None:
    name = "churn-{{ task.task_id }}-{{ ds }}"
    with make_dag() as dag:
        score = transform("reader")
        score.config["ModelName"] = name
        maker = model("model", "s3://b/m")
        maker.config["ModelName"] = name
        maker >> score
    assert steps_of(convert(dag))["reader"]["Arguments"]["ModelName"] == join("churn-reader-", {"Get": "Parameters.ds"})


FOLDERS = st.sampled_from(
    (
        *("a", "b", "{{ ds }}", "{{ds}}", "{{ logical_date|ds }}", "{{ params.p }}", "{{ params['p'] }}"),
        *("{{ 'a' ~ params.p }}", "a{{ params.p }}", "{{ task.task_id }}", "{{ ts_nodash }}", "x-{{ ts_nodash }}"),
        "{{ '%s' % ds }}",
    )
)
LOCATIONS = st.tuples(
    st.sampled_from((S3, "{{ params.p }}", f"{{{{ '{S3}' }}}}")),
    st.lists(FOLDERS, min_size=1, max_size=3),
    st.sampled_from(("", "", "/", "//")),
).map(lambda found: "/".join((found[0], *found[1])) + found[2])


@given(LOCATIONS, LOCATIONS, LOCATIONS, st.sampled_from(("x-{{ ts_nodash }}", "a", "other")))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_reader_gets_the_location_that_its_text_renders_to(first: str, second: str, reads: str, name: str) -> None:
    """Also where it gets it from the step that writes there; a slash at the end may be new, and is told."""
    with make_dag(params=RUN_PARAMS) as dag:
        one, two = processing("one", writes=first, name=name), transform("two", writes=second)
        one >> two >> processing("reader", reads)
    conversion = convert(dag)
    if conversion.definition is None:
        assert {item.code for item in errors(conversion.findings)} == {"SMP309"}  # it holds the name of a job
        return
    day = datetime(2026, 1, 31, tzinfo=timezone.utc)
    times = {"logical_date": day, "data_interval_start": day, "data_interval_end": day}
    values = RUN_PARAMS | render_dates(conversion.date_parameters, **times)

    def look_up(get: Get) -> Any:
        if get.scope == "Parameters":
            return values[get.name]
        arguments = steps_of(conversion)[get.name]["Arguments"]
        return evaluated(decode(paths.look_up(arguments, get.members, ("OutputName",))), look_up)

    found = evaluated(decode(found_input(conversion, "reader")), look_up)
    expected = rendered(reads, template_context(day, day, day, params=RUN_PARAMS))
    assert found == (expected + "/" if "SMP648" in codes(conversion) else expected)


def test_an_output_is_no_input() -> None:
    with make_dag() as dag:
        processing("a", writes=f"{S3}/data") >> processing("reader", writes=f"{S3}/data/x")
    arguments = steps_of(convert(dag))["reader"]["Arguments"]
    assert arguments["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] == f"{S3}/data/x"


def test_texts_that_are_no_inputs_stay() -> None:
    with make_dag() as dag:
        processing("a", writes=f"{S3}/data") >> step("reader", config={"ProcessingInputs": f"{S3}/data"})
    assert steps_of(convert(dag))["reader"]["Arguments"] == {"ProcessingInputs": f"{S3}/data"}


def test_an_output_whose_name_is_a_template_is_not_referred_to() -> None:
    with make_dag() as dag:
        up = processing("a", writes=f"{S3}/data")
        up.config["ProcessingOutputConfig"]["Outputs"][0]["OutputName"] = "{{ ds }}"
        up >> training("reader", f"{S3}/data")
    assert found_input(convert(dag), "reader") == f"{S3}/data"


@pytest.mark.parametrize("output", [None, "text", {}, {"Outputs": None}, {"Outputs": [None, {"OutputName": 1}]}])
def test_arguments_of_any_form_have_outputs_or_none(output: Any) -> None:
    from sagemaker_provider.translator.registry import TaskStep

    arguments: Mapping[str, Any] = {"ProcessingOutputConfig": output}
    assert text_flow.outputs({"a": TaskStep("Processing", arguments)}) == {}
