"""Conversion settings: images, roles, places and choices, for all DAGs, for one, or for a task.

.. code-block:: yaml

    role: arn:aws:iam::111122223333:role/SageMaker
    code_location: s3://my-bucket/code
    dags:
      churn:
        instance_type: ml.m5.2xlarge
        tasks:
          prepare: {image: 111122223333.dkr.ecr.us-west-2.amazonaws.com/pandas:2}

A file of this form beside a DAG file, ``churn.sagemaker.yaml`` beside ``churn.py``, goes before the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from sagemaker_provider.definition.shapes import nearest

Key = TypeVar("Key")


class Row(NamedTuple):
    """A setting.

    :param kind: type of the value.
    :param description: one sentence, for the documentation and the parameter.
    :param parameter: the pipeline parameter that it becomes where the settings do not have it; ``None`` for none.
    :param default: default of the setting, or of the parameter.
    :param choices: the values allowed, if not all.
    """

    kind: type
    description: str
    parameter: str | None = None
    default: Any = None
    choices: tuple[str, ...] = ()


SETTINGS: Final[dict[str, Row]] = {
    "role": Row(str, "ARN of the role with which jobs run.", "RoleArn"),
    "image": Row(str, "Image in which Python and Bash tasks run.", "ImageUri"),
    "instance_type": Row(str, "Instance type on which Python and Bash tasks run.", "InstanceType", "ml.m5.large"),
    "volume_size_in_gb": Row(int, "Size in GB of the volume with which Python and Bash tasks run.", None, 30),
    "code_location": Row(
        str, "S3 URI of the folder with the files of <pipeline>.assets, and for results.", "CodeLocation"
    ),
    "mapped": Row(
        str,
        "Whether a task that is expanded over a list is one step for each item or one ForEach step.",
        None,
        "unroll",
        ("unroll", "loop"),
    ),
    "requirements": Row(list, "Packages that Python and Bash tasks install before they run, as pip names them."),
    "drop_trivial": Row(bool, "Whether Python tasks that only print or log become no steps.", None, False),
    "native": Row(bool, "Whether a task may run in a pipeline; ``false`` keeps it in Airflow.", None, True),
    "config": Row(
        dict,
        "Config of a SageMaker task of the Amazon provider that the DAG makes only when it runs; set it for a task.",
    ),
    "account": Row(str, "AWS account of the pipeline, 12 digits."),
    "region": Row(str, "AWS Region of the pipeline."),
    "services": Row(
        str,
        "Who does the work of other AWS services: a native step where there is one and else a function, a function, or Airflow.",
        None,
        None,
        ("native", "function", "stay"),
    ),
    "s3_start": Row(
        str,
        "What an S3 key sensor becomes that everything else in its DAG waits for: a step that waits, or an EventBridge rule.",
        None,
        "wait",
        ("wait", "event"),
    ),
}
"""Every setting by its name in the file."""

_KINDS: Final = {str: "text", int: "a number", bool: "true or false", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class Defaults:
    """Values of settings.

    :param values: for all DAGs.
    :param dags: DAG id -> values.
    :param tasks: (DAG id, task id) -> values.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    dags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tasks: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def value(self, dag_id: str, task_id: str, name: str) -> Any:
        """The value for a task: its own, that of its DAG, or that for all; ``None`` when there is none.

        :raises KeyError: there is no such setting.
        """
        SETTINGS[name]
        for values in (self.tasks.get((dag_id, task_id)), self.dags.get(dag_id), self.values):
            if values is not None and name in values:
                return values[name]
        return None

    def over(self, others: Defaults) -> Defaults:
        """These settings, and where they say nothing the others."""
        return Defaults(
            {**others.values, **self.values}, _over(self.dags, others.dags), _over(self.tasks, others.tasks)
        )

    def misplaced(self, dags: Mapping[str, Collection[str]]) -> Iterator[str]:
        """What is said of DAGs and tasks that do not exist, with the nearest names.

        :param dags: DAG id -> its tasks.
        """
        for dag_id in dict.fromkeys([*self.dags, *(dag_id for dag_id, _ in self.tasks)]):
            if dag_id not in dags:
                yield f"there is no DAG {dag_id!r}; {nearest(dag_id, dags)}"
        for dag_id, task_id in self.tasks:
            if dag_id in dags and task_id not in dags[dag_id]:
                yield f"there is no task {task_id!r} in {dag_id!r}; {nearest(task_id, dags[dag_id])}"

    @classmethod
    def from_object(cls, value: Any) -> Defaults:
        """Settings from what a YAML file holds.

        :raises ValueError: the file is not of the form; the message names every problem.
        """
        problems: list[str] = []
        values = dict(_mapping(value, "the file", problems))
        dags, tasks = {}, {}
        for dag_id, own in dict(_mapping(values.pop("dags", None), "dags", problems)).items():
            below = dict(_mapping(own, f"dags.{dag_id}", problems))
            for task_id, item in dict(_mapping(below.pop("tasks", None), f"dags.{dag_id}.tasks", problems)).items():
                place = f"dags.{dag_id}.tasks.{task_id}"
                tasks[str(dag_id), str(task_id)] = dict(_mapping(item, place, problems))
                problems += _wrong(tasks[str(dag_id), str(task_id)], f"{place}.")
            dags[str(dag_id)] = below
            problems += _wrong(below, f"dags.{dag_id}.")
        problems += _wrong(values, "")
        if problems:
            raise ValueError("; ".join(problems))
        return cls(values, dags, tasks)


def from_yaml(kind: Any, name: str | Path | None) -> Any:
    """An object of a class that reads what a YAML file holds; without a file an empty one.

    :param kind: a class with a method ``from_object``, such as :class:`Defaults`.
    :raises ValueError: the file cannot be read, or is not of its form; the message begins with its name.
    """
    import yaml

    try:
        return kind.from_object(yaml.safe_load(Path(name).read_text(encoding="utf-8"))) if name else kind()
    except OSError as error:
        raise ValueError(f"{name}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: is not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def path_beside(file: Path) -> Path:
    """The file of settings beside a DAG file."""
    return file.with_suffix(".sagemaker.yaml")


def beside(file: Path) -> Defaults:
    """The settings beside a DAG file; none where there is no such file.

    :raises ValueError: the file cannot be read, or is not of its form.
    """
    path = path_beside(file)
    return from_yaml(Defaults, path) if path.exists() else Defaults()  # type: ignore[no-any-return]


def _over(own: Mapping[Key, Mapping[str, Any]], others: Mapping[Key, Mapping[str, Any]]) -> dict[Key, dict[str, Any]]:
    return {key: {**others.get(key, {}), **own.get(key, {})} for key in {**others, **own}}


def _mapping(value: Any, place: str, problems: list[str]) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    if value is not None:
        problems.append(f"{place} is not a mapping")
    return {}


def _wrong(values: Mapping[Any, Any], place: str) -> Iterator[str]:
    for name, value in values.items():
        row = SETTINGS.get(name)
        if row is None:
            yield f"{place}{name} is no setting; there are {', '.join(SETTINGS)}"
        elif type(value) is not row.kind:
            yield f"{place}{name} is {value!r}, not {_KINDS[row.kind]}"
        elif row.choices and value not in row.choices:
            yield f"{place}{name} is {value!r}, not {' or '.join(row.choices)}"
