"""What each type of step does in an execution: requests, properties, metadata; and caching."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from typing import Any

import pytest
from pipelines_client import IMAGE, ROLE, Pipelines, definition, get, outputs, parameter, processing, text

RESOURCES = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}


def step(name: str, kind: str, arguments: dict[str, Any], *after: Any, **members: Any) -> dict[str, Any]:
    depends = {"DependsOn": list(after)} if after else {}
    return {"Name": name, "Type": kind, "Arguments": arguments, **depends, **members}


def training(name: str = "Train", **members: Any) -> dict[str, Any]:
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File", **members.pop("algorithm", {})},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": RESOURCES,
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **members.pop("arguments", {}),
    }
    return step(name, "Training", arguments, **members)


def model(name: str = "Model", data: Any = None) -> dict[str, Any]:
    container = {"Image": IMAGE, "ModelDataUrl": data or get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    return step(name, "Model", {"ExecutionRoleArn": ROLE, "PrimaryContainer": container})


def reason(pipelines: Pipelines, arn: str, name: str) -> str:
    return str(pipelines.steps(arn)[name].get("FailureReason"))


def succeeded(pipelines: Pipelines, *steps: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Run steps, which must succeed; their records."""
    arn = pipelines.run(definition(*steps, **members))
    found = pipelines.steps(arn)
    assert pipelines.status(arn) == "Succeeded", found
    return found


def test_training_model_transform_and_endpoint(pipelines: Pipelines) -> None:
    transform = step(
        "Score",
        "Transform",
        {
            "ModelName": get("Steps.Model.ModelName"),
            "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
            "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    )
    config = step(
        "Config",
        "EndpointConfig",
        {
            "EndpointConfigName": text("config", get("Execution.PipelineExecutionId"), on="-"),
            "ProductionVariants": [
                {
                    "VariantName": "All",
                    "ModelName": get("Steps.Model.ModelName"),
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                }
            ],
        },
    )
    endpoint = step(
        "Deploy", "Endpoint", {"EndpointName": "live", "EndpointConfigName": get("Steps.Config.EndpointConfigName")}
    )
    pipelines.local.client("s3").put_object(Bucket="bucket", Key="in/rows.csv", Body=b"1\n2\n")
    found = succeeded(pipelines, training(), model(), transform, config, endpoint)
    sagemaker = pipelines.sagemaker
    job = found["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    name = found["Model"]["Metadata"]["Model"]["Arn"].rpartition("/")[2]
    described = sagemaker.describe_model(ModelName=name)
    assert described["PrimaryContainer"]["ModelDataUrl"] == f"s3://bucket/models/{job}/output/model.tar.gz"
    assert (
        sagemaker.describe_transform_job(
            TransformJobName=found["Score"]["Metadata"]["TransformJob"]["Arn"].rpartition("/")[2]
        )["ModelName"]
        == name
    )
    live = sagemaker.describe_endpoint(EndpointName="live")
    assert live["EndpointStatus"] == "InService"
    assert live["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    again = pipelines.run()  # the second run updates the endpoint
    assert pipelines.status(again) == "Succeeded"
    assert sagemaker.describe_endpoint(EndpointName="live")["EndpointConfigName"] != live["EndpointConfigName"]


def register(**members: Any) -> dict[str, Any]:
    arguments = {
        "ModelPackageGroupName": "group",
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/m.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    return step("Register", "RegisterModel", {**arguments, **members})


def test_each_run_registers_a_version(pipelines: Pipelines) -> None:
    pipelines.sagemaker.create_model_package_group(ModelPackageGroupName="group")
    pipelines.create(definition(register()))
    arns = [pipelines.steps(pipelines.run())["Register"]["Metadata"]["RegisterModel"]["Arn"] for _ in range(2)]
    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2"]
    assert (
        pipelines.sagemaker.describe_model_package(ModelPackageName=arns[1])["ModelApprovalStatus"]
        == "PendingManualApproval"
    )


@pytest.mark.parametrize("setting", [False, True])
def test_whether_a_missing_group_is_made_is_a_setting(pipelines: Pipelines, with_settings: Any, setting: bool) -> None:
    with_settings(create_model_package_groups=setting)
    arn = pipelines.run(definition(register()))
    assert pipelines.status(arn) == ("Succeeded" if setting else "Failed")
    assert setting or "Model Package Group group does not exist" in reason(pipelines, arn, "Register")


def test_tuning_offers_its_best_trainings(pipelines: Pipelines) -> None:
    tune = step(
        "Tune",
        "Tuning",
        {
            "HyperParameterTuningJobConfig": {
                "Strategy": "Random",
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2},
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "rmse"},
                "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "lr", "MinValue": "0.1", "MaxValue": "1"}]},
            },
            "TrainingJobDefinition": {
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "rmse", "Regex": "rmse=(.*)"}],
                },
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/tuned"},
                "ResourceConfig": RESOURCES,
                "RoleArn": ROLE,
                "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            },
        },
    )
    names = [
        get("Steps.Tune.BestTrainingJob.TrainingJobName"),
        get("Steps.Tune.TrainingJobSummaries[0].TrainingJobName"),
    ]
    found = succeeded(pipelines, tune, processing("After", environment={"best": names[0], "first": names[1]}))
    arn = found["Tune"]["Metadata"]["TuningJob"]["Arn"]
    assert len(arn.rpartition("/")[2]) <= 32
    job = pipelines.sagemaker.describe_processing_job(
        ProcessingJobName=found["After"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    )
    assert job["Environment"]["best"] == job["Environment"]["first"]
    values = {
        item["TrainingJobName"]: item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        for item in pipelines.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=arn.rpartition("/")[2]
        )["TrainingJobSummaries"]
    }
    assert len(values) == 3
    assert values[job["Environment"]["best"]] == min(values.values())


def test_autopilot_is_a_record_with_a_best_candidate(pipelines: Pipelines) -> None:
    auto = step(
        "Auto",
        "AutoML",
        {
            "InputDataConfig": [
                {
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/t"}},
                    "TargetAttributeName": "y",
                }
            ],
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/auto"},
            "AutoMLJobConfig": {"Mode": "ENSEMBLING"},
            "RoleArn": ROLE,
        },
    )
    best = get("Steps.Auto.BestCandidate.InferenceContainers[0].ModelDataUrl")
    report = get("Steps.Auto.BestCandidateProperties.ModelInsightsJsonReportPath")
    found = succeeded(pipelines, auto, processing("After", environment={"best": best, "report": report}))
    job = pipelines.sagemaker.describe_processing_job(
        ProcessingJobName=found["After"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    )
    bucket, _, key = job["Environment"]["report"].removeprefix("s3://").partition("/")
    json.loads(pipelines.local.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    assert job["Environment"]["best"].startswith("s3://")


# Code outside SageMaker

HANDLER = """
def run(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"text": f"got {event.get('x')}", "number": len(event), "ignored": [1]}
"""


@pytest.fixture
def function(local: Any) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code.py", HANDLER)
    role = local.client("iam").create_role(RoleName="lambda", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    return str(
        local.client("lambda").create_function(
            FunctionName="sagemaker-f",
            Runtime="python3.12",
            Role=role,
            Handler="code.run",
            Code={"ZipFile": packed.getvalue()},
        )["FunctionArn"]
    )


def call(arn: str, arguments: dict[str, Any], *outputs_: tuple[str, str]) -> dict[str, Any]:
    declared = [{"OutputName": name, "OutputType": kind} for name, kind in outputs_]
    return step("Call", "Lambda", arguments, FunctionArn=arn, OutputParameters=declared)


def test_a_function_runs_and_its_outputs_are_typed(pipelines: Pipelines, function: str) -> None:
    after = processing(
        "After",
        environment={
            "t": get("Steps.Call.OutputParameters['text']"),
            "n": text(get("Steps.Call.OutputParameters['number']")),
        },
    )
    arguments = {"x": get("Parameters.x"), "id": get("Execution.PipelineExecutionId")}
    found = succeeded(
        pipelines,
        call(function, arguments, ("text", "String"), ("number", "Integer")),
        after,
        parameters=[parameter("x", "Float", 1.5)],
    )
    metadata = found["Call"]["Metadata"]["Lambda"]
    assert metadata["Arn"] == function
    assert metadata["OutputParameters"] == [{"Name": "text", "Value": "got 1.5"}, {"Name": "number", "Value": "2"}]
    job = pipelines.sagemaker.describe_processing_job(
        ProcessingJobName=found["After"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    )
    assert job["Environment"] == {"t": "got 1.5", "n": "2"}


@pytest.mark.parametrize(
    ("arguments", "outputs_", "part"),
    [
        ({"fail": "no luck"}, [], "no luck"),
        ({}, [("missing", "String")], "'missing' is missing"),
        (
            {},
            [("text", "Integer"), ("ignored", "String")],
            "'text' is 'got None', declared as Integer; 'ignored' is not a single value",
        ),
    ],
)
def test_a_function_that_fails_or_answers_badly_fails_the_step(
    pipelines: Pipelines, function: str, arguments: dict[str, Any], outputs_: list[tuple[str, str]], part: str
) -> None:
    arn = pipelines.run(definition(call(function, arguments, *outputs_)))
    assert part in reason(pipelines, arn, "Call")


def callback(queue: str, **arguments: Any) -> dict[str, Any]:
    return step(
        "Ask",
        "Callback",
        arguments,
        SqsQueueUrl=queue,
        OutputParameters=[{"OutputName": "answer", "OutputType": "Integer"}],
    )


@pytest.fixture
def queue(local: Any) -> str:
    return str(local.client("sqs").create_queue(QueueName="work")["QueueUrl"])


def receive(local: Any, queue: str) -> Any:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        for message in local.client("sqs").receive_message(QueueUrl=queue).get("Messages", ()):
            local.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return json.loads(message["Body"])
        time.sleep(0.02)
    raise AssertionError("no message")


def test_a_callback_waits_for_its_answer(pipelines: Pipelines, queue: str) -> None:
    pipelines.create(
        definition(
            callback(queue, x=1.5, name=get("Execution.PipelineName")),
            processing("After", environment={"a": text(get("Steps.Ask.OutputParameters['answer']"))}),
        )
    )
    arn = pipelines.start()
    message = receive(pipelines.local, queue)
    token = message["token"]
    assert message == {
        "token": token, "pipelineExecutionArn": arn, "status": "Executing", "arguments": {"x": 1.5, "name": "p"}}  # fmt: skip
    assert len(token) == 10
    assert pipelines.status(arn) == "Executing"
    send = pipelines.sagemaker.send_pipeline_execution_step_success
    assert (
        send(CallbackToken=token, OutputParameters=[{"Name": "answer", "Value": "42"}])["PipelineExecutionArn"] == arn
    )
    pipelines.wait(arn)
    assert pipelines.job(arn, "After")["Environment"] == {"a": "42"}
    with pytest.raises(pipelines.sagemaker.exceptions.ConflictException):
        send(CallbackToken=token)


def test_a_callback_may_fail(pipelines: Pipelines, queue: str) -> None:
    pipelines.create(definition(callback(queue)))
    arn = pipelines.start()
    token = receive(pipelines.local, queue)["token"]
    pipelines.sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="no disk")
    pipelines.wait(arn)
    assert reason(pipelines, arn, "Ask") == "no disk"


def test_stopping_tells_the_worker_and_waits_for_it(pipelines: Pipelines, queue: str) -> None:
    pipelines.create(definition(callback(queue)))
    arn = pipelines.start()
    token = receive(pipelines.local, queue)["token"]
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    message = receive(pipelines.local, queue)
    assert (message["token"], message["status"]) == (token, "Stopping")
    assert pipelines.status(arn) == "Stopping"
    pipelines.sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="stopped")
    pipelines.wait(arn)
    assert pipelines.status(arn) == "Stopped"


def test_a_queue_that_does_not_exist_fails_the_step(pipelines: Pipelines) -> None:
    arn = pipelines.run(definition(callback("https://sqs.us-west-2.amazonaws.com/123456789012/none")))
    assert "NonExistentQueue" in reason(pipelines, arn, "Ask")


STEP_CONFIG = {"HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://bucket/x.py"]}}


def test_emr_on_a_running_cluster_and_on_one_of_its_own(pipelines: Pipelines) -> None:
    emr = pipelines.local.client("emr")
    instances = {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.xlarge", "InstanceCount": 2}
    cluster = emr.run_job_flow(Name="c", Instances={**instances, "KeepJobFlowAliveWhenNoSteps": True})["JobFlowId"]
    groups = [{"InstanceRole": "MASTER", "InstanceCount": 1, "InstanceType": "m5.xlarge"}]
    own = {"Instances": {"InstanceGroups": groups}, "ReleaseLabel": "emr-6.6.0", "JobFlowRole": "a", "ServiceRole": "b"}
    found = succeeded(
        pipelines,
        step("Running", "EMR", {"ClusterId": cluster, "StepConfig": STEP_CONFIG}),
        step("Own", "EMR", {"ClusterConfig": own, "StepConfig": STEP_CONFIG}),
        processing("After", environment={"arg": get("Steps.Running.Config.Args[1]"), "c": get("Steps.Own.ClusterId")}),
    )
    assert found["Running"]["Metadata"]["EMR"]["ClusterId"] == cluster
    other = found["Own"]["Metadata"]["EMR"]["ClusterId"]
    assert emr.describe_cluster(ClusterId=other)["Cluster"]["Status"]["State"] in ("TERMINATING", "TERMINATED")
    assert emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"] in ("WAITING", "RUNNING")


def test_emr_serverless_in_an_application_and_in_one_of_its_own(pipelines: Pipelines) -> None:
    client = pipelines.local.client("emr-serverless")
    application = client.create_application(name="a", releaseLabel="emr-7.0.0", type="SPARK")["applicationId"]
    driver = {"sparkSubmit": {"entryPoint": "s3://bucket/x.py"}}
    config = {"executionRoleArn": ROLE, "jobDriver": driver, "executionTimeoutMinutes": 60, "name": "run"}
    found = succeeded(
        pipelines,
        step("In", "EMRServerless", {"ExecutionRoleArn": ROLE, "ApplicationId": application, "JobConfig": config}),
        step("Own", "EMRServerless", {"ExecutionRoleArn": ROLE, "JobConfig": config, "ApplicationConfig": {"name": "mine", "releaseLabel": "emr-7.0.0", "type": "SPARK"}}),
    )  # fmt: skip
    assert found["In"]["Metadata"]["EMRServerless"]["ApplicationId"] == application
    assert found["Own"]["Metadata"]["EMRServerless"]["ApplicationId"] != application


# Records


def test_lineage_makes_entities_and_associations(pipelines: Pipelines) -> None:
    arguments = {
        "Actions": [{"ActionName": "run", "Source": {"SourceUri": "s3://bucket/run"}, "ActionType": "ModelTraining"}],
        "Artifacts": [{"ArtifactName": "data", "Source": {"SourceUri": "s3://bucket/data"}, "ArtifactType": "DataSet"}],
        "Contexts": [{"ContextName": "here", "Source": {"SourceUri": "s3://bucket"}, "ContextType": "Place"}],
        "Associations": [
            {
                "Source": {"Name": "data", "Type": "Artifact"},
                "Destination": {"Name": "run", "Type": "Action"},
                "AssociationType": "ContributedTo",
            }
        ],
    }
    metadata = succeeded(pipelines, step("Lineage", "Lineage", arguments))["Lineage"]["Metadata"]["Lineage"]
    sagemaker = pipelines.sagemaker
    assert sagemaker.describe_action(ActionName="run")["ActionArn"] == metadata["ActionArns"]["run"]
    assert sagemaker.describe_artifact(ArtifactArn=metadata["ArtifactArns"]["data"])["ArtifactName"] == "data"
    associations = sagemaker.list_associations(SourceArn=metadata["ArtifactArns"]["data"])["AssociationSummaries"]
    assert [item["DestinationArn"] for item in associations] == [metadata["ActionArns"]["run"]]
    assert pipelines.status(pipelines.run()) == "Succeeded"  # what exists is taken as it is


def test_cleanup_deletes_outputs_of_the_named_steps_only(pipelines: Pipelines) -> None:
    s3 = pipelines.local.client("s3")
    s3.put_object(Bucket="bucket", Key="models-of-others/x", Body=b"")
    clean = step(
        "Clean", "Cleanup", {"Resources": {"S3": [{"StepName": "Train"}]}}, {"Step": "Train", "Trigger": "Any"}
    )
    found = succeeded(pipelines, training(), clean)
    assert found["Clean"]["Metadata"]["Cleanup"] == {"CleanedSteps": ["Train"], "FailedSteps": [], "SkippedSteps": []}
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["models-of-others/x"]


# Checks

MONITOR = "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer"


def check(**members: Any) -> dict[str, Any]:
    arguments = {
        "AppSpecification": {"ImageUri": MONITOR},
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": RESOURCES},
        **outputs(quality_check_output="s3://bucket/check"),
    }
    keys = {
        "CheckType": "DATA_QUALITY",
        "SkipCheck": False,
        "RegisterNewBaseline": False,
        "ModelPackageGroupName": None,
    }
    return step("Check", "QualityCheck", arguments, **{**keys, **members})


def test_a_first_check_registers_its_baseline(pipelines: Pipelines) -> None:
    found = succeeded(pipelines, check(SkipCheck=True, RegisterNewBaseline=True))
    metadata = found["Check"]["Metadata"]["QualityCheck"]
    assert metadata["BaselineUsedForDriftCheckConstraints"] == "s3://bucket/check/constraints.json"
    assert metadata["CalculatedBaselineStatistics"] == "s3://bucket/check/statistics.json"
    pipelines.local.client("s3").head_object(Bucket="bucket", Key="check/constraints.json")


def test_a_check_without_a_baseline_fails_before_it_costs_a_job(pipelines: Pipelines) -> None:
    arn = pipelines.run(definition(check()))
    assert "no existing baseline (Constraints, Statistics)" in reason(pipelines, arn, "Check")
    assert pipelines.sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []


def test_a_check_uses_the_baseline_of_the_latest_approved_package(pipelines: Pipelines) -> None:
    sagemaker = pipelines.sagemaker
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    for number, status in ((1, "Approved"), (2, "Rejected")):
        source = {"ContentType": "application/json", "S3Uri": f"s3://bucket/base{number}"}
        sagemaker.create_model_package(
            ModelPackageGroupName="group",
            ModelApprovalStatus=status,
            DriftCheckBaselines={"ModelDataQuality": {"Constraints": source, "Statistics": source}},
        )
    found = succeeded(pipelines, check(ModelPackageGroupName="group"))
    metadata = found["Check"]["Metadata"]["QualityCheck"]
    assert metadata["BaselineUsedForDriftCheckConstraints"] == "s3://bucket/base1"


@pytest.mark.parametrize("fails", [True, False])
def test_violations_fail_the_step_unless_they_may_not(pipelines: Pipelines, fails: bool) -> None:
    report = {"violations": [{"feature_name": "age", "description": "too old"}]}
    pipelines.local.client("s3").put_object(
        Bucket="bucket", Key="check/constraint_violations.json", Body=json.dumps(report).encode()
    )
    baseline = {"SuppliedBaselineStatistics": "s3://bucket/s", "SuppliedBaselineConstraints": "s3://bucket/c"}
    arn = pipelines.run(definition(check(FailOnViolation=fails, **baseline)))
    assert pipelines.status(arn) == ("Failed" if fails else "Succeeded")
    assert not fails or "1 violation(s) in s3://bucket/check/constraint_violations.json: age: too old" in reason(
        pipelines, arn, "Check"
    )
    assert pipelines.steps(arn)["Check"]["Metadata"]["QualityCheck"]["ViolationReport"].endswith("violations.json")


# Caching


def cached(name: str = "a", after: str = "P30D", **members: Any) -> dict[str, Any]:
    return processing(name, CacheConfig={"Enabled": True, "ExpireAfter": after}, **members)


def hit(pipelines: Pipelines, arn: str, name: str = "a") -> Any:
    return pipelines.steps(arn)[name].get("CacheHitResult", {}).get("SourcePipelineExecutionArn")


def test_an_equal_step_is_reused_with_its_properties(pipelines: Pipelines) -> None:
    steps = [
        cached(environment={"x": get("Parameters.x")}),
        processing("b", environment={"job": get("Steps.a.ProcessingJobName")}),
    ]
    pipelines.create(definition(*steps, parameters=[parameter("x", default="1")]))
    first, second, other = pipelines.run(), pipelines.run(), pipelines.run(parameters={"x": "2"})
    assert [hit(pipelines, arn) for arn in (first, second, other)] == [None, first, None]
    assert pipelines.job(second, "b")["Environment"] == {"job": pipelines.job(first, "a")["ProcessingJobName"]}


def test_members_that_do_not_count_do_not_prevent_a_hit(pipelines: Pipelines) -> None:
    pipelines.create(definition(cached(arguments=outputs(o="s3://bucket/one"))))
    first = pipelines.run()
    pipelines.sagemaker.update_pipeline(
        PipelineName="p", PipelineDefinition=definition(cached(arguments=outputs(o="s3://bucket/two")))
    )
    assert hit(pipelines, pipelines.run()) == first


def test_a_failed_an_old_and_another_pipelines_run_are_not_reused(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("capacity", name="*-a-*")
    pipelines.create(definition(cached(after="PT1S")))
    pipelines.create(definition(cached(after="PT1S")), "other")
    failed, good = pipelines.run(), pipelines.run()
    assert pipelines.status(failed) == "Failed"
    assert hit(pipelines, good) is None
    assert hit(pipelines, pipelines.run(name="other")) is None
    time.sleep(1.1)
    assert hit(pipelines, pipelines.run()) is None


def test_many_executions_at_once(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("a"), processing("b", "a"), processing("c", "a")))
    arns: list[str] = []
    threads = [threading.Thread(target=lambda: arns.append(pipelines.run())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [pipelines.status(arn) for arn in arns] == ["Succeeded"] * 8


def test_a_type_that_nobody_knows_fails_and_says_so(pipelines: Pipelines) -> None:
    arn = pipelines.run(definition(step("Query", "Athena", {"QueryString": "SELECT 1"})))
    assert "knows no steps of the type 'Athena'" in reason(pipelines, arn, "Query")


def test_a_step_that_names_its_own_job_is_run_each_time(pipelines: Pipelines) -> None:
    pipelines.create(definition(cached(environment={"me": get("Execution.ProcessingJobName")})))
    first, second = pipelines.run(), pipelines.run()
    assert [pipelines.status(arn) for arn in (first, second)] == ["Succeeded"] * 2
    assert hit(pipelines, second) is None


def test_a_hit_does_not_make_the_run_younger(pipelines: Pipelines) -> None:
    pipelines.create(definition(cached(after="PT2S")))
    first = pipelines.run()
    time.sleep(1.2)
    assert hit(pipelines, pipelines.run()) == first
    time.sleep(1.2)
    assert hit(pipelines, pipelines.run()) is None


def test_a_cleanup_waits_for_what_it_cleans_and_knows_its_iteration(pipelines: Pipelines) -> None:
    clean = step("Clean", "Cleanup", {"Resources": {"S3": [{"StepName": "Train"}]}})
    loop = step(
        "Loop", "ForEach", {"IterableItems": ["a", "b"], "MaxConcurrency": 2, "ForEachBody": [training(), clean]}
    )
    found = succeeded(pipelines, loop)
    assert [found[f"Clean-{index}"]["Metadata"]["Cleanup"]["CleanedSteps"] for index in range(2)] == [["Train"]] * 2
    assert "Contents" not in pipelines.local.client("s3").list_objects_v2(Bucket="bucket", Prefix="models/")


def test_an_answer_that_is_repeated_with_its_token_is_one_answer(pipelines: Pipelines, queue: str) -> None:
    pipelines.create(definition(callback(queue)))
    arn = pipelines.start()
    token = receive(pipelines.local, queue)["token"]
    request = {
        "CallbackToken": token,
        "ClientRequestToken": "t" * 32,
        "OutputParameters": [{"Name": "answer", "Value": "1"}],
    }
    for _ in range(2):
        pipelines.sagemaker.send_pipeline_execution_step_success(**request)
    pipelines.wait(arn)
    assert pipelines.status(arn) == "Succeeded"


def test_a_function_needs_no_role_of_its_own(local: Any) -> None:
    client = local.client("lambda")
    arn = "arn:aws:iam::123456789012:role/nobody-made-it"
    client.create_function(FunctionName="f", Runtime="python3.12", Role=arn, Handler="c.h", Code={"ZipFile": b"x"})
    assert client.get_function(FunctionName="f")["Configuration"]["Role"].endswith("role/nobody-made-it")
