"""Operators and sensors of the amazon provider become steps, or a finding says why not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from airflow.providers.amazon.aws.operators import sagemaker as operators
from airflow.providers.amazon.aws.sensors import sagemaker as sensors
from dag_makers import IMAGE, ROLE, EmptyOperator, codes, make_dag, messages, step, steps_of

from sagemaker_provider.definition.findings import errors
from sagemaker_provider.translator import Conversion, Defaults, Settings, convert

S3 = "s3://amzn-s3-demo-bucket"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
STOP = {"MaxRuntimeInSeconds": 3600}
TRAINING = {
    "TrainingJobName": "churn-{{ ts_nodash }}",
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "ResourceConfig": CLUSTER,
    "StoppingCondition": STOP,
    "OutputDataConfig": {"S3OutputPath": f"{S3}/models"},
    "RoleArn": ROLE,
}
PROCESSING = {
    "ProcessingJobName": "prepare",
    "AppSpecification": {"ImageUri": IMAGE},
    "ProcessingResources": {"ClusterConfig": CLUSTER},
    "RoleArn": ROLE,
}
TRANSFORM = {
    "TransformJobName": "score-{{ ds_nodash }}",
    "ModelName": "churn",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{S3}/in"}}},
    "TransformOutput": {"S3OutputPath": f"{S3}/out"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}
MODEL = {"ModelName": "churn", "PrimaryContainer": {"Image": IMAGE}, "ExecutionRoleArn": ROLE}
TUNING = {
    "HyperParameterTuningJobName": "tune",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Bayesian",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
    },
    "TrainingJobDefinition": {key: value for key, value in TRAINING.items() if key != "TrainingJobName"},
}
VARIANT = {"VariantName": "all", "ModelName": "churn", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}


def training(task_id: str = "train", config: Any = None, **options: Any) -> Any:
    return operators.SageMakerTrainingOperator(task_id=task_id, config=config or TRAINING, **options)


def processing(task_id: str = "prepare", config: Any = None, **options: Any) -> Any:
    return operators.SageMakerProcessingOperator(task_id=task_id, config=config or PROCESSING, **options)


def model(task_id: str = "model", config: Any = None) -> Any:
    return operators.SageMakerModelOperator(task_id=task_id, config=config or MODEL)


def transform(task_id: str = "score", config: Any = None) -> Any:
    return operators.SageMakerTransformOperator(task_id=task_id, config=config or TRANSFORM)


def tuning(task_id: str = "tune") -> Any:
    return operators.SageMakerTuningOperator(task_id=task_id, config=TUNING)


def endpoint_config(task_id: str = "endpoint_config") -> Any:
    config = {"EndpointConfigName": "churn", "ProductionVariants": [VARIANT]}
    return operators.SageMakerEndpointConfigOperator(task_id=task_id, config=config)


def endpoint(task_id: str = "endpoint") -> Any:
    config = {"EndpointName": "churn", "EndpointConfigName": "churn"}
    return operators.SageMakerEndpointOperator(task_id=task_id, config=config)


def register(task_id: str = "register", **options: Any) -> Any:
    arguments = {"image_uri": IMAGE, "model_url": f"{S3}/model.tar.gz", "package_group_name": "churn", **options}
    return operators.SageMakerRegisterModelVersionOperator(task_id=task_id, **arguments)


def automl(task_id: str = "auto", **options: Any) -> Any:
    return operators.SageMakerAutoMLOperator(
        task_id=task_id,
        job_name="auto",
        s3_input=f"{S3}/in",
        target_attribute="y",
        s3_output=f"{S3}/out",
        role_arn=ROLE,
        **options,
    )


def converted(*makers: Callable[[], Any], **options: Any) -> Conversion:
    """The conversion of a DAG with tasks in a row."""
    with make_dag(**options) as dag:
        tasks = [make() for make in makers]
        for first, second in pairwise(tasks):
            first >> second
    return convert(dag)


def refused(conversion: Conversion) -> list[tuple[str, str]]:
    assert conversion.definition is None
    return [(item.code, item.task) for item in errors(conversion.findings)]


@pytest.mark.parametrize(
    ("make", "kind", "name", "kept", "expected"),
    [
        (training, "Training", "TrainingJobName", None, ["SMP603"]),
        (processing, "Processing", "ProcessingJobName", "prepare", ["SMP602"]),
        (transform, "Transform", "TransformJobName", None, ["SMP603"]),
        (tuning, "Tuning", "HyperParameterTuningJobName", "tune", ["SMP602"]),
        (model, "Model", "ModelName", "churn", ["SMP602"]),
        (automl, "AutoML", "AutoMLJobName", "auto", ["SMP602", "SMP609"]),
        (endpoint_config, "EndpointConfig", "EndpointConfigName", "churn", []),
        (endpoint, "Endpoint", "EndpointName", "churn", ["SMP609"]),
        (register, "RegisterModel", "ModelPackageName", None, ["SMP609"]),
    ],
)
def test_a_config_becomes_the_arguments_of_a_valid_step(
    make: Callable[[], Any], kind: str, name: str, kept: str | None, expected: list[str]
) -> None:
    conversion = converted(make)
    (found,) = steps_of(conversion).values()
    assert found["Type"] == kind
    assert found["Arguments"].get(name) == kept
    assert codes(conversion) == expected


def test_the_arguments_are_those_of_the_config_without_the_name() -> None:
    expected = {key: value for key, value in TRAINING.items() if key != "TrainingJobName"}
    assert steps_of(converted(training))["train"]["Arguments"] == expected


def test_a_name_longer_than_a_prefix_may_be_is_left_out() -> None:
    conversion = converted(lambda: training(config={**TRAINING, "TrainingJobName": "x" * 60}))
    assert "TrainingJobName" not in steps_of(conversion)["train"]["Arguments"]
    assert codes(conversion) == ["SMP603"]


def test_registering_a_model_carries_the_operators_own_arguments() -> None:
    conversion = converted(
        lambda: register(
            package_desc="monthly",
            model_approval=operators.ApprovalStatus.APPROVED,
            extras={"CustomerMetadataProperties": {"a": "b"}},
        )
    )
    arguments = steps_of(conversion)["register"]["Arguments"]
    assert arguments["ModelApprovalStatus"] == "Approved"
    assert arguments["ModelPackageDescription"] == "monthly"
    assert arguments["CustomerMetadataProperties"] == {"a": "b"}
    assert arguments["InferenceSpecification"]["Containers"] == [{"Image": IMAGE, "ModelDataUrl": f"{S3}/model.tar.gz"}]


def test_an_automl_job_in_another_mode_or_with_an_endpoint_is_refused() -> None:
    extras = {"AutoMLJobConfig": {"Mode": "HYPERPARAMETER_TUNING"}}
    conversion = converted(lambda: automl(extras=extras, autodeploy_endpoint_name="e"))
    assert refused(conversion) == [("SMP202", "auto")] * 2


@pytest.mark.parametrize(
    ("make", "path", "expected"),
    [
        (training, "['Training']['ModelArtifacts']['S3ModelArtifacts']", "ModelArtifacts.S3ModelArtifacts"),
        (training, ".Training.TrainingJobName", "TrainingJobName"),
        (processing, "['Processing']['ProcessingJobArn']", "ProcessingJobArn"),
        (transform, "['Transform']['TransformJobArn']", "TransformJobArn"),
        (tuning, "['Tuning']['BestTrainingJob']['TrainingJobName']", "BestTrainingJob.TrainingJobName"),
        (model, "['Model']['ModelName']", "ModelName"),
        (register, "", "ModelPackageArn"),
        (automl, "['CandidateName']", "BestCandidate.CandidateName"),
    ],
)
def test_an_xcom_becomes_a_property_without_its_wrapper(make: Callable[[], Any], path: str, expected: str) -> None:
    name = make().task_id
    text = f"{{{{ ti.xcom_pull(task_ids='{name}'){path} }}}}"
    conversion = converted(make, lambda: step("reader", config={"v": text}))
    assert steps_of(conversion)["reader"]["Arguments"] == {"v": {"Get": f"Steps.{name}.{expected}"}}
    assert ("SMP704" in codes(conversion)) == (
        expected != "ModelPackageArn" and not expected.startswith("BestCandidate")
    )


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (training, ""),
        (training, "['Training']"),
        (training, "['TrainingJobName']"),
        (automl, ""),
        (endpoint, "['EndpointConfig']['EndpointConfigName']"),
    ],
)
def test_an_xcom_without_a_property_is_refused(make: Callable[[], Any], path: str) -> None:
    text = f"{{{{ ti.xcom_pull(task_ids='{make().task_id}'){path} }}}}"
    conversion = converted(make, lambda: step("reader", config={"v": text}))
    assert refused(conversion) == [("SMP304", "reader")]


def test_the_output_of_an_operator_as_a_whole_value() -> None:
    with make_dag() as dag:
        found = register()
        step("reader", config={"v": found.output})
    assert steps_of(convert(dag))["reader"]["Arguments"] == {"v": {"Get": "Steps.register.ModelPackageArn"}}


def test_a_reader_with_the_same_name_template_refers_to_the_step() -> None:
    named = {**MODEL, "ModelName": "churn-{{ ts_nodash }}"}
    conversion = converted(
        lambda: model(config=named),
        lambda: transform(config={**TRANSFORM, "ModelName": "churn-{{ ts_nodash }}"}),
    )
    assert steps_of(conversion)["score"]["Arguments"]["ModelName"] == {"Get": "Steps.model.ModelName"}
    assert "SMP706" in codes(conversion, task="score")
    assert "DependsOn" not in steps_of(conversion)["score"]


def test_a_reader_with_the_same_literal_name_refers_to_the_step_where_a_name_stands() -> None:
    conversion = converted(
        lambda: model(), lambda: transform(config={**TRANSFORM, "Environment": {"PROJECT": "churn"}})
    )
    arguments = steps_of(conversion)["score"]["Arguments"]
    assert arguments["ModelName"] == {"Get": "Steps.model.ModelName"}
    assert arguments["Environment"] == {"PROJECT": "churn"}
    assert [item.place for item in conversion.findings if (item.code, item.task) == ("SMP602", "score")] == [
        "config.Environment.PROJECT"
    ]


def test_a_literal_name_that_is_also_an_ordinary_word_changes_nothing_else() -> None:
    named = {**TRAINING, "TrainingJobName": "train"}
    uri = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{S3}/train/data"}}
    score = {**TRANSFORM, "TransformInput": {"DataSource": uri}}
    conversion = converted(lambda: training(config=named), lambda: transform(config=score))
    assert steps_of(conversion)["score"]["Arguments"]["TransformInput"] == {"DataSource": uri}


def test_the_path_of_a_trained_model_refers_to_the_step() -> None:
    path = f"{S3}/models/churn-{{{{ ts_nodash }}}}/output/model.tar.gz"
    container = {"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": path}}
    conversion = converted(training, lambda: model(config={**MODEL, **container}))
    found = steps_of(conversion)["model"]["Arguments"]["PrimaryContainer"]["ModelDataUrl"]
    assert found == {"Get": "Steps.train.ModelArtifacts.S3ModelArtifacts"}
    assert "SMP706" in codes(conversion, task="model")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("churn-{{ ts_nodash }}", f"{S3}/elsewhere/churn-{{{{ ts_nodash }}}}/output/model.tar.gz"),
        ("churn-{{ ts_nodash }}", "see churn-{{ ts_nodash }}"),
        ("churn", f"{S3}/models/churn/debug-output"),
    ],
)
def test_a_text_that_holds_a_name_that_changes_is_refused(name: str, path: str) -> None:
    conversion = converted(
        lambda: training(config={**TRAINING, "TrainingJobName": name}), lambda: step("reader", config={"v": path})
    )
    assert refused(conversion) == [("SMP309", "reader")]


def test_one_text_that_names_everything_is_read_from_the_step_that_the_member_is_about() -> None:
    """Many DAGs compute one name for a run and give it to the training, the model and the rest."""
    name = "churn-{{ ts_nodash }}"
    container = {"Image": IMAGE, "ModelDataUrl": f"{S3}/models/{name}/output/model.tar.gz"}
    variant = {"EndpointConfigName": name, "ProductionVariants": [{**VARIANT, "ModelName": name}]}
    conversion = converted(
        training,
        lambda: model(config={**MODEL, "ModelName": name, "PrimaryContainer": container}),
        lambda: transform(config={**TRANSFORM, "TransformJobName": name, "ModelName": name}),
        lambda: operators.SageMakerEndpointConfigOperator(task_id="config", config=variant),
    )
    steps = steps_of(conversion)
    model_name = {"Get": "Steps.model.ModelName"}
    assert steps["model"]["Arguments"]["PrimaryContainer"]["ModelDataUrl"] == {
        "Get": "Steps.train.ModelArtifacts.S3ModelArtifacts"
    }
    assert steps["score"]["Arguments"]["ModelName"] == model_name
    assert steps["config"]["Arguments"]["ProductionVariants"][0]["ModelName"] == model_name
    assert steps["config"]["Arguments"]["EndpointConfigName"] == {
        "Std:Join": {"On": "", "Values": ["churn-", {"Get": "Parameters.ts_nodash"}]}
    }


def test_a_name_made_of_another_is_a_name_of_its_own() -> None:
    name = "churn-{{ ts_nodash }}-model"
    conversion = converted(
        training,
        lambda: model(config={**MODEL, "ModelName": name}),
        lambda: transform(config={**TRANSFORM, "ModelName": name}),
    )
    assert steps_of(conversion)["score"]["Arguments"]["ModelName"] == {"Get": "Steps.model.ModelName"}


def test_a_text_that_names_what_two_tasks_make_is_refused_where_it_is_not_clear_which() -> None:
    conversion = converted(
        training,
        lambda: model(config={**MODEL, "ModelName": "churn-{{ ts_nodash }}"}),
        lambda: step("reader", config={"v": "churn-{{ ts_nodash }}"}),
    )
    assert refused(conversion) == [("SMP309", "reader")]


def test_a_reader_that_is_not_downstream_is_refused() -> None:
    with make_dag() as dag:
        model(config={**MODEL, "ModelName": "churn-{{ ds }}"})
        transform(config={**TRANSFORM, "ModelName": "churn-{{ ds }}"})
    assert refused(convert(dag)) == [("SMP303", "score")]


@pytest.mark.parametrize("key", ["Model", "Transform", "S3Operations", "Endpoint", "EndpointConfig"])
def test_a_config_with_several_requests_is_refused(key: str) -> None:
    conversion = converted(lambda: training(config={**TRAINING, key: {}}))
    assert refused(conversion) == [("SMP202", "train")]


@pytest.mark.skipif(
    "output_files_to_xcom" not in operators.SageMakerProcessingOperator.template_fields,
    reason="this version of the amazon provider puts no output files into an XCom",
)
def test_output_files_in_an_xcom_are_property_files() -> None:
    files = [{"result_name": "report", "output_name": "metrics", "file_name": "m.json"}]
    output = {
        "OutputName": "metrics",
        "S3Output": {"S3Uri": f"{S3}/m", "LocalPath": "/opt/ml/m", "S3UploadMode": "EndOfJob"},
    }
    config = {**PROCESSING, "ProcessingOutputConfig": {"Outputs": [output]}}
    pull = "{{ ti.xcom_pull('prepare')['OutputFiles']['report']['mse'] }}"
    conversion = converted(
        lambda: processing(config=config, output_files_to_xcom=files), lambda: step("reader", config={"value": pull})
    )
    steps = steps_of(conversion)
    assert steps["prepare"]["PropertyFiles"] == [
        {"PropertyFileName": "report", "OutputName": "metrics", "FilePath": "m.json"}
    ]
    file = {"Get": "Steps.prepare.PropertyFiles.report"}
    assert steps["reader"]["Arguments"]["value"] == {"Std:JsonGet": {"PropertyFile": file, "Path": "mse"}}
    assert "SMP637" in codes(conversion, task="prepare")


def test_a_role_that_the_operator_cannot_look_up_is_refused() -> None:
    conversion = converted(lambda: training(config={**TRAINING, "RoleArn": "service-role/Pipeline"}))
    assert refused(conversion) == [("SMP308", "train")]


def test_the_name_of_a_role_is_its_arn_in_the_account_or_a_parameter() -> None:
    def role(**settings: Any) -> tuple[Any, list[str]]:
        with make_dag() as dag:
            training(config={**TRAINING, "RoleArn": "Pipe.line"})
        conversion = convert(dag, Settings(defaults=Defaults(settings)))
        return steps_of(conversion)["train"]["Arguments"]["RoleArn"], messages(conversion, "SMP636")

    assert role() == ({"Get": "Parameters.Pipe-line-Arn"}, ["'Pipe.line' becomes the parameter 'Pipe-line-Arn'"])
    arn, (message,) = role(account="111122223333")
    assert arn == "arn:aws:iam::111122223333:role/Pipe.line"
    assert "a role with a path has another ARN" in message
    assert role(account="111122223333", region="cn-north-1")[0].startswith("arn:aws-cn:iam::")


def test_a_config_of_model_and_transform_is_two_steps() -> None:
    config = {"Model": {**MODEL, "ExecutionRoleArn": ROLE}, "Transform": TRANSFORM}
    pull = "{{ ti.xcom_pull('score')"
    values = {
        "model": pull + "['Model']['ModelName'] }}",
        "job": pull + "['Transform']['TransformJobName'] }}",
    }
    steps = steps_of(converted(lambda: transform(config=config), lambda: step("reader", config=values)))
    assert {name: item["Type"] for name, item in steps.items()} == {
        "score--model": "Model",
        "score": "Transform",
        "reader": "Lambda",
    }
    assert steps["score"]["Arguments"]["ModelName"] == {"Get": "Steps.score--model.ModelName"}
    assert steps["reader"]["Arguments"] == {
        "model": {"Get": "Steps.score--model.ModelName"},
        "job": {"Get": "Steps.score.TransformJobName"},
    }


def test_a_config_of_model_configuration_and_endpoint_is_three_steps() -> None:
    config = {
        "Model": MODEL,
        "EndpointConfig": {"EndpointConfigName": "churn", "ProductionVariants": [VARIANT]},
        "Endpoint": {"EndpointName": "churn", "EndpointConfigName": "churn"},
    }
    make = operators.SageMakerEndpointOperator
    steps = steps_of(converted(lambda: step("before"), lambda: make(task_id="e", config=config)))
    assert [name for name in steps if name != "before"] == ["e--model", "e--endpoint-config", "e"]
    assert steps["e--model"]["DependsOn"] == ["before"]
    variant = steps["e--endpoint-config"]["Arguments"]["ProductionVariants"][0]
    assert variant["ModelName"] == {"Get": "Steps.e--model.ModelName"}
    assert steps["e"]["Arguments"]["EndpointConfigName"] == "churn"
    assert steps["e"]["DependsOn"] == ["e--endpoint-config"]


def test_a_nested_config_with_one_request_is_one_step() -> None:
    steps = steps_of(converted(lambda: transform(config={"Transform": TRANSFORM})))
    assert list(steps) == ["score"]
    assert steps["score"]["Arguments"]["ModelName"] == "churn"


def test_a_nested_config_with_something_else_beside_is_refused() -> None:
    assert refused(converted(lambda: transform(config={"Transform": TRANSFORM, "Tags": []}))) == [("SMP206", "score")]


def test_the_parts_of_a_nested_config_that_are_not_there_have_no_xcom() -> None:
    pull = "{{ ti.xcom_pull('score')['Model']['ModelName'] }}"
    conversion = converted(lambda: transform(config={"Transform": TRANSFORM}), lambda: step("r", config={"v": pull}))
    assert refused(conversion) == [("SMP304", "r")]


@pytest.mark.parametrize("name", ["Training", "Processing", "Transform"])
def test_the_async_variants_of_earlier_years_are_the_same(name: str) -> None:
    base = getattr(operators, f"SageMaker{name}Operator")
    module = "astronomer.providers.amazon.aws.operators.sagemaker"
    execute = {"execute": lambda self, context: None, "__module__": module}
    variant = type(f"SageMaker{name}OperatorAsync", (base,), execute)
    config = {"Training": TRAINING, "Processing": PROCESSING, "Transform": TRANSFORM}[name]
    assert steps_of(converted(lambda: variant(task_id="t", config=config)))["t"]["Type"] == name


def test_a_dag_that_only_starts_a_pipeline_is_one_already() -> None:
    start = operators.SageMakerStartPipelineOperator
    with make_dag() as dag:
        arn = start(task_id="start", pipeline_name="churn").output
        sensors.SageMakerPipelineSensor(task_id="wait", pipeline_exec_arn=arn) >> EmptyOperator(task_id="end")
    found = errors(convert(dag).findings)
    assert [item.code for item in found] == ["SMP208"]
    assert "SageMakerStartPipelineOperator works on the pipeline 'churn'" in found[0].message


def test_a_task_that_starts_a_pipeline_among_others_stays() -> None:
    start = operators.SageMakerStartPipelineOperator
    conversion = converted(training, lambda: start(task_id="start", pipeline_name="churn"))
    assert refused(conversion) == [("SMP207", "start")]


@pytest.mark.parametrize(
    "make",
    [
        lambda: operators.SageMakerDeleteModelOperator(task_id="t", config={"ModelName": "m"}),
        lambda: operators.SageMakerCreateExperimentOperator(task_id="t", name="n"),
        lambda: operators.SageMakerStopNotebookOperator(task_id="t", instance_name="n"),
    ],
)
def test_operators_without_a_step_say_why(make: Any) -> None:
    conversion = converted(training, make)
    assert refused(conversion) == [("SMP201", "t")]
    assert any("step" in message or "experiment" in message for message in messages(conversion, "SMP201"))


def test_numbers_as_text_become_numbers_and_numbers_become_text_where_the_request_wants_it() -> None:
    config = {
        **TRAINING,
        "ResourceConfig": {**CLUSTER, "InstanceCount": "2"},
        "HyperParameters": {"epochs": 3, "rounds": "{{ params.rounds }}"},
    }
    arguments = steps_of(converted(lambda: training(config=config), params={"rounds": 5}))["train"]["Arguments"]
    assert arguments["ResourceConfig"]["InstanceCount"] == 2
    rounds = {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.rounds"}]}}
    assert arguments["HyperParameters"] == {"epochs": "3", "rounds": rounds}


# Waiting


def test_starting_without_waiting_and_a_sensor_are_one_step() -> None:
    conversion = converted(
        lambda: training(wait_for_completion=False),
        lambda: sensors.SageMakerTrainingSensor(task_id="wait", job_name="churn-{{ ts_nodash }}"),
        lambda: step("after"),
    )
    assert sorted(steps_of(conversion)) == ["after", "train"]
    assert steps_of(conversion)["after"]["DependsOn"] == ["train"]
    assert codes(conversion) == ["SMP603", "SMP608", "SMP609"]


NAME = "{{ ti.xcom_pull(task_ids='train')['Training']['TrainingJobName'] }}"


@pytest.mark.parametrize("name", [NAME, "churn-{{ ts_nodash }}"])
def test_a_sensor_that_knows_the_job_by_name_or_xcom_is_absorbed(name: str) -> None:
    conversion = converted(training, lambda: sensors.SageMakerTrainingSensor(task_id="wait", job_name=name))
    assert list(steps_of(conversion)) == ["train"]


@pytest.mark.parametrize(
    ("make", "wait"),
    [
        (processing, lambda: sensors.SageMakerProcessingSensor(task_id="wait", job_name="prepare")),
        (tuning, lambda: sensors.SageMakerTuningSensor(task_id="wait", job_name="tune")),
        (transform, lambda: sensors.SageMakerTransformSensor(task_id="wait", job_name="score-{{ ds_nodash }}")),
        (automl, lambda: sensors.SageMakerAutoMLSensor(task_id="wait", job_name="auto")),
        (endpoint, lambda: sensors.SageMakerEndpointSensor(task_id="wait", endpoint_name="churn")),
    ],
)
def test_every_kind_of_sensor_is_absorbed_by_the_step_before_it(
    make: Callable[[], Any], wait: Callable[[], Any]
) -> None:
    conversion = converted(make, wait)
    assert list(steps_of(conversion)) == [make().task_id]
    assert codes(conversion, task="wait") == ["SMP608"]


@pytest.mark.parametrize(
    "wait",
    [
        lambda: sensors.SageMakerTrainingSensor(task_id="wait", job_name="another"),
        lambda: sensors.SageMakerTrainingSensor(task_id="wait", job_name="{{ params.job }}"),
        lambda: sensors.SageMakerProcessingSensor(task_id="wait", job_name="churn-{{ ts_nodash }}"),
        lambda: sensors.SageMakerTrainingSensor(task_id="wait", job_name=f"{NAME}-2"),
        lambda: sensors.SageMakerTrainingSensor(
            task_id="wait", job_name="{{ ti.xcom_pull(task_ids='train')['Training']['TrainingJobStatus'] }}"
        ),
    ],
)
def test_a_sensor_on_something_else_is_refused(wait: Callable[[], Any]) -> None:
    conversion = converted(training, wait, params={"job": "x"})
    assert refused(conversion) == [("SMP203", "wait")]


def test_a_sensor_before_or_beside_the_task_that_makes_the_job_is_refused() -> None:
    with make_dag() as dag:
        sensors.SageMakerTrainingSensor(task_id="wait", job_name="churn-{{ ts_nodash }}") >> training()
    assert refused(convert(dag)) == [("SMP203", "wait")]


def test_a_sensor_on_a_job_that_a_function_has_started_is_refused() -> None:
    with make_dag() as dag:
        started = step("start")
        name = "{{ ti.xcom_pull(task_ids='start')['OutputParameters']['o'] }}"
        started >> sensors.SageMakerTrainingSensor(task_id="wait", job_name=name)
    assert refused(convert(dag)) == [("SMP203", "wait")]


def test_a_sensor_that_skips_instead_of_failing_is_reported() -> None:
    wait = {"task_id": "wait", "job_name": "churn-{{ ts_nodash }}", "soft_fail": True}
    conversion = converted(training, lambda: sensors.SageMakerTrainingSensor(**wait))
    assert codes(conversion, task="wait") == ["SMP608", "SMP612"]


def test_a_limit_on_waiting_is_reported() -> None:
    assert codes(converted(lambda: training(max_ingestion_time=60))) == ["SMP603", "SMP610"]


# Conditions

needs_conditions = pytest.mark.skipif(
    not hasattr(operators, "SageMakerConditionOperator"), reason="the amazon provider has no condition operator yet"
)


def decision(*, else_tasks: Any = None, **options: Any) -> Any:
    return operators.SageMakerConditionOperator(task_id="check", if_task_ids="yes", else_task_ids=else_tasks, **options)


def decided(make: Callable[[], Any], **options: Any) -> Conversion:
    with make_dag(**options) as dag:
        task = make()
        task >> step("yes")
        if task.else_task_ids:
            task >> step("no")
    return convert(dag)


FLAT = {"condition_type": "GreaterThan", "left_value": "{{ params.score }}", "right_value": "0.8"}


@needs_conditions
def test_a_condition_with_two_branches() -> None:
    conversion = decided(lambda: decision(else_tasks=["no"], **FLAT), params={"score": 0.9})
    arguments = steps_of(conversion)["check"]["Arguments"]
    assert arguments["Conditions"] == [
        {"Type": "GreaterThan", "LeftValue": {"Get": "Parameters.score"}, "RightValue": 0.8}
    ]
    assert [item["Name"] for item in arguments["ElseSteps"]] == ["no"]
    assert codes(conversion) == ["SMP614"]


@needs_conditions
def test_a_condition_without_else_fails_the_execution_as_it_fails_the_task() -> None:
    conversion = decided(lambda: decision(**FLAT), params={"score": 0.9})
    (fail,) = steps_of(conversion)["check"]["Arguments"]["ElseSteps"]
    assert (fail["Name"], fail["Type"]) == ("check-failed", "Fail")
    assert "'check'" in fail["Arguments"]["ErrorMessage"]


@needs_conditions
def test_nothing_runs_beside_the_failure_of_a_condition_without_else() -> None:
    with make_dag(params={"score": 1}) as dag:
        decision(**FLAT) >> step("yes") >> step("join", trigger_rule="none_failed")
    arguments = steps_of(convert(dag))["check"]["Arguments"]
    assert [item["Name"] for item in arguments["IfSteps"]] == ["yes", "join"]
    assert [item["Type"] for item in arguments["ElseSteps"]] == ["Fail"]


@needs_conditions
def test_conditions_of_every_kind() -> None:
    inner = {"type": "Equals", "left_value": "{{ params.name }}", "right_value": "true"}
    given = [
        {"type": "Not", "condition": inner},
        {"type": "Or", "conditions": [inner, {**inner, "right_value": "text"}]},
        {"type": "In", "value": "{{ params.name }}", "in_values": ["1", "b", 2.5]},
    ]
    conversion = decided(lambda: decision(conditions=given), params={"name": "b"})
    name = {"Get": "Parameters.name"}
    equals = {"Type": "Equals", "LeftValue": name, "RightValue": True}
    assert steps_of(conversion)["check"]["Arguments"]["Conditions"] == [
        {"Type": "Not", "Condition": equals},
        {"Type": "Or", "Conditions": [equals, {**equals, "RightValue": "text"}]},
        {"Type": "In", "QueryValue": name, "Values": [1, "b", 2.5]},
    ]


@needs_conditions
@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ({"type": "Equals", "left_value": 1}, "SMP206"),
        ({"type": "In", "value": 1, "in_values": "{{ params.score }}"}, "SMP206"),
        ({"type": "Equals", "left_value": "nan", "right_value": 1}, "SMP307"),
        ({"type": "Like", "left_value": 1, "right_value": 1}, "SMP541"),
        ({"left_value": 1, "right_value": 1}, "SMP206"),
    ],
)
def test_an_invalid_condition_is_refused(condition: dict[str, Any], code: str) -> None:
    conversion = decided(lambda: decision(conditions=[condition]), params={"score": 1})
    assert refused(conversion) == [(code, "check")]
    assert messages(conversion, code)


def test_a_config_that_only_the_run_knows_is_refused_unless_the_settings_give_it() -> None:
    def converted_with(**settings: Any) -> Conversion:
        with make_dag() as dag:
            step("make") >> training(config="{{ ti.xcom_pull('make') }}")
        return convert(dag, Settings(defaults=Defaults(tasks={("work", "train"): settings})))

    assert refused(converted_with()) == [("SMP209", "train")]
    (message,) = messages(converted_with(), "SMP209")
    assert message == "the config is \"{{ ti.xcom_pull('make') }}\", not an object"
    assert steps_of(converted_with(config=TRAINING))["train"]["Arguments"]["RoleArn"] == ROLE


def test_a_config_that_is_the_result_of_a_task_is_refused() -> None:
    with make_dag() as dag:
        training(config=step("make").output)
    assert refused(convert(dag)) == [("SMP209", "train")]
