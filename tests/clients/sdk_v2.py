"""The SageMaker Python SDK, version 2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import boto3
import pytest
from conftest import CODE, succeed
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.parameter import ContinuousParameter
from sagemaker.processing import ProcessingOutput, ScriptProcessor
from sagemaker.session import Session
from sagemaker.transformer import Transformer
from sagemaker.tuner import HyperparameterTuner
from sagemaker.workflow.functions import Join
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.retry import StepExceptionTypeEnum, StepRetryPolicy
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TransformStep, TuningStep

IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/python:3"
COMPUTE = {"instance_type": "ml.m5.large", "instance_count": 1}


def processor(session: Session, role: str) -> ScriptProcessor:
    return ScriptProcessor(image_uri=IMAGE, command=["python3"], role=role, sagemaker_session=session, **COMPUTE)


def estimator(session: Session, role: str, output: str) -> Estimator:
    return Estimator(
        image_uri=IMAGE,
        entry_point="train.py",
        source_dir=str(CODE),
        hyperparameters={"shrinkage": 0.5},
        metric_definitions=[{"Name": "slope", "Regex": "slope=([0-9.]+);"}],
        output_path=output,
        role=role,
        sagemaker_session=session,
        **COMPUTE,
    )


def model(session: Session, role: str, data: object, folder: Path) -> Model:
    """A model of what was trained; the SDK writes scripts of its own into the folder of the code."""
    shutil.copy(CODE / "serve.py", folder)
    return Model(
        image_uri=IMAGE,
        model_data=data,
        entry_point="serve.py",
        source_dir=str(folder),
        role=role,
        sagemaker_session=session,
    )


@pytest.fixture(scope="module")
def points(bucket, role, read) -> str:
    """Where a Processing job of the SDK wrote points of a line."""
    uri = f"s3://{bucket}/v2/points"
    processor(Session(), role).run(
        code=str(CODE / "prepare.py"),
        arguments=["--rows", "10"],
        outputs=[ProcessingOutput(output_name="points", source="/opt/ml/processing/output", destination=uri)],
    )
    assert read(f"{uri}/points.csv").startswith(b"1,3\r\n2,6\r\n")
    return uri


def test_processing_shows_its_log(bucket, role, capfd):
    output = ProcessingOutput(source="/opt/ml/processing/output", destination=f"s3://{bucket}/v2/few")
    processor(Session(), role).run(code=str(CODE / "prepare.py"), arguments=["--rows", "3"], outputs=[output])
    assert "prepared 3 points" in capfd.readouterr().out


def test_training_and_transform(bucket, role, read, points, capfd, tmp_path):
    session = Session()
    fitted = estimator(session, role, f"s3://{bucket}/v2/models")
    fitted.fit({"train": TrainingInput(points, content_type="text/csv")}, wait=True, logs=True)
    shown = capfd.readouterr().out
    assert "slope=2.99" in shown
    assert "Training job completed" in shown or "Completed" in shown
    described = session.describe_training_job(fitted.latest_training_job.name)
    assert [item["MetricName"] for item in described["FinalMetricDataList"]] == ["slope"]

    served = model(session, role, fitted.model_data, tmp_path)
    served.create(instance_type="ml.m5.large")
    transformer = Transformer(
        model_name=served.name,
        output_path=f"s3://{bucket}/v2/predictions",
        accept="text/csv",
        assemble_with="Line",
        sagemaker_session=session,
        **COMPUTE,
    )
    transformer.transform(points, content_type="text/csv", split_type="Line", wait=True, logs=True)
    predictions = [float(line) for line in read(f"s3://{bucket}/v2/predictions/points.csv.out").splitlines()]
    assert predictions == pytest.approx([3 * x for x in range(1, 11)], rel=0.01)


def test_a_failed_job_is_an_error(role):
    from sagemaker.exceptions import UnexpectedStatusException

    with pytest.raises(UnexpectedStatusException, match=r"AlgorithmError.*exit code: 2"):
        processor(Session(), role).run(code=str(CODE / "prepare.py"), arguments=["--rows", "three"])


@pytest.fixture(scope="module")
def pipeline(bucket, role, tmp_path_factory) -> Pipeline:
    """Prepare with a cache and retries, tune, make the best model and register it, predict."""
    session = PipelineSession()
    approval = ParameterString(name="Approval", default_value="Approved", enum_values=["Approved", "Rejected"])
    prepare = ProcessingStep(
        name="Prepare",
        step_args=processor(session, role).run(
            code=str(CODE / "prepare.py"),
            arguments=["--rows", "10"],
            outputs=[ProcessingOutput(output_name="points", source="/opt/ml/processing/output")],
        ),
        cache_config=CacheConfig(enable_caching=True, expire_after="P1D"),
        retry_policies=[StepRetryPolicy(exception_types=[StepExceptionTypeEnum.THROTTLING], max_attempts=2)],
    )
    prepared = prepare.properties.ProcessingOutputConfig.Outputs["points"].S3Output.S3Uri
    tuner = HyperparameterTuner(
        estimator=estimator(session, role, f"s3://{bucket}/v2/tuned"),
        objective_metric_name="slope",
        hyperparameter_ranges={"shrinkage": ContinuousParameter(0.1, 9.0)},
        metric_definitions=[{"Name": "slope", "Regex": "slope=([0-9.]+);"}],
        max_jobs=3,
        max_parallel_jobs=2,
    )
    tune = TuningStep(name="Tune", step_args=tuner.fit({"train": TrainingInput(prepared)}))
    best = tune.get_top_model_s3_uri(top_k=0, s3_bucket=bucket, prefix="v2/tuned")
    best_model = model(session, role, best, tmp_path_factory.mktemp("serving"))
    create = ModelStep(name="Make", step_args=best_model.create(instance_type="ml.m5.large"))
    register = ModelStep(
        name="Register",
        step_args=best_model.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.m5.large"],
            transform_instances=["ml.m5.large"],
            model_package_group_name="clients-v2",
            approval_status=approval,
        ),
    )
    transformer = Transformer(
        model_name=create.properties.ModelName,
        output_path=Join(on="/", values=[f"s3://{bucket}/v2/tuned-predictions"]),
        accept="text/csv",
        assemble_with="Line",
        sagemaker_session=session,
        **COMPUTE,
    )
    predict = TransformStep(
        name="Predict", step_args=transformer.transform(prepared, content_type="text/csv", split_type="Line")
    )
    made = Pipeline(
        name="clients-v2",
        parameters=[approval],
        steps=[prepare, tune, create, register, predict],
        sagemaker_session=session,
    )
    boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName="clients-v2")
    made.create(role_arn=role, parallelism_config=ParallelismConfiguration(2))
    return made


def test_pipeline_runs_and_hits_its_cache(pipeline, read, bucket):
    first = pipeline.start()
    steps = succeed(first)
    assert {step["StepStatus"] for step in steps.values()} == {"Succeeded"}
    assert set(steps) == {
        *("Prepare", "Tune", "Predict"),
        *("Make-RepackModel-0", "Make-CreateModel", "Register-RepackModel-0", "Register-RegisterModel"),
    }

    client = boto3.client("sagemaker")
    name = steps["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    tuning = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert tuning["TrainingJobStatusCounters"]["Completed"] == 3
    trials = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    slopes = [item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for item in trials["TrainingJobSummaries"]]
    best = tuning["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert len(set(slopes)) == 3
    predictions = read(f"s3://{bucket}/v2/tuned-predictions/points.csv.out").splitlines()
    assert float(predictions[0]) == pytest.approx(best, abs=0.001)

    arn = steps["Register-RegisterModel"]["Metadata"]["RegisterModel"]["Arn"]
    assert client.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Approved"

    second = pipeline.start(parameters={"Approval": "Rejected"})
    again = succeed(second)
    assert again["Prepare"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first.arn}
    packages = client.list_model_packages(ModelPackageGroupName="clients-v2")["ModelPackageSummaryList"]
    assert sorted((item["ModelPackageVersion"], item["ModelApprovalStatus"]) for item in packages) == [
        (1, "Approved"),
        (2, "Rejected"),
    ]
    assert json.loads(pipeline.describe()["PipelineDefinition"])["Version"] == "2020-12-01"
    pipeline.delete()


def test_a_pipeline_that_deploy_created(deployed):
    pipeline = Pipeline(name=deployed, sagemaker_session=Session())
    described = pipeline.describe()
    assert [step["Name"] for step in json.loads(described["PipelineDefinition"])["Steps"]] == ["work"]
    execution = pipeline.start(parameters={"day": "monday"})
    assert list(succeed(execution)) == ["work"]
    summaries = pipeline.list_executions()["PipelineExecutionSummaries"]
    assert [item["PipelineExecutionArn"] for item in summaries] == [execution.arn]
    parameters = execution.list_parameters()["PipelineParameters"]
    assert parameters == [{"Name": "day", "Value": "monday"}]
