"""What stands in for Airflow in a container, where code imports it."""

from __future__ import annotations

import json
import sys
import types
from typing import Any, NoReturn


class AirflowException(Exception):  # noqa: N818  (the name is Airflow's)
    """The task failed."""


class AirflowFailException(AirflowException):
    """The task failed, and is not tried again."""


class AirflowSkipException(AirflowException):
    """The task is skipped."""


class AirflowNotFoundException(AirflowException):
    """Something is not there."""


class AirflowSensorTimeout(AirflowException):
    """The sensor waited too long; it is not tried again."""


class AirflowTaskTimeout(BaseException):
    """The task ran too long."""


class PokeReturnValue:
    """What a sensor may return: whether to go on, and its XCom."""

    def __init__(self, is_done: Any, xcom_value: Any = None) -> None:
        self.is_done, self.xcom_value = is_done, xcom_value

    def __bool__(self) -> bool:
        return bool(self.is_done)


class MissingError(KeyError):
    """Something of Airflow that a task does not have in a container."""

    def __str__(self) -> str:
        return str(self.args[0])


class Context(dict):  # type: ignore[type-arg]
    """The context of a task: what was found to be read of it."""

    def __missing__(self, key: str) -> NoReturn:
        raise MissingError(
            "the context has no {!r} here: a container has {}".format(key, ", ".join(sorted(self)) or "none of it")
        )


class Variable:
    """Airflow's Variables that the code names; each is a parameter of the pipeline."""

    values: dict[str, Any] = {}

    @classmethod
    def get(cls, key: str, default_var: Any = None, deserialize_json: bool = False, default: Any = None) -> Any:  # noqa: ARG003
        """The value that the run was started with."""
        if key not in cls.values:
            raise MissingError(f"the Variable {key!r} was not found in the task's code when it was converted")
        value = cls.values[key]
        return json.loads(value) if deserialize_json else value


_current: list[Context] = []


def set_current_context(context: Context) -> None:
    """Make a context that of the task that runs; there is one task in a process."""
    _current[:] = [context]


def get_current_context() -> Context:
    """The context of the task that runs."""
    return _current[0]


_ERRORS = {
    item.__name__: item
    for item in (
        AirflowException,
        AirflowFailException,
        AirflowSkipException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowTaskTimeout,
    )
}
_CONTEXT = {"get_current_context": get_current_context}
SERVED: dict[str, dict[str, Any]] = {
    "airflow": {},
    "airflow.exceptions": _ERRORS,
    "airflow.sdk.exceptions": _ERRORS,
    "airflow.sdk": {
        **_CONTEXT,
        "Variable": Variable,
        "Context": Context,
        "PokeReturnValue": PokeReturnValue,
    },
    "airflow.providers.common.compat.sdk": {
        **_ERRORS,
        **_CONTEXT,
        "Variable": Variable,
        "Context": Context,
        "PokeReturnValue": PokeReturnValue,
    },
    "airflow.operators.python": _CONTEXT,
    "airflow.providers.standard.operators.python": _CONTEXT,
    "airflow.models": {"Variable": Variable},
    "airflow.models.variable": {"Variable": Variable},
    "airflow.utils.context": {"Context": Context},
    "airflow.sensors.base": {"PokeReturnValue": PokeReturnValue},
}
"""What code may import of Airflow where Airflow is not installed: module -> name -> what stands in for it."""


def serve() -> None:
    """Make :data:`SERVED` importable."""
    for name, members in SERVED.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            if path not in sys.modules:
                module = types.ModuleType(path)
                module.__path__ = []
                sys.modules[path] = module
                if end > 1:
                    setattr(sys.modules[".".join(parts[: end - 1])], parts[end - 1], module)
        for key, value in members.items():
            setattr(sys.modules[name], key, value)
