"""The SageMaker Python SDK, version 3."""

from __future__ import annotations

import json
import logging
import time

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from conftest import CODE, succeed
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.function_step import step
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode

IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/python:3"
COMPUTE = {"instance_type": "ml.m5.large", "instance_count": 1}


def processor(session: Session, role: str) -> ScriptProcessor:
    return ScriptProcessor(image_uri=IMAGE, command=["python3"], role=role, sagemaker_session=session, **COMPUTE)


def processing_input(name: str, uri: object) -> ProcessingInput:
    source = ProcessingS3Input(
        s3_uri=uri, local_path=f"/opt/ml/processing/{name}", s3_data_type="S3Prefix", s3_input_mode="File"
    )
    return ProcessingInput(input_name=name, s3_input=source)


def processing_output(name: str, uri: object) -> ProcessingOutput:
    target = ProcessingS3Output(s3_uri=uri, local_path=f"/opt/ml/processing/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=target)


def trainer(session: Session, role: str, output: str) -> ModelTrainer:
    return ModelTrainer(
        training_image=IMAGE,
        source_code=SourceCode(source_dir=str(CODE), entry_script="train.py"),
        compute=Compute(**COMPUTE, volume_size_in_gb=1),
        output_data_config=OutputDataConfig(s3_output_path=output),
        hyperparameters={"shrinkage": 0.5},
        role=role,
        sagemaker_session=session,
    )


@pytest.fixture(scope="module")
def pipeline(bucket: str, role: str) -> Pipeline:
    """Prepare, train, evaluate, and announce the model if it is good."""
    session = PipelineSession()
    rows = ParameterInteger(name="Rows", default_value=10)
    largest_error = ParameterFloat(name="LargestError", default_value=0.01)
    base = Join(on="/", values=[f"s3://{bucket}/v3", ExecutionVariables.PIPELINE_EXECUTION_ID])

    prepare = ProcessingStep(
        name="Prepare",
        step_args=processor(session, role).run(
            code=str(CODE / "prepare.py"),
            arguments=["--rows", rows.to_string()],
            outputs=[processing_output("output", Join(on="/", values=[base, "points"]))],
        ),
    )
    points = prepare.properties.ProcessingOutputConfig.Outputs["output"].S3Output.S3Uri
    train = TrainingStep(
        name="Train",
        step_args=trainer(session, role, f"s3://{bucket}/v3/models").train(
            input_data_config=[InputData(channel_name="train", data_source=points)]
        ),
    )
    model = train.properties.ModelArtifacts.S3ModelArtifacts
    evaluation = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
    evaluate = ProcessingStep(
        name="Evaluate",
        step_args=processor(session, role).run(
            code=str(CODE / "evaluate.py"),
            inputs=[processing_input("model", model)],
            outputs=[processing_output("evaluation", Join(on="/", values=[base, "evaluation"]))],
        ),
        property_files=[evaluation],
    )
    function = Lambda(
        function_name="announce-v3",
        execution_role_arn=role,
        script=str(CODE / "announce.py"),
        handler="announce.handler",
        runtime="python3.12",
        session=session,
    )
    announce = LambdaStep(
        name="Announce",
        lambda_func=function,
        inputs={"model": model, "name": ExecutionVariables.PIPELINE_NAME},
        outputs=[LambdaOutput(output_name="text", output_type=LambdaOutputTypeEnum.String)],
    )
    error = JsonGet(step_name="Evaluate", property_file=evaluation, json_path="regression.error")
    refuse = FailStep(name="Refuse", error_message=Join(on=" ", values=["the error is", error]))
    check = ConditionStep(
        name="Check",
        conditions=[ConditionLessThanOrEqualTo(left=error, right=largest_error)],
        if_steps=[announce],
        else_steps=[refuse],
    )
    made = Pipeline(
        name="clients-v3",
        parameters=[rows, largest_error],
        steps=[prepare, train, evaluate, check],
        sagemaker_session=session,
    )
    made.upsert(role_arn=role, description="first", tags=[{"Key": "team", "Value": "a"}])
    return made


@pytest.fixture(scope="module")
def succeeded(pipeline: Pipeline):
    """An execution with the defaults."""
    execution = pipeline.start(execution_display_name="defaults")
    succeed(execution)
    return execution


def statuses(execution) -> dict[str, str]:
    return {step["StepName"]: step["StepStatus"] for step in execution.list_steps()}


def test_pipeline_runs(succeeded, read):
    assert succeeded.describe()["PipelineExecutionStatus"] == "Succeeded"
    steps = {step["StepName"]: step for step in succeeded.list_steps()}
    assert {step["StepStatus"] for step in steps.values()} == {"Succeeded"}
    assert set(steps) == {"Prepare", "Train", "Evaluate", "Check", "Announce"}
    assert steps["Check"]["Metadata"]["Condition"]["Outcome"] == "True"
    outputs = steps["Announce"]["Metadata"]["Lambda"]["OutputParameters"]
    assert outputs == [{"Name": "text", "Value": "model.tar.gz of clients-v3"}]

    name = succeeded.arn.rpartition("/")[2]
    evaluation = json.loads(read(f"s3://sagemaker-clients/v3/{name}/evaluation/evaluation.json"))
    assert evaluation["regression"]["error"] == pytest.approx(3 * 0.5 / 385.5)


def test_listings(pipeline, succeeded):
    listed = pipeline.list_executions()["PipelineExecutionSummaries"]
    assert succeeded.arn in [item["PipelineExecutionArn"] for item in listed]
    assert {item["Name"]: item["Value"] for item in succeeded.list_parameters()["PipelineParameters"]} == {
        "Rows": "10",
        "LargestError": "0.01",
    }
    described = pipeline.describe()
    steps = json.loads(described["PipelineDefinition"])["Steps"]
    assert [step["Name"] for step in steps] == ["Prepare", "Train", "Evaluate", "Check"]
    assert described["PipelineDescription"] == "first"


def test_parameters_and_fail_step(pipeline):
    execution = pipeline.start(parameters={"Rows": 2, "LargestError": 0.25})
    with pytest.raises(WaiterError, match="terminal failure state"):
        execution.wait(delay=1, max_attempts=120)
    assert statuses(execution) == {
        "Prepare": "Succeeded",
        "Train": "Succeeded",
        "Evaluate": "Succeeded",
        "Check": "Succeeded",
        "Refuse": "Failed",
    }
    refused = next(step for step in execution.list_steps() if step["StepName"] == "Refuse")
    message = f"the error is {3 * 0.5 / 5.5}"[:20]
    assert refused["Metadata"]["Fail"]["ErrorMessage"].startswith(message)
    assert execution.describe()["PipelineExecutionStatus"] == "Failed"
    with pytest.raises(ClientError, match="Unknown"):
        pipeline.start(parameters={"Unknown": 1})


def test_retry(pipeline):
    execution = pipeline.start(parameters={"Rows": 0})
    with pytest.raises(WaiterError):
        execution.wait(delay=1, max_attempts=120)
    assert statuses(execution) == {"Prepare": "Succeeded", "Train": "Failed"}
    failed = next(step for step in execution.list_steps() if step["StepName"] == "Train")
    assert "AlgorithmError" in failed["FailureReason"]

    prepared = next(step for step in execution.list_steps() if step["StepName"] == "Prepare")
    job = boto3.client("sagemaker").describe_processing_job(
        ProcessingJobName=prepared["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    )
    output = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].removeprefix("s3://")
    bucket, _, key = output.partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=f"{key}/points.csv", Body=b"1000,3000\n")
    boto3.client("sagemaker").retry_pipeline_execution(PipelineExecutionArn=execution.arn)
    again = succeed(execution)
    assert again["Prepare"]["Metadata"] == prepared["Metadata"]
    assert again["Announce"]["StepStatus"] == "Succeeded"


def test_selective_execution(pipeline, succeeded):
    selected = SelectiveExecutionConfig(
        source_pipeline_execution_arn=succeeded.arn, selected_steps=["Evaluate", "Check"]
    )
    execution = pipeline.start(selective_execution_config=selected)
    after = succeed(execution)
    before = {step["StepName"]: step.get("Metadata") for step in succeeded.list_steps()}
    assert after["Evaluate"]["StepStatus"] == "Succeeded"
    assert after["Evaluate"]["Metadata"] != before["Evaluate"]
    assert execution.describe()["SelectiveExecutionConfig"]["SourcePipelineExecutionArn"] == succeeded.arn


def test_callback_update_stop_delete(role):
    session = PipelineSession()
    queue = session.boto_session.client("sqs").create_queue(QueueName="clients-v3")["QueueUrl"]

    def message(status: str) -> dict:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for item in boto3.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", ()):
                boto3.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=item["ReceiptHandle"])
                body = json.loads(item["Body"])
                assert body["status"] == status
                return body
        raise AssertionError(f"no message {status}")

    def callback(arguments: dict) -> CallbackStep:
        answer = CallbackOutput(output_name="answer", output_type=CallbackOutputTypeEnum.Integer)
        return CallbackStep(name="Ask", sqs_queue_url=queue, inputs=arguments, outputs=[answer])

    asking = Pipeline(name="asking-v3", steps=[callback({"question": "6 x 7"})], sagemaker_session=session)
    asking.create(role_arn=role)
    execution = asking.start()
    asked = message("Executing")
    assert asked["arguments"] == {"question": "6 x 7"}
    boto3.client("sagemaker").send_pipeline_execution_step_success(
        CallbackToken=asked["token"], OutputParameters=[{"Name": "answer", "Value": "42"}]
    )
    outputs = succeed(execution)["Ask"]["Metadata"]["Callback"]["OutputParameters"]
    assert outputs == [{"Name": "answer", "Value": "42"}]

    asking.steps = [callback({"question": "7 x 8"})]
    asking.update(role_arn=role)
    assert [item["PipelineVersionId"] for item in asking.list_pipeline_versions()["PipelineVersionSummaries"]] == [2, 1]
    assert json.loads(asking.describe(pipeline_version_id=1)["PipelineDefinition"])["Steps"][0]["Arguments"] == {
        "question": "6 x 7"
    }
    execution = asking.start()
    assert message("Executing")["arguments"] == {"question": "7 x 8"}
    execution.stop()
    stopping = message("Stopping")
    assert execution.describe()["PipelineExecutionStatus"] == "Stopping"
    boto3.client("sagemaker").send_pipeline_execution_step_failure(
        CallbackToken=stopping["token"], FailureReason="stopped"
    )
    deadline = time.monotonic() + 30
    while execution.describe()["PipelineExecutionStatus"] == "Stopping" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert execution.describe()["PipelineExecutionStatus"] == "Stopped"

    asking.delete()
    with pytest.raises(ClientError) as refused:
        asking.describe()
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"


def test_functions_as_steps(bucket, role):
    """Python functions travel as Training jobs with the SDK's own bootstrap; the jobs' Python has the SDK."""
    where = {"image_uri": IMAGE, "instance_type": "ml.m5.large", "role": role}

    @step(name="Double", **where)
    def double(x):
        return 2 * x

    @step(name="Add", **where)
    def add(x, y):
        return x + y

    functions = Pipeline(name="functions-v3", steps=[add(double(3), 1)], sagemaker_session=Session())
    functions.create(role_arn=role)
    execution = functions.start()
    assert set(succeed(execution)) == {"Double", "Add"}
    assert execution.result("Add") == 7


def test_refused_definition(role):
    wrong = Pipeline(
        name="wrong-v3",
        steps=[FailStep(name="Fail", error_message="x", depends_on=["Missing"])],
        sagemaker_session=PipelineSession(),
    )
    with pytest.raises((ClientError, ValueError), match="Missing"):
        wrong.create(role_arn=role)


def test_jobs_without_a_pipeline(bucket, role, read, capfd, caplog):
    """What the SDK shows of the log comes from CloudWatch Logs."""
    caplog.set_level(logging.INFO, "sagemaker")
    session = Session()
    points = f"s3://{bucket}/v3/direct/points"
    processor(session, role).run(
        code=str(CODE / "prepare.py"),
        arguments=["--rows", "10"],
        outputs=[processing_output("output", points)],
        wait=True,
        logs=True,
    )
    training = trainer(session, role, f"s3://{bucket}/v3/direct/models")
    training.train(input_data_config=[InputData(channel_name="train", data_source=points)], wait=True, logs=True)
    job = training._latest_training_job
    assert job.training_job_status == "Completed"
    assert read(f"{points}/points.csv").startswith(b"1,3\r\n")
    shown = capfd.readouterr().out + caplog.text
    assert "prepared 10 points" in shown
    assert "slope=2.99" in shown


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
