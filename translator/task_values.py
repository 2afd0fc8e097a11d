"""The values of a task as its program in a container reads them: constants in a file, what the run knows from the job."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from botocore import xform_name

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.expressions import EXPRESSIONS, Get, Join, JsonGet, execution_variable
from sagemaker_provider.operators import references
from sagemaker_provider.translator import templates
from sagemaker_provider.translator.airflow_task import context as contexts
from sagemaker_provider.translator.companions import plain, secret_in
from sagemaker_provider.translator.registry import RETURN_VALUE, LoopIndexes, LoopItem, MappedItem, Setting
from sagemaker_provider.translator.template_inputs import inputs
from sagemaker_provider.translator.templates import UntranslatableError
from sagemaker_provider.translator.values import Values, XComSource

XCOM: Final = "xcom"
"""Output and property file of a task's results."""
MOST_INPUTS: Final = 10
"""Inputs that a Processing job may have (API: ProcessingInputs)."""
MOST_VARIABLES: Final = 100
"""Environment variables that a Processing job may have (API: ProcessingEnvironmentMap)."""
_SCALARS: Final = ("String", "Integer", "Float", "Boolean", "Any")


class TaskValues:
    """Writes the values of one task; gathers what the job must be given for them.

    :param values: the rewriting of values of the task.
    :param ids: ``dag_id`` and ``task_id``.
    :param params: the params of the task.
    :param native: whether the DAG renders templates to Python objects.
    :param file: from a text to the content of the template file that it names, or ``None``.
    """

    def __init__(
        self,
        values: Values,
        *,
        ids: Mapping[str, str],
        params: Mapping[str, Any],
        native: bool,
        file: Callable[[str], str | None],
    ) -> None:
        self.values = values
        self.ids, self.params = dict(ids), params
        self.native = native
        self.file = file
        self.variables: list[Any] = []
        self.upstream: dict[str, dict[str, Any]] = {}
        self.inputs: list[tuple[str, Any]] = []
        self.requirements: set[str] = set()

    def write(self, value: Any, place: str) -> Any:
        """A value of the operator as JSON; see ``decode`` of :mod:`.airflow_task.values`.

        :raises UntranslatableError: it cannot be written.
        """
        if isinstance(value, str):
            return self._text(value, place)
        if (
            value is None
            or isinstance(value, bool)
            or type(value) is int
            or (type(value) is float and math.isfinite(value))
        ):
            return value
        if type(value) is list:
            return [self.write(item, f"{place}[{index}]") for index, item in enumerate(value)]
        if type(value) is tuple:
            return {"$tuple": [self.write(item, f"{place}[{index}]") for index, item in enumerate(value)]}
        if isinstance(value, Mapping):
            return self._mapping(value, place)
        if type(value).__name__ == "PlainXComArg":
            return self.xcom(value.operator.task_id, value.key, ())
        if isinstance(value, LoopItem):
            return self._loop_item(value, place)
        if isinstance(value, MappedItem):
            return self.expression(self.rewritten(value, place))
        if isinstance(
            value,
            (*EXPRESSIONS, references.Reference, references.Join, references.JsonGet, references.ExecutionVariable),
        ):
            return self.expression(self.rewritten(value, place))
        if isinstance(value, (set, frozenset)) and any(_is_template(item) for item in value):
            raise UntranslatableError(f"{place} is a set with templates", "SMP225")
        return self.constant(value, place)

    def _loop_item(self, value: LoopItem, place: str) -> dict[str, Any]:
        """The item of a loop: by its index in what another task returned, or of the type that all of them have."""
        if value.of:
            self.need(value.of)
            index = self.variable(self.rewritten(LoopItem(), place), "Integer")
            return {"$item": {"task": value.of, "index": index}}
        kinds = {type(item) for item in self.values.around.steps[self.values.task_id].loop_over or ()}
        names = {str: "String", bool: "Boolean", int: "Integer", float: "Float"}
        if len(kinds) != 1 or not kinds <= set(names):
            raise UntranslatableError(f"{place} is the item of a loop over items of several types", "SMP225")
        return self.variable(self.rewritten(value, place), names[kinds.pop()])

    def constant(self, value: Any, place: str) -> dict[str, Any]:
        """A value in which nothing is rendered."""
        if (text := plain(value)) is None:
            raise UntranslatableError(
                f"{place} is a {type(value).__name__}, which cannot be written into a file", "SMP225"
            )
        if secret_in(place.rpartition(".")[2], value):
            raise UntranslatableError(f"{place} has the name of a secret and a value", "SMP222")
        return {"$python": text}

    def _mapping(self, value: Mapping[Any, Any], place: str) -> Any:
        for key, item in value.items():
            if secret_in(str(key), item) and not _is_template(item):
                raise UntranslatableError(f"{place}.{key} has the name of a secret and a value", "SMP222")
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: self.write(item, f"{place}.{key}") for key, item in value.items()}
        return {"$dict": [[{"$python": plain(key)}, self.write(item, f"{place}.{key}")] for key, item in value.items()]}

    def _text(self, value: str, place: str) -> Any:
        """A text as Airflow renders it: text, or in native mode what that text is in Python."""
        content = self.file(value)
        text = value if content is None else content
        try:
            found = self.expression(self.rewritten(text, place))
        except UntranslatableError as error:
            if error.code not in ("SMP225", "SMP301", "SMP304") or (rendered := self._rendered(text)) is None:
                raise
            return rendered
        if self.native:
            return {"$native": found}
        return found if isinstance(found, str) else {"$text": found}

    def _rendered(self, text: str) -> dict[str, Any] | None:
        """A template that the program renders, with what it reads; ``None`` when a container does not have all of that."""
        try:
            read = inputs(text, self.ids["dag_id"])
            if read.json_variables or not {*read.dates} <= {*contexts.DATES, *contexts.INTERVAL}:
                return None
            for task_id, key in read.xcoms:
                if task_id is None:
                    return None
                self.need(task_id, key)
            sources = {f"params.{name}": f"params[{name!r}]" for name in read.params if name in self.params}
            sources |= {f"conf.{name}": f"dag_run.conf[{name!r}]" for name in read.params if "conf" in text}
            sources |= {f"variables.{name}": f"var.value.get({name!r})" for name in read.variables}
            dates = {name if name in contexts.INTERVAL else "logical_date" for name in read.dates}
            sources |= {name: name for name in sorted(dates | {item for item in read.names if item == "run_id"})}
            given: dict[str, Any] = {"params": {}, "conf": {}, "variables": {}}
            for path, source in sources.items():
                group, _, name = path.partition(".")
                found = self.expression(self.rewritten(f"{{{{ {source} }}}}", path))
                if name:
                    given[group][name] = found
                else:
                    given[group] = found
        except UntranslatableError:
            return None
        self.requirements.add("jinja2")
        if dates:
            self.requirements.add("pendulum")
        return {"$template": {"text": text, "native": self.native, "given": given, **self.ids}}

    def rewritten(self, value: Any, place: str) -> Any:
        """A template or reference as an expression.

        :raises UntranslatableError: there is none.
        """
        before = len(self.values.findings)
        found = self.values.rewrite(value, place)
        if any(item.severity == "error" for item in self.values.findings[before:]):
            item = next(item for item in self.values.findings[before:] if item.severity == "error")
            del self.values.findings[before:]
            raise UntranslatableError(item.message, item.code)
        return found

    def expression(self, value: Any) -> Any:
        """An expression as JSON: parts that only the run knows come through the environment or as files."""
        if isinstance(value, Join):
            parts = [item for part in value.values for item in (value.on, part)][1:]
            return {"$join": [self.expression(item) for item in parts if item != ""]}
        if isinstance(value, JsonGet):
            return self._of_file(value)
        if not isinstance(value, EXPRESSIONS):
            return value
        kind = self.values.type_of(value)
        if kind not in _SCALARS:
            raise UntranslatableError(f"{value} is a {kind}, which an environment variable cannot hold", "SMP225")
        return self.variable(value, "String" if kind == "Any" else kind)

    def variable(self, value: Any, kind: str = "String") -> dict[str, Any]:
        """A value that comes through the environment."""
        if value not in self.variables:
            self.variables.append(value)
        name = f"AIRFLOW_VALUE_{self.variables.index(value) + 1}"
        return {"$value": {"name": name, "type": kind} if kind != "String" else {"name": name}}

    def _of_file(self, value: JsonGet) -> Any:
        get = value.property_file
        tasks = {self.values.around.step_name(task): task for task in sorted(self.values.reads)}
        if isinstance(get, Get) and get.segments[-1:] == (XCOM,) and get.name in tasks:
            key, *path = paths.parse(value.path)
            return self.xcom(tasks[get.name], str(key), tuple(path))
        raise UntranslatableError(f"the type of {value.path!r} in the file of another step is not known", "SMP225")

    def xcom(self, task_id: str, key: str, path: tuple[Any, ...]) -> Any:
        """A part of the XCom of another task."""
        self.need(task_id, key)
        return {
            "$xcom": {
                "task": task_id,
                "key": key,
                "path": [item if isinstance(item, int) else str(item) for item in path],
            }
        }

    def need(self, task_id: str, key: str | None = RETURN_VALUE) -> None:
        """Give the job the XComs of another task; of one that stays in Airflow, that of a key.

        :raises UntranslatableError: they cannot be had.
        """
        if self.values.around.is_outside(task_id):
            if key is None:
                reason = (
                    f"of {task_id!r}, which stays in Airflow, XComs are known by their keys only; the code computes it"
                )
                raise UntranslatableError(reason, "SMP304")
            given = self.upstream.setdefault(task_id, {"given": {}})["given"]
            if key not in given:
                given[key] = self.variable(self.values.outside_json(task_id, key), "Json")
            return
        if task_id in self.upstream:
            return
        steps = self.values.around.steps
        mapped = [node for node in steps if re.fullmatch(rf"{re.escape(task_id)}--\d+", node)]
        if mapped and task_id not in steps:
            for node in mapped:
                self.need(node)
            self.upstream[task_id] = {"mapped": mapped}
            return
        if task_id not in steps:
            raise UntranslatableError(f"the task {task_id!r} is no step of the pipeline", "SMP303")
        if isinstance(steps[task_id].loop_over, LoopIndexes):
            self.values.around.step_name(task_id, loops=True)
            name = f"xcom-{len(self.inputs) + 1}"
            self.inputs.append((name, self.place(task_id)))
            self.upstream[task_id] = {"loop": name}
            return
        source = self.values.source(task_id)
        if source.file is not None:
            name = f"xcom-{len(self.inputs) + 1}"
            self.inputs.append((name, source.file))
            self.upstream[task_id] = {"input": name}
        elif source.operation is not None:
            self.upstream[task_id] = self._described(source)
            if source.beside:
                self.upstream[task_id]["beside"] = [self._described(item) for item in source.beside]
        else:
            self.upstream[task_id] = {"values": {key: self.expression(item) for key, item in source.values.items()}}

    def _described(self, source: XComSource) -> dict[str, Any]:
        """The call that describes what a step has made, for the program in the container."""
        assert source.operation is not None
        service, operation = source.operation
        return {
            "service": service,
            "method": xform_name(operation),
            "request": {key: self.expression(item) for key, item in source.request.items()},
            "result": source.result,
            "wrapper": source.wrapper,
        }

    def place(self, *parts: Any) -> Any:
        """The S3 URI for XComs of this execution: of a step, of an item of a loop."""
        base = self.values.rewrite(Setting("code_location"), "code_location")
        return templates.joined((base, "xcom", execution_variable("PipelineExecutionId"), *parts), "/")

    def problems(self) -> list[tuple[str, str]]:
        """(code, message) of findings on what the job would have to be given."""
        found = []
        if len(self.inputs) >= MOST_INPUTS:
            names = [task for task, source in self.upstream.items() if "input" in source]
            found.append(("SMP226", f"it reads the XComs of {len(names)} tasks as files: {', '.join(names)}"))
        if len(self.variables) > MOST_VARIABLES:
            found.append(("SMP226", f"{len(self.variables)} values go through the environment"))
        return found


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and templates.is_template(value)


def template_file(task: Any) -> Callable[[str], str | None]:
    """From a text to the content of the file that it names, for the endings by which the task knows template files."""
    endings = tuple(getattr(task, "template_ext", ()) or ())
    dag = task.dag
    search = [dag.template_searchpath] if isinstance(dag.template_searchpath, str) else dag.template_searchpath or []

    def content(text: str) -> str | None:
        if not endings or not text.endswith(endings) or "\n" in text:
            return None
        for folder in (dag.folder, *search):
            file = Path(folder, text)
            if file.is_file():
                return file.read_text(encoding="utf-8")
        raise UntranslatableError(f"the template file {text!r} is not found", "SMP225")

    return content
