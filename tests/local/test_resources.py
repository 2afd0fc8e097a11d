"""Jobs, models, packages and endpoints as records: names, lists, states, updates, deletion, tags."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipelines_client import IMAGE, ROLE

RESOURCES = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}}


def refused(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


def processing(sagemaker: Any, name: str, **members: Any) -> str:
    return str(
        sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=ROLE,
            AppSpecification={"ImageUri": IMAGE},
            ProcessingResources=RESOURCES,
            **members,
        )["ProcessingJobArn"]
    )


def ended(sagemaker: Any, name: str) -> Any:
    give_up = time.monotonic() + 10
    while (job := sagemaker.describe_processing_job(ProcessingJobName=name))["ProcessingJobStatus"] == "InProgress":
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return job


def test_a_job_is_described_with_its_request(sagemaker: Any) -> None:
    arn = processing(sagemaker, "one", Environment={"a": "b"}, Tags=[{"Key": "team", "Value": "ml"}])
    job = ended(sagemaker, "one")
    assert job["ProcessingJobArn"] == arn == "arn:aws:sagemaker:us-west-2:123456789012:processing-job/one"
    assert job["Environment"] == {"a": "b"}
    assert job["ProcessingResources"] == RESOURCES
    assert job["ProcessingJobStatus"] == "Completed"
    assert "simulated" in job["ExitMessage"]
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert tags == {"team": "ml", "sagemaker-local": "true"}


def test_tags_are_added_and_deleted(sagemaker: Any) -> None:
    arn = processing(sagemaker, "one")
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "3"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["b"])
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert tags == {"a": "3", "sagemaker-local": "true"}
    assert "no resource" in refused(sagemaker.list_tags, ResourceArn=arn.replace("one", "two"))


def test_names_of_jobs_are_free_again_only_when_deleted(sagemaker: Any) -> None:
    processing(sagemaker, "one")
    ended(sagemaker, "one")
    assert refused(processing, sagemaker=sagemaker, name="one").startswith("ResourceInUse")
    sagemaker.delete_processing_job(ProcessingJobName="one")
    assert "Requested resource not found" in refused(sagemaker.describe_processing_job, ProcessingJobName="one")
    processing(sagemaker, "one")


def test_only_running_jobs_are_stopped_and_only_ended_ones_deleted(sagemaker: Any, local: Any) -> None:
    local.faults.add("hang", name="slow")
    processing(sagemaker, "slow")
    assert "only ended jobs" in refused(sagemaker.delete_processing_job, ProcessingJobName="slow")
    sagemaker.stop_processing_job(ProcessingJobName="slow")
    give_up = time.monotonic() + 10
    while sagemaker.describe_processing_job(ProcessingJobName="slow")["ProcessingJobStatus"] != "Stopped":
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert "is in status Stopped" in refused(sagemaker.stop_processing_job, ProcessingJobName="slow")


def test_lists_filter_by_name_status_and_time(sagemaker: Any, local: Any) -> None:
    local.faults.add("capacity", name="bad*", times=None)
    start = time.time()
    for name in ("good-1", "bad-1", "good-2"):
        processing(sagemaker, name)
        ended(sagemaker, name)

    def names(**filters: Any) -> list[str]:
        found = sagemaker.list_processing_jobs(**filters)["ProcessingJobSummaries"]
        return [item["ProcessingJobName"] for item in found]

    assert names() == ["good-2", "bad-1", "good-1"]
    assert names(SortOrder="Ascending") == ["good-1", "bad-1", "good-2"]
    assert names(SortBy="Name", SortOrder="Ascending") == ["bad-1", "good-1", "good-2"]
    assert names(StatusEquals="Failed") == ["bad-1"]
    assert names(NameContains="GOOD", MaxResults=1) == ["good-2"]
    assert names(CreationTimeBefore=start) == []
    assert len(names(CreationTimeAfter=start)) == 3


def test_a_simulated_endpoint_comes_up_is_updated_and_deleted(sagemaker: Any, with_settings: Any) -> None:
    with_settings(simulated_seconds=0.3)
    assert "Could not find model" in refused(sagemaker.create_endpoint_config, **config("c1"))
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})
    assert "already exist" in refused(sagemaker.create_model, ModelName="m", ExecutionRoleArn=ROLE)
    assert "Could not find endpoint configuration" in refused(
        sagemaker.create_endpoint, EndpointName="e", EndpointConfigName="c1"
    )
    for name in ("c1", "c2"):
        sagemaker.create_endpoint_config(**config(name))
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c1")
    assert sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] == "Creating"
    assert "in-progress" in refused(sagemaker.update_endpoint, EndpointName="e", EndpointConfigName="c2")
    in_service(sagemaker)
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="c2")
    assert sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] == "Updating"
    assert in_service(sagemaker)["EndpointConfigName"] == "c2"
    assert [item["EndpointName"] for item in sagemaker.list_endpoints(StatusEquals="InService")["Endpoints"]] == ["e"]
    sagemaker.delete_endpoint(EndpointName="e")
    assert "Could not find endpoint" in refused(sagemaker.describe_endpoint, EndpointName="e")


def config(name: str) -> dict[str, Any]:
    variant = {"VariantName": "All", "ModelName": "m", "InitialInstanceCount": 2, "InstanceType": "ml.m5.large"}
    return {"EndpointConfigName": name, "ProductionVariants": [variant]}


def in_service(sagemaker: Any) -> Any:
    give_up = time.monotonic() + 10
    while (found := sagemaker.describe_endpoint(EndpointName="e"))["EndpointStatus"] != "InService":
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return found


def test_an_endpoint_may_fail(sagemaker: Any, local: Any) -> None:
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})
    sagemaker.create_endpoint_config(**config("c"))
    local.faults.add("capacity", name="e")
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    described = sagemaker.describe_endpoint(EndpointName="e")
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"].startswith("CapacityError")


def package(**members: Any) -> dict[str, Any]:
    containers = [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/m.tar.gz"}]
    types = ["text/csv"]
    specification = {
        "Containers": containers,
        "SupportedContentTypes": types,
        "SupportedResponseMIMETypes": types,
    }
    return {"InferenceSpecification": specification, **members}


def test_packages_are_versions_of_a_group_and_are_approved(sagemaker: Any) -> None:
    assert "does not exist" in refused(sagemaker.create_model_package, **package(ModelPackageGroupName="g"))
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    arns = [sagemaker.create_model_package(**package(ModelPackageGroupName="g"))["ModelPackageArn"] for _ in range(3)]
    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2", "3"]
    sagemaker.update_model_package(
        ModelPackageArn=arns[1], ModelApprovalStatus="Approved", ApprovalDescription="looks good"
    )
    approved = sagemaker.list_model_packages(ModelPackageGroupName="g", ModelApprovalStatus="Approved")
    assert [item["ModelPackageArn"] for item in approved["ModelPackageSummaryList"]] == [arns[1]]
    described = sagemaker.describe_model_package(ModelPackageName=arns[1])
    assert described["ModelPackageVersion"] == 2
    assert described["ApprovalDescription"] == "looks good"
    assert "delete them first" in refused(sagemaker.delete_model_package_group, ModelPackageGroupName="g")
    sagemaker.delete_model_package(ModelPackageName=arns[2])
    new = sagemaker.create_model_package(**package(ModelPackageGroupName="g"))["ModelPackageArn"]
    assert new.endswith("/4")  # numbers are not used again


def test_the_same_client_token_is_the_same_package(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="g")
    request = package(ModelPackageGroupName="g", ClientToken="t" * 32)
    assert len({sagemaker.create_model_package(**request)["ModelPackageArn"] for _ in range(3)}) == 1


def test_inference_components_are_created_updated_and_listed(sagemaker: Any) -> None:
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})
    sagemaker.create_endpoint_config(**config("c"))
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
    sagemaker.create_inference_component(
        InferenceComponentName="part",
        EndpointName="e",
        VariantName="All",
        Specification={"ModelName": "m", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 128}},
        RuntimeConfig={"CopyCount": 1},
    )
    sagemaker.update_inference_component(InferenceComponentName="part", RuntimeConfig={"CopyCount": 3})
    described = sagemaker.describe_inference_component(InferenceComponentName="part")
    assert described["InferenceComponentStatus"] == "InService"
    assert described["RuntimeConfig"] == {"DesiredCopyCount": 3, "CurrentCopyCount": 3}
    listed = sagemaker.list_inference_components(EndpointNameEquals="e")["InferenceComponents"]
    assert [item["InferenceComponentName"] for item in listed] == ["part"]
    assert sagemaker.list_inference_components(EndpointNameEquals="other")["InferenceComponents"] == []


def test_lineage_records(sagemaker: Any) -> None:
    source = {"SourceUri": "s3://bucket/x"}
    arns = [
        sagemaker.create_artifact(ArtifactName="same", Source=source, ArtifactType="Data")["ArtifactArn"]
        for _ in range(2)
    ]
    assert arns[0] != arns[1]
    sagemaker.create_context(ContextName="c", Source=source, ContextType="Place")
    assert "already exist" in refused(sagemaker.create_context, ContextName="c", Source=source, ContextType="Place")
    sagemaker.update_artifact(ArtifactArn=arns[0], ArtifactName="renamed")
    assert sagemaker.describe_artifact(ArtifactArn=arns[0])["ArtifactName"] == "renamed"
    sagemaker.delete_artifact(ArtifactArn=arns[0])
    assert refused(sagemaker.describe_artifact, ArtifactArn=arns[0]).startswith("ResourceNotFound")
    assert sagemaker.describe_artifact(ArtifactArn=arns[1])["ArtifactName"] == "same"


def test_every_name_is_refused_that_the_service_refuses(sagemaker: Any) -> None:
    assert "does not match" in refused(processing, sagemaker=sagemaker, name="a_b")
    assert "has 64 characters" in refused(processing, sagemaker=sagemaker, name="a" * 64)


@pytest.mark.parametrize("images", ["refuse", "simulate"])
def test_a_job_that_cannot_run_here_is_refused_or_simulated(sagemaker: Any, with_settings: Any, images: str) -> None:
    with_settings(images=images)
    if images == "refuse":
        assert "cannot run this job and is set to refuse such jobs" in refused(
            processing, sagemaker=sagemaker, name="one"
        )
        assert sagemaker.list_processing_jobs()["ProcessingJobSummaries"] == []
    else:
        processing(sagemaker, "one")
        assert ended(sagemaker, "one")["ProcessingJobStatus"] == "Completed"
