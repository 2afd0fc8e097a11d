"""Steps that compare data or a model with a baseline: QualityCheck and ClarifyCheck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException

from sagemaker_provider.definition.checks import (
    BASELINES,
    FILES,
    VIOLATIONS,
    BaselineError,
    approved_packages_request,
    check_properties,
    is_set,
    need_baselines,
    registered_baselines,
    violations_text,
)
from sagemaker_provider.operators.base import SageMakerStepOperator
from sagemaker_provider.operators.references import read_json


class _CheckOperator(SageMakerStepOperator):
    """Runs the job of a check, finds the baselines and judges the violations.

    :param config: CreateProcessingJob request for the Model Monitor or Clarify image.
    :param check_type: what is checked.
    :param skip_check: do not compare; the job still calculates a baseline.
    :param fail_on_violation: fail when the check finds violations.
    :param register_new_baseline: let ``BaselineUsedForDriftCheck...`` be the new baseline instead of the existing one.
    :param model_package_group_name: group whose latest approved package has the existing baseline.
    :param supplied_baseline_constraints: S3 URI of the existing baseline's constraints, instead of that of the group.
    """

    template_fields: Sequence[str] = (
        "config",
        "skip_check",
        "fail_on_violation",
        "register_new_baseline",
        "model_package_group_name",
        "supplied_baseline_constraints",
        "aws_conn_id",
        "region_name",
    )

    def __init__(
        self,
        *,
        check_type: str,
        skip_check: Any = False,
        fail_on_violation: Any = True,
        register_new_baseline: Any = False,
        model_package_group_name: Any = None,
        supplied_baseline_constraints: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if check_type not in BASELINES[self.step_type]:
            allowed = ", ".join(BASELINES[self.step_type])
            raise ValueError(f"{self.task_id}: check_type is one of {allowed}, not {check_type!r}")
        self.check_type = check_type
        self.skip_check = skip_check
        self.fail_on_violation = fail_on_violation
        self.register_new_baseline = register_new_baseline
        self.model_package_group_name = model_package_group_name
        self.supplied_baseline_constraints = supplied_baseline_constraints

    def supplied(self) -> dict[str, Any]:
        """The existing baselines that were supplied, by kind."""
        return {"Constraints": self.supplied_baseline_constraints}

    def step_members(self) -> dict[str, Any]:
        """The keys of the step; those that are not set are null, as the AWS SDK writes them."""
        return {
            "CheckType": self.check_type,
            "ModelPackageGroupName": self.model_package_group_name,
            "SkipCheck": self.skip_check,
            "FailOnViolation": self.fail_on_violation,
            "RegisterNewBaseline": self.register_new_baseline,
            **{f"SuppliedBaseline{kind}": uri for kind, uri in self.supplied().items()},
        }

    def execute(self, context: Any) -> Any:
        """Find the existing baselines first, so that a missing one costs no job, then run the job."""
        self.existing_baselines()
        return super().execute(context)

    def finish(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """Judge the violations.

        :return: the properties of a check step in a pipeline, beside the Describe response of the job.
        """
        output = description["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].rstrip("/")
        register = is_set(self.register_new_baseline)
        properties = check_properties(
            self.step_type, output, {} if register else self.existing_baselines(), register=register
        )
        if not is_set(self.skip_check):
            properties["ViolationReport"] = f"{output}/{VIOLATIONS}"
            if text := violations_text(self.violations(properties["ViolationReport"]), properties["ViolationReport"]):
                if is_set(self.fail_on_violation):
                    raise AirflowException(f"{self.task_id}: {text}")
                self.log.warning("%s", text)
        return {**description, **properties}

    def existing_baselines(self) -> dict[str, Any]:
        """The existing baselines: those supplied, else those of the latest approved package of the group.

        :raises AirflowException: one is needed and there is none.
        """
        found = {kind: uri for kind, uri in self.supplied().items() if uri}
        if len(found) < len(FILES[self.step_type]) and self.model_package_group_name:
            found = {**self.registered_baselines(), **found}
        try:
            need_baselines(
                self.step_type, found, skip=is_set(self.skip_check), register=is_set(self.register_new_baseline)
            )
        except BaselineError as error:
            raise AirflowException(f"{self.task_id}: {error}") from None
        return found

    def registered_baselines(self) -> dict[str, str]:
        """The baselines of the latest approved package of the group, by kind."""
        request = approved_packages_request(self.model_package_group_name)
        packages = self.hook.call("ListModelPackages", request)["ModelPackageSummaryList"]
        if not packages:
            return {}
        package = self.hook.call("DescribeModelPackage", {"ModelPackageName": packages[0]["ModelPackageArn"]})
        return registered_baselines(self.step_type, self.check_type, package)

    def violations(self, uri: str) -> dict[str, Any]:
        """The violations that the job has written; none when there is no such file."""
        from botocore.exceptions import ClientError

        try:
            report = read_json(self, uri)
        except ClientError as error:
            if error.response["Error"].get("Code") in ("NoSuchKey", "404"):
                return {"violations": []}
            raise
        return {"violations": report.get("violations") or []}


class SageMakerQualityCheckStepOperator(_CheckOperator):
    """Checks the quality of data or of a model's predictions with SageMaker Model Monitor.

    :param check_type: ``DATA_QUALITY`` or ``MODEL_QUALITY``.
    :param supplied_baseline_statistics: S3 URI of the existing baseline's statistics.
    """

    step_type = "QualityCheck"
    template_fields = (*_CheckOperator.template_fields, "supplied_baseline_statistics")

    def __init__(self, *, supplied_baseline_statistics: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supplied_baseline_statistics = supplied_baseline_statistics

    def supplied(self) -> dict[str, Any]:
        """The existing baselines that were supplied, by kind."""
        return {"Statistics": self.supplied_baseline_statistics, **super().supplied()}


class SageMakerClarifyCheckStepOperator(_CheckOperator):
    """Checks bias or explanations with SageMaker Clarify.

    :param check_type: ``DATA_BIAS``, ``MODEL_BIAS`` or ``MODEL_EXPLAINABILITY``.
    :param model_name: the model, for the latter two.
    """

    step_type = "ClarifyCheck"
    template_fields = (*_CheckOperator.template_fields, "model_name")

    def __init__(self, *, model_name: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if (model_name is None) != (self.check_type == "DATA_BIAS"):
            raise ValueError(
                f"{self.task_id}: model_name goes with MODEL_BIAS and MODEL_EXPLAINABILITY, and only with them"
            )
        self.model_name = model_name

    def step_members(self) -> dict[str, Any]:
        """The keys of the step."""
        return {**super().step_members(), **({"ModelName": self.model_name} if self.model_name is not None else {})}
