"""Values that have two lives: while a DAG runs they resolve from upstream tasks, in a definition they are expressions.

They stand anywhere in an operator's template fields. Airflow itself sets the dependencies they imply.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sagemaker_provider.definition import expressions, paths
from sagemaker_provider.definition.step_types import ENTRY_NAMES, STEP_TYPES, StepType
from sagemaker_provider.operators.names import execution_id, pipeline_name

try:
    from airflow.sdk.definitions._internal.mixins import ResolveMixin
except ImportError:  # Airflow 2
    from airflow.utils.mixins import ResolveMixin  # type: ignore[no-redef,attr-defined]

if TYPE_CHECKING:
    from sagemaker_provider.operators.base import SageMakerStepOperator


def references_in(value: Any) -> Iterator[tuple[Any, str]]:
    """The (operator, XCom key) pairs that a value depends on, however deep inside."""
    if isinstance(value, ResolveMixin):
        yield from value.iter_references()
    elif isinstance(value, dict):
        for item in value.values():
            yield from references_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from references_in(item)


def resolved(value: Any, context: Any) -> Any:
    """A value with every reference in it resolved, and every template rendered by the running task."""
    task = context["task"]
    return task.render_template(value, context, task.get_template_env())


class Reference(ResolveMixin):  # type: ignore[misc]
    """A property of an upstream step: ``train.properties.ModelArtifacts.S3ModelArtifacts``.

    Made by :attr:`SageMakerStepOperator.properties`; every attribute or index goes one level deeper into the Describe
    response of the step.

    :param operator: the step.
    :param segments: path below the step.
    """

    def __init__(self, operator: SageMakerStepOperator, segments: tuple[paths.Segment, ...] = ()) -> None:
        self._operator = operator
        self._segments = segments

    def __getattr__(self, name: str) -> Reference:
        if name.startswith("_") or name in ("resolve", "iter_references"):
            raise AttributeError(name)
        return self._below(name)

    def __getitem__(self, key: str | int) -> Reference:
        return self._below(key if isinstance(key, int) else paths.Key(key))

    def __iter__(self) -> Iterator[Reference]:
        raise TypeError(f"{self!r} is known only at run time and cannot be looped over")

    def __repr__(self) -> str:
        return f"{self._operator.task_id}.properties.{paths.join(self._segments)}"

    def __format__(self, specification: str) -> str:
        raise TypeError(f"{self!r} is known only at run time; join it with text by Join('', [...])")

    def _below(self, segment: paths.Segment) -> Reference:
        segments = (*self._segments, segment)
        self._operator.check_property(segments)
        return Reference(self._operator, segments)

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """The task whose XCom this is."""
        yield self._operator, "return_value"

    def resolve(self, context: Any, *args: Any, **kwargs: Any) -> Any:
        """The property's value in the XCom of the upstream task.

        :raises LookupError: the Describe response has no such member.
        """
        description = context["ti"].xcom_pull(task_ids=self._operator.task_id)
        if description is None:
            raise LookupError(
                f"the task {self._operator.task_id!r} left no result to read {paths.join(self._segments)} from; did it run?"
            )
        try:
            return paths.look_up(description, self._segments, tuple(ENTRY_NAMES.values()))
        except LookupError as error:
            raise LookupError(f"the result of the task {self._operator.task_id!r}: {error.args[0]}") from None

    def expression(self, steps: Any) -> expressions.Get:
        """The reference in a definition.

        :param steps: function from task id to step name.
        """
        return expressions.step_property(steps(self._operator.task_id), *self._segments)


class Join(ResolveMixin):  # type: ignore[misc]
    """Text made of values with ``on`` between them: ``Join("/", [bucket.properties..., "data"])``.

    :param on: text between the values.
    :param values: text, templates, numbers, references.
    """

    def __init__(self, on: str, values: list[Any]) -> None:
        self.on = on
        self.values = values

    def __repr__(self) -> str:
        return f"Join({self.on!r}, {self.values!r})"

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """The tasks whose XComs the values are."""
        yield from references_in(self.values)

    def resolve(self, context: Any, *args: Any, **kwargs: Any) -> str:
        """The text."""
        return self.on.join(str(resolved(value, context)) for value in self.values)


class JsonGet(ResolveMixin):  # type: ignore[misc]
    """One value of a JSON file that a Processing step leaves in S3.

    Give the step and the name of one of its property files, or the S3 URI of a file.

    :param step: the Processing step operator.
    :param property_file: name of one of its ``property_files``.
    :param path: path in the file, such as ``metrics.mse.value``.
    :param s3_uri: a :class:`Join` that gives the file's URI, instead of a step.
    """

    def __init__(
        self, step: Any = None, property_file: str | None = None, path: str = "", *, s3_uri: Join | None = None
    ) -> None:
        if (step is None) == (s3_uri is None) or (step is None) != (property_file is None):
            raise ValueError("JsonGet takes either a step with a property_file, or an s3_uri")
        if not paths.parse(path):
            raise ValueError("JsonGet needs a path in the file")
        if step is not None:
            step.property_file(property_file)
        self.step, self.property_file, self.path, self.s3_uri = step, property_file, path, s3_uri

    def __repr__(self) -> str:
        return f"JsonGet({self.property_file or self.s3_uri!r}, {self.path!r})"

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """The tasks that have to run before the file is there."""
        if self.step is not None:
            yield self.step, "return_value"
        yield from references_in(self.s3_uri)

    def resolve(self, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Read the file and take the value.

        :raises LookupError: the file has no such value.
        """
        if self.step is not None:
            file = self.step.property_file(self.property_file)
            outputs = Reference(
                self.step, ("ProcessingOutputConfig", "Outputs", paths.Key(file.output_name), "S3Output", "S3Uri")
            )
            uri = f"{str(outputs.resolve(context)).rstrip('/')}/{file.path}"
        else:
            uri = resolved(self.s3_uri, context)
        document = read_json(self.step if self.step is not None else context["task"], uri)
        try:
            return paths.look_up(document, paths.parse(self.path))
        except LookupError as error:
            raise LookupError(f"{uri}: {error.args[0]}") from None


class ExecutionVariable(ResolveMixin):  # type: ignore[misc]
    """A variable of the pipeline execution, such as ``PipelineExecutionId``.

    While the DAG runs step by step the DAG run stands for the execution: the id is made from the run id, the name is the
    name the pipeline would have, the dates are those of the DAG run and of now.

    :param name: one of :data:`~sagemaker_provider.definition.expressions.EXECUTION_VARIABLES`.
    """

    def __init__(self, name: str) -> None:
        if name not in expressions.EXECUTION_VARIABLES:
            raise ValueError(f"no execution variable {name!r}; known are {', '.join(expressions.EXECUTION_VARIABLES)}")
        self.name = name

    def __repr__(self) -> str:
        return f"ExecutionVariable({self.name!r})"

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Nothing has to run before."""
        yield from ()

    def resolve(self, context: Any, *args: Any, **kwargs: Any) -> str:
        """The value for this DAG run.

        :raises LookupError: the variable exists only in a pipeline.
        """
        from airflow.providers.common.compat.sdk import timezone

        if self.name == "PipelineExecutionId":
            return execution_id(context)
        if self.name == "PipelineName":
            return pipeline_name(context["ti"].dag_id)
        if self.name == "StartDateTime":
            return str(context["dag_run"].start_date.isoformat())
        if self.name == "CurrentDateTime":
            return str(timezone.utcnow().isoformat())
        raise LookupError(f"Execution.{self.name} has a value only in a pipeline, not step by step")


def read_json(task: Any, uri: str) -> Any:
    """Read a JSON file from S3 with the AWS settings of a task.

    :raises ValueError: the URI is no S3 URI, or the file is not JSON.
    """
    bucket, _, key = str(uri).removeprefix("s3://").partition("/")
    if not str(uri).startswith("s3://") or not bucket or not key:
        raise ValueError(f"{uri!r} is not the S3 URI of a file")
    body = task.aws_hook("s3").conn.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return json.loads(body)
    except ValueError as error:
        raise ValueError(f"{uri} is not JSON: {error}") from None


def has_properties(step_type: str) -> bool:
    """Whether steps of a type have properties to refer to."""
    row = STEP_TYPES[step_type]
    return bool(row.properties or row.extra_properties or "OutputParameters" in row.optional_keys)


def kind_of_property(row: StepType, segments: tuple[paths.Segment, ...]) -> str:
    """What a path below a step leads to, where more may follow.

    :param row: the step type.
    :param segments: path below the step.
    :return: a type of the language, or ``structure``, ``list`` or ``map``.
    :raises PropertyError: there is nothing.
    """
    from sagemaker_provider.definition.shapes import property_type

    if segments == ("OutputParameters",) and "OutputParameters" in row.optional_keys:
        return "map"
    return property_type(row, segments) if segments else "structure"
