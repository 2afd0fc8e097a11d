"""The params of a DAG as parameters of the pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.expressions import Get, parameter
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import Parameter
from sagemaker_provider.definition.paths import Segment
from sagemaker_provider.definition.validation import is_literal
from sagemaker_provider.translator import dates
from sagemaker_provider.translator.defaults import SETTINGS
from sagemaker_provider.translator.names import clean, hashed
from sagemaker_provider.translator.templates import UntranslatableError

_SCHEMA_TYPES = {"string": "String", "integer": "Integer", "number": "Float", "boolean": "Boolean"}


_HARMLESS = re.compile(
    r"tokeni[sz]\w*|\w*(max|min|num|n|pad|stop|new|special)_?tokens?\w*|tokens?_?(count|length|limit|size)s?"
)


@lru_cache(maxsize=4096)
def looks_secret(name: str) -> bool:
    """Whether Airflow masks values of this name in its user interface and logs; the tokens of text are no secrets."""
    try:
        from airflow.sdk._shared.secrets_masker import should_hide_value_for_key
    except ImportError:
        from airflow.utils.log.secrets_masker import should_hide_value_for_key  # type: ignore[no-redef]
    return bool(should_hide_value_for_key(_HARMLESS.sub("", name.lower())))


_SECRET = re.compile(
    r"://[^/\s:@{}]+:[^/\s@{}]+@|\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bBearer\s+[\w.~+/-]{12,}|hooks\.slack\.com/services/\w"
)


def holds_secret(text: str) -> bool:
    """Whether a text is or holds a secret, whatever its name: a URL with a password, an access key, a bearer token."""
    return bool(_SECRET.search(text))


_NO_VALUE = ("ArgNotSet", "SetDuringExecution", "NotSetType")
"""Types of what stands for no value in the versions of Airflow."""


def own_params(dag: Any, task: Any) -> frozenset[str]:
    """The names of the params that a task sets itself, so that they need not be those of the DAG."""
    own = getattr(task, "params", {})
    return frozenset(
        name for name in own if name not in dag.params or value_of_param(own, name) != value_of_param(dag.params, name)
    )


def value_of_param(params: Any, name: str) -> Any:
    """The value of a param; ``None`` where it has none."""
    param = params.get_param(name) if hasattr(params, "get_param") else params[name]
    value = getattr(param, "value", param)
    return None if type(value).__name__ in _NO_VALUE else value


class Parameters:
    """The parameters of one pipeline: those of the DAG's params, and those that templates turn out to need.

    :param params: the params of the DAG.
    :param variables: values of Airflow Variables, which become defaults.

    :attr:`forms` has the parameters that are dates: name -> its template, as :func:`.dates.render_dates` takes them.
    :attr:`sources` has the templates and references of others: name -> what has its value in Airflow; and
    :attr:`from_airflow` the names of those of them that only Airflow can give.
    """

    def __init__(self, params: Any, variables: Mapping[str, str] = MappingProxyType({})) -> None:
        self.findings: list[Finding] = []
        self.variables = variables
        self.known: dict[str, Parameter] = {}
        self.unfit: dict[str, str] = {}
        self.forms: dict[str, str] = {}
        self.sources: dict[str, Any] = {}
        self.from_airflow: set[str] = set()
        self.declared = frozenset(params)
        for name in params:
            self._declare(name, params.get_param(name) if hasattr(params, "get_param") else params[name])

    def _declare(self, name: str, param: Any) -> None:
        schema = getattr(param, "schema", None) or {}
        value = getattr(param, "value", param)
        if type(value).__name__ in _NO_VALUE:
            value = None
        kinds = schema.get("type", [])
        kinds = [
            _SCHEMA_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind in _SCHEMA_TYPES
        ]
        kind = next(
            (
                kind
                for kind in (*kinds, "Boolean", "Integer", "Float", "String")
                if value is not None and is_literal(value, kind)
            ),
            None,
        )
        kind = kind or (kinds[0] if kinds and value is None else None)
        if kind is None:
            self.unfit[name] = (
                f"the param {name!r} is {'without value and type' if value is None else type(value).__name__}"
            )
            return
        if looks_secret(name) and kind != "Boolean" and not value:
            self.findings.append(finding("SMP631", f"the param {name!r}", place=f"params.{name}"))
        elif (looks_secret(name) and kind != "Boolean") or (isinstance(value, str) and holds_secret(value)):
            self.findings.append(
                finding(
                    "SMP306",
                    f"the param {name!r} has a default, which would be in the definition",
                    place=f"params.{name}",
                )
            )
            value = None
        if value is None and "null" in (schema.get("type") or ()):
            self.findings.append(finding("SMP632", f"the param {name!r} may be null", place=f"params.{name}"))
        enum = [item for item in schema.get("enum") or () if item is not None]
        if enum and kind != "String":
            self.findings.append(
                finding(
                    "SMP612",
                    f"only String parameters have allowed values; those of {name!r} are not checked",
                    place=f"params.{name}",
                )
            )
            enum = []
        for rule in sorted(
            set(schema)
            & {
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "minLength",
                "maxLength",
                "pattern",
                "format",
                "multipleOf",
                "const",
                "not",
                "allOf",
                "anyOf",
                "oneOf",
            }
        ):
            self.findings.append(
                finding(
                    "SMP612",
                    f"the rule {rule} of the param {name!r} is not checked by a pipeline",
                    place=f"params.{name}",
                )
            )
        description = getattr(param, "description", None)
        self._add(name, Parameter(self._name(name), kind, value, tuple(enum) or None, description or None))

    def _name(self, name: str) -> str:
        clean = re.sub(r"[^A-Za-z0-9\-_]", "-", name)[: limits.STEP_NAME_LENGTH] or "param"
        if clean != name:
            self.findings.append(finding("SMP617", f"the param {name!r} is called {clean!r}", place=f"params.{name}"))
        return clean

    def _add(self, name: str, item: Parameter) -> None:
        if any(other.name == item.name for other in self.known.values()):
            self.findings.append(
                finding("SMP503", f"two params become the parameter {item.name!r}", place=f"params.{name}")
            )
        self.known[name] = item

    def param(self, name: str, default: Any = None) -> Get:
        """The expression for ``params.name`` or ``dag_run.conf``.

        :raises UntranslatableError: there is no such param, or it cannot be a parameter.
        """
        if default is not None and looks_secret(name):
            raise UntranslatableError(f"{name!r} has a default, which would be in the definition", "SMP306")
        if name in self.unfit:
            raise UntranslatableError(f"{self.unfit[name]}; a parameter is text, a number or a boolean", "SMP305")
        if name not in self.known:
            if default is None:
                raise UntranslatableError(f"the DAG declares no param {name!r}", "SMP302")
            kind = next((kind for kind in ("Boolean", "Integer", "Float", "String") if is_literal(default, kind)), None)
            if kind is None:
                raise UntranslatableError(
                    f"the default {default!r} of {name!r} is not text, a number or a boolean", "SMP305"
                )
            self._add(name, Parameter(self._name(name), kind, default))
        item = self.known[name]
        if default is not None and item.default_value != default:
            raise UntranslatableError(
                f"{name!r} has the default {item.default_value!r} in one place and {default!r} in another"
            )
        return parameter(item.name)

    def variable(self, name: str, default: Any = None) -> Get:
        """The expression for ``var.value.name``.

        :param default: what the template says for a Variable that does not exist.
        :raises UntranslatableError: its name is one of secrets, or it cannot be a parameter.
        """
        if looks_secret(name):
            raise UntranslatableError(f"the Variable {name!r} has the name of a secret", "SMP306")
        if not isinstance(default, (str, type(None))):
            raise UntranslatableError(f"the default {default!r} of the Variable {name!r} is no text", "SMP305")
        key = f"{{{{ var.value.{name} }}}}"  # no param is called so
        value = self.variables.get(name, default)
        if key not in self.known:
            clean_name = self._name(name)
            self._variable(
                f"var.value.{name}", Parameter(clean_name, "String", value, description=f"Airflow Variable {name}")
            )
        if default is not None:
            self.sources[self.known[key].name] = f"{{{{ var.value.get({name!r}, {default!r}) }}}}"
        item = self.known[key]
        if item.default_value != value and None not in (item.default_value, value):
            raise UntranslatableError(
                f"the Variable {name!r} has the default {item.default_value!r} in one place and {value!r} in another"
            )
        if value is None:  # without a default in one place, a value is needed
            self.known[key] = replace(item, default_value=None)
        return parameter(item.name)

    def setting(self, name: str) -> Any:
        """The expression for a conversion setting that has no value, or its default.

        :param name: a setting that has a parameter or a default.
        :raises UntranslatableError: a param has the name of the parameter.
        """
        row = SETTINGS[name]
        if row.parameter is None:
            return row.default
        item = Parameter(row.parameter, "String", row.default, description=row.description)
        get = self._extra(f"setting {name}", item)
        self.findings.append(
            finding("SMP635", f"{name!r} becomes the parameter {row.parameter!r}", place=f"Parameters.{row.parameter}")
        )
        return get

    def role(self, name: str) -> Get:
        """The expression for the ARN of a role of which only the name is known.

        :raises UntranslatableError: a param has the name of the parameter.
        """
        clean = f"{re.sub('[^A-Za-z0-9]', '-', name)}-Arn"
        return self._extra(f"role {name}", Parameter(clean, "String", description=f"ARN of the role {name}"))

    def _extra(self, what: str, item: Parameter) -> Get:
        """The expression for a parameter that is no param of the DAG."""
        key = f"{{{{ {what} }}}}"  # no param is called so
        if key not in self.known and any(other.name == item.name for other in self.known.values()):
            raise UntranslatableError(f"{what} and a param would be one parameter {item.name!r}")
        return parameter(self.known.setdefault(key, item).name)

    def json_variable(self, name: str, path: tuple[Segment, ...]) -> Get:
        """The expression for one scalar of a Variable in JSON form, ``var.json.name.path``.

        :raises UntranslatableError: its value is not known, has no such scalar, or has the name of a secret.
        """
        shown = ".".join(map(str, ("var.json", name, *path)))
        if any(looks_secret(str(item)) for item in (name, *path)):
            raise UntranslatableError(f"{shown!r} has the name of a secret", "SMP306")
        if name not in self.variables:
            raise UntranslatableError(f"the value of the Variable {name!r} is not known", "SMP311")
        try:
            value: Any = json.loads(self.variables[name])
            for item in path:
                value = value[item if isinstance(value, list) else str(item)]
        except (ValueError, LookupError, TypeError):
            raise UntranslatableError(f"the value given for the Variable {name!r} has no {shown!r}", "SMP311") from None
        kind = next((kind for kind in ("Boolean", "Integer", "Float", "String") if is_literal(value, kind)), None)
        if kind is None:
            raise UntranslatableError(f"{shown!r} is no text, number or boolean", "SMP305")
        clean_name = clean("_".join(map(str, (name, *path))))
        return self._variable(shown, Parameter(clean_name, kind, value, description=f"{shown} of Airflow's Variables"))

    def _variable(self, shown: str, item: Parameter) -> Get:
        get = self._extra(shown, item)
        message = f"{{{{ {shown} }}}} becomes the parameter {item.name!r}"
        self.findings.append(finding("SMP634", message, place=f"Parameters.{item.name}"))
        return get

    def given(self, source: Any, name: str, kind: str = "String") -> Get:
        """The expression for a value that Airflow gives when it starts the pipeline.

        :param source: the template or reference that has the value there.
        :param name: what the parameter is called, as far as that is free.
        :param kind: its type.
        """
        shown = source if isinstance(source, str) else repr(source)
        what = f"given {kind} {shown}"
        if f"{{{{ {what} }}}}" not in self.known and any(item.name == name for item in self.known.values()):
            name = hashed(name, what)
        get = self._extra(what, Parameter(name, kind, description=f"{shown} in Airflow"[: limits.DESCRIPTION]))
        self.sources[get.name] = source
        self.from_airflow.add(get.name)
        return get

    def in_run(self) -> dict[str, Any]:
        """The values of the parameters in a run of the DAG: name -> template or reference; without those of settings."""
        found = {}
        for key, item in self.known.items():
            if item.name in self.sources:
                found[item.name] = self.sources[item.name]
            elif key in self.declared:
                found[item.name] = f"{{{{ params[{key!r}] }}}}"
            elif not key.startswith("{{"):
                found[item.name] = f"{{{{ (dag_run.conf or {{}}).get({key!r}, {item.default_value!r}) }}}}"
            elif not key.startswith(("{{ setting ", "{{ role ")):
                found[item.name] = key
        return found

    def date(self, form: str) -> Get:
        """The expression for a form of a date, see :mod:`.dates`."""
        key = f"{{{{ {form} }}}}"
        if key in self.known:
            return parameter(self.known[key].name)
        name, described = dates.parameter_name(form), dates.description(form)
        if form not in dates.MACROS and any(item.name == name for item in self.known.values()):
            name = hashed(name, form)
        get = self._extra(form, Parameter(name, "String", description=described))
        self.forms[name] = key
        message = f"{key} becomes the parameter {name!r}: {described}"
        self.findings.append(finding("SMP604", message, place=f"Parameters.{name}"))
        return get
