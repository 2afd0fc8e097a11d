"""DAG files of Airflow 1 and 2, in the shapes that teams have, on the Airflow that runs."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from sagemaker_provider.translator.inputs import Inputs
from sagemaker_provider.translator.worker import ConvertedFile, Request, convert_files

DAGS = Path(__file__).parents[1] / "data" / "legacy_dags"
ARN = "arn:aws:iam::111122223333:role/Train"


@pytest.fixture(scope="module")
def converted() -> dict[str, ConvertedFile]:
    """Every file, by its name."""
    return {Path(item.file).stem: item for item in convert_files(Request(DAGS, compat=True))}


def definition(file: ConvertedFile) -> dict[str, Any]:
    (dag,) = file.dags
    assert dag.definition is not None, [str(item) for item in dag.findings]
    return json.loads(dag.definition)  # type: ignore[no-any-return]


def codes(file: ConvertedFile, kind: str = "error") -> list[str]:
    found = [*file.findings, *(item for dag in file.dags for item in dag.findings)]
    return sorted({item.code for item in found if item.severity.value == kind})


def parameters(file: ConvertedFile) -> dict[str, Any]:
    return {item["Name"]: item.get("DefaultValue") for item in definition(file).get("Parameters", ())}


PARAMETERS: dict[str, dict[str, Any]] = {
    "amazon_paths": {},
    "companion_config": {
        "team_config_BUCKET": None,
        "team_config_IMAGES_train": None,
        "team_config_JOB_NAME": None,
        "team_config_ROLE_ARN": None,
        "team_config_names_prefix_churn": None,
    },
    "connection_role": {"connection_aws_ml_extra_dejson_get_role_arn": None},
    "contrib_imports": {},
    "days_ago_start": {},
    "environment": {"ML_BUCKET": None, "ML_INSTANCE": "ml.m5.4xlarge", "ML_ROLE_ARN": None},
    "guarded_import": {},
    "iam_role": {
        "boto3_client_iam_get_role_RoleName_Train_Role_Arn": None,
        "boto3_client_sts_get_caller_identity_Account": None,
    },
    "missing_modules": {},
    "params_from_variables": {"bucket": None, "instance": "ml.m5.large", "rounds": 3},
    "provide_context": {},
    "uuid_names": {},
    "variables": {"Variable_training_image": None, "ml_bucket": None, "instance": "ml.m5.xlarge"},
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_what_is_not_known_becomes_a_parameter(converted: dict[str, ConvertedFile], name: str) -> None:
    assert codes(converted[name]) == []
    assert parameters(converted[name]) == PARAMETERS[name]


ERRORS = {
    "clock_decides": "SMP112",
    "clock_in_path": "SMP111",
    "cut_text": "SMP113",
    "environment_decides": "SMP110",
    "invented_class": "SMP201",
    "kubernetes_task": "SMP201",
    "list_from_variable": "SMP523",
    "number_from_environment": "SMP101",
    "sdk_config": "SMP209",
    "secret_variable": "SMP306",
    "subdag": "SMP201",
    "syntax_error": "SMP101",
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_a_parameter_is_an_error(converted: dict[str, ConvertedFile], name: str) -> None:
    assert ERRORS[name] in codes(converted[name])
    assert all(dag.definition is None for dag in converted[name].dags)


def test_every_file_is_expected(converted: dict[str, ConvertedFile]) -> None:
    assert sorted(converted) == sorted([*PARAMETERS, *ERRORS])


def test_an_unknown_class_is_a_task_with_its_name(converted: dict[str, ConvertedFile]) -> None:
    (dag,) = converted["invented_class"].dags
    assert {item.task: item.message for item in dag.findings if item.code == "SMP201"} == {
        "run": "no translation for airflow.providers.amazon.aws.operators.sagemaker.SageMakerPipelineOperator",
        "tell": "no translation for airflow.providers.sns.operators.publish.SnsOperator",
    }


def test_a_name_made_from_clock_and_uuid_is_left_out_and_its_readers_read_the_step(
    converted: dict[str, ConvertedFile],
) -> None:
    train, create = definition(converted["uuid_names"])["Steps"]
    assert "TrainingJobName" not in train["Arguments"]
    assert "ModelName" not in create["Arguments"]
    assert create["Arguments"]["PrimaryContainer"]["ModelDataUrl"] == {
        "Get": "Steps.train.ModelArtifacts.S3ModelArtifacts"
    }


def test_a_file_that_does_not_load_says_what_it_holds(converted: dict[str, ConvertedFile]) -> None:
    (found,) = [item for item in converted["syntax_error"].findings if item.code == "SMP101"]
    assert found.line == 9
    assert found.message.endswith("the file holds 2 tasks (1 PythonOperator, 1 SageMakerTrainingOperator)")


def test_inputs_are_named_with_file_and_line(converted: dict[str, ConvertedFile]) -> None:
    found = [(item.line, item.message) for item in converted["environment"].findings if item.code == "SMP641"]
    assert found == [
        (8, "the environment variable 'ML_BUCKET' has no value"),
        (19, "the environment variable 'ML_ROLE_ARN' has no value"),
        (22, "the environment variable 'ML_INSTANCE' has no value"),
    ]


def test_a_missing_module_is_named_once(converted: dict[str, ConvertedFile]) -> None:
    found = [item.message for item in converted["missing_modules"].findings if item.code == "SMP711"]
    assert len(found) == 2
    assert "library_of_tables" in found[0] and "library_of_runs" in found[1]


def test_a_start_date_from_the_clock_is_a_note(converted: dict[str, ConvertedFile]) -> None:
    assert "SMP712" in codes(converted["days_ago_start"], "note")


def test_no_stand_in_and_no_secret_is_in_a_result(converted: dict[str, ConvertedFile]) -> None:
    text = repr(converted)
    assert "\\ue000" not in text and "made_while_loading" not in text


VALUES = Inputs(
    variables={"ml_bucket": "given", "training": '{"image": "i"}', "env": "prod", "subnets": "a,b", "team": "T" * 40},
    env={"ML_BUCKET": "given", "INSTANCES": "3"},
    connections={"aws_ml": json.dumps({"conn_type": "aws", "extra": {"role_arn": ARN}})},
    params={"team_config_BUCKET": "given", "rounds": 7},
)


@pytest.fixture(scope="module")
def answered() -> dict[str, ConvertedFile]:
    """Every file, with a values file."""
    return {Path(item.file).stem: item for item in convert_files(Request(DAGS, compat=True, inputs=VALUES))}


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("variables", ("OutputDataConfig", "S3OutputPath"), "s3://given/churn"),
        ("variables", ("AlgorithmSpecification", "TrainingImage"), "i"),
        ("environment", ("OutputDataConfig", "S3OutputPath"), "s3://given/churn"),
        ("environment_decides", ("OutputDataConfig", "S3OutputPath"), "s3://prod-bucket/out"),
        ("connection_role", ("RoleArn",), ARN),
        ("number_from_environment", ("ResourceConfig", "InstanceCount"), 3),
        ("list_from_variable", ("VpcConfig", "Subnets"), ["a", "b"]),
        ("cut_text", ("OutputDataConfig", "S3OutputPath"), "s3://bucket/TT"),
    ],
)
def test_the_values_file_answers(
    answered: dict[str, ConvertedFile], name: str, path: tuple[str, ...], value: object
) -> None:
    found = definition(answered[name])["Steps"][0]["Arguments"]
    for key in path:
        found = found[key]
    assert found == value


def test_a_value_of_a_parameter_is_its_default(answered: dict[str, ConvertedFile]) -> None:
    assert parameters(answered["params_from_variables"]) == {
        "bucket": "given",
        "instance": "ml.m5.large",
        "rounds": 7,
    }
    assert parameters(answered["companion_config"])["team_config_BUCKET"] == "given"


@pytest.fixture(scope="module")
def shims(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ConvertedFile]:
    """Small files, each with one thing of an earlier Airflow."""
    folder = tmp_path_factory.mktemp("shims")
    for name, text in SHIMS.items():
        (folder / f"{name}.py").write_text(f"from airflow import DAG\n{text}\n")
    return {Path(item.file).stem: item for item in convert_files(Request(folder, compat=True))}


SHIMS = {
    "dropped": "from airflow.operators.dagrun_operator import TriggerDagRunOperator\n"
    "with DAG('d', schedule_interval=None):\n"
    "    TriggerDagRunOperator(task_id='t', trigger_dag_id='x', python_callable=print)",
    "no_schedule": "from datetime import datetime\ndag = DAG('d', start_date=datetime(2020, 1, 1))",
    "positional": "from datetime import datetime, timedelta\n"
    "dag = DAG('d', 'described', timedelta(days=2), datetime(2020, 1, 1))",
    "presets": "from airflow.utils.dates import cron_presets, days_ago\n"
    "dag = DAG('d', schedule_interval=cron_presets['@monthly'], start_date=days_ago(1, hour=3))",
    "timetable": "from datetime import datetime\nfrom airflow.timetables.interval import CronDataIntervalTimetable\n"
    "dag = DAG('d', timetable=CronDataIntervalTimetable('0 1 * * *', timezone='UTC'), start_date=datetime(2020, 1, 1))",
    "old_paths": "from airflow.operators import BashOperator, PythonOperator\n"
    "from airflow.operators.bash_operator import BashOperator as Bash\n"
    "from airflow.operators.latest_only_operator import LatestOnlyOperator\n"
    "from airflow.operators.email_operator import EmailOperator\n"
    "from airflow.sensors.base_sensor_operator import BaseSensorOperator\n"
    "from airflow.sensors.external_task_sensor import ExternalTaskSensor\n"
    "from airflow.contrib.sensors.file_sensor import FileSensor\n"
    "from airflow.contrib.operators.emr_add_steps_operator import EmrAddStepsOperator\n"
    "from airflow.contrib.operators.aws_athena_operator import AWSAthenaOperator\n"
    "from airflow.contrib.operators.ecs_operator import ECSOperator\n"
    "from airflow.providers.amazon.aws.operators.aws_lambda import AwsLambdaInvokeFunctionOperator\n"
    "from airflow.providers.amazon.aws.operators.s3_bucket import S3CreateBucketOperator\n"
    "from airflow.providers.amazon.aws.transfers.s3_copy_object import S3CopyObjectOperator\n"
    "from airflow.providers.amazon.aws.operators.glue import AwsGlueJobOperator\n"
    "from airflow.providers.amazon.aws.sensors.emr_step import EmrStepSensor\n"
    "from airflow.utils.decorators import apply_defaults\n"
    "from airflow.utils.helpers import chain\n"
    "from airflow.utils.weekday import WeekDay\n"
    "from airflow.datasets import Dataset\n"
    "dag = DAG('d', schedule_interval=None)",
    "newer_paths": "from airflow.sdk import DAG, chain, dag, task, Param, Variable, BaseHook, TaskGroup\n"
    "from airflow.providers.standard.operators.python import PythonOperator\n"
    "from airflow.providers.standard.sensors.filesystem import FileSensor\n"
    "dag = DAG('d', schedule=None)",
    "subclass": "from library_of_operators import BaseCustomOperator\nfrom library_of_models import Model\n"
    "class Own(BaseCustomOperator):\n    def execute(self, context): ...\n"
    "class Settings(Model):\n    bucket: str = 'b'\n"
    "with DAG('d', schedule_interval=None):\n    Own(task_id='t', path=Settings().bucket)",
}


def messages(file: ConvertedFile) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in (*file.findings, *(item for dag in file.dags for item in dag.findings)):
        found.setdefault(item.code, []).append(item.message)
    return found


@pytest.mark.parametrize("name", SHIMS)
def test_it_loads(shims: dict[str, ConvertedFile], name: str) -> None:
    assert shims[name].dag_ids == ("d",), shims[name].findings


@pytest.mark.parametrize("name", ["old_paths", "newer_paths"])
def test_names_that_moved_are_no_stand_ins(shims: dict[str, ConvertedFile], name: str) -> None:
    assert "SMP711" not in messages(shims[name])


def test_an_argument_that_did_something_is_dropped_with_a_difference(shims: dict[str, ConvertedFile]) -> None:
    assert messages(shims["dropped"])["SMP643"] == [
        "python_callable of the task 't' has no counterpart in this version of Airflow and is dropped"
    ]


def test_the_default_schedule_is_another_one_since_airflow_3(shims: dict[str, ConvertedFile]) -> None:
    expected = version("apache-airflow").startswith("3.")
    assert ("SMP644" in messages(shims["no_schedule"])) is expected


@pytest.mark.parametrize(
    ("name", "part"), [("presets", "0 0 1 * *"), ("positional", "2 days"), ("timetable", "the schedule")]
)
def test_schedules_in_old_arguments_are_kept(shims: dict[str, ConvertedFile], name: str, part: str) -> None:
    assert part in messages(shims[name])["SMP611"][0]


def test_a_subclass_of_something_unknown_is_a_task_of_its_own_type(shims: dict[str, ConvertedFile]) -> None:
    assert messages(shims["subclass"])["SMP201"] == ["no translation for subclass.Own"]


def test_a_name_that_moved_is_a_note_on_its_line(converted: dict[str, ConvertedFile]) -> None:
    found = [item for item in converted["amazon_paths"].findings if item.code == "SMP710" and item.line == 8]
    assert [item.message for item in found] == [
        "airflow.providers.amazon.aws.sensors.s3_key.S3KeySensor is taken from airflow.providers.amazon.aws.sensors.s3"
    ]
