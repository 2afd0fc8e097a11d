"""IAM policies from definitions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from permissions import DATA, denied, fits
from shared_files import SHARED

from sagemaker_provider.definition import PipelineDefinition
from sagemaker_provider.definition.policy import Account, Principal, policies

DEFINITIONS = sorted((Path(__file__).parents[1] / "data" / "definitions").glob("*.json"))
GOLDEN = sorted((SHARED / "golden").glob("*/**/*.json"))
HOOK = Path(__file__).parents[2] / "hooks" / "pipeline.py"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
JOBS = {"iam:PassRole"}
S3 = {"s3:GetObject", "s3:ListBucket"}
WRITES = {"s3:AbortMultipartUpload", "s3:PutObject"}
IMAGE = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
}
LOGS = {
    "cloudwatch:PutMetricData",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
}
PROCESSING = {"sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"}
EMR = {
    "elasticmapreduce:AddJobFlowSteps",
    "elasticmapreduce:CancelSteps",
    "elasticmapreduce:DescribeCluster",
    "elasticmapreduce:DescribeStep",
    "elasticmapreduce:ListSteps",
}
EVENTS = {"events:DescribeRule", "events:PutRule", "events:PutTargets"}
SERVERLESS = {"emr-serverless:CancelJobRun", "emr-serverless:GetJobRun", "emr-serverless:StartJobRun"}


def of(*operations: str) -> set[str]:
    return {f"sagemaker:{operation}" for operation in (*operations, "AddTags")}


def account(**given: Any) -> Account:
    return Account(**{"role": ROLE, "region": "us-west-2", **given})


def step(kind: str, arguments: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"Name": f"S{kind}", "Type": kind, "Arguments": arguments, **members}


def made(*steps: dict[str, Any], parameters: Any = (), **given: Any) -> tuple[dict[str, Principal], list[str]]:
    text = json.dumps({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)})
    principals, findings = policies(PipelineDefinition.from_json(text), "Churn", account(**given))
    return {item.name: item for item in principals}, [item.code for item in findings]


def resources(principal: Principal, action: str) -> list[str]:
    return [
        resource
        for statement in principal.policy["Statement"]
        if action in statement["Action"]
        for resource in statement["Resource"]
    ]


def actions(principal: Principal) -> set[str]:
    return {action for statement in principal.policy["Statement"] for action in statement["Action"]}


TRAINING = {
    "AlgorithmSpecification": {"TrainingImage": "111122223333.dkr.ecr.us-west-2.amazonaws.com/team/train:1", "TrainingInputMode": "File"},
    "InputDataConfig": [
        {"ChannelName": "c", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://in/data"}}}
    ],
    "OutputDataConfig": {"S3OutputPath": "s3://out/models"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
    "RoleArn": ROLE,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}  # fmt: skip


@pytest.mark.parametrize("file", [*DEFINITIONS, *GOLDEN], ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_actions_are_named_and_their_resources_are_theirs(file: Path) -> None:
    data = json.loads(file.read_text())
    if not isinstance(data, dict) or "Steps" not in data:
        pytest.skip("no definition")
    given = account(code_location="s3://bucket/code", scheduler_role="arn:aws:iam::123456789012:role/Scheduler")
    principals, _ = policies(PipelineDefinition.from_json(json.dumps(data)), "p", given)
    for principal in principals:
        sids = [statement["Sid"] for statement in principal.policy["Statement"]]
        assert len(sids) == len(set(sids))
        for statement in principal.policy["Statement"]:
            assert statement["Sid"].isalnum()
            for action in statement["Action"]:
                service, _, name = action.partition(":")
                assert "*" not in action
                assert DATA.actions.action_exists(service, name), action
                assert any(fits(action, resource) for resource in statement["Resource"]), (action, statement)
            for resource in statement["Resource"]:
                assert any(fits(action, resource) for action in statement["Action"]), statement


# What the pipeline's own role may do for a step of each type: Amazon SageMaker AI Developer Guide, "build-and-manage-access"
EXPECTED = {
    "step_AutoML": of("CreateAutoMLJob", "DescribeAutoMLJob", "StopAutoMLJob", "ListCandidatesForAutoMLJob") | JOBS | S3 | WRITES | LOGS,
    "step_Callback": {"sqs:SendMessage"},
    "step_ClarifyCheck": PROCESSING | of() | JOBS | S3 | WRITES | IMAGE | LOGS,
    "step_EMR": EMR | EVENTS,
    "step_EMRServerless": SERVERLESS | EVENTS | JOBS | S3,
    "step_Endpoint": of("CreateEndpoint", "DescribeEndpoint", "UpdateEndpoint"),
    "step_EndpointConfig": of("CreateEndpointConfig", "DescribeEndpointConfig"),
    "step_Fail": set(),
    "step_InferenceComponent": of("CreateInferenceComponent", "DescribeInferenceComponent", "UpdateInferenceComponent"),
    "step_Job": of("CreateJob", "DescribeJob", "StopJob") | JOBS | LOGS,
    "step_Lambda": {"lambda:InvokeFunction"},
    "step_Lineage": of("CreateArtifact"),
    "step_Model": of("CreateModel", "DescribeModel") | JOBS | S3 | IMAGE | LOGS,
    "step_Processing": PROCESSING | of() | JOBS | IMAGE | LOGS,
    "step_QualityCheck": PROCESSING | of() | JOBS | S3 | WRITES | IMAGE | LOGS,
    "step_RegisterModel": of("CreateModelPackage", "DescribeModelPackage", "CreateModelPackageGroup", "DescribeModelPackageGroup")
    | S3 | IMAGE | LOGS,
    "step_Training": of("CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob") | JOBS | S3 | WRITES | IMAGE | LOGS,
    "step_Transform": of("CreateTransformJob", "DescribeTransformJob", "StopTransformJob") | S3 | WRITES | LOGS,
    "step_Tuning": of(
        "CreateHyperParameterTuningJob",
        "DescribeHyperParameterTuningJob",
        "StopHyperParameterTuningJob",
        "ListTrainingJobsForHyperParameterTuningJob",
    )
    | JOBS | S3 | WRITES | IMAGE | LOGS,
}  # fmt: skip


EXPERIMENTS = of(
    "AssociateTrialComponent",
    "CreateExperiment",
    "CreateTrial",
    "CreateTrialComponent",
    "DescribeExperiment",
    "DescribeTrial",
    "DescribeTrialComponent",
)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_step_type_needs_just_these_actions(name: str) -> None:
    file = next(item for item in DEFINITIONS if item.stem == name)
    data = {**json.loads(file.read_text()), "PipelineExperimentConfig": None}
    found = {
        item.role: actions(item) for item in policies(PipelineDefinition.from_json(json.dumps(data)), "p", account())[0]
    }
    assert found.get(ROLE, set()) == EXPECTED[name]


def test_an_experiment_needs_just_these_actions() -> None:
    config = {"ExperimentName": "E", "TrialName": {"Get": "Execution.PipelineExecutionId"}}
    text = json.dumps({"Steps": [step("Fail", {"ErrorMessage": "no"})], "PipelineExperimentConfig": config})
    (execution, *_), _ = policies(PipelineDefinition.from_json(text), "p", account())
    assert actions(execution) == EXPERIMENTS
    assert resources(execution, "sagemaker:CreateExperiment") == [
        "arn:aws:sagemaker:us-west-2:123456789012:experiment/E",
        "arn:aws:sagemaker:us-west-2:123456789012:experiment/e",
    ]


@pytest.mark.parametrize(
    ("uris", "expected"),
    [
        (None, ["out/models/*"]),
        ([{"Get": "Steps.STraining.ModelArtifacts.S3ModelArtifacts"}], ["out/models/*"]),
        (["s3://out/models/a/model.tar.gz", "s3://out/models/b/"], ["out/models/a/model.tar.gz", "out/models/b/*"]),
        ([{"Std:Join": {"On": "/", "Values": ["s3://out", {"Get": "Parameters.where"}, "x"]}}], ["out/models/x"]),
        ([{"Get": "Parameters.unknown"}], ["UNKNOWN-unknown"]),
    ],
)
def test_a_cleanup_step_deletes_what_it_names_or_the_step_wrote(uris: Any, expected: list[str]) -> None:
    source = {"StepName": "STraining", **({"S3Uris": uris} if uris else {})}
    parameters = [{"Name": "where", "Type": "String", "DefaultValue": "models"}, {"Name": "unknown", "Type": "String"}]
    cleanup = step("Cleanup", {"Resources": {"S3": [source]}}, DependsOn=["STraining"])
    (alone, _), (both, _) = (
        made(step("Training", TRAINING), *steps, parameters=parameters) for steps in ([], [cleanup])
    )
    assert actions(both["execution"]) - actions(alone["execution"]) == {"s3:DeleteObject"}
    assert resources(both["execution"], "s3:DeleteObject") == [f"arn:aws:s3:::{item}" for item in expected]


def test_a_new_cluster_needs_its_roles_and_no_other_cluster() -> None:
    config = {"Instances": {}, "ServiceRole": "EMR_DefaultRole", "JobFlowRole": "EMR_EC2_DefaultRole"}
    principals, _ = made(step("EMR", {"ClusterConfig": config, "StepConfig": {"HadoopJarStep": {"Jar": "s3://b/x"}}}))
    assert actions(principals["execution"]) == EMR | EVENTS | JOBS | {
        "elasticmapreduce:RunJobFlow",
        "elasticmapreduce:TerminateJobFlows",
    }
    assert resources(principals["execution"], "iam:PassRole") == [
        "arn:aws:iam::123456789012:role/EMR_EC2_DefaultRole",
        "arn:aws:iam::123456789012:role/EMR_DefaultRole",
    ]


PREPARED = "Steps.SProcessing.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"


def processing(uri: Any = "s3://b/prep/train", **config: Any) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": "/opt/ml/processing/train", "S3UploadMode": "EndOfJob"}
    outputs = [{"OutputName": "train", "S3Output": s3}]
    raw = [{"InputName": "i", "S3Input": {"S3Uri": "s3://raw/x", "LocalPath": "/i", "S3DataType": "S3Prefix"}}]
    job = {"RoleArn": ROLE, "ProcessingInputs": raw, "ProcessingOutputConfig": {"Outputs": outputs, **config}}
    return step("Processing", job)


def reading(value: Any, role: str = ROLE) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": value}}
    return step(
        "Training", {**TRAINING, "RoleArn": role, "InputDataConfig": [{"ChannelName": "c", "DataSource": source}]}
    )


def conditions_of(principal: Principal, action: str) -> list[str]:
    return [
        value
        for item in principal.policy["Statement"]
        if action in item["Action"]
        for value in item.get("Condition", {}).get("StringLike", {}).get("s3:prefix", ())
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Get": PREPARED}, "b/prep/train*"),  # its prefix is listed as it is
        ({"Get": "Steps.SProcessing.ProcessingInputs['i'].S3Input.S3Uri"}, "raw/x*"),
        ({"Std:Join": {"On": "/", "Values": ["s3://own", {"Get": "Steps.SProcessing.ProcessingJobName"}]}}, "own/*"),
        ({"Std:Join": {"On": "/", "Values": [{"Get": PREPARED}, "part"]}}, "b/prep/train/part*"),
    ],
)
def test_a_place_that_another_step_names(value: Any, expected: str) -> None:
    role = "arn:aws:iam::123456789012:role/Other"
    principals, codes = made(processing(), reading(value, role))
    assert resources(principals["job-Other"], "s3:GetObject") == [f"arn:aws:s3:::{expected}"]
    assert conditions_of(principals["job-Other"], "s3:ListBucket") == [expected.partition("/")[2]]
    assert "SMP855" not in codes


def test_a_chain_of_places() -> None:
    second = step(
        "Transform",
        {"TransformOutput": {"S3OutputPath": {"Std:Join": {"On": "/", "Values": [{"Get": PREPARED}, "b"]}}}},
    )
    third = reading({"Get": "Steps.STransform.TransformOutput.S3OutputPath"}, "arn:aws:iam::123456789012:role/Other")
    principals, _ = made(processing(), second, third)
    assert resources(principals["job-Other"], "s3:GetObject") == ["arn:aws:s3:::b/prep/train/b*"]


def test_a_loop_over_known_places() -> None:
    inner = reading({"Get": "ForEach.CurrentItem"}, "arn:aws:iam::123456789012:role/Other")
    inner["Arguments"]["OutputDataConfig"] = {
        "S3OutputPath": {"Std:Join": {"On": "/", "Values": [{"Get": "ForEach.CurrentItem"}, "out"]}}
    }
    loop = {"IterableItems": ["s3://x/a", "s3://y/b"], "ForEachBody": [inner]}
    principals, codes = made(step("ForEach", loop))
    assert resources(principals["job-Other"], "s3:GetObject") == ["arn:aws:s3:::x/a*", "arn:aws:s3:::y/b*"]
    assert resources(principals["job-Other"], "s3:PutObject") == ["arn:aws:s3:::x/a/out/*", "arn:aws:s3:::y/b/out/*"]
    assert codes == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"InputDataConfig": [{"ChannelName": "c", "DataSource": {"S3DataSource": {"S3Uri": {"Get": "Steps.SLambda.OutputParameters['u']"}}}}]},
        {"OutputDataConfig": {"S3OutputPath": {"Get": "Steps.SLambda.OutputParameters['u']"}}},
        {"RoleArn": {"Get": "Steps.SLambda.OutputParameters['u']"}},
        {"AlgorithmSpecification": {"TrainingImage": {"Get": "Steps.SLambda.OutputParameters['u']"}}},
    ],
)  # fmt: skip
def test_what_only_a_run_knows_is_told(arguments: dict[str, Any]) -> None:
    function = step("Lambda", {}, FunctionArn="arn:aws:lambda:us-west-2:123456789012:function:f")
    principals, codes = made(function, step("Training", {**TRAINING, **arguments}))
    assert codes == ["SMP855"]
    assert "arn:aws:iam::123456789012:role/*" not in resources(principals["execution"], "iam:PassRole")


def test_a_role_that_another_step_names() -> None:
    training = step("Training", {**TRAINING, "RoleArn": {"Get": "Steps.SProcessing.RoleArn"}})
    principals, _ = made(processing(), training)
    assert resources(principals["execution"], "iam:PassRole") == [ROLE]


def test_the_best_model_of_an_automl_job_may_be_read() -> None:
    auto = step("AutoML", {"RoleArn": ROLE, "OutputDataConfig": {"S3OutputPath": "s3://auto/out"}})
    best = {"Get": "Steps.SAutoML.BestCandidate.InferenceContainers[0].ModelDataUrl"}
    role = "arn:aws:iam::123456789012:role/Model"
    model = step("Model", {"ExecutionRoleArn": role, "PrimaryContainer": {"ModelDataUrl": best}})
    principals, _ = made(auto, model)
    assert resources(principals["job-Model"], "s3:GetObject") == ["arn:aws:s3:::auto/out/*"]


def test_captured_data_is_written_with_the_role_of_the_model() -> None:
    role = "arn:aws:iam::123456789012:role/Model"
    model = step("Model", {"ExecutionRoleArn": role, "PrimaryContainer": {"ModelDataUrl": "s3://m/model.tar.gz"}})
    config = {
        "ProductionVariants": [{"ModelName": {"Get": "Steps.SModel.ModelName"}}],
        "DataCaptureConfig": {"DestinationS3Uri": "s3://cap/x"},
        "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://async/o", "S3FailurePath": "s3://async/f"}},
    }
    principals, _ = made(model, step("EndpointConfig", config))
    assert resources(principals["job-Model"], "s3:PutObject") == [
        f"arn:aws:s3:::{place}/*" for place in ("async/f", "async/o", "cap/x")
    ]


def test_what_the_sdk_writes_in_quotes_may_be_read() -> None:
    script = {"HyperParameters": {"sagemaker_submit_directory": '"s3://code/sourcedir.tar.gz"'}}
    principals, _ = made(step("Training", {**TRAINING, **script}))
    assert "arn:aws:s3:::code/sourcedir.tar.gz*" in resources(principals["execution"], "s3:GetObject")


def test_who_reads_may_decrypt() -> None:
    key = "arn:aws:kms:us-west-2:123456789012:key/1234"
    principals, _ = made(processing(KmsKeyId=key), reading({"Get": PREPARED}, "arn:aws:iam::123456789012:role/Other"))
    assert resources(principals["job-Other"], "kms:Decrypt") == [key]
    assert resources(principals["job-Other"], "kms:Encrypt") == []


def test_an_alias_says_where_its_key_is() -> None:
    output = {"S3OutputPath": "s3://out/models", "KmsKeyId": "arn:aws:kms:eu-west-1:999999999999:alias/mine"}
    principals, _ = made(step("Training", {**TRAINING, "OutputDataConfig": output}))
    assert resources(principals["execution"], "kms:Decrypt") == ["arn:aws:kms:eu-west-1:999999999999:key/*"]


def test_baselines_without_a_place_have_placeholders() -> None:
    check = step("QualityCheck", {}, SuppliedBaselineStatistics={"Get": "Parameters.St"})
    principals, codes = made(check, parameters=[{"Name": "St", "Type": "String"}])
    assert "SMP851" in codes
    assert "arn:aws:s3:::UNKNOWN-St/*" in resources(principals["execution"], "s3:GetObject")


def test_roles_of_like_names_have_policies_of_their_own() -> None:
    models = [
        {"Name": name, "Type": "Model", "Arguments": {"ExecutionRoleArn": f"arn:aws:iam::123456789012:role/{role}"}}
        for name, role in (("A", "a/b"), ("B", "a-b"))
    ]
    principals, _ = made(*models)
    assert {"job-a-b", "job-a-b-2"} <= set(principals)


def test_a_new_application_is_made_started_and_taken_away() -> None:
    job = {"jobDriver": {"sparkSubmit": {"entryPoint": "s3://b/x.py"}}}
    arguments = {
        "ApplicationConfig": {"releaseLabel": "emr-7.0.0", "type": "SPARK"},
        "ExecutionRoleArn": ROLE,
        "JobConfig": job,
    }
    principals, _ = made(step("EMRServerless", arguments))
    execution = principals["execution"]
    made_there = {f"emr-serverless:{name}Application" for name in ("Create", "Delete", "Get", "Start", "Stop")}
    assert actions(execution) == SERVERLESS | EVENTS | JOBS | S3 | made_there
    assert resources(execution, "emr-serverless:CreateApplication") == ["*"]
    applications = "arn:aws:emr-serverless:us-west-2:123456789012:/applications/*"
    assert {resource for action in made_there for resource in resources(execution, action)} == {"*", applications}
    assert resources(execution, "emr-serverless:StartJobRun") == [applications]
    assert resources(execution, "emr-serverless:GetJobRun") == [f"{applications}/jobruns/*"]


def test_logs_of_emr_serverless() -> None:
    job = {
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://b/x.py"}},
        "configurationOverrides": {"monitoringConfiguration": {"cloudWatchLoggingConfiguration": {"enabled": True}}},
    }
    principals, _ = made(step("EMRServerless", {"ApplicationId": "a", "ExecutionRoleArn": ROLE, "JobConfig": job}))
    logs = "arn:aws:logs:us-west-2:123456789012:log-group:/aws/emr-serverless*"
    assert resources(principals["execution"], "logs:PutLogEvents") == [logs]
    assert resources(principals["execution"], "logs:DescribeLogGroups") == ["*"]


def test_a_query_as_input_is_told() -> None:
    query = {
        "AthenaDatasetDefinition": {
            "Catalog": "c",
            "Database": "d",
            "QueryString": "select 1",
            "OutputS3Uri": "s3://a/o",
            "OutputFormat": "PARQUET",
        }
    }
    job = step("Processing", {"RoleArn": ROLE, "ProcessingInputs": [{"InputName": "q", "DatasetDefinition": query}]})
    assert made(job)[1] == ["SMP853"]


def test_emr_in_china_is_called_either_way() -> None:
    role = "arn:aws-cn:iam::123456789012:role/R"
    config = {"Instances": {}, "ServiceRole": role, "AutoScalingRole": role}
    principals, _ = made(step("EMR", {"ClusterConfig": config}), role=role, region="cn-north-1")
    passed = [
        item["Condition"]["StringEquals"]["iam:PassedToService"]
        for item in principals["execution"].policy["Statement"]
        if "iam:PassRole" in item["Action"]
    ]
    assert ["elasticmapreduce.amazonaws.com", "elasticmapreduce.amazonaws.com.cn"] in passed
    assert ["application-autoscaling.amazonaws.com", "application-autoscaling.amazonaws.com.cn"] in passed


def test_places_are_as_narrow_as_the_definition_says() -> None:
    principals, codes = made(step("Training", {**TRAINING, "TrainingJobName": "Mine"}))
    execution = principals["execution"]
    assert resources(execution, "s3:GetObject") == ["arn:aws:s3:::in/data*"]
    assert resources(execution, "s3:PutObject") == ["arn:aws:s3:::out/models/*"]
    assert resources(execution, "ecr:BatchGetImage") == ["arn:aws:ecr:us-west-2:111122223333:repository/team/train"]
    assert resources(execution, "sagemaker:CreateTrainingJob") == [
        "arn:aws:sagemaker:us-west-2:123456789012:training-job/Mine-*",
        "arn:aws:sagemaker:us-west-2:123456789012:training-job/mine-*",
    ]
    (listing,) = [item for item in execution.policy["Statement"] if "s3:ListBucket" in item["Action"]]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["data*"]}}
    assert codes == []


def test_what_only_a_run_knows_is_a_wildcard_within_the_place() -> None:
    joined = {"Std:Join": {"On": "/", "Values": ["s3://out", {"Get": "Execution.PipelineExecutionId"}, "model"]}}
    principals, _ = made(step("Training", {**TRAINING, "OutputDataConfig": {"S3OutputPath": joined}}))
    assert resources(principals["execution"], "s3:PutObject") == ["arn:aws:s3:::out/*/model/*"]


def test_characters_that_iam_reads_otherwise_are_literal() -> None:
    principals, _ = made(step("Training", {**TRAINING, "OutputDataConfig": {"S3OutputPath": "s3://out/a*b?c$d"}}))
    assert resources(principals["execution"], "s3:PutObject") == ["arn:aws:s3:::out/a${*}b${?}c${$}d/*"]


@pytest.mark.parametrize(
    ("default", "given", "place", "code"),
    [
        ({}, {}, "arn:aws:s3:::UNKNOWN-Where/*", "SMP851"),
        ({"DefaultValue": "s3://mine/x"}, {}, "arn:aws:s3:::mine/x/*", "SMP852"),
        ({"DefaultValue": "s3://mine/x"}, {"Where": "s3://given"}, "arn:aws:s3:::given/*", ""),
    ],
)
def test_a_parameter_is_what_is_given_or_its_default_or_a_placeholder(
    default: dict[str, str], given: dict[str, str], place: str, code: str
) -> None:
    where = {"Name": "Where", "Type": "String", **default}
    arguments = {**TRAINING, "OutputDataConfig": {"S3OutputPath": {"Get": "Parameters.Where"}}}
    principals, codes = made(step("Training", arguments), parameters=[where], values=given)
    assert resources(principals["execution"], "s3:PutObject") == [place]
    assert codes == [code] * bool(code)


def test_parameters_that_name_no_place_are_no_matter() -> None:
    rounds = {"Name": "Rounds", "Type": "String"}
    _, codes = made(
        step("Training", {**TRAINING, "HyperParameters": {"n": {"Get": "Parameters.Rounds"}}}), parameters=[rounds]
    )
    assert codes == []


def test_a_reader_may_read_what_the_other_step_wrote() -> None:
    read = {"DataSource": {"S3DataSource": {"S3Uri": {"Get": "Steps.STraining.ModelArtifacts.S3ModelArtifacts"}}}}
    other = {**TRAINING, "RoleArn": "arn:aws:iam::123456789012:role/Other", "InputDataConfig": [read]}
    principals, _ = made(step("Training", TRAINING), {**step("Training", other), "Name": "Second"})
    assert resources(principals["job-Other"], "s3:GetObject") == ["arn:aws:s3:::out/models/*"]
    assert "sagemaker:CreateTrainingJob" not in actions(principals["job-Other"])
    assert resources(principals["execution"], "iam:PassRole") == ["arn:aws:iam::123456789012:role/Other", ROLE]


def test_a_transform_works_with_the_role_of_its_model() -> None:
    model = {
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/Model",
        "PrimaryContainer": {"ModelDataUrl": "s3://m/m"},
    }
    transform = {
        "ModelName": {"Get": "Steps.SModel.ModelName"},
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://t/in"}}},
        "TransformOutput": {"S3OutputPath": "s3://t/out"},
        "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
    }
    principals, _ = made(step("Model", model), step("Transform", transform))
    assert resources(principals["job-Model"], "s3:PutObject") == ["arn:aws:s3:::t/out/*"]
    assert "s3:PutObject" not in actions(principals["execution"])


def test_keys_and_networks_of_jobs() -> None:
    network = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    output = {"S3OutputPath": "s3://out/models", "KmsKeyId": "alias/mine"}
    principals, _ = made(step("Training", {**TRAINING, "VpcConfig": network, "OutputDataConfig": output}))
    execution = principals["execution"]
    assert resources(execution, "ec2:CreateNetworkInterface") == [
        "arn:aws:ec2:us-west-2:123456789012:network-interface/*",
        "arn:aws:ec2:us-west-2:123456789012:security-group/sg-1",
        "arn:aws:ec2:us-west-2:123456789012:subnet/subnet-1",
    ]
    (key,) = [item for item in execution.policy["Statement"] if "kms:Decrypt" in item["Action"]]
    assert key["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/mine"]}}


def test_a_file_that_a_condition_reads() -> None:
    get = {"Std:JsonGet": {"S3Uri": "s3://reports/r.json", "Path": "a"}}
    condition = {"Type": "Equals", "LeftValue": get, "RightValue": 1}
    principals, _ = made(step("Condition", {"Conditions": [condition], "IfSteps": [], "ElseSteps": []}))
    assert resources(principals["execution"], "s3:GetObject") == ["arn:aws:s3:::reports/r.json*"]


def test_work_that_the_definition_does_not_name_is_said() -> None:
    automl = {
        "AutoMLJobName": "a",
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://o"},
        "InputDataConfig": [],
    }
    assert made(step("AutoML", automl))[1] == ["SMP853"]


def test_a_policy_longer_than_iam_takes_is_said() -> None:
    inputs = [
        {
            "ChannelName": f"c{number}",
            "DataSource": {"S3DataSource": {"S3Uri": f"s3://bucket-{number}/{'data/of/this/channel/' * 5}"}},
        }
        for number in range(20)
    ]
    assert "SMP854" in made(step("Training", {**TRAINING, "InputDataConfig": inputs}))[1]


DEPLOYER = {
    "iam:PassRole",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "scheduler:CreateSchedule",
    "scheduler:DeleteSchedule",
    "scheduler:GetSchedule",
    "scheduler:ListSchedules",
    "scheduler:UpdateSchedule",
} | of(
    "CreatePipeline",
    "DeletePipeline",
    "DeleteTags",
    "DescribePipeline",
    "DescribePipelineDefinitionForExecution",
    "DescribePipelineExecution",
    "ListPipelineExecutionSteps",
    "ListPipelineExecutions",
    "ListPipelineParametersForExecution",
    "ListPipelineVersions",
    "ListPipelines",
    "ListTags",
    "RetryPipelineExecution",
    "StartPipelineExecution",
    "StopPipelineExecution",
    "UpdatePipeline",
    "UpdatePipelineExecution",
    "UpdatePipelineVersion",
)


def test_the_deployer_may_make_every_call_of_the_hook() -> None:
    operations = set(re.findall(r'self\._(?:call|all)\(\s*"(\w+)"', HOOK.read_text(encoding="utf-8")))
    assert "update_pipeline" in operations
    assert {f"sagemaker:{''.join(part.title() for part in name.split('_'))}" for name in operations} <= DEPLOYER


def test_who_deploys_schedules_and_answers() -> None:
    callback = step("Callback", {"a": "b"}, SqsQueueUrl="https://sqs.eu-west-1.amazonaws.com/111122223333/jobs")
    scheduler = "arn:aws:iam::123456789012:role/Scheduler"
    principals, _ = made(callback, code_location="s3://bucket/code", scheduler_role=scheduler)
    pipeline = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/churn"
    assert resources(principals["scheduler"], "sagemaker:StartPipelineExecution") == [
        pipeline.replace("churn", "Churn"),
        pipeline,
    ]
    assert actions(principals["scheduler"]) == {"sagemaker:StartPipelineExecution"}
    assert principals["scheduler"].trust["Statement"][0]["Principal"] == {"Service": ["scheduler.amazonaws.com"]}  # type: ignore[index]
    assert principals["execution"].trust["Statement"][0]["Principal"] == {"Service": ["sagemaker.amazonaws.com"]}  # type: ignore[index]
    worker = principals["callback-worker"]
    assert resources(worker, "sqs:ReceiveMessage") == ["arn:aws:sqs:eu-west-1:111122223333:jobs"]
    assert actions(worker) == {
        "sagemaker:SendPipelineExecutionStepFailure",
        "sagemaker:SendPipelineExecutionStepSuccess",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    }
    deployer = principals["deployer"]
    assert actions(deployer) == DEPLOYER
    assert pipeline in resources(deployer, "sagemaker:UpdatePipeline")
    assert resources(deployer, "s3:PutObject") == ["arn:aws:s3:::bucket/code/*"]
    assert set(resources(deployer, "iam:PassRole")) == {ROLE, scheduler}
    schedules = "arn:aws:scheduler:us-west-2:123456789012:schedule/default/Churn"
    assert resources(deployer, "scheduler:CreateSchedule") == [schedules, f"{schedules}-?", f"{schedules}-??"]


def test_the_deployer_may_look_at_what_the_steps_made() -> None:
    principals, _ = made(step("Training", TRAINING))
    described = {action for action in actions(principals["deployer"]) if action not in DEPLOYER}
    assert described == {"sagemaker:DescribeTrainingJob"}
    jobs = ["arn:aws:sagemaker:us-west-2:123456789012:training-job/pipelines-*"]
    assert resources(principals["deployer"], "sagemaker:DescribeTrainingJob") == jobs


def test_the_deployer_may_read_what_the_tasks_of_a_group_return() -> None:
    files = [{"PropertyFileName": "xcom", "OutputName": "train", "FilePath": "xcom.json"}]
    emr = {"ClusterId": "j-1", "StepConfig": {"HadoopJarStep": {"Jar": "s3://b/x.jar"}}}
    job = {"ApplicationId": "a", "ExecutionRoleArn": ROLE, "JobConfig": {}}
    principals, _ = made({**processing(), "PropertyFiles": files}, step("EMR", emr), step("EMRServerless", job))
    deployer = principals["deployer"]
    assert resources(deployer, "s3:GetObject") == ["arn:aws:s3:::b/prep/train/*"]
    assert resources(deployer, "elasticmapreduce:DescribeStep") == [
        "arn:aws:elasticmapreduce:us-west-2:123456789012:cluster/j-1"
    ]
    assert resources(deployer, "emr-serverless:GetJobRun") == [
        "arn:aws:emr-serverless:us-west-2:123456789012:/applications/a/jobruns/*"
    ]


def test_no_one_else_may_do_it() -> None:
    principals, _ = made(step("Training", TRAINING))
    calls = [
        ("sagemaker:CreateTrainingJob", {"TrainingJobName": "pipelines-1-S-2"}),
        ("sagemaker:CreateModel", {"ModelName": "m"}),
    ]
    assert denied(principals.values(), calls) == [
        ("sagemaker:CreateModel", "arn:aws:sagemaker:us-west-2:123456789012:model/m")
    ]


@pytest.mark.parametrize("given", [{"role": "SageMakerRole"}, {"scheduler_role": "x"}, {"code_location": "/tmp"}])
def test_an_account_that_cannot_be(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is not"):
        account(**given)


def test_statements_have_names_of_their_own() -> None:
    sources = [{"DataSource": {"S3DataSource": {"S3Uri": f"s3://{bucket}/x"}}} for bucket in ("a-b", "a.b")]
    principals, _ = made(step("Training", {**TRAINING, "InputDataConfig": sources}))
    names = [item["Sid"] for item in principals["execution"].policy["Statement"]]
    assert {"ListAB", "ListABNo2"} <= set(names)
    assert len(names) == len(set(names))


def test_other_partitions() -> None:
    role = "arn:aws-cn:iam::123456789012:role/R"
    principals, _ = made(step("Training", {**TRAINING, "RoleArn": role}), role=role, region="cn-north-1")
    assert resources(principals["execution"], "s3:PutObject") == ["arn:aws-cn:s3:::out/models/*"]
