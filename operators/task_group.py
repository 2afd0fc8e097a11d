"""A task group that runs as a pipeline, or step by step: the same tasks either way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.providers.common.compat.sdk import AirflowFailException, TaskGroup, conf

from sagemaker_provider.definition import limits
from sagemaker_provider.operators.mirroring import mirroring
from sagemaker_provider.operators.names import digest
from sagemaker_provider.operators.pipeline import PipelineOperator
from sagemaker_provider.operators.rendering import TypedTemplates

if TYPE_CHECKING:
    from sagemaker_provider.translator.groups import Group

STEPS, PIPELINE = "steps", "pipeline"
RUN_AS: Final = (STEPS, PIPELINE)
"""How a group runs."""
CONFIGURATION: Final = ("sagemaker_pipelines", "run_as")
"""Section and option of Airflow's configuration that say how groups run which do not say it themselves."""


class SageMakerPipelineTaskGroup(TaskGroup):  # type: ignore[misc]
    """Tasks that run as one SageMaker pipeline, while each shows its own step; or step by step, as they are.

    As a pipeline, a task ``<group>.launch`` comes before the others. It converts the group, deploys the pipeline where it is
    different, and starts it with what only Airflow knows: params, dates, results of tasks before the group. Every task of the
    group then waits for its own step and ends as the step does, with the same XCom as step by step.

    :param group_id: id of the group.
    :param run_as: ``pipeline``, ``steps``, or a template that gives one of them in each run, such as
        ``{{ params.run_as }}``; by default what Airflow's configuration says, else ``pipeline``.
    :param pipeline_name: by default made from the ids of the DAG and the group.
    :param role: ARN of the role with which the pipeline runs; needed to create it.
    :param parameters: values of pipeline parameters, which go before those that the DAG gives; may hold templates.
    :param settings: settings for the conversion, as :class:`~sagemaker_provider.translator.defaults.Defaults` describes them.
    :param code_location: S3 URI of a folder for the code of Python tasks and for large definitions.
    :param max_parallel_steps: how many steps run at once.
    :param force: take over a pipeline that another has deployed.
    :param deferrable: wait in the triggerer; otherwise in the worker.
    :param poll_interval: seconds between two looks at the execution.
    :param aws_conn_id: Airflow connection.
    :param region_name: AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param botocore_config: options of ``botocore.config.Config``.
    :param kwargs: see ``TaskGroup``.
    :raises ValueError: ``run_as`` is none of the words, or the group is inside an expanded one.
    """

    def __init__(
        self,
        group_id: str,
        *,
        run_as: str | None = None,
        pipeline_name: str | None = None,
        role: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        code_location: str | None = None,
        max_parallel_steps: int | None = None,
        force: bool = False,
        deferrable: bool = True,
        poll_interval: float = 30,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(group_id=group_id, **kwargs)
        self.run_as = run_as or conf.get(*CONFIGURATION, fallback=PIPELINE)
        if self.run_as not in RUN_AS and "{{" not in self.run_as:
            raise ValueError(
                f"{self.group_id}: run_as is one of {', '.join(RUN_AS)} or a template, not {self.run_as!r}"
            )
        if any(self.iter_mapped_task_groups()):
            raise ValueError(f"{self.group_id}: a pipeline cannot be in a task group that is expanded")
        self.launch_arguments: dict[str, Any] = {
            "run_as": self.run_as,
            "pipeline_name": pipeline_name,
            "role": role,
            "parameters": parameters,
            "settings": settings,
            "code_location": code_location,
            "max_parallel_steps": max_parallel_steps,
            "force": force,
            "deferrable": deferrable,
            "poll_interval": poll_interval,
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": botocore_config,
        }

    def __exit__(self, _type: Any, _value: Any, _tb: Any) -> None:
        """Put the task that starts the pipeline before the others, and let these mirror their steps."""
        if _type is None and self.run_as != STEPS:
            self._become_pipeline()
        super().__exit__(_type, _value, _tb)

    def _become_pipeline(self) -> None:
        tasks = list(self.iter_tasks())
        own = {task.task_id for task in tasks}
        name = "launch" if self.prefix_group_id else f"{self.group_id}.launch"
        launch = SageMakerPipelineLaunchOperator(
            task_id=name, task_ids=sorted(own), dag=self.dag, **self.launch_arguments
        )
        for task in tasks:
            if getattr(task, "inherits_from_empty_operator", False):
                continue
            member = "operator_class" if hasattr(task, "partial_kwargs") else "__class__"
            setattr(task, member, mirroring(getattr(task, member), launch.task_id))
        for task in tasks:
            for other in task.upstream_list:
                launch.follow(other)
            if not task.upstream_task_ids & own:
                launch.set_downstream(task)


class SageMakerPipelineLaunchOperator(TypedTemplates, PipelineOperator):
    """Converts, deploys and starts the pipeline of a :class:`SageMakerPipelineTaskGroup`, which makes this task.

    The XCom: ``run_as``; as a pipeline also ``PipelineExecutionArn``, ``pipeline``, ``prefix`` of the display names of the
    executions that belong to this run, and ``tasks``, which says for every task what its steps are called.

    A try that finds the execution which an earlier try has started takes it up. When the task is cleared, it starts a new
    execution, and stops the one before if that still runs.

    :param task_ids: the tasks of the group.
    :param run_as: see :class:`SageMakerPipelineTaskGroup`, also for the others.
    :param kwargs: see :class:`~sagemaker_provider.operators.pipeline.PipelineOperator`.
    """

    template_fields: Sequence[str] = (
        "run_as",
        "pipeline_name",
        "role",
        "parameters",
        "code_location",
        "aws_conn_id",
        "region_name",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json"}

    def __init__(
        self,
        *,
        task_ids: Sequence[str],
        run_as: str = PIPELINE,
        pipeline_name: str | None = None,
        role: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        code_location: str | None = None,
        max_parallel_steps: int | None = None,
        force: bool = False,
        deferrable: bool = True,
        poll_interval: float = 30,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.task_ids = list(task_ids)
        self.run_as = run_as
        self.pipeline_name = pipeline_name
        self.role = role
        self.parameters = dict(parameters or {})
        self.settings = dict(settings or {})
        self.code_location = code_location
        self.max_parallel_steps = max_parallel_steps
        self.force = force
        self.deferrable = deferrable
        self.poll_interval = poll_interval

    # The graph

    def follow(self, other: Any) -> None:
        """Start the pipeline after a task or group outside that a task of the pipeline comes after.

        :raises ValueError: it comes after a task of the pipeline as well.
        """
        own = {*self.task_ids, self.task_id}
        for task in getattr(other, "leaves", ()):
            if task.task_id in own or task.task_id in self.upstream_task_ids:
                continue
            if own & {*task.upstream_task_ids, *task.get_flat_relative_ids(upstream=True)}:
                raise ValueError(
                    f"{task.task_id!r} runs between tasks of {self.task_group.group_id!r}, which cannot be one pipeline"
                    " then: take it into the group, or make two groups"
                )
            self.set_upstream(task)

    # What the other tasks of the group ask

    def launched(self, context: Any) -> dict[str, Any]:
        """What this task has left in this run.

        :raises AirflowFailException: it has not started a pipeline.
        """
        found = context["ti"].xcom_pull(task_ids=self.task_id)
        if not found:
            raise AirflowFailException(f"{self.task_id} has not started the pipeline")
        return dict(found)

    def runs_pipeline(self, context: Any) -> bool:
        """Whether the group runs as a pipeline in this run."""
        return self.run_as == PIPELINE or self.launched(context)["run_as"] == PIPELINE

    @property
    def converter(self) -> Any:
        """What turns the group into a definition; imported late, because it takes long."""
        from sagemaker_provider.translator import groups

        return groups

    def latest(self, launched: Mapping[str, Any]) -> str:
        """The ARN of the execution that counts: the last of those that were started for this run."""
        return self._started(launched["pipeline"], launched["prefix"])[0]

    def _started(self, pipeline: str, prefix: str) -> list[str]:
        """The ARNs of the executions whose display names begin so, the latest first."""
        found = self.hook.executions(pipeline, limit=_LOOKED_AT)
        return [
            item["PipelineExecutionArn"]
            for item in found
            if item.get("PipelineExecutionDisplayName", "").startswith(prefix)
        ]

    def restart(self, arn: str) -> str:
        """Start an execution as another one was started, but for the steps' results: for one that cannot be resumed.

        Those who ask for it at the same time start one.

        :param arn: of the other one.
        :return: ARN of the new one.
        """
        described = self.hook.describe(arn)
        name, _, number = described["PipelineExecutionDisplayName"].rpartition("-")
        following = f"{name}-{int(number) + 1}"
        return self.hook.start(
            described["PipelineArn"],
            self.hook.parameters(arn),
            token=following,
            display_name=following,
            version=described.get("PipelineVersionId"),
            max_parallel_steps=self.max_parallel_steps,
        )

    # Running

    def execute(self, context: Any) -> dict[str, Any]:
        """Convert, deploy and start."""
        if self.run_as not in RUN_AS:
            raise AirflowFailException(f"{self.task_id}: run_as is one of {', '.join(RUN_AS)}, not {self.run_as!r}")
        if self.run_as == STEPS:
            self.log.info("The tasks of the group run step by step")
            return {"run_as": STEPS}
        self._require_order()
        group, name, version = self._deploy(context)
        prefix = f"{_run_of(context)}{context['ti'].max_tries}-"
        arn = self._take_up(name, prefix) or self._start(context, name, prefix, group.run_values, version)
        self._started_one = context, arn
        return {
            "run_as": PIPELINE,
            "pipeline": name,
            "PipelineExecutionArn": arn,
            "prefix": prefix,
            "tasks": group.tasks,
        }

    def _take_up(self, name: str, prefix: str) -> str | None:
        """The execution that an earlier try has started, if there is one."""
        if not (started := self._started(name, prefix)):
            return None
        self.log.info("Found %s, which an earlier try has started", started[0])
        return started[0]

    def _start(self, context: Any, name: str, prefix: str, run_values: Mapping[str, Any], version: int | None) -> str:
        """Start an execution; those that were started before this task was cleared are stopped."""
        parameters = self._parameters(context, run_values)
        for arn in self._started(name, _run_of(context)):
            if self.hook.stop(arn):
                self.log.info("Asked the service to stop %s, which was started before this task was cleared", arn)
        first = f"{prefix}1"
        arn = self.hook.start(
            name,
            parameters,
            token=first,
            display_name=first,
            version=version,
            max_parallel_steps=self.max_parallel_steps,
        )
        self.log.info("Started %s", arn)
        return arn

    def _require_order(self) -> None:
        """See that whatever comes before a task of the group comes before this task.

        :raises AirflowFailException: something does not; names it.
        """
        known = {*self.task_ids, self.task_id, *self.upstream_task_ids}
        for task_id in self.task_ids:
            if late := sorted(self.dag.get_task(task_id).upstream_task_ids - known):
                raise AirflowFailException(
                    f"{', '.join(late)} come before {task_id} and not before {self.task_id}: write {late[0]} >> group"
                )

    def _deploy(self, context: Any) -> tuple[Group, str, int | None]:
        """Convert the group and deploy what is different; also gives the pipeline's name and version."""
        from sagemaker_provider.operators.converted import asset_places, carry_out, require_no_error

        group: Group = self.converter.convert_group(self, lambda source: self._value(source, context))
        try:
            require_no_error(self.task_group.group_id, group.findings, self.log)
        except ValueError as error:
            raise AirflowFailException(str(error)) from None
        assert group.converted is not None, "a group without a definition has errors"
        pipeline = group.converted.pipeline(
            owner=self.dag_id, role=self.role, max_parallel_steps=self.max_parallel_steps, location=self.code_location
        )
        places = asset_places(group.converted, self.code_location)
        deployment, _ = carry_out(self.hook, self.hook.plan(pipeline), places, force=self.force, log=self.log)
        return group, deployment.name, deployment.version

    def _parameters(self, context: Any, run_values: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of the execution.

        :raises AirflowFailException: values are too long or of a kind that no parameter has; names each.
        """
        found = {**{name: self._value(source, context) for name, source in run_values.items()}, **self.parameters}
        wrong = [
            f"{name!r} is a {type(value).__name__}"
            for name, value in found.items()
            if not isinstance(value, (str, int, float, type(None)))
        ]
        wrong += [
            f"{name!r} has {len(str(value))} characters, allowed are {limits.PARAMETER_VALUE}"
            for name, value in found.items()
            if len(str(value)) > limits.PARAMETER_VALUE
        ]
        if wrong:
            raise AirflowFailException(f"{self.task_id}: parameters of the pipeline: {'; '.join(wrong)}")
        return found

    def _value(self, source: Any, context: Any) -> Any:
        """The value of a template or reference in this run; an expression keeps its type."""
        return self.render_template(source, context, self.get_template_env())

    _started_one: tuple[Any, str] | None = None

    def on_kill(self) -> None:
        """Stop the execution that was started, unless only the worker goes away."""
        if self._started_one is not None:
            self.stop(*self._started_one)

    def stop(self, context: Any, arn: str, *, deferred: bool = False) -> None:
        """Ask the service to stop an execution for a task that is killed, unless it goes on in a triggerer or another try."""
        from sagemaker_provider.triggers.interrupts import goes_on

        if goes_on(context["ti"], deferred=deferred):
            self.log.info("The worker goes away; the triggerer or the next try takes up %s", arn)
        elif self.hook.stop(arn):
            self.log.info("Asked the service to stop %s", arn)


def _run_of(context: Any) -> str:
    """How the display names of all executions begin that belong to a run of the DAG."""
    return f"airflow-{digest(context, 10, generation=0)}-"


_LOOKED_AT: Final = 300
"""Of how many executions of a pipeline the names are looked at, the latest first."""
