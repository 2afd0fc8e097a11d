"""Settings of the local SageMaker."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

_IMAGES: Final = ("simulate", "refuse", "simulate-all")
_ISOLATIONS: Final = ("auto", "namespace", "paths", "docker")


@dataclass(frozen=True)
class LocalSettings:
    """How the local SageMaker runs jobs, and which reading it takes where the service is undocumented.

    :param data: folder in which the state is kept over restarts; ``None`` keeps it in memory.
    :param images: what becomes of a job whose image cannot run here: ``simulate`` (it ends well without running code, and
        says so in its status and log) or ``refuse`` (the create call fails). ``simulate-all`` runs no job's code at all.
    :param isolation: how a job gets its ``/opt/ml``: ``namespace`` (a private mount namespace; Linux), ``paths`` (paths in
        arguments and environment are rewritten), ``docker`` (the image itself runs), or ``auto``: a namespace where the
        system allows one, else ``paths``.
    :param python: the Python that runs jobs and Lambda functions.
    :param max_processes: how many job processes run at once; further ones wait.
    :param stop_seconds: time between SIGTERM and SIGKILL when a job is stopped (the service: 120).
    :param simulated_seconds: how long a simulated job takes.
    :param simulated_outputs: folder whose sub-folder ``<OutputName>`` holds the files that simulated Processing jobs
        "write" to the output of that name.
    :param retry_scale: factor for the waits between retries of a step; 0 does not wait.
    :param nested_conditions: accept a Condition in a branch of another; the guide says it is not supported.
    :param condition_dependencies: accept a Condition's name in ``DependsOn``; it was reported as refused.
    :param any_after_skipped: let a dependency with ``Any``, or ``Failed`` or ``Stopped`` on it, be satisfied by a step that
        never started.
    :param start_after_failure: start steps that do not depend on a failed one after it failed.
    :param create_model_package_groups: let a RegisterModel step make a missing group.
    :param convert_types: turn numbers and booleans into text, and text into them, where ``Arguments`` want the other.
    """

    data: Path | None = None
    images: Literal["simulate", "refuse", "simulate-all"] = "simulate"
    isolation: Literal["auto", "namespace", "paths", "docker"] = "auto"
    python: str = sys.executable
    max_processes: int = field(default_factory=lambda: max(8, 2 * (os.cpu_count() or 1)))
    stop_seconds: float = 10.0
    simulated_seconds: float = 0.0
    simulated_outputs: Path | None = None
    retry_scale: float = 1.0
    nested_conditions: bool = False
    condition_dependencies: bool = False
    any_after_skipped: bool = False
    start_after_failure: bool = False
    create_model_package_groups: bool = False
    convert_types: bool = False

    def __post_init__(self) -> None:
        """Raise :class:`ValueError` naming every setting that cannot be."""
        problems = [
            f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}"
            for name, allowed in (("images", _IMAGES), ("isolation", _ISOLATIONS))
            if getattr(self, name) not in allowed
        ]
        for name, least in (("max_processes", 1), ("stop_seconds", 0), ("simulated_seconds", 0), ("retry_scale", 0)):
            if not getattr(self, name) >= least:
                problems.append(f"{name} is at least {least}, not {getattr(self, name)!r}")
        if self.data is not None and self.data.exists() and not self.data.is_dir():
            problems.append(f"data is a folder, which {self.data} is not")
        if self.simulated_outputs is not None and not self.simulated_outputs.is_dir():
            problems.append(f"simulated_outputs is a folder, which {self.simulated_outputs} is not")
        if problems:
            raise ValueError("; ".join(problems))
