"""Task translators: from the class of an operator to the function that says what its tasks become.

Classes are named, not imported, so that a translator costs nothing where its operators are not installed. Other packages
register theirs by an entry point of the group ``sagemaker_provider.translators`` that names a module to import; theirs go
before ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from sagemaker_provider.definition.findings import Finding
from sagemaker_provider.definition.paths import Segment

ENTRY_POINTS: Final = "sagemaker_provider.translators"
OWN: Final = (
    "sagemaker_provider.translator.tasks_steps",
    "sagemaker_provider.translator.tasks_amazon",
    "sagemaker_provider.translator.tasks_core",
    "sagemaker_provider.translator.tasks_python",
    "sagemaker_provider.translator.tasks_s3",
    "sagemaker_provider.translator.tasks_services",
    "sagemaker_provider.translator.tasks_emr",
)

if TYPE_CHECKING:
    from sagemaker_provider.translator.values import Values

Path: TypeAlias = "tuple[Segment, ...]"
RETURN_VALUE: Final = "return_value"
"""The key of the XCom that a task returns."""


class XComFile(NamedTuple):
    """An XCom in a property file: ``path`` is where in the file, its keys and indexes one by one."""

    property_file: str
    path: Path


class XComOf(NamedTuple):
    """An XCom among the properties of another step of the same task."""

    suffix: str
    path: Path


XComPath: TypeAlias = "Callable[[str, Path], Path | XComFile | XComOf | None]"


def same_path(key: str, segments: Path) -> Path | None:
    """The XCom is the Describe response itself."""
    return segments if key == RETURN_VALUE else None


class Setting(NamedTuple):
    """A value that the conversion settings give for the task, its DAG or all; a pipeline parameter where none does.

    :param name: a key of :data:`sagemaker_provider.translator.defaults.SETTINGS`.
    :param suffix: text after the value.
    """

    name: str
    suffix: str = ""


class LoopItem(NamedTuple):
    """The item of the loop that a step is in.

    :param of: the task over whose result the loop goes, by indexes; nothing where the DAG holds the list.
    """

    of: str = ""


class LoopIndexes(NamedTuple):
    """The indexes of the list that a Python task returns, as a loop goes over them."""

    task_id: str


class MappedItem(NamedTuple):
    """The result of one of the steps that a mapped task became."""

    task_id: str
    map_index: int


@dataclass(frozen=True)
class AsText:
    """A template that gives text, also where its expression is a number or a boolean."""

    template: str


class RoleName(NamedTuple):
    """The name of a role where the ARN is wanted: the ARN in the account of the settings, else a pipeline parameter."""

    name: str


class RefusedError(ValueError):
    """A translator raises it where a task cannot be translated, instead of returning :class:`Stays`.

    :param code: code of the finding.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class TaskStep:
    """A task that becomes a step.

    :param type: step type.
    :param arguments: ``Arguments`` with templates and references still in them; for a condition without the branches.
    :param members: keys that only this type has, likewise.
    :param name: step name, if the task has one of its own.
    :param display_name: shown in Studio, if the task has one of its own.
    :param description: shown in Studio.
    :param retry_policies: retry policies of the step.
    :param cache_config: cache setting of the step.
    :param branches: for a condition, the task ids directly downstream by ``IfSteps`` and ``ElseSteps``.
    :param fail_otherwise: for a condition without an else branch, the message with which the run fails.
    :param short_circuit: for a condition, whether everything after it is skipped where it is false, whatever the trigger rules.
    :param loop_over: for a step in a loop, the list that a ForEach step goes over, with one step of this kind for each item.
    :param made_name: the text by which other tasks of the DAG call what the task creates, where a pipeline names it.
    :param xcom: from the key of an XCom and a path in it to the path of the property, or to where else it is; ``None``
        where it is nowhere.
    :param wrapper: the key under which the XCom has the Describe response, if it is not the response itself.
    :param beside: what the XCom describes beside what the step makes: step type, which is the key -> the property of the
        step that is its name.
    :param assets: files that the step needs, by their paths below the setting ``code_location``.
    :param build: for a step whose arguments depend on what the tasks it reads have become: gives the step. Its arguments
        are then rewritten like those of others.
    :param carries: arguments of the task that the step itself follows, though a pipeline does not, such as ``retries``.
    :param findings: what differs.
    """

    type: str
    arguments: Mapping[str, Any]
    members: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    display_name: str | None = None
    description: str | None = None
    retry_policies: tuple[Any, ...] = ()
    cache_config: Any = None
    branches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fail_otherwise: str | None = None
    short_circuit: bool = False
    loop_over: Any = None
    made_name: str | None = None
    xcom: XComPath = same_path
    wrapper: str = ""
    beside: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)
    build: Callable[[Values], TaskStep] | None = None
    carries: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def node_id(task_id: str, suffix: str) -> str:
    """How one of several steps of a task is called."""
    return f"{task_id}--{suffix}" if suffix else task_id


@dataclass(frozen=True)
class Steps:
    """A task that becomes several steps.

    :param steps: suffix -> step. The suffix ``""`` is the step with the task's own name, whose XCom is the task's; the others
        are called ``<task id>--<suffix>``. Without it, nothing can read the task's XCom as a whole.
    :param edges: (suffix, suffix) of a step and one that waits for it; a chain in the order of ``steps`` if ``None``.
    :param exits: downstream task id -> suffix of the step that it waits for, if not for all that no other step waits for.
    :param mapped: for the steps of a mapped task, without edges, what it is mapped over: of two tasks that are mapped over
        the same, each step waits for the one of the same item.
    """

    steps: Mapping[str, TaskStep]
    edges: tuple[tuple[str, str], ...] | None = None
    exits: Mapping[str, str] = field(default_factory=dict)
    mapped: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Vanishes:
    """A task that becomes nothing; what is before and after it is joined.

    :param started_by: pattern of the EventBridge event that starts the pipeline in its place.
    """

    findings: tuple[Finding, ...] = ()
    started_by: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Absorbed:
    """A sensor that waits for what another task creates; in a pipeline that task's step itself is waited for.

    :param waits_for: the value by which it knows what it waits for: a name, a template or a reference.
    :param kind: the type of step that creates it.
    """

    waits_for: Any
    kind: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Stays:
    """A task that has no translation; the findings say why."""

    findings: tuple[Finding, ...]


Translation: TypeAlias = "TaskStep | Steps | Vanishes | Absorbed | Stays"
Given: TypeAlias = "Callable[[str], Any]"
"""From the name of a setting to its value for the task, ``None`` where the settings say nothing."""
Translator: TypeAlias = "Callable[[Any, Given], Translation]"
_TRANSLATORS: Final[dict[str, Translator]] = {}


def translates(*classes: str) -> Callable[[Translator], Translator]:
    """Register a translator for operator classes and their subclasses; it takes the place of an earlier one and of ours.

    The translator is called with the task and, as ``given``, a function from the name of a setting to its value.

    :param classes: qualified names such as ``airflow.providers.standard.operators.empty.EmptyOperator``.
    """

    def register(function: Translator) -> Translator:
        for name in classes:
            if function.__module__ not in OWN or name not in _TRANSLATORS:
                _TRANSLATORS[name] = function
        return function

    return register


@cache
def _load() -> None:
    for module in OWN:
        import_module(module)
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda item: item.value):
        entry.load()


BEHAVIOUR: Final = frozenset(
    [
        "execute",
        "pre_execute",
        "request",
        "start",
        "finish",
        "end",
        "typed",
        "preprocess_config",
        "render_template",
        "render_template_fields",
        "template_fields",
        "template_ext",
        "choose_branch",
        "poke",
    ]
)
"""What decides about a task beside its arguments; a subclass that changes it is another kind of task."""


def operator_name(task: Any) -> str:
    """The qualified name of a task's class, without what Airflow puts before the module of a DAG file."""
    cls = task.operator_class if hasattr(task, "partial_kwargs") else type(task)
    module = re.sub("^unusual_prefix_[0-9a-f]{40}_", "", cls.__module__)
    return f"{module}.{cls.__qualname__}"


def translator_for(task: Any) -> tuple[Translator | None, str]:
    """The translator of a task's class, or of the nearest of its base classes.

    :return: the translator, and nothing; or ``None``, and what a subclass changes so that its base class's translator
        would be wrong.
    """
    _load()
    changed: set[str] = set()
    for cls in type(task).__mro__:
        name = f"{cls.__module__}.{cls.__qualname__}"
        if found := _TRANSLATORS.get(name):
            return (None, f"it changes {', '.join(sorted(changed))} of {cls.__qualname__}") if changed else (found, "")
        if not cls.__module__.startswith("sagemaker_provider."):
            changed |= BEHAVIOUR & set(vars(cls))
    return None, ""
