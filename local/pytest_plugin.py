"""Pytest fixtures with which users test their DAGs and pipelines on a local SageMaker.

    def test_training(local_sagemaker):
        boto3.client("sagemaker").create_training_job(...)
        local_sagemaker.faults.add("capacity", name="train-*")

Settings are those of :class:`sagemaker_provider.local.settings.LocalSettings`, in ``pytest.ini``, one a line::

    [pytest]
    local_sagemaker =
        images = refuse
        simulated_seconds = 0.1

or by a session fixture ``local_sagemaker_settings`` of one's own. This module is imported in every run of pytest, so it
imports nothing but pytest until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sagemaker_provider.local.service import LocalSageMaker
    from sagemaker_provider.local.settings import LocalSettings


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the settings."""
    parser.addini("local_sagemaker", "settings of the local SageMaker: name = value, one a line", type="linelist")


@pytest.fixture(scope="session")
def local_sagemaker_settings(pytestconfig: pytest.Config) -> LocalSettings:
    """How the local SageMaker runs jobs; by default as ``pytest.ini`` says."""
    from sagemaker_provider.local.settings import LocalSettings

    try:
        return LocalSettings(**read_settings(pytestconfig.getini("local_sagemaker")))
    except ValueError as error:
        raise pytest.UsageError(f"local_sagemaker in {pytestconfig.inipath}: {error}") from error


@pytest.fixture(scope="session")
def local_sagemaker_server(local_sagemaker_settings: LocalSettings) -> Iterator[LocalSageMaker]:
    """The server behind ``local_sagemaker``, one for the session. Tests want ``local_sagemaker``."""
    from sagemaker_provider.local.service import local_sagemaker

    with local_sagemaker(local_sagemaker_settings) as local:
        yield local


@pytest.fixture
def local_sagemaker(
    local_sagemaker_server: LocalSageMaker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalSageMaker]:
    """A local SageMaker without jobs, pipelines, faults and, in the other services, anything.

    For the time of the test the environment points at it, so that any AWS client reaches it and no real account. Its
    other services are moto's in this process: ``mock_aws`` in the same test would forget what they keep.
    """
    import os

    import boto3

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in local_sagemaker_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    _forget(local_sagemaker_server)
    yield local_sagemaker_server
    _forget(local_sagemaker_server)


def _forget(local: LocalSageMaker) -> None:
    from moto.moto_api._internal.models import moto_api_backend

    local.reset()
    moto_api_backend.reset()


def read_settings(lines: Iterable[str]) -> dict[str, Any]:
    """Settings from lines ``name = value``.

    :raises ValueError: unknown names and values of the wrong type; the text names all of them.
    """
    from dataclasses import fields

    from sagemaker_provider.local.settings import LocalSettings

    types = {item.name: str(item.type) for item in fields(LocalSettings)}
    read, problems = {}, []
    for line in lines:
        name, equals, text = (part.strip() for part in line.partition("="))
        if not equals or name not in types:
            problems.append(f"{line!r} is not name = value with one of {', '.join(types)}")
            continue
        kind = types[name].removesuffix(" | None")
        try:
            read[name] = _reader(kind)(text)
        except (KeyError, ValueError):
            problems.append(f"{name} = {text} is not {kind}")
    if problems:
        raise ValueError("; ".join(problems))
    return read


def _reader(kind: str) -> Callable[[str], Any]:
    """What reads a value of a type."""
    from pathlib import Path

    if kind.startswith("Literal"):
        import ast

        choices = ast.literal_eval(kind.removeprefix("Literal"))
        return {choice: choice for choice in choices}.__getitem__
    readers: Mapping[str, Callable[[str], Any]] = {
        "bool": {"true": True, "false": False}.__getitem__,
        "int": int,
        "float": float,
        "Path": Path,
        "str": str,
    }
    return readers[kind]
