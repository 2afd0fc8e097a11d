"""DAGs written for Airflow 1 and 2, and for modules that are not installed, on the Airflow that runs.

Everything here happens in the process of one file, and only for what the user's code asks for: imports of libraries
among themselves stay as they are.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import wraps
from types import ModuleType
from typing import Any, Final

from sagemaker_provider.translator.inputs import Inputs
from sagemaker_provider.translator.loading import Loading
from sagemaker_provider.translator.static import guarded_lines
from sagemaker_provider.translator.stubs import Stubs, Unknown, operator

_OPERATORS: Final = ("airflow.providers.standard.operators.{0}", "airflow.operators.{0}")
_SENSORS: Final = ("airflow.providers.standard.sensors.{0}", "airflow.sensors.{0}")
_AMAZON: Final = "airflow.providers.amazon.aws"
_SERVICES: Final = "sagemaker|emr|s3|sns|sqs|glue|athena|batch|ecs|redshift_cluster|redshift|step_function|ec2|rds|dms"
_SDK: Final = ("airflow.sdk", "airflow.providers.common.compat.sdk")

MOVED: Final[Mapping[str, tuple[str, ...]]] = {
    r"airflow\.operators\.dummy(?:_operator)?": tuple(name.format("empty") for name in _OPERATORS),
    r"airflow\.operators\.dagrun_operator": tuple(name.format("trigger_dagrun") for name in _OPERATORS),
    r"airflow\.operators\.branch_operator": (*_SDK, "airflow.operators.branch"),
    r"airflow\.operators\.email(?:_operator)?": ("airflow.providers.smtp.operators.smtp", "airflow.operators.email"),
    r"airflow\.operators\.(\w+?)(?:_operator)?": _OPERATORS,
    r"airflow\.providers\.standard\.(operators|sensors)\.(\w+)": ("airflow.{0}.{1}",),
    r"airflow\.operators": (
        *(name.format(word) for word in ("bash", "python", "empty", "trigger_dagrun") for name in _OPERATORS),
        "airflow.providers.smtp.operators.smtp",
        "airflow.operators.email",
    ),
    r"airflow\.(?:operators\.sensors|sensors)": (
        *(name.format(word) for word in ("external_task", "filesystem", "time_delta", "python") for name in _SENSORS),
        f"{_AMAZON}.sensors.s3",
        *_SDK,
    ),
    r"airflow\.sensors\.base(?:_sensor_operator)?": (*_SDK, "airflow.sensors.base"),
    r"airflow\.sensors\.sql(?:_sensor)?": ("airflow.providers.common.sql.sensors.sql",),
    r"airflow\.(?:contrib\.)?(operators|sensors|hooks)\.s3_\w+": (f"{_AMAZON}.{{0}}.s3",),
    r"airflow\.contrib\.sensors\.file_sensor": tuple(name.format("filesystem") for name in _SENSORS),
    r"airflow\.contrib\.sensors\.python_sensor": tuple(name.format("python") for name in _SENSORS),
    r"airflow\.sensors\.(\w+?)(?:_sensor)?": _SENSORS,
    r"airflow\.hooks\.base(?:_hook)?": ("airflow.hooks.base", *_SDK),
    r"airflow\.hooks\.S3_hook": (f"{_AMAZON}.hooks.s3",),
    rf"airflow\.contrib\.(operators|sensors|hooks)\.(?:aws_)?({_SERVICES})(?:_\w+)?": (f"{_AMAZON}.{{0}}.{{1}}",),
    r"airflow\.contrib\.(operators|sensors|hooks)\.awsbatch_operator": (f"{_AMAZON}.{{0}}.batch",),
    r"airflow\.contrib\.hooks\.aws_hook": (f"{_AMAZON}.hooks.base_aws",),
    r"airflow\.(?:contrib|providers\.amazon\.aws)\.(operators|sensors|hooks)\.aws_lambda\w*": (
        f"{_AMAZON}.{{0}}.lambda_function",
    ),
    rf"airflow\.providers\.amazon\.aws\.(operators|sensors|hooks)\.(?:aws_)?({_SERVICES})_\w+": (
        f"{_AMAZON}.{{0}}.{{1}}",
    ),
    r"airflow\.providers\.amazon\.aws\.transfers\.s3_copy_object": (f"{_AMAZON}.operators.s3",),
    r"airflow\.(?:utils\.helpers|models\.baseoperator)": (*_SDK, "airflow.models.baseoperator"),
    r"airflow\.utils\.(?:dates|decorators)": (__name__,),
    r"airflow\.datasets": (*_SDK, "airflow.datasets"),
    r"airflow\.utils\.weekday": ("airflow.providers.standard.utils.weekday",),
    r"airflow\.(?:utils\.\w+|models(?:\.\w+)?)": _SDK,
    r"airflow\.sdk": ("airflow.providers.common.compat.sdk", "airflow.decorators", "airflow.models"),
}
"""Module of an earlier (or later) Airflow, as a regular expression -> modules that may have its names here."""

RENAMED: Final[Mapping[str, str]] = {
    "DummyOperator": "EmptyOperator",
    "AWSAthenaOperator": "AthenaOperator",
    "AWSAthenaHook": "AthenaHook",
    "AWSBatchOperator": "BatchOperator",
    "AwsBatchOperator": "BatchOperator",
    "AwsGlueJobOperator": "GlueJobOperator",
    "AWSGlueJobOperator": "GlueJobOperator",
    "AwsGlueJobSensor": "GlueJobSensor",
    "AwsGlueCrawlerOperator": "GlueCrawlerOperator",
    "AwsGlueCrawlerSensor": "GlueCrawlerSensor",
    "AwsLambdaInvokeFunctionOperator": "LambdaInvokeFunctionOperator",
    "AwsHook": "AwsBaseHook",
    "ECSOperator": "EcsRunTaskOperator",
    "EcsOperator": "EcsRunTaskOperator",
    "S3PrefixSensor": "S3KeySensor",
    "SQSPublishOperator": "SqsPublishOperator",
    "SQSSensor": "SqsSensor",
    "Dataset": "Asset",
}
"""Class of an earlier Airflow -> its name now; the rest keep theirs."""

ANSWERED: Final = re.compile(r"(boto3|botocore|aiobotocore|sagemaker|airflow\.(.+\.)?hooks)(\.|$)")
"""Modules that talk to AWS and other services: what the user's code gets of them while it loads is a stand-in."""
_KEPT: Final = ("BaseHook",)

_DAG_ARGUMENTS: Final = {
    "schedule_interval": "schedule",
    "timetable": "schedule",
    "concurrency": "max_active_tasks",
}
_DAG_DROPPED: Final = ("default_view", "orientation", "full_filepath", "sla_miss_callback")
_TASK_ARGUMENTS: Final = {
    "task_concurrency": "max_active_tis_per_dag",
    "xcom_push": "do_xcom_push",
    "execution_date": "logical_date",
    "max_tries": "max_polling_attempts",
    "overrides": "container_overrides",
}
_TASK_DROPPED: Final = ("provide_context", "sla", "python_callable")
_TASK_VALUES: Final = {
    "trigger_rule": {"dummy": "always", "none_failed_or_skipped": "none_failed_min_one_success"},
    "action_if_job_exists": {"increment": "timestamp"},
}
_HARMLESS: Final = ("provide_context", "default_view", "orientation", "full_filepath")
"""Of what is dropped, what did nothing that a pipeline could do."""


def days_ago(n: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> datetime:
    """``airflow.utils.dates.days_ago`` of Airflow 1 and 2: midnight UTC of a day before today."""
    from airflow.utils import timezone

    today = timezone.utcnow().replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
    return today - timedelta(days=n)  # type: ignore[no-any-return]


cron_presets: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
"""``airflow.utils.dates.cron_presets``."""


def apply_defaults(function: Callable[..., Any]) -> Callable[..., Any]:
    """``airflow.utils.decorators.apply_defaults`` of Airflow 1 and 2: operators do this by themselves now."""
    return function


def install(loading: Loading, inputs: Inputs) -> Stubs:
    """Let this process load DAG files of earlier versions of Airflow, with stand-ins for what is missing.

    :param loading: says which code is the user's.
    :param inputs: the values file.
    :return: the stand-ins that were given out.
    """
    stubs = Stubs(loading)
    builtins.__import__ = _Importer(loading, stubs)  # type: ignore[assignment]
    _shim_dags(loading)
    _shim_operators(loading)
    _shim_decorators(stubs)
    _answer_variables(stubs, inputs)
    _answer_connections(stubs, inputs)
    os.environ = _Environment(stubs, inputs)  # type: ignore[assignment]  # noqa: B003 - os.getenv reads it too
    return stubs


class _Importer:
    """``__import__`` for the user's code: it finds what moved, and stands in for what is missing."""

    def __init__(self, loading: Loading, stubs: Stubs) -> None:
        self.loading, self.stubs, self.original = loading, stubs, builtins.__import__

    def __call__(
        self,
        name: str,
        around: Mapping[str, Any] | None = None,
        local: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if not self.loading.own((around or {}).get("__file__")):
            return self.original(name, around, local, fromlist or (), level)
        if not level and ANSWERED.match(name) and not set(fromlist or ()) & set(_KEPT):
            return self._stand_in(name, fromlist)
        try:
            module = self.original(name, around, local, fromlist if level else (), level)
        except ImportError as error:
            return self._missing(name, fromlist, level, error)
        if level or not fromlist:
            return module
        return self._complete(sys.modules.get(name, module), name, fromlist)

    def _complete(self, module: Any, name: str, fromlist: Sequence[str]) -> Any:
        """The module, or one that has the missing names as well."""
        names = _Names(name)
        for item in fromlist:
            if item == "*":
                return self.original(name, {}, {}, ("*",), 0)
            try:
                value = getattr(module, item)
            except (AttributeError, ImportError):
                value = self._submodule(name, item)
            setattr(names, item, value)
        return names

    def _submodule(self, name: str, item: str) -> Any:
        try:
            return importlib.import_module(f"{name}.{item}")
        except ImportError:
            return self._moved_or_unknown(name, item, f"{name} has no {item}")

    def _missing(self, name: str, fromlist: Sequence[str] | None, level: int, error: ImportError) -> Any:
        full = f"{'.' * level}{name}"
        if not fromlist:
            if self._guarded():
                raise error
            self.loading.note("SMP711", f"the module {full} does not import ({error})")
            return self.stubs.value(full.partition(".")[0])
        names = _Names(full)
        for item in fromlist:
            reason = f"the module {full} does not import ({error})"
            setattr(names, item, self._moved_or_unknown(full, item, reason))
        return names

    def _moved_or_unknown(self, module: str, item: str, reason: str) -> Any:
        found = moved(module, item)
        if found is not None:
            self.loading.note("SMP710", f"{module}.{item} is taken from {found[0]}")
            return found[1]
        if self._guarded():
            raise ImportError(reason)
        self.loading.note("SMP711", reason)
        return self.stubs.value(f"{module}.{item}".lstrip("."))

    def _guarded(self) -> bool:
        """Whether the file itself says what to do when the import fails."""
        file, line = self.loading.caller() or ("", 0)
        return line in guarded_lines(file)

    def _stand_in(self, name: str, fromlist: Sequence[str] | None) -> Any:
        if not fromlist:
            return self.stubs.value(name.partition(".")[0])
        names = _Names(name)
        for item in fromlist:
            setattr(names, item, self.stubs.value(f"{name}.{item}"))
        return names


class _Names(ModuleType):
    """What ``from module import names`` reads the names from."""


def moved(module: str, name: str) -> tuple[str, Any] | None:
    """Where a name of another version of Airflow is now.

    :return: its module and the value; ``None`` when it is nowhere.
    """
    patterns = ((re.fullmatch(pattern, module), names) for pattern, names in MOVED.items())
    candidates = [name.format(*match.groups()) for match, names in patterns if match for name in names]
    for target in (module, *candidates):
        for spelling in dict.fromkeys((name, RENAMED.get(name, name))):
            try:
                return target, getattr(importlib.import_module(target), spelling)
            except (ImportError, AttributeError):
                continue
    return None


def _shim_dags(loading: Loading) -> None:
    from airflow.providers.common.compat.sdk import DAG

    original = DAG.__init__
    known = set(inspect.signature(original).parameters)
    positional = ("dag_id", "description", "schedule_interval", "start_date", "end_date")

    @wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.update(zip(positional, args))
        _rewrite(loading, "the DAG", kwargs, known, _DAG_ARGUMENTS, _DAG_DROPPED)
        if "schedule_interval" not in known and "schedule" not in kwargs:
            loading.note("SMP644", "no schedule is given, which is daily in Airflow 1 and 2, and none in Airflow 3")
        original(self, kwargs.pop("dag_id"), **kwargs)

    DAG.__init__ = init


def _shim_operators(loading: Loading) -> None:
    from airflow.providers.common.compat.sdk import BaseOperator

    meta: Any = type(BaseOperator)
    try:
        from airflow.task.trigger_rule import TriggerRule
    except ImportError:
        from airflow.utils.trigger_rule import TriggerRule
    for old, new in _TASK_VALUES["trigger_rule"].items():
        if not hasattr(TriggerRule, old.upper()):
            setattr(TriggerRule, old.upper(), TriggerRule(new))

    def call(cls: Any, *args: Any, **kwargs: Any) -> Any:
        accepted = {
            name
            for base in cls.__mro__
            if "__init__" in vars(base)
            for name in inspect.signature(vars(base)["__init__"]).parameters
        }
        _rewrite(loading, f"the task {kwargs.get('task_id')!r}", kwargs, accepted, _TASK_ARGUMENTS, _TASK_DROPPED)
        for name, values in _TASK_VALUES.items():
            value = kwargs.get(name)
            if isinstance(value, str) and value in values and name in accepted:
                loading.note("SMP710", f"{name}={value!r} of the task {kwargs.get('task_id')!r} is {values[value]!r}")
                kwargs[name] = values[value]
        return type.__call__(cls, *args, **kwargs)

    meta.__call__ = call


def _rewrite(
    loading: Loading,
    whose: str,
    kwargs: dict[str, Any],
    known: set[str],
    renamed: Mapping[str, str],
    dropped: Sequence[str],
) -> None:
    """Give arguments their present names, and drop those that were removed."""
    for old in [name for name in kwargs if name not in known]:
        if renamed.get(old) in known:
            loading.note("SMP710", f"{old} of {whose} is {renamed[old]} now")
            kwargs.setdefault(renamed[old], kwargs.pop(old))
        elif old in dropped:
            code = "SMP710" if old in _HARMLESS else "SMP643"
            loading.note(code, f"{old} of {whose} has no counterpart in this version of Airflow and is dropped")
            del kwargs[old]


def _shim_decorators(stubs: Stubs) -> None:
    """``@task.kubernetes`` and others of providers that are not installed."""
    from airflow.providers.common.compat.sdk import task

    collection: Any = type(task)
    original = collection.__getattr__

    def decorator(name: str) -> Callable[..., Any]:
        base = task.python

        def decorate(function: Any = None, **options: Any) -> Any:
            if function is None:
                return lambda inner: decorate(inner, **options)
            made = base(function)
            unknown = operator(f"airflow.decorators.task.{name}")
            made.operator_class = type(unknown.__name__, (made.operator_class,), {"__module__": unknown.__module__})
            made.operator_class.execute = unknown.execute  # type: ignore[attr-defined]
            return made

        return decorate

    def getattribute(self: Any, name: str) -> Any:
        try:
            return original(self, name)
        except AttributeError:
            if name.startswith("__"):
                raise
            stubs.loading.note("SMP711", f"there is no decorator @task.{name}; its provider is not installed")
            return decorator(name)

    collection.__getattr__ = getattribute


def _answer_variables(stubs: Stubs, inputs: Inputs) -> None:
    """``Variable.get`` from the values file, or a stand-in."""
    classes: list[Any] = []
    for module in ("airflow.models.variable", "airflow.sdk"):
        try:
            classes.append(importlib.import_module(module).Variable)
        except ImportError:
            continue
    for cls in classes:
        original = cls.get

        def get(
            key: str,
            default_var: Any = ...,
            deserialize_json: bool = False,
            default: Any = ...,
            *,
            _original: Any = original,
        ) -> Any:
            if key in inputs.variables:
                return _original(key, deserialize_json=deserialize_json)
            stubs.loading.note("SMP641", f"the Variable {key!r} has no value")
            given = default if default is not ... else default_var
            if deserialize_json:
                return stubs.value(f"Variable {key}")
            return stubs.text(
                Unknown(f"the Variable {key!r}", "variable", key, given if isinstance(given, str) else None)
            )

        cls.get = staticmethod(get)


def _answer_connections(stubs: Stubs, inputs: Inputs) -> None:
    """``BaseHook.get_connection`` from the values file, or a stand-in."""
    from airflow.providers.common.compat.sdk import BaseHook

    original = BaseHook.get_connection

    def get_connection(conn_id: str) -> Any:
        if conn_id in inputs.connections:
            return original(conn_id)
        stubs.loading.note("SMP641", f"the connection {conn_id!r} has no value")
        return stubs.value(f"connection {conn_id}")

    BaseHook.get_connection = staticmethod(get_connection)  # type: ignore[method-assign,assignment]
    BaseHook.get_hook = staticmethod(lambda conn_id, *args, **options: stubs.value(f"hook {conn_id}"))  # type: ignore[method-assign,assignment]


class _Environment(os._Environ):  # type: ignore[type-arg]
    """``os.environ``, with stand-ins for what the user's code reads and nobody has given."""

    def __init__(self, stubs: Stubs, inputs: Inputs) -> None:
        known: Any = os.environ
        super().__init__(known._data, known.encodekey, known.decodekey, known.encodevalue, known.decodevalue)
        self._stubs, self._inputs = stubs, inputs

    def _asked(self) -> bool:
        """Whether the user's code asks, itself or through :func:`os.getenv`."""
        frame: Any = sys._getframe(2)
        while frame and frame.f_code.co_filename in _BETWEEN:
            frame = frame.f_back
        return bool(frame) and self._stubs.loading.own(frame.f_code.co_filename)

    def _stand_in(self, key: str, default: Any) -> Any:
        self._stubs.loading.note("SMP641", f"the environment variable {key!r} has no value")
        scalar = default if isinstance(default, str) else None
        return self._stubs.text(Unknown(f"the environment variable {key!r}", "env", key, scalar))

    def __getitem__(self, key: str) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            if not self._asked():
                raise
            return self._stand_in(key, None)

    def get(self, key: str, default: Any = None) -> Any:
        """The value, a stand-in, or the default."""
        try:
            return super().__getitem__(key)
        except KeyError:
            return self._stand_in(key, default) if self._asked() else default

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key) if not self._asked() else key in self.copy()
        if not found and self._asked():
            self._stubs.loading.note("SMP110", f"the file asks whether there is the environment variable {key!r}")
        return found


_BETWEEN: Final = (__file__, os.getenv.__code__.co_filename, Mapping.get.__code__.co_filename)
