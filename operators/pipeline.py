"""Pipelines from a DAG: deploy them, start executions and wait, stop, resume, delete, schedule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, BaseOperator

from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, Resource
from sagemaker_provider.hooks.aws import AwsSettings
from sagemaker_provider.operators.base import Found, SageMakerStepOperator
from sagemaker_provider.operators.converted import Converted, asset_places, carry_out, owner_by_name, read_converted
from sagemaker_provider.operators.links import SageMakerExecutionLink
from sagemaker_provider.operators.names import digest, job_name
from sagemaker_provider.operators.references import Reference

if TYPE_CHECKING:
    from sagemaker_provider.hooks.pipeline import SageMakerPipelineHook

_LOOKED_AT = 1000
"""How many of the latest executions are looked at for one that an earlier run of the task has started."""


def _names(value: Sequence[str]) -> tuple[str, ...]:
    """Names from a list, or from the text that a template has become."""
    return (value,) if isinstance(value, str) and value else tuple(value)


class PipelineOperator(AwsSettings, BaseOperator):  # type: ignore[misc]
    """Base of the operators that work on pipelines and have nothing to wait for.

    :param aws_conn_id: Airflow connection.
    :param region_name: AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param botocore_config: options of ``botocore.config.Config``.
    """

    ui_color = "#e8f4ec"

    def __init__(
        self,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.set_aws(aws_conn_id, region_name, verify, botocore_config)

    @cached_property
    def hook(self) -> SageMakerPipelineHook:
        """The hook of pipelines."""
        return self.pipeline_hook()

    def file(self, path: str) -> Path:
        """A file that the task names; a relative path begins at the folder of the DAG file."""
        return Path(self.dag.fileloc).parent / path


class SageMakerPipelineDeployOperator(PipelineOperator):
    """Creates a pipeline, or updates it where it differs.

    The XCom has ``name``, ``arn``, ``action`` (``created``, ``updated`` or ``unchanged``) and ``version``.

    :param definition: path of a ``<name>.pipeline.json``, with what lies beside it; or a definition as JSON text or object.
    :param pipeline_name: by default that of the file.
    :param role: ARN of the role with which the pipeline runs; by default that of the conversion.
    :param pipeline_owner: who deploys it, as its tag says; by default the id of the DAG that was converted.
    :param description: text.
    :param tags: key -> value.
    :param max_parallel_steps: how many steps of an execution run at once.
    :param aliases: names for the version.
    :param code_location: S3 URI for assets, where the definition has a parameter for it, and for large definitions.
    :param force: take over a pipeline that another has deployed.
    :param kwargs: see :class:`PipelineOperator`.
    """

    template_fields: Sequence[str] = (
        "definition",
        "pipeline_name",
        "role",
        "pipeline_owner",
        "description",
        "tags",
        "max_parallel_steps",
        "aliases",
        "code_location",
        "aws_conn_id",
        "region_name",
    )
    template_fields_renderers = {"definition": "json", "tags": "json"}

    def __init__(
        self,
        *,
        definition: str | dict[str, Any],
        pipeline_name: str | None = None,
        role: str | None = None,
        pipeline_owner: str | None = None,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        max_parallel_steps: int | str | None = None,
        aliases: Sequence[str] = (),
        code_location: str | None = None,
        force: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.definition = definition
        self.pipeline_name = pipeline_name
        self.role = role
        self.pipeline_owner = pipeline_owner
        self.description = description
        self.tags = tags
        self.max_parallel_steps = max_parallel_steps
        self.aliases = aliases
        self.code_location = code_location
        self.force = force

    def execute(self, context: Any) -> dict[str, Any]:
        """Upload what is missing, and deploy."""
        try:
            converted = self._converted()
            places = asset_places(converted, self.code_location)
        except ValueError as error:
            raise AirflowException(f"{self.task_id}: {error}") from None
        pipeline = converted.pipeline(
            owner=self.pipeline_owner or None,
            role=self.role or None,
            description=self.description,
            tags={**converted.tags, **self.tags} if self.tags else None,
            max_parallel_steps=int(self.max_parallel_steps) if self.max_parallel_steps else None,
            aliases=_names(self.aliases) or None,
            location=self.code_location or converted.folder(places),
        )
        done, _ = carry_out(self.hook, self.hook.plan(pipeline), places, force=self.force, log=self.log)
        return {"name": done.name, "arn": done.arn, "action": done.action, "version": done.version}

    def _converted(self) -> Converted:
        if isinstance(self.definition, str) and not self.definition.lstrip().startswith("{"):
            return read_converted(self.file(self.definition), self.pipeline_name)
        if not self.pipeline_name:
            raise ValueError("a definition that is no file needs pipeline_name")
        text = self.definition if isinstance(self.definition, str) else json.dumps(self.definition)
        return Converted(self.pipeline_name, text)


class ExecutionOperator(SageMakerStepOperator):
    """Base of the operators that wait for a pipeline execution.

    They run, wait, retry and stop as step operators do, and become no step of a pipeline. The XCom is the Describe response
    of the execution.

    :param studio_domain: id of the SageMaker domain, such as ``d-abcdefghijkl``, for the link to Studio; without it there is none.
    :param kwargs: see :class:`~sagemaker_provider.operators.base.SageMakerStepOperator`.
    """

    operator_extra_links = (SageMakerExecutionLink(),)

    def __init__(self, *, studio_domain: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.studio_domain = studio_domain
        self.step_type = "PipelineExecution"  # type: ignore[misc]

    @property
    def resource(self) -> Resource:
        """An execution."""
        return PIPELINE_EXECUTION

    @property
    def properties(self) -> Reference:
        """None: a definition cannot refer to an execution."""
        raise AttributeError(f"{self.task_id}: an execution of a pipeline has no properties")

    @cached_property
    def pipelines(self) -> SageMakerPipelineHook:
        """The hook of pipelines."""
        return self.pipeline_hook()

    def name_of(self, context: Any, number: int, generation: int | None = None) -> dict[str, str]:
        """None: the service names executions."""
        return {}

    def wait_for(self, context: Any, identifiers: dict[str, Any]) -> Any:
        """As of a step, with a link to the execution."""
        from sagemaker_provider.hooks.console import execution_url

        if self.studio_domain and (url := execution_url(identifiers["PipelineExecutionArn"], self.studio_domain)):
            context["ti"].xcom_push(key=SageMakerExecutionLink.key, value=url)
        return super().wait_for(context, identifiers)

    def end(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """Judge an execution that has ended; the error names the steps that failed, with their reasons."""
        from sagemaker_provider.hooks.pipeline import require_success

        require_success(description, self.pipelines.steps(identifiers["PipelineExecutionArn"]))
        return description


class SageMakerPipelineStartOperator(ExecutionOperator):
    """Starts an execution of a pipeline, and waits for its end.

    A try that runs again takes up its execution; a retry after a failure, and a cleared task, start another one. An
    execution that ends as ``Stopped`` or ``CompletedWithFailures`` has failed.

    :param pipeline_name: name or ARN.
    :param parameters: values, of their types or as text; ``None`` for the default.
    :param version: number of a version; by default the latest.
    :param alias: alias of a version.
    :param max_parallel_steps: how many steps run at once.
    :param steps: run these steps only.
    :param source_execution: ARN of the execution whose results the steps read that are before ``steps``.
    :param wait_for_completion: otherwise the task succeeds when the execution has started.
    :param kwargs: see :class:`ExecutionOperator`: ``deferrable``, ``poll_interval``, ``on_interrupt``, ``retry_budget`` and others.
    """

    template_fields: Sequence[str] = (
        "pipeline_name",
        "parameters",
        "version",
        "alias",
        "max_parallel_steps",
        "steps",
        "source_execution",
        "description",
        "aws_conn_id",
        "region_name",
    )
    template_fields_renderers = {"parameters": "json"}

    def __init__(
        self,
        *,
        pipeline_name: str,
        parameters: Mapping[str, Any] | str | None = None,
        version: int | str | None = None,
        alias: str | None = None,
        max_parallel_steps: int | str | None = None,
        steps: Sequence[str] = (),
        source_execution: str | None = None,
        wait_for_completion: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_name = pipeline_name
        self.parameters = parameters
        self.version = version
        self.alias = alias
        self.max_parallel_steps = max_parallel_steps
        self.steps = steps
        self.source_execution = source_execution
        self.wait_for_completion = wait_for_completion

    def create(self, context: Any, number: int) -> dict[str, Any]:
        """Start an execution; the same call again starts no other."""
        parameters = json.loads(self.parameters) if isinstance(self.parameters, str) else self.parameters
        arn = self.pipelines.start(
            self.pipeline_name,
            parameters,
            token=digest(context, 32, number),
            display_name=self._display_name(context, number),
            description=self.description,
            version=int(self.version) if self.version else None,
            alias=self.alias or None,
            max_parallel_steps=int(self.max_parallel_steps) if self.max_parallel_steps else None,
            steps=_names(self.steps),
            source_execution=self.source_execution or None,
        )
        return {"PipelineExecutionArn": arn}

    def look_up(self, context: Any, number: int, generation: int | None = None) -> Found | None:
        """An execution of this task, by its display name."""
        name = self._display_name(context, number, generation)
        for item in self._latest:
            if item.get("PipelineExecutionDisplayName") == name:
                arn = item["PipelineExecutionArn"]
                return {"PipelineExecutionArn": arn}, self.pipelines.describe(arn)
        return None

    def _display_name(self, context: Any, number: int, generation: int | None = None) -> str:
        return job_name(context, self.task_id, 82, number, generation)

    @cached_property
    def _latest(self) -> list[dict[str, Any]]:
        if self.pipelines.find(self.pipeline_name) is None:
            return []
        return self.pipelines.executions(self.pipeline_name, limit=_LOOKED_AT)

    def wait_for(self, context: Any, identifiers: dict[str, Any]) -> Any:
        """Wait for the execution, if the task is to."""
        if self.wait_for_completion:
            return super().wait_for(context, identifiers)
        return self.pipelines.describe(identifiers["PipelineExecutionArn"])


class SageMakerPipelineResumeOperator(ExecutionOperator):
    """Lets an execution that failed or was stopped go on from there, and waits for its end.

    One that runs already is only waited for, and one that has succeeded is left as it is.

    :param execution: ARN of the execution.
    :param max_parallel_steps: how many steps run at once.
    :param kwargs: see :class:`ExecutionOperator`.
    """

    template_fields: Sequence[str] = ("execution", "max_parallel_steps", "aws_conn_id", "region_name")

    def __init__(self, *, execution: str, max_parallel_steps: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.execution = execution
        self.max_parallel_steps = max_parallel_steps

    def start(self, context: Any) -> dict[str, Any]:
        """Resume the execution, unless it runs or has succeeded."""
        status = self.pipelines.describe(self.execution)["PipelineExecutionStatus"]
        if status in ("Executing", "Succeeded"):
            self.log.info("%s is %s", self.execution, status)
        else:
            limit = int(self.max_parallel_steps) if self.max_parallel_steps else None
            self.pipelines.resume(self.execution, max_parallel_steps=limit)
        return {"PipelineExecutionArn": self.execution}


class SageMakerPipelineStopOperator(ExecutionOperator):
    """Stops an execution with its jobs, and waits until it has ended.

    One that has ended already is left as it is.

    :param execution: ARN of the execution.
    :param kwargs: see :class:`ExecutionOperator`.
    """

    template_fields: Sequence[str] = ("execution", "aws_conn_id", "region_name")

    def __init__(self, *, execution: str, **kwargs: Any) -> None:
        super().__init__(**{"on_interrupt": "leave", **kwargs})
        self.execution = execution

    def start(self, context: Any) -> dict[str, Any]:
        """Ask the service to stop the execution."""
        asked = self.pipelines.stop(self.execution)
        self.log.info("%s: %s", self.execution, "asked the service to stop it" if asked else "it has ended already")
        return {"PipelineExecutionArn": self.execution}

    def end(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """However it has ended."""
        return description


class SageMakerPipelineDeleteOperator(PipelineOperator):
    """Deletes a pipeline with its versions and executions; one that is not there is no error.

    :param pipeline_name: pipeline name.
    :param pipeline_owner: who deployed it; by default the DAG id with this pipeline name.
    :param force: delete what another has deployed.
    :param kwargs: see :class:`PipelineOperator`.
    """

    template_fields: Sequence[str] = ("pipeline_name", "pipeline_owner", "aws_conn_id", "region_name")

    def __init__(
        self, *, pipeline_name: str, pipeline_owner: str | None = None, force: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_name = pipeline_name
        self.pipeline_owner = pipeline_owner
        self.force = force

    def execute(self, context: Any) -> None:
        """Delete the pipeline."""
        from sagemaker_provider.hooks.pipeline import OWNER_TAG

        found = self.hook.find(self.pipeline_name)
        if found is None:
            self.log.info("There is no pipeline %s", self.pipeline_name)
            return
        tagged = self.hook.tags(found["PipelineArn"]).get(OWNER_TAG)
        owner = self.pipeline_owner or owner_by_name(self.pipeline_name, tagged)
        self.hook.delete(self.pipeline_name, owner=owner, force=self.force)


class SageMakerPipelineScheduleOperator(PipelineOperator):
    """Makes the EventBridge schedules that start a pipeline what they should be.

    The XCom says of each schedule by its name whether it was ``created``, ``updated``, ``unchanged`` or ``deleted``.

    :param pipeline_name: name of a pipeline that is there; by default that of the definition.
    :param definition: path of a ``<name>.pipeline.json``, beside which the conversion wrote the schedules of the DAG.
    :param expression: a schedule instead of those of the DAG, such as ``cron(0 6 * * ? *)``.
    :param timezone: of the expression.
    :param role: ARN of a role that ``scheduler.amazonaws.com`` may assume and that may start the pipeline.
    :param parameters: values that each start passes.
    :param group: group of schedules.
    :param kwargs: see :class:`PipelineOperator`.
    """

    template_fields: Sequence[str] = (
        "pipeline_name",
        "definition",
        "expression",
        "timezone",
        "role",
        "parameters",
        "group",
        "aws_conn_id",
        "region_name",
    )

    def __init__(
        self,
        *,
        role: str,
        pipeline_name: str | None = None,
        definition: str | None = None,
        expression: str | None = None,
        timezone: str = "UTC",
        parameters: Mapping[str, Any] | None = None,
        group: str = "default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not definition and not (pipeline_name and expression):
            raise ValueError(f"{self.task_id}: definition, or pipeline_name and expression are needed")
        self.role = role
        self.pipeline_name = pipeline_name
        self.definition = definition
        self.expression = expression
        self.timezone = timezone
        self.parameters = parameters
        self.group = group

    def execute(self, context: Any) -> dict[str, str]:
        """Create, update and delete schedules."""
        from sagemaker_provider.hooks.schedule import put_for, request_for

        try:
            converted = read_converted(self.file(self.definition), self.pipeline_name) if self.definition else None
            name = converted.name if converted else str(self.pipeline_name)
            requests = [request_for(name, self.expression, self.timezone)] if self.expression else None
            done = put_for(
                self.hook.client("scheduler"),
                self.hook.find_or_fail(name),
                requests if requests is not None else list(converted.schedules if converted else ()),
                role=self.role,
                parameters=self.parameters or {},
                group=self.group,
            )
        except ValueError as error:
            raise AirflowException(f"{self.task_id}: {error}") from None
        self.log.info("Schedules of %s: %s", name, done)
        return done
