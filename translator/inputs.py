"""What a conversion is given beside the DAG: the values file, and the environment that DAG code gets to see."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sagemaker_provider.translator.parameters import looks_secret

_KEYS: Final = ("variables", "env", "connections", "params")


@dataclass(frozen=True)
class Inputs:
    """The content of a values file.

    :param variables: Airflow Variables by name.
    :param env: environment variables by name.
    :param connections: Airflow connections by id: a URI, or the JSON form that Airflow reads from the environment.
    :param params: values of params by name, and of the parameters that stand for what is not known while a file loads.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_object(cls, document: Any) -> Inputs:
        """The content of a values file, from what its YAML holds.

        :raises ValueError: it is of another form; the message names every problem, and shows no secrets.
        """
        if not isinstance(document, dict) or not set(document) <= set(_KEYS):
            raise ValueError(f"a values file has the keys {', '.join(_KEYS)}, each with names and values")
        problems: list[str] = []
        read: dict[str, dict[str, Any]] = {}
        for key, values in document.items():
            if not isinstance(values, dict):
                problems.append(f"{key} has no names and values")
                continue
            read[key] = {str(name): _value(key, str(name), value, problems) for name, value in values.items()}
        if problems:
            raise ValueError("; ".join(problems))
        return cls(**read)

    @property
    def secrets(self) -> frozenset[str]:
        """The values that must not be written anywhere: those of names that Airflow masks, and whole connections."""
        named = [*self.variables.items(), *self.env.items(), *self.params.items()]
        values = [str(value) for name, value in named if looks_secret(name)]
        for text in self.connections.values():
            values += [text, *_passwords(text)]
        return frozenset(value for value in values if len(value) > 3)

    def environment(self) -> dict[str, str]:
        """The environment variables by which Airflow finds Variables and connections, and those of ``env``."""
        return {
            **{f"AIRFLOW_VAR_{name.upper()}": value for name, value in self.variables.items()},
            **{f"AIRFLOW_CONN_{name.upper()}": value for name, value in self.connections.items()},
            **self.env,
        }


def _value(key: str, name: str, value: Any, problems: list[str]) -> Any:
    if key == "connections" and isinstance(value, dict):
        return json.dumps(value, sort_keys=True, default=str)
    scalar = isinstance(value, (str, int, float)) and (key == "params" or not isinstance(value, bool))
    if not scalar:
        shown = "the value, which is not shown," if key == "connections" or looks_secret(name) else repr(value)
        kind = "a URI or an object" if key == "connections" else "a text or a number"
        problems.append(f"the value of {name!r} in {key} is {shown}, not {kind}")
    return value if key == "params" else str(value)


def _passwords(connection: str) -> list[str]:
    """The values inside a connection that are secret."""
    from urllib.parse import unquote, urlsplit

    if not connection.startswith("{"):
        return [unquote(word) for word in [urlsplit(connection).password] if word]
    found: list[str] = []

    def look(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                look(item, str(key))
        elif name == "password" or looks_secret(name):
            found.append(str(value))

    look(json.loads(connection), "")
    return found


_PASSED: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "AIRFLOW_HOME"),
    *("PYTHONHASHSEED", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV"),
)
"""What of the environment DAG code gets to see; everything else may be a credential, or differ between machines."""


def clean_environment(inputs: Inputs, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of the process that loads DAG files: no credentials, no secrets of Airflow, no database.

    Settings of Airflow that are no secrets stay, because they decide about defaults of DAGs and tasks.
    """
    from airflow.configuration import conf

    hidden = {f"AIRFLOW__{section}__{name}".upper() for section, name in conf.sensitive_config_values}
    settings = {
        name: value
        for name, value in base.items()
        if name.startswith("AIRFLOW__")
        and not name.endswith(("_CMD", "_SECRET"))
        and name not in hidden
        and not name.startswith(("AIRFLOW__SECRETS__", "AIRFLOW__DATABASE__", "AIRFLOW__WORKERS__"))
    }
    folders = (Path(conf.get("core", "dags_folder")), Path(conf.get("core", "plugins_folder")))
    return {
        **{name: base[name] for name in _PASSED if name in base},
        **settings,
        "TZ": "UTC",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folders[0]),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folders[1]),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "0",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite://",
        "AIRFLOW__SECRETS__BACKEND": "",
        "AIRFLOW__SECRETS__USE_CACHE": "False",
        "AIRFLOW__WORKERS__SECRETS_BACKEND": "",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **inputs.environment(),
    }
