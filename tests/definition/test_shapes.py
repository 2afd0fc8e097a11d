"""Requests against botocore's request model, properties against the Describe shapes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.expressions import Get, Join
from sagemaker_provider.definition.shapes import (
    PropertyError,
    UnknownShapeError,
    coerce,
    mismatches,
    nearest,
    property_type,
    request_shape,
    service_model,
)
from sagemaker_provider.definition.step_types import STEP_TYPES

PROCESSING = request_shape("sagemaker", "CreateProcessingJob")
TRAINING = request_shape("sagemaker", "CreateTrainingJob")
ROLE = "arn:aws:iam::123456789012:role/Role"
P = Get("Parameters.P")


def processing(**changes: Any) -> dict[str, Any]:
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
    return {
        "ProcessingJobName": "job",
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingResources": {"ClusterConfig": cluster},
        "RoleArn": ROLE,
        **changes,
    }


def cluster(**changes: Any) -> dict[str, Any]:
    config = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30, **changes}
    return processing(ProcessingResources={"ClusterConfig": config})


def app(**changes: Any) -> dict[str, Any]:
    return processing(AppSpecification={"ImageUri": "image", **changes})


CLUSTER = "ProcessingResources.ClusterConfig"
ARGUMENTS = "AppSpecification.ContainerArguments"


@pytest.mark.parametrize(
    "request_",
    [
        processing(),
        processing(RoleArn=P, ProcessingJobName=Join("", ("a", P))),
        processing(Environment={"K": "v", "L": P}),
        cluster(InstanceCount=P, VolumeSizeInGB=P),
        app(ContainerArguments=["x" * 256, P], ContainerEntrypoint=["python3"]),
    ],
)
def test_a_correct_request_fits(request_: Any) -> None:
    assert list(mismatches(request_, PROCESSING)) == []


@pytest.mark.parametrize(
    ("request_", "kind", "place", "message"),
    [
        (processing(Rolearn=ROLE), "unknown", "Rolearn", "is not a member of CreateProcessingJobRequest; did you mean 'RoleArn'?"),
        (cluster(InstanceTyp="x"), "unknown", f"{CLUSTER}.InstanceTyp", "is not a member of ProcessingClusterConfig; did you mean 'InstanceType'"),
        (processing(AppSpecification={}), "missing", "AppSpecification.ImageUri", "is required"),
        (cluster(InstanceCount="1"), "type", f"{CLUSTER}.InstanceCount", "must be an Integer, not str '1'"),
        (cluster(InstanceCount=1.0), "type", f"{CLUSTER}.InstanceCount", "must be an Integer, not float 1.0"),
        (cluster(InstanceCount=True), "type", f"{CLUSTER}.InstanceCount", "must be an Integer, not bool True"),
        (cluster(InstanceCount=0), "value", f"{CLUSTER}.InstanceCount", "0 is not between 1 and 100"),
        (cluster(InstanceCount=101), "value", f"{CLUSTER}.InstanceCount", "101 is not between 1 and 100"),
        (processing(RoleArn=5), "type", "RoleArn", "must be a String, not int 5"),
        (processing(RoleArn=None), "type", "RoleArn", "is null; leave it out instead"),
        (processing(RoleArn=ROLE + "x" * 2048), "value", "RoleArn", f"has {len(ROLE) + 2048} characters, allowed are 20 to 2048"),
        (processing(RoleArn="x" * 30), "model", "RoleArn", "does not match"),
        (cluster(InstanceType="ml.m99.large"), "model", f"{CLUSTER}.InstanceType", "'ml.m99.large' is not a ProcessingInstanceType"),
        (processing(NetworkConfig={"EnableNetworkIsolation": "true"}), "type", "NetworkConfig.EnableNetworkIsolation", "must be a Boolean, not str 'true'"),
        (processing(ProcessingOutputConfig={"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://b", "S3UploadMode": "Never"}}]}), "value", "ProcessingOutputConfig.Outputs[0].S3Output.S3UploadMode", "'Never' is not a ProcessingS3UploadMode; allowed are Continuous, EndOfJob"),
        (app(ContainerArguments=P), "type", ARGUMENTS, "an expression cannot stand for a list, only for text, numbers and booleans"),
        (app(ContainerArguments="--x"), "type", ARGUMENTS, "must be a list, not str '--x'"),
        (app(ContainerArguments=[]), "value", ARGUMENTS, "has 0 entries, allowed are 1 to 100"),
        (app(ContainerArguments=["x"] * 101), "value", ARGUMENTS, "has 101 entries, allowed are 1 to 100"),
        (app(ContainerArguments=["ok", "x" * 257]), "value", f"{ARGUMENTS}[1]", "has 257 characters, allowed are 0 to 256"),
        (app(ContainerArguments=[None]), "type", f"{ARGUMENTS}[0]", "must be a String, not NoneType"),
        (processing(AppSpecification=P), "type", "AppSpecification", "an expression cannot stand for a structure"),
        (processing(AppSpecification="image"), "type", "AppSpecification", "must be an object, not str 'image'"),
        (processing(Environment=P), "type", "Environment", "an expression cannot stand for a map"),
        (processing(Environment=[]), "type", "Environment", "must be an object, not list"),
        (processing(Environment={"K": 1}), "type", "Environment.K", "must be a String, not int 1"),
        (processing(Environment={"K" * 257: "v"}), "value", f"Environment.{'K' * 257} (key)", "has 257 characters, allowed are 0 to 256"),
        (processing(Environment={f"K{index}": "" for index in range(101)}), "value", "Environment", "has 101 entries, allowed are 0 to 100"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_found_with_kind_place_and_reason(
    request_: Any, kind: str, place: str, message: str
) -> None:
    (found,) = mismatches(request_, PROCESSING)
    assert (found.kind, found.place) == (kind, place)
    assert message in found.message


def test_everything_that_does_not_fit_is_found_at_once() -> None:
    found = mismatches({"RoleArn": 5, "Nope": 1, "AppSpecification": {"ImageUri": []}}, PROCESSING)
    assert [(item.kind, item.place) for item in found] == [
        ("missing", "ProcessingJobName"),
        ("missing", "ProcessingResources"),
        ("type", "RoleArn"),
        ("unknown", "Nope"),
        ("type", "AppSpecification.ImageUri"),
    ]


def test_members_that_the_service_fills_in_may_be_missing() -> None:
    request_ = processing()
    del request_["ProcessingJobName"]
    assert [item.place for item in mismatches(request_, PROCESSING)] == ["ProcessingJobName"]
    assert list(mismatches(request_, PROCESSING, "", frozenset(("ProcessingJobName",)))) == []


def test_a_union_needs_exactly_one_member() -> None:
    shape = request_shape("emr-serverless", "StartJobRun")
    given = {"clientToken": "t", "applicationId": "a", "executionRoleArn": ROLE, "jobDriver": {}}
    (found,) = mismatches(given, shape)
    assert (found.kind, found.place, found.message) == ("value", "jobDriver", "needs exactly one of sparkSubmit, hive")


def test_an_operation_that_botocore_does_not_know_is_said_so() -> None:
    with pytest.raises(UnknownShapeError, match="does not know CreateNothing of sagemaker; update botocore"):
        request_shape("sagemaker", "CreateNothing")


@pytest.mark.parametrize(
    ("name", "names", "hint"),
    [
        ("rolearn", ["RoleArn", "Tags"], "did you mean 'RoleArn'?"),
        ("RolArn", ["RoleArn", "RoleArns"], "did you mean 'RoleArn' or 'RoleArns'?"),
        ("zzz", ["b", "a"], "known are a, b"),
        ("zzz", [], "there are none"),
    ],
)
def test_the_nearest_names_are_given_or_all(name: str, names: list[str], hint: str) -> None:
    assert nearest(name, names) == hint


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"StoppingCondition": {"MaxRuntimeInSeconds": "3600"}}, {"StoppingCondition": {"MaxRuntimeInSeconds": 3600}}),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": " -5 "}}, {"StoppingCondition": {"MaxRuntimeInSeconds": -5}}),
        ({"EnableManagedSpotTraining": "True"}, {"EnableManagedSpotTraining": True}),
        ({"EnableManagedSpotTraining": "false"}, {"EnableManagedSpotTraining": False}),
        ({"HyperParameters": {"epochs": 3, "rate": 0.1, "flag": True, "text": "x"}}, {"HyperParameters": {"epochs": "3", "rate": "0.1", "flag": "True", "text": "x"}}),
        ({"InputDataConfig": [{"ShuffleConfig": {"Seed": "7"}}]}, {"InputDataConfig": [{"ShuffleConfig": {"Seed": 7}}]}),
        ({"InputDataConfig": ({"ChannelName": 1},)}, {"InputDataConfig": [{"ChannelName": "1"}]}),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": P}}, {"StoppingCondition": {"MaxRuntimeInSeconds": P}}),
        ({"Unknown": "1", "RoleArn": None, "Tags": "text"}, {"Unknown": "1", "RoleArn": None, "Tags": "text"}),
    ],
    ids=str,
)  # fmt: skip
def test_values_are_given_the_types_of_the_request(given: Any, wanted: Any) -> None:
    assert coerce(given, TRAINING) == wanted
    assert repr(coerce(given, TRAINING)) == repr(wanted)  # True is not 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", 0.5), ("1", 1.0), (".5", 0.5), ("5.", 5.0), ("-1e-3", -0.001), ("1E3", 1000.0)],
)
def test_a_text_is_read_as_a_float(text: str, value: float) -> None:
    shape = request_shape("sagemaker", "CreateEndpointConfig")
    assert coerce({"ProductionVariants": [{"InitialVariantWeight": text}]}, shape) == {
        "ProductionVariants": [{"InitialVariantWeight": value}]
    }


@pytest.mark.parametrize("text", ["", "nan", "inf", "-Infinity", "1_0.5", "1,5", "one", "1e999", "9" * 400, "٣"])
def test_a_text_that_is_no_json_number_is_no_float(text: str) -> None:
    shape = request_shape("sagemaker", "CreateEndpointConfig")
    with pytest.raises(ValueError, match=r"^ProductionVariants\[0\]\.InitialVariantWeight: .* is not a Float$"):
        coerce({"ProductionVariants": [{"InitialVariantWeight": text}]}, shape)


@pytest.mark.parametrize("text", ["", "1.5", "1e3", "0x10", "1_000", "many", "9" * 5000, "٣"])
def test_a_text_that_is_no_whole_number_is_refused_with_its_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"^StoppingCondition\.MaxRuntimeInSeconds: '.*' is not an Integer$"):
        coerce({"StoppingCondition": {"MaxRuntimeInSeconds": text}}, TRAINING)


def test_every_text_that_cannot_be_read_is_named() -> None:
    given = {"EnableManagedSpotTraining": "yes", "InputDataConfig": [{}, {"ShuffleConfig": {"Seed": "a"}}]}
    with pytest.raises(ValueError, match="Boolean") as caught:
        coerce(given, TRAINING)
    assert str(caught.value) == (
        "EnableManagedSpotTraining: 'yes' is not a Boolean; InputDataConfig[1].ShuffleConfig.Seed: 'a' is not an Integer"
    )


@pytest.mark.parametrize(
    ("row", "path", "kind"),
    [
        ("Processing", "ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri", "String"),
        ("Processing", "ProcessingInputs['in'].S3Input.S3Uri", "String"),
        ("Processing", "ProcessingOutputConfig.Outputs[0].OutputName", "String"),
        ("Processing", "ProcessingResources.ClusterConfig.InstanceCount", "Integer"),
        ("Processing", "CreationTime", "String"),
        ("Processing", "Environment['K']", "String"),
        ("Training", "ModelArtifacts.S3ModelArtifacts", "String"),
        ("Training", "FinalMetricDataList['val:acc'].Value", "Float"),
        ("Training", "HyperParameters['epochs']", "String"),
        ("Training", "EnableManagedSpotTraining", "Boolean"),
        ("Training", "ModelArtifacts", "structure"),
        ("Training", "InputDataConfig", "list"),
        ("Training", "HyperParameters", "map"),
        ("Tuning", "BestTrainingJob.TrainingJobName", "String"),
        ("Tuning", "TrainingJobSummaries[3].TrainingJobName", "String"),
        ("AutoML", "BestCandidate.CandidateName", "String"),
        ("AutoML", "BestCandidateProperties", "structure"),
        ("AutoML", "BestCandidateProperties.ModelInsightsJsonReportPath", "String"),
        ("Transform", "TransformOutput.S3OutputPath", "String"),
        ("Model", "ModelName", "String"),
        ("Model", "Containers[0].Image", "String"),
        ("RegisterModel", "ModelPackageArn", "String"),
        ("EndpointConfig", "EndpointConfigName", "String"),
        ("Endpoint", "EndpointArn", "String"),
        ("InferenceComponent", "InferenceComponentArn", "String"),
        ("QualityCheck", "CalculatedBaselineStatistics", "String"),
        ("ClarifyCheck", "BaselineUsedForDriftCheckConstraints", "String"),
        ("Lambda", "OutputParameters['x']", "Any"),
        ("Callback", "OutputParameters['x']", "Any"),
        ("EMR", "ClusterId", "String"),
        ("EMR", "Config.Args[3]", "String"),
        ("EMRServerless", "jobRun.jobRunId", "String"),
        ("Condition", "Outcome", "String"),
        ("ForEach", "SucceededStepCount", "Integer"),
        ("ForEach", "IterationOutputs[0].Body.OutputParameters['x']", "Any"),
        ("Lineage", "ActionArns['run']", "Any"),
        ("Job", "JobArn", "String"),
        ("Job", "JobConfigDocument.a.b", "Any"),
    ],
)
def test_a_property_has_the_type_of_the_describe_response(row: str, path: str, kind: str) -> None:
    assert property_type(STEP_TYPES[row], paths.parse(path)) == kind


@pytest.mark.parametrize(
    ("row", "path", "message"),
    [
        ("Processing", "ProcessingOutputsConfig", "did you mean 'ProcessingOutputConfig' or"),
        ("Processing", "ProcessingOutputConfig.Outputs.train", "is a list: write ProcessingOutputConfig.Outputs['train'], not 'train'"),
        ("Processing", "ProcessingOutputConfig.Outputs['train'].S3Output.S3uri", "no 'S3uri' in ProcessingOutputConfig.Outputs['train'].S3Output; did you mean 'S3Uri'"),
        ("Processing", "FailureReason.Text", "'FailureReason' is a String, nothing is below it"),
        ("Training", "ModelArtifact.S3ModelArtifacts", "no 'ModelArtifact' in its properties; did you mean 'ModelArtifacts'?"),
        ("Training", "ModelArtifacts.S3Model", "did you mean 'S3ModelArtifacts'?"),
        ("Training", "InputDataConfig['train']", "'InputDataConfig' is a list: write InputDataConfig[0], not 'train'"),
        ("Training", "HyperParameters[0]", "'HyperParameters' is a map, nothing is below it"),
        ("Training", "[0]", "no '0' in its properties"),
        ("Tuning", "TrainingJobSummaries[0].TrainingJobNam", "did you mean 'TrainingJobName'"),
        ("AutoML", "BestCandidateProperties.ModelInsights", "an AutoML step has no property 'BestCandidateProperties.ModelInsights'; did you mean 'ModelInsightsJsonReportPath'?"),
        ("Transform", "TransformOutput.S3OutputPaht", "did you mean 'S3OutputPath'?"),
        ("Model", "ModelNam", "did you mean 'ModelName' or"),
        ("RegisterModel", "ModelPackagArn", "did you mean 'ModelPackageArn'"),
        ("EndpointConfig", "EndpointConfigNam", "did you mean 'EndpointConfigName'"),
        ("Endpoint", "EndpointArm", "did you mean 'EndpointArn'"),
        ("InferenceComponent", "InferenceComponentNames", "did you mean 'InferenceComponentName'"),
        ("QualityCheck", "CalculatedBaselineStatistic", "did you mean 'CalculatedBaselineStatistics'"),
        ("QualityCheck", "CalculatedBaselineStatistics.X", "'CalculatedBaselineStatistics' is a String, nothing is below it"),
        ("ClarifyCheck", "CalculatedBaselineStatistics", "did you mean 'CalculatedBaselineConstraints'"),
        ("ClarifyCheck", "ProcessingJobName", "a ClarifyCheck step has no property 'ProcessingJobName'"),
        ("Lambda", "Output['x']", "a Lambda step has only OutputParameters['name']"),
        ("Callback", "OutputParameters['x'].y", "a Callback step has only OutputParameters['name']"),
        ("EMR", "ClusterID", "an EMR step has no property 'ClusterID'"),
        ("EMRServerless", "jobRun.jobRunID", "did you mean 'jobRunId'"),
        ("Condition", "Outcom", "did you mean 'Outcome'?"),
        ("Fail", "ErrorMessage", "a Fail step has no properties"),
        ("Cleanup", "CleanedSteps", "a Cleanup step has no properties"),
        ("ForEach", "SuceededStepCount", "did you mean 'SucceededStepCount'"),
        ("Lineage", "ActionArn", "did you mean 'ActionArns'"),
        ("Job", "JobArm", "did you mean 'JobArn'"),
    ],
)  # fmt: skip
def test_a_wrong_property_is_refused_with_the_nearest_name(row: str, path: str, message: str) -> None:
    with pytest.raises(PropertyError, match=re.escape(message)):
        property_type(STEP_TYPES[row], paths.parse(path))


def test_properties_of_a_type_newer_than_botocore_are_not_judged() -> None:
    newer = replace(STEP_TYPES["Job"], properties=("sagemaker", "DescribeNothingResponse"))
    assert property_type(newer, ("Anything",)) == "Any"


@pytest.mark.parametrize("name", [name for name, row in STEP_TYPES.items() if row.properties])
def test_every_member_of_a_describe_response_is_a_property(name: str) -> None:
    row = STEP_TYPES[name]
    assert row.properties
    for member in service_model(row.properties[0]).shape_for(row.properties[1]).members:
        property_type(row, (member,))
