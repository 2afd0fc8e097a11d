"""Python and Bash tasks as Processing steps, and the conditions that read what they decide."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sagemaker_provider.translator import callables, templates
from sagemaker_provider.translator.callables import Reads
from sagemaker_provider.translator.companions import secret_in
from sagemaker_provider.translator.names import clean
from sagemaker_provider.translator.python_jobs import DECISIONS, Job
from sagemaker_provider.translator.registry import Given, Steps, TaskStep, Translation, Vanishes, node_id, translates
from sagemaker_provider.translator.syntax import Code
from sagemaker_provider.translator.task_values import template_file
from sagemaker_provider.translator.templates import UntranslatableError

_ASSIGNMENT: Final = re.compile(r"""\b([A-Za-z_]\w*)=('[^'${]+'|"[^"$`{]+"|[^\s'"$`({;]+)""")
"""A variable of Bash that gets a text."""

EXIT_99: Final = re.compile(r"\bexit\b.*\b99\b")
"""A command that ends with the code on which a Bash task is skipped by default."""


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


# Translators


def _python_fields(job: Job) -> None:
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


def _made(job: Job) -> Translation:
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
    job = Job(task, given, "python", task.python_callable)
    _python_fields(job)
    return _made(job)


@translates(*_VIRTUALENV)
def virtualenv(task: Any, given: Given) -> Translation:
    """A call of a function in an environment of its own."""
    job = Job(task, given, "python", task.python_callable)
    _python_fields(job)
    _environment(job)
    return _made(job)


def _environment(job: Job) -> None:
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


def _venv(job: Job) -> dict[str, Any]:
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


def _exit_codes(job: Job) -> None:
    codes = job.task.skip_on_exit_code
    if not isinstance(codes, (list, tuple, set, frozenset, range)):
        job.note("SMP202", "its members are not known", "skip_on_exit_code")
        return
    job.constants["skip_on_exit_code"] = sorted(codes)


@translates(*_SENSOR)
def sensor(task: Any, given: Given) -> Translation:
    """A call that is repeated until it gives something true."""
    job = Job(task, given, "sensor", task.python_callable)
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
    job = Job(task, given, "bash", function or processor)
    if job.pack is not None:
        _python_fields(job)
    if processor is not None:
        job.constants["output_processor"] = True
    if function is None:
        job.fields["bash_command"] = task.bash_command
    for name, value in _ASSIGNMENT.findall(task.bash_command if isinstance(task.bash_command, str) else ""):
        if secret_in(name, value.strip("'\"")):
            job.note("SMP222", f"the command gives a value to {name!r}", "bash_command")
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
        known = job.constants.get("skip_on_exit_code")
        said = _texts(job.pack.code) if function is not None and job.pack else [str(task.bash_command)]
        if task.downstream_task_ids and (known != [99] or any(map(EXIT_99.search, said))):
            job.note("SMP652", f"it is skipped on the exit codes {known}", "skip_on_exit_code")
    return job.step()


@translates(*_SHORT_CIRCUIT)
def short_circuit(task: Any, given: Given) -> Translation:
    """A function that says whether what follows runs: its step, and a condition that reads its answer."""
    job = Job(task, given, "short_circuit", task.python_callable)
    _python_fields(job)
    if not task.downstream_task_ids:
        return job.step()
    job.constants["decisions"] = ["proceed"]
    after = [task.dag.get_task(name) for name in sorted(task.get_flat_relative_ids(upstream=False))]
    if teardowns := [item.task_id for item in after if getattr(item, "is_teardown", False)]:
        job.note("SMP659", f"{', '.join(teardowns)} after it")
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
    job = Job(task, given, "branch", task.python_callable)
    _python_fields(job)
    return _branches(job)


@translates(*_BRANCH_VIRTUALENV)
def branch_virtualenv(task: Any, given: Given) -> Translation:
    """The same, in an environment of its own."""
    job = Job(task, given, "branch", task.python_callable)
    _python_fields(job)
    _environment(job)
    return _branches(job)


def _branches(job: Job) -> Translation:
    task = job.task
    options = _options(job)
    choices = _choices(task, options)
    answers = callables.answers(job.pack.function if job.pack else None)
    exclusive = answers.single and all(len(found) <= 1 for found in choices.values())
    always = exclusive and answers.always and len(options) > 1 and all(choices.get(text) for text in answers.texts)
    job.constants |= {
        "choices": choices,
        "decisions": list(options),
        "exclusive": exclusive,
        "always": always,
    }
    if not options:
        return job.step()
    keys = list(options)[:-1] if always else list(options)
    steps = {"": job.step()}
    exits: dict[str, str] = {}
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


def _options(job: Job) -> dict[str, tuple[str, ...]]:
    """What a branch can choose: key of the decision -> tasks directly after it. The tasks of a group that it names are one."""
    task = job.task
    left = sorted(task.downstream_task_ids)
    options: dict[str, tuple[str, ...]] = {}
    names = _texts(job.pack.code if job.pack else ())
    for group_id, group in sorted(task.dag.task_group.get_task_group_dict().items(), key=lambda item: str(item[0])):
        roots = sorted(root.task_id for root in group.get_roots()) if group_id in names else []
        if roots and set(roots) <= set(left):
            options[clean(str(group_id))] = tuple(roots)
            left = [name for name in left if name not in roots]
    for name in left:
        key = clean(name)
        options[key if key not in options else f"{key}-{len(options)}"] = (name,)
    return options


def _texts(every: Iterable[Code]) -> set[str]:
    nodes = (node for code in every for node in code.nodes)
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
