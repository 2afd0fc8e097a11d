"""What the provider tells Airflow about itself is true."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points, version

import pytest

from sagemaker_provider import __version__
from sagemaker_provider.provider_info import get_provider_info

INFO = get_provider_info()


def test_airflow_finds_the_provider_by_its_entry_point() -> None:
    (entry,) = [item for item in entry_points(group="apache_airflow_provider") if "sagemaker_provider" in item.value]
    assert entry.load()() == INFO


def test_the_version_is_that_of_the_distribution() -> None:
    assert INFO["versions"] == [__version__] == [version(INFO["package-name"])]


@pytest.mark.parametrize(
    "module",
    [
        name
        for key in ("operators", "hooks", "sensors", "triggers")
        for group in INFO[key]
        for name in group["python-modules"]
    ],
)
def test_every_module_it_names_can_be_imported(module: str) -> None:
    import_module(module)


@pytest.mark.parametrize("name", [*INFO["extra-links"], *INFO["cli"]])
def test_every_object_it_names_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert callable(getattr(import_module(module), attribute))


def test_its_description_fits_airflows_schema() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert INFO["package-name"] in manager.providers
    assert manager.providers[INFO["package-name"]].data["name"] == INFO["name"]


def test_its_commands_are_those_of_the_table() -> None:
    from sagemaker_provider.cli import COMMANDS, airflow_commands

    (group,) = airflow_commands()
    assert group.name == "sagemaker"
    assert [command.name for command in group.subcommands] == [command.name for command in COMMANDS]


def test_airflow_knows_its_configuration() -> None:
    from airflow.providers.common.compat.sdk import conf
    from airflow.providers_manager import ProvidersManager

    from sagemaker_provider.operators.task_group import CONFIGURATION

    ProvidersManager().initialize_providers_configuration()
    assert conf.get(*CONFIGURATION) == "pipeline"
