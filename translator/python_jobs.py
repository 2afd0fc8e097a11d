"""A task as a Processing job: its code packed, its values passed, and a program in the container that runs it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import PropertyFile
from sagemaker_provider.translator import airflow_task, callables
from sagemaker_provider.translator.airflow_task import context as contexts
from sagemaker_provider.translator.airflow_task.run import delays
from sagemaker_provider.translator.attributes import facts
from sagemaker_provider.translator.callables import Reads
from sagemaker_provider.translator.job_names import own_names
from sagemaker_provider.translator.mapping import is_looped_over
from sagemaker_provider.translator.native_calls import native_call
from sagemaker_provider.translator.packing import Pack, pack
from sagemaker_provider.translator.registry import (
    Given,
    LoopIndexes,
    LoopItem,
    Setting,
    TaskStep,
    XComFile,
)
from sagemaker_provider.translator.task_values import XCOM, TaskValues, template_file
from sagemaker_provider.translator.templates import UntranslatableError
from sagemaker_provider.translator.values import LOOP_INDEXES, Values

CODE: Final = "/opt/ml/processing/input/code"
DECISIONS: Final = "decisions"
"""Property file with what a task decided, and the key by which conditions read it like an XCom."""
_START_SECONDS: Final = 600
"""What a job may need before and after the attempts of its task: for its packages, for instance."""
_SERVICE_LIMIT: Final = 86_400
"""Run time after which the service stops a job that sets no limit (API: ProcessingStoppingCondition)."""
_MOST_SECONDS: Final = 432_000
"""Longest run time of a Processing job (default quota of the service)."""
_OWN_SETTINGS: Final = (
    "image",
    "role",
    "instance_type",
    "volume_size_in_gb",
    "requirements",
    "drop_trivial",
    "request",
)
"""What ``executor_config={"sagemaker": {...}}`` of a task may hold; ``request`` is put over the CreateProcessingJob request."""


PROGRAM: Final = {
    f"airflow_task/{file.name}": file.read_bytes() for file in sorted(Path(airflow_task.__file__).parent.glob("*.py"))
}
"""The program that runs in the job: path in the pack -> content."""
_OF_THE_RUN: Final = {
    "AIRFLOW_CTX_DAG_RUN_ID": "{{ run_id }}",
    "AIRFLOW_CTX_LOGICAL_DATE": "{{ ts }}",
    "AIRFLOW_CTX_EXECUTION_DATE": "{{ ts }}",
}
"""What Airflow tells a task about its run in the environment."""


class Job:
    """One task on its way to a Processing step.

    :param task: the operator.
    :param kind: key of :data:`.airflow_task.attempt.KINDS`.
    :param function: what it calls, if anything.
    """

    def __init__(self, task: Any, given: Given, kind: str, function: Any = None) -> None:
        self.task, self.given, self.kind = task, given, kind
        self.findings: list[Finding] = []
        self.own = self._own_settings()
        self.requirements = list(self.own.get("requirements") or given("requirements") or ())
        self.with_airflow = any(item.lower().startswith("apache-airflow") for item in self.requirements)
        self.fields: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        self.pack: Pack | None = None
        self.reads = Reads(())
        if function is not None:
            self._take(function)

    def note(self, code: str, message: str, place: str = "") -> None:
        """Add a finding."""
        self.findings.append(finding(code, message, task=self.task.task_id, place=place))

    def setting(self, name: str) -> Any:
        """A setting: the task's own, that of the conversion, or a parameter."""
        return self.own.get(name, Setting(name))

    def _own_settings(self) -> dict[str, Any]:
        own = (self.task.executor_config or {}).get("sagemaker", {})
        if wrong := sorted(set(own) - set(_OWN_SETTINGS)):
            known = ", ".join(_OWN_SETTINGS)
            self.note("SMP202", f"{', '.join(wrong)}: there are {known}", "executor_config.sagemaker")
        return dict(own)

    # The code

    def _take(self, function: Any) -> None:
        """Pack a callable, and find out what it reads."""
        self.pack = pack(function, folders(self.task.dag), served=not self.with_airflow)
        options = getattr(self.task, "op_kwargs", None) or {}
        positional = len(getattr(self.task, "op_args", None) or ())
        self.reads = callables.reads(self.pack.code, self.pack.function, options, positional)
        for code, message in (*self.pack.problems, *self.reads.problems):
            self.note(code, message, "python_callable")
        if self.pack.modules:
            self.note("SMP716", ", ".join(self.pack.modules), "python_callable")
        if self.reads.xcoms is None:
            self.note("SMP656", "it pulls XComs of tasks that its source does not name", "python_callable")
        if callables.raises_skip(self.pack.code) and self.task.downstream_task_ids:
            self.note("SMP652", "its code raises AirflowSkipException", "python_callable")
        if call := native_call(self.pack.code):
            self.note("SMP719", f"it calls {call.call} and otherwise only waits: {call}", "python_callable")
        if self.with_airflow and set(self.reads.variables):
            self.note("SMP223", "Variables are known to a running Airflow only", "python_callable")

    @property
    def trivial(self) -> bool:
        """Whether the task only prints or does nothing."""
        return self.kind == "python" and self.pack is not None and callables.is_trivial(self.pack.function)

    # The step

    def name_run(self, *texts: Any) -> None:
        """Give the environment what Airflow tells about the run there, where a text reads it."""
        code = self.pack.files.values() if self.pack else ()
        every = [*map(str, texts), *(item.decode("utf-8", "replace") for item in code)]
        read = {key: value for key, value in _OF_THE_RUN.items() if any(re.search(rf"{key}\b", item) for item in every)}
        if read:
            self.fields["environment"] = {**self.fields.get("environment", {}), **read}

    def step(self) -> TaskStep:
        """The Processing step; it is built when it is known what the task's values become."""
        return TaskStep(
            "Processing",
            {},
            xcom=_where,
            build=self.build,
            carries=("retries", "execution_timeout", "executor_config"),
            findings=tuple(self.findings),
        )

    def _limit(self) -> int | None:
        """Seconds after which the job is stopped: what all attempts may take."""
        task = self.task
        each = task.timeout if self.kind == "sensor" else 0
        if task.execution_timeout:
            each = task.execution_timeout.total_seconds()
        waits = sum(delays(self.retrying()))
        if not each and waits:
            each = _SERVICE_LIMIT
        if not each:
            return None
        return min(int(each * (task.retries + 1) + waits) + _START_SECONDS, _MOST_SECONDS)

    def retrying(self) -> dict[str, Any]:
        """How the task is tried again, as members of ``task.json``."""
        task = self.task
        if not task.retries:
            return {}
        backoff = task.retry_exponential_backoff
        multiplier = 2 if backoff is True else float(backoff or 1)
        longest = task.max_retry_delay.total_seconds() if task.max_retry_delay else None
        found = {"retries": task.retries, "retry_delay": task.retry_delay.total_seconds()}
        if multiplier != 1:
            found |= {"retry_multiplier": multiplier, "max_retry_delay": min(longest or 86_400, 86_400)}
        return found

    def build(self, values: Values) -> TaskStep:
        """The step with its arguments and files."""
        found: list[Finding] = []

        def note(code: str, message: str, place: str = "") -> None:
            found.append(finding(code, message, task=self.task.task_id, place=place))

        native = bool(getattr(self.task.dag, "render_template_as_native_obj", False))
        ids = {"dag_id": self.task.dag.dag_id, "task_id": self.task.task_id}
        writer = TaskValues(values, ids=ids, params=self.task.params, native=native, file=template_file(self.task))

        def written(make: Callable[[], Any], place: str) -> Any:
            try:
                return make()
            except UntranslatableError as error:
                note(error.code, str(error), place)
                return None

        members = {
            name: written(lambda name=name, value=value: writer.write(value, name), name)  # type: ignore[misc]
            for name, value in self.fields.items()
        }
        task = {
            "kind": self.kind,
            **ids,
            "context": list(self.reads.context),
            **self.constants,
            **self.retrying(),
            **{key: value for key, value in members.items() if value is not None},
            "facts": self._facts(writer, note),
            "given": self._given_values(writer, written, note),
            "variables": self._variables(writer, written),
        }
        self._upstream(writer, written)
        task_id, _, index = values.task_id.rpartition("--")
        if task_id == self.task.task_id and index.isdigit():  # one of several of a mapped task
            task["map_index"] = int(index)
        if writer.requirements:
            venv = task.get("venv") or {"requirements": [], "system_site_packages": True}
            task["venv"] = {**venv, "requirements": sorted({*venv["requirements"], *writer.requirements})}
            note("SMP653", f"{', '.join(sorted(writer.requirements))}, to render templates")
        task["upstream"] = writer.upstream
        if self.task.execution_timeout:
            task["execution_timeout"] = self.task.execution_timeout.total_seconds()
        if isinstance(values.around.steps[values.task_id].loop_over, LoopIndexes):
            task["map_index"] = writer.variable(writer.rewritten(LoopItem(), "map_index"), "Integer")
        if is_looped_over(self.task):
            task["looped_over"] = True
        for name, message in self._names_of_others(values):
            note("SMP693", f"it asks by {name}; {message}", "python_callable")
        if not self.task.downstream_task_ids:
            task["skip"] = "succeed"
        for code, message in writer.problems():
            note(code, message)
        if any(_unbounded(item) for item in writer.variables):
            note("SMP651", f"{len(writer.variables)} values go through the environment of the job")
        files = self._files({key: value for key, value in task.items() if value not in ({}, [])})
        address = _address(files)
        return replace(
            values.around.steps[values.task_id],
            arguments=_merged(self._request(writer, address), self.own.get("request") or {}),
            members={"PropertyFiles": self._property_files()},
            assets={f"{address}/{path}": content for path, content in files.items()},
            findings=(*self.findings, *found),
        )

    def _given_values(self, writer: TaskValues, written: Any, note: Any) -> dict[str, Any]:
        """What the context is made of: params, the run id, dates."""
        asked, given = set(self.reads.context), {}
        if "params" in asked:
            given["params"] = self._params(self.reads.params, writer, written, note)
        if "dag_run" in asked and self.reads.conf != {}:
            given["conf"] = self._conf(writer, written, note)
        dates = [*contexts.INTERVAL, *(["logical_date"] if asked & set(contexts.DATES) else [])]
        for key in ("run_id", *dates):
            if key in asked or key == "logical_date":
                given[key] = written(lambda key=key: writer.expression(writer.rewritten(f"{{{{ {key} }}}}", key)), key)
        return given

    def _names_of_others(self, values: Values) -> Iterator[tuple[str, str]]:
        """The names that the code makes of text, of things of a kind that a task before it makes; and whose they may be."""
        names = list(own_names(self.pack.code if self.pack else ()))
        before = self.task.get_flat_relative_ids(upstream=True) if names else ()
        kinds: dict[str, list[str]] = {}
        for node, step in values.around.steps.items():
            if node in before or node.rpartition("--")[0] in before:
                kinds.setdefault(step.type, []).append(node)
        for kind, member, text in names:
            if kind in kinds:
                makers = ", ".join(map(repr, kinds[kind]))
                yield f"{member}={text}", f"the service names what {makers} makes"

    def _facts(self, writer: TaskValues, note: Any) -> dict[str, Any]:
        """What the DAG file says of the attributes that the code reads."""
        starter = writer.values.around.starter
        task = self.task if starter is None else starter.dag.get_task(self.task.task_id)
        found, missing = facts(task, self.reads.attributes, writer.constant)
        for name in missing:
            note("SMP224", f"it reads {name}", "python_callable")
        tries = {"try_number", "max_tries"} & self.reads.attributes.get("ti", set())
        for name in sorted(tries if starter is not None else ()):
            note("SMP824", f"it reads ti.{name}", "python_callable")
        return found

    def _params(self, names: Iterable[str] | None, writer: TaskValues, written: Any, note: Any) -> dict[str, Any]:
        params = self.task.params
        found = {}
        for name in sorted(params if names is None else names):
            if name not in params:
                continue  # what the code does without it, it does in Airflow too
            value = params[name]
            if isinstance(value, (list, dict)):
                note("SMP657", f"the param {name!r} is a {type(value).__name__}, which no parameter can be", "params")
                found[name] = written(lambda value=value: writer.constant(value, f"params.{name}"), "params")  # noqa: B023
            else:
                found[name] = written(
                    lambda name=name: writer.expression(writer.rewritten(f"{{{{ params[{name!r}] }}}}", "params")),
                    "params",
                )
        return found

    def _conf(self, writer: TaskValues, written: Any, note: Any) -> dict[str, Any]:
        if self.reads.conf is None:
            note("SMP658", "which keys of the run's conf it reads is not known; it gets every param", "python_callable")
            return self._params(None, writer, written, note)
        found = {}
        for name, default in sorted(self.reads.conf.items()):
            text = (
                f"dag_run.conf.get({name!r}, {default!r})"
                if callables.has_default(default)
                else f"dag_run.conf[{name!r}]"
            )
            found[name] = written(
                lambda text=text: writer.expression(writer.rewritten(f"{{{{ {text} }}}}", "dag_run.conf")),
                "dag_run.conf",
            )
        return found

    def _variables(self, writer: TaskValues, written: Any) -> dict[str, Any]:
        found = {}
        for name, default in sorted(self.reads.variables.items()):
            with_default = f", {default!r}" if callables.has_default(default) else ""
            text = f"{{{{ var.value.get({name!r}{with_default}) }}}}"
            found[name] = written(lambda text=text: writer.expression(writer.rewritten(text, "Variable")), "Variable")
        return found

    def _upstream(self, writer: TaskValues, written: Any) -> None:
        """Give the job the XComs that the code pulls."""
        if self.reads.xcoms is not None:
            for task_id, key in self.reads.xcoms:
                if task_id != self.task.task_id:
                    written(lambda task_id=task_id, key=key: writer.need(task_id, key), "xcom_pull")
            return
        for task_id in sorted(self.task.get_flat_relative_ids(upstream=True)):
            try:
                writer.need(task_id)
            except UntranslatableError:
                continue  # it becomes no step, or not in every branch; pulling from it fails with a clear message

    def _files(self, task: Mapping[str, Any]) -> dict[str, bytes]:
        files = {
            **PROGRAM,
            "task.json": (json.dumps(task, indent=1) + "\n").encode(),
        }
        return dict(sorted({**files, **(self.pack.files if self.pack else {})}.items()))

    def _request(self, writer: TaskValues, address: str) -> dict[str, Any]:
        inputs = [_input("code", Setting("code_location", f"/{address}"), CODE)]
        inputs += [_input(name, uri, f"/opt/ml/processing/input/{name}") for name, uri in writer.inputs]
        looped = isinstance(writer.values.around.steps[writer.values.task_id].loop_over, LoopIndexes)
        item = [writer.values.rewrite(LoopItem(), XCOM)] if looped else []
        output = {
            "OutputName": XCOM,
            "S3Output": {
                "S3Uri": writer.place(writer.values.task_id, *item, "out"),
                "LocalPath": "/opt/ml/processing/output/xcom",
                "S3UploadMode": "EndOfJob",
            },
        }
        environment = {f"AIRFLOW_VALUE_{number}": item for number, item in enumerate(writer.variables, 1)}
        limit = self._limit()
        return {
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": self.setting("instance_type"),
                    "InstanceCount": 1,
                    "VolumeSizeInGB": self.setting("volume_size_in_gb"),
                }
            },
            "AppSpecification": {
                "ImageUri": self.setting("image"),
                "ContainerEntrypoint": ["python3", f"{CODE}/airflow_task/run.py"],
            },
            "RoleArn": self.setting("role"),
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"Outputs": [output]},
            **({"Environment": environment} if environment else {}),
            **({"StoppingCondition": {"MaxRuntimeInSeconds": limit}} if limit else {}),
        }

    def _property_files(self) -> tuple[PropertyFile, ...]:
        files = [PropertyFile(XCOM, XCOM, "xcom.json")]
        if "decisions" in self.constants:
            files.append(PropertyFile(DECISIONS, XCOM, "decisions.json"))
        if is_looped_over(self.task):
            files.append(PropertyFile(LOOP_INDEXES, XCOM, "indexes.json"))
        return tuple(files)


def _where(key: str, path: tuple[Any, ...]) -> XComFile:
    """The file that has an XCom of a task."""
    return XComFile(DECISIONS, path) if key == DECISIONS else XComFile(XCOM, (key, *path))


def _input(name: str, uri: Any, path: str) -> dict[str, Any]:
    source = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": source}


def _unbounded(value: Any) -> bool:
    """Whether a value may be longer than an environment variable of a job."""
    return getattr(value, "scope", "") != "Execution"


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two objects as one; where both have something, that of ``above``."""
    found = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found


def _address(files: Mapping[str, bytes]) -> str:
    """Where files are kept: a folder that is called after their content."""
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        total.update(f"{path}\0{len(content)}\0".encode() + content)
    return f"code/{total.hexdigest()[:16]}"


def folders(dag: Any) -> list[Path]:
    """The folders whose modules a DAG file can import in Airflow and which go with its tasks."""
    from airflow.providers.common.compat.sdk import conf

    known = [Path(dag.fileloc).parent, *(Path(conf.get("core", name)) for name in ("dags_folder", "plugins_folder"))]
    return [folder for folder in dict.fromkeys(known) if folder.is_dir()]
