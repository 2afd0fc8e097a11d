"""Python and Bash tasks as Processing steps: the task's code is packed, and a program in the container runs it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sagemaker_provider.definition.expressions import execution_variable
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import PropertyFile
from sagemaker_provider.translator import callables, task_attempt, task_runs, templates
from sagemaker_provider.translator.callables import Reads
from sagemaker_provider.translator.names import clean
from sagemaker_provider.translator.packing import Pack, pack
from sagemaker_provider.translator.registry import (
    Given,
    Setting,
    Steps,
    TaskStep,
    Translation,
    Vanishes,
    XComFile,
    node_id,
    translates,
)
from sagemaker_provider.translator.task_values import XCOM, TaskValues, template_file
from sagemaker_provider.translator.templates import UntranslatableError
from sagemaker_provider.translator.values import Values

CODE: Final = "/opt/ml/processing/input/code"
DECISIONS: Final = "decisions"
"""Property file with what a task decided, and the key by which conditions read it like an XCom."""
_START_SECONDS: Final = 600
"""What a job may need before and after the attempts of its task: for its packages, for instance."""
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


_OF_THE_RUN: Final = {
    "AIRFLOW_CTX_DAG_RUN_ID": "{{ run_id }}",
    "AIRFLOW_CTX_LOGICAL_DATE": "{{ ts }}",
    "AIRFLOW_CTX_EXECUTION_DATE": "{{ ts }}",
}
"""What Airflow tells a task about its run in the environment."""


def _classes(*names: str) -> tuple[str, ...]:
    """Operators by their names in the standard provider, and in Airflow 2 itself."""
    return tuple(f"airflow.{place}{name}" for name in names for place in ("providers.standard.", ""))


_PYTHON: Final = _classes("operators.python.PythonOperator", "decorators.python._PythonDecoratedOperator")
_BRANCH: Final = _classes(
    "operators.python.BranchPythonOperator", "decorators.branch_python._BranchPythonDecoratedOperator"
)
_SHORT_CIRCUIT: Final = _classes(
    "operators.python.ShortCircuitOperator", "decorators.short_circuit._ShortCircuitDecoratedOperator"
)
_VIRTUALENV: Final = _classes(
    "operators.python.PythonVirtualenvOperator",
    "operators.python.ExternalPythonOperator",
    "decorators.python_virtualenv._PythonVirtualenvDecoratedOperator",
    "decorators.external_python._PythonExternalDecoratedOperator",
)
_BRANCH_VIRTUALENV: Final = _classes(
    "operators.python.BranchPythonVirtualenvOperator",
    "operators.python.BranchExternalPythonOperator",
    "decorators.branch_virtualenv._BranchPythonVirtualenvDecoratedOperator",
    "decorators.branch_external_python._BranchExternalPythonDecoratedOperator",
)
_SENSOR: Final = _classes("sensors.python.PythonSensor", "decorators.sensor.DecoratedSensorOperator")
_BASH: Final = _classes("operators.bash.BashOperator", "decorators.bash._BashDecoratedOperator")


class _Job:
    """One task on its way to a Processing step.

    :param task: the operator.
    :param kind: key of :data:`.task_attempt.KINDS`.
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
        self.reads = callables.reads(self.pack.trees, self.pack.function, options, positional)
        for code, message in (*self.pack.problems, *self.reads.problems):
            self.note(code, message, "python_callable")
        if self.pack.modules:
            self.note("SMP716", ", ".join(self.pack.modules), "python_callable")
        if self.reads.xcoms is None:
            self.note("SMP656", "it pulls XComs of tasks that its source does not name", "python_callable")
        if callables.raises_skip(self.pack.trees) and self.task.downstream_task_ids:
            self.note("SMP652", "its code raises AirflowSkipException", "python_callable")
        if call := callables.native_call(self.pack.trees):
            operator = callables.operator_for(call)
            self.note(
                "SMP719", f"it calls {call} and otherwise only waits: {operator} does the same", "python_callable"
            )
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
        limit = self._limit()
        return TaskStep(
            "Processing",
            {"StoppingCondition": {"MaxRuntimeInSeconds": limit}} if limit else {},
            xcom=_where,
            build=self.build,
            carries=("retries", "executor_config"),
            findings=tuple(self.findings),
        )

    def _limit(self) -> int | None:
        """Seconds after which the job is stopped: what all attempts may take."""
        task = self.task
        each = task.timeout if self.kind == "sensor" else 0
        if task.execution_timeout:
            each = task.execution_timeout.total_seconds()
        if not each:
            return None
        waits = sum(task_runs.delays(self.retrying()))
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
        writer = TaskValues(values, native=native, file=template_file(self.task))

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
            "dag_id": self.task.dag.dag_id,
            "task_id": self.task.task_id,
            "context": list(self.reads.context),
            **self.constants,
            **self.retrying(),
            **{key: value for key, value in members.items() if value is not None},
            "given": self._given_values(writer, written, note),
            "variables": self._variables(writer, written),
        }
        self._upstream(writer, values, written)
        task["upstream"] = writer.upstream
        if self.task.execution_timeout:
            task["execution_timeout"] = self.task.execution_timeout.total_seconds()
        if not self.task.downstream_task_ids:
            task["skip"] = "succeed"
        for code, message in writer.problems():
            note(code, message)
        if any(_unbounded(item) for item in writer.variables):
            note("SMP651", f"{len(writer.variables)} values go through the environment of the job")
        files = self._files({key: value for key, value in task.items() if value not in ({}, [])})
        address = _address(files)
        return TaskStep(
            "Processing",
            _merged(self._request(writer, address), self.own.get("request") or {}),
            {"PropertyFiles": self._property_files()},
            xcom=_where,
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
        dates = [*task_attempt.INTERVAL, *(["logical_date"] if asked & set(task_attempt.DATES) else [])]
        for key in ("run_id", *dates):
            if key in asked or key == "logical_date":
                given[key] = written(lambda key=key: writer.expression(writer.rewritten(f"{{{{ {key} }}}}", key)), key)
        return given

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

    def _upstream(self, writer: TaskValues, values: Values, written: Any) -> None:
        """Give the job the XComs that the code pulls."""
        if self.reads.xcoms is not None:
            for task_id in self.reads.xcoms:
                if task_id != self.task.task_id:
                    written(lambda task_id=task_id: writer.need(task_id), "xcom_pull")
            return
        for task_id in sorted(self.task.get_flat_relative_ids(upstream=True)):
            try:
                writer.need(task_id)
            except UntranslatableError:
                continue  # it becomes no step, or not in every branch; pulling from it fails with a clear message

    def _files(self, task: Mapping[str, Any]) -> dict[str, bytes]:
        files = {
            "run.py": Path(task_runs.__file__).read_bytes(),
            "attempt.py": Path(task_attempt.__file__).read_bytes(),
            "task.json": (json.dumps(task, indent=1, ensure_ascii=False) + "\n").encode(),
        }
        return dict(sorted({**files, **(self.pack.files if self.pack else {})}.items()))

    def _request(self, writer: TaskValues, address: str) -> dict[str, Any]:
        inputs = [_input("code", Setting("code_location", f"/{address}"), CODE)]
        inputs += [_input(name, uri, f"/opt/ml/processing/input/{name}") for name, uri in writer.inputs]
        base = writer.values.rewrite(Setting("code_location"), "code_location")
        place = templates.joined(
            (base, "xcom", execution_variable("PipelineExecutionId"), self.task.task_id, "out"), "/"
        )
        output = {
            "OutputName": XCOM,
            "S3Output": {"S3Uri": place, "LocalPath": "/opt/ml/processing/output/xcom", "S3UploadMode": "EndOfJob"},
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
                "ContainerEntrypoint": ["python3", f"{CODE}/run.py"],
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


# Translators


def _python_fields(job: _Job) -> None:
    """What operators that call Python have in common."""
    task = job.task
    assert job.pack is not None
    job.constants["entry"] = job.pack.entry
    for name in ("op_args", "op_kwargs", "templates_dict"):
        if value := getattr(task, name, None):
            job.fields[name] = list(value) if name == "op_args" else dict(value)
    if getattr(task, "templates_dict", None):
        job.reads = Reads(**{**vars(job.reads), "context": (*job.reads.context, "templates_dict")})
    if getattr(task, "multiple_outputs", False):
        job.constants["multiple_outputs"] = True
    if not task.do_xcom_push:
        job.constants["do_xcom_push"] = False
    if getattr(task, "show_return_value_in_logs", True) is False:
        job.constants["show_return_value"] = False
    if job.with_airflow:
        job.constants["airflow"] = True
    job.name_run()
    if job.requirements:
        job.constants["venv"] = {"requirements": sorted(job.requirements), "system_site_packages": True}
        job.note("SMP653", f"{', '.join(sorted(job.requirements))}", "requirements")


def _made(job: _Job) -> Translation:
    """The step of a job, or nothing where it does nothing that matters."""
    if job.trivial:
        drop = job.own.get("drop_trivial", job.given("drop_trivial"))
        job.note("SMP717", "it only prints or logs" + (", and is dropped" if drop else ""), "python_callable")
        if drop:
            return Vanishes(tuple(job.findings))
    return job.step()


@translates(*_PYTHON)
def python(task: Any, given: Given) -> Translation:
    """A call of a function."""
    job = _Job(task, given, "python", task.python_callable)
    _python_fields(job)
    return _made(job)


@translates(*_VIRTUALENV)
def virtualenv(task: Any, given: Given) -> Translation:
    """A call of a function in an environment of its own."""
    job = _Job(task, given, "python", task.python_callable)
    _python_fields(job)
    _environment(job)
    return _made(job)


def _environment(job: _Job) -> None:
    """The virtual environment of a task."""
    task = job.task
    if hasattr(task, "python"):  # an interpreter that is already there
        message = f"the interpreter {task.python!r} is one of the workers; the task runs with the Python of the image"
        job.note("SMP654", message, "python")
    else:
        job.constants["venv"] = _venv(job)
        listed = ", ".join(job.constants["venv"]["requirements"])
        job.note("SMP653", listed or "the virtual environment has no packages of its own", "requirements")
    if task.skip_on_exit_code:
        _exit_codes(job)
    if task.string_args:
        job.fields["string_args"] = [str(item) for item in task.string_args]
    if getattr(task, "env_vars", None):
        job.fields["environment"] = {**job.fields.get("environment", {}), **task.env_vars}
    if getattr(task, "inherit_env", True) is False:
        job.constants["inherit_env"] = False


def _venv(job: _Job) -> dict[str, Any]:
    task = job.task
    listed: list[str] = []
    content = template_file(task)
    for item in task.requirements:
        try:
            listed += (content(item) or item).splitlines()
        except UntranslatableError as error:
            job.note(error.code, str(error), "requirements")
    if any(templates.is_template(item) for item in listed):
        job.note("SMP225", "a template in the requirements", "requirements")
    options = list(task.pip_install_options or ())
    for number, url in enumerate(getattr(task, "index_urls", None) or ()):
        options += ["--extra-index-url" if number else "--index-url", url]
    if any("@" in item.partition("://")[2] for item in (*options, *listed)):
        job.note("SMP222", "an index or a requirement has a user name in its URL", "index_urls")
    if getattr(task, "index_urls_from_connection_ids", None):
        job.note(
            "SMP223", "index_urls_from_connection_ids needs Airflow's connections", "index_urls_from_connection_ids"
        )
    venv = {
        "requirements": sorted({*(item.strip() for item in listed), *job.requirements} - {""}),
        "system_site_packages": bool(task.system_site_packages),
    }
    if options:
        venv["pip_options"] = options
    if task.python_version:
        venv["python_version"] = task.python_version
        job.note("SMP654", f"the image must have Python {task.python_version}", "python_version")
    return venv


def _exit_codes(job: _Job) -> None:
    codes = job.task.skip_on_exit_code
    if not isinstance(codes, (list, tuple, set, frozenset, range)):
        job.note("SMP202", "its members are not known", "skip_on_exit_code")
        return
    job.constants["skip_on_exit_code"] = sorted(codes)


@translates(*_SENSOR)
def sensor(task: Any, given: Given) -> Translation:
    """A call that is repeated until it gives something true."""
    job = _Job(task, given, "sensor", task.python_callable)
    _python_fields(job)
    job.constants |= {"poke_interval": task.poke_interval, "timeout": task.timeout}
    if task.soft_fail:
        job.constants["soft_fail"] = True
    if task.exponential_backoff:
        job.note("SMP202", "the waits between calls do not grow", "exponential_backoff")
    return job.step()


@translates(*_BASH)
def bash(task: Any, given: Given) -> Translation:
    """A command, or a function that gives one."""
    function = getattr(task, "python_callable", None)
    processor = getattr(task, "output_processor", None)
    if processor is not None and getattr(processor, "__module__", "").startswith("airflow."):
        processor = None
    if function is not None and processor is not None:
        raise ValueError("output_processor together with a function that gives the command")
    job = _Job(task, given, "bash", function or processor)
    if job.pack is not None:
        _python_fields(job)
    if processor is not None:
        job.constants["output_processor"] = True
    if function is None:
        job.fields["bash_command"] = task.bash_command
    if task.env is not None:
        job.fields["env"] = dict(task.env)
    job.name_run(task.bash_command, task.env)
    if task.append_env:
        job.constants["append_env"] = True
    if task.cwd is not None:
        job.fields["cwd"] = task.cwd
    if task.output_encoding != "utf-8":
        job.constants["output_encoding"] = task.output_encoding
    if not task.do_xcom_push:
        job.constants["do_xcom_push"] = False
    if task.skip_on_exit_code:
        _exit_codes(job)
        if task.skip_on_exit_code != [99] and task.downstream_task_ids:
            job.note(
                "SMP652",
                f"it is skipped on the exit codes {job.constants.get('skip_on_exit_code')}",
                "skip_on_exit_code",
            )
    return job.step()


@translates(*_SHORT_CIRCUIT)
def short_circuit(task: Any, given: Given) -> Translation:
    """A function that says whether what follows runs: its step, and a condition that reads its answer."""
    job = _Job(task, given, "short_circuit", task.python_callable)
    _python_fields(job)
    if not task.downstream_task_ids:
        return job.step()
    job.constants["decisions"] = ["proceed"]
    condition = TaskStep(
        "Condition",
        {"Conditions": [_is_true(task.task_id, "proceed")]},
        branches={"IfSteps": tuple(sorted(task.downstream_task_ids)), "ElseSteps": ()},
        short_circuit=bool(task.ignore_downstream_trigger_rules),
        xcom=lambda key, path: None,
    )
    return Steps({"": job.step(), "proceed": condition})


@translates(*_BRANCH)
def branch(task: Any, given: Given) -> Translation:
    """A function that chooses among the tasks after it: its step, and conditions that read its choice."""
    job = _Job(task, given, "branch", task.python_callable)
    _python_fields(job)
    return _branches(job)


@translates(*_BRANCH_VIRTUALENV)
def branch_virtualenv(task: Any, given: Given) -> Translation:
    """The same, in an environment of its own."""
    job = _Job(task, given, "branch", task.python_callable)
    _python_fields(job)
    _environment(job)
    return _branches(job)


def _branches(job: _Job) -> Translation:
    task, function = job.task, job.pack.function if job.pack else None
    options = _options(job)
    overlapping = any(
        set(first) & _after(task, second)
        for first in options.values()
        for second in options.values()
        if first != second
    )
    exclusive = not (callables.returns_several(function) or overlapping)
    always = exclusive and len(options) > 1 and callables.always_returns_text(function)
    job.constants |= {
        "choices": _choices(task, options),
        "decisions": list(options),
        "exclusive": exclusive,
        "always": always,
    }
    if not options:
        return job.step()
    keys = list(options)[:-1] if always else list(options)
    steps = {"": job.step()}
    exits = {}
    for number, key in enumerate(keys, 1):
        otherwise: tuple[str, ...] = ()
        if exclusive and number < len(keys):
            otherwise = (node_id(task.task_id, f"branch-{number + 1}"),)
        elif always:
            otherwise = options[list(options)[-1]]
        steps[f"branch-{number}"] = TaskStep(
            "Condition",
            {"Conditions": [_is_true(task.task_id, key)]},
            branches={"IfSteps": options[key], "ElseSteps": otherwise},
            xcom=lambda key, path: None,
        )
        exits |= dict.fromkeys((*options[key], *otherwise), f"branch-{number}")
    exits = {name: suffix for name, suffix in exits.items() if name in task.downstream_task_ids}
    edges = None if exclusive else tuple(("", f"branch-{number}") for number in range(1, len(keys) + 1))
    return Steps(steps, edges, exits)


def _options(job: _Job) -> dict[str, tuple[str, ...]]:
    """What a branch can choose: key of the decision -> tasks directly after it. The tasks of a group that it names are one."""
    task = job.task
    left = sorted(task.downstream_task_ids)
    options: dict[str, tuple[str, ...]] = {}
    names = _texts(job.pack.trees if job.pack else ())
    for group_id, group in sorted(task.dag.task_group.get_task_group_dict().items(), key=lambda item: str(item[0])):
        roots = sorted(root.task_id for root in group.get_roots()) if group_id in names else []
        if roots and set(roots) <= set(left):
            options[clean(str(group_id))] = tuple(roots)
            left = [name for name in left if name not in roots]
    for name in left:
        key = clean(name)
        options[key if key not in options else f"{key}-{len(options)}"] = (name,)
    return options


def _texts(trees: Iterable[Any]) -> set[str]:
    import ast

    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _after(task: Any, names: Iterable[str]) -> set[str]:
    return {other for name in names for other in task.dag.get_task(name).get_flat_relative_ids(upstream=False)}


def _choices(task: Any, options: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """For what a branch may return, the options that Airflow then follows: those named, and those after them."""
    groups = task.dag.task_group.get_task_group_dict()
    below = {name: {name} | _after(task, [name]) for name in sorted(task.get_flat_relative_ids(upstream=False))}
    roots = {str(name): [root.task_id for root in group.get_roots()] for name, group in groups.items() if name}
    for name, inner in sorted(roots.items()):
        if inner and set(inner) <= set(below):
            below[name] = {other for root in inner for other in below[root]}
    return {
        name: [key for key, tasks in options.items() if set(tasks) & reached] for name, reached in sorted(below.items())
    }


def _is_true(task_id: str, key: str) -> dict[str, Any]:
    value = f"{{{{ ti.xcom_pull(task_ids={task_id!r}, key={DECISIONS!r})[{key!r}] }}}}"
    return {"Type": "Equals", "LeftValue": value, "RightValue": True}
