"""What happens while the files of one DAG folder load: which code is the user's, and what it asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sagemaker_provider.definition.findings import Finding, finding


@dataclass
class Loading:
    """One file that loads, twice: in two worlds, with another clock, other uuids and other stand-ins each.

    What is different in the second world was made from something that is not in the DAG.

    :param folders: folders whose files are the user's code.
    :param world: 0 or 1.
    :param findings: what was found in the first world.
    """

    folders: tuple[Path, ...]
    world: int = 0
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._prefixes = tuple(str(folder.resolve()) + os.sep for folder in self.folders)
        self._own: dict[str, bool] = {}

    def own(self, file: str | None) -> bool:
        """Whether a file is the user's code: below one of the folders, and not installed there."""
        if not file:
            return False
        if file not in self._own:
            path = os.path.realpath(file)
            self._own[file] = path.startswith(self._prefixes) and f"{os.sep}site-packages{os.sep}" not in path
        return self._own[file]

    def caller(self) -> tuple[str, int] | None:
        """File and line of the user's code that is running; ``None`` when none is."""
        frame = sys._getframe(1)
        while frame is not None:
            if self.own(frame.f_code.co_filename):
                return frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back  # type: ignore[assignment]
        return None

    def called_by_user(self, depth: int = 2) -> bool:
        """Whether the function that asks was called directly by the user's code."""
        return self.own(sys._getframe(depth).f_code.co_filename)

    def note(self, code: str, message: str) -> None:
        """Record a finding at the line of the user's code that is running."""
        if self.world:
            return
        file, line = self.caller() or ("", 0)
        found = replace(finding(code, message, file=shown(file)), line=line)
        if found not in self.findings:
            self.findings.append(found)

    def modules(self) -> Iterator[str]:
        """The names of the loaded modules that are the user's."""
        for name, module in list(sys.modules.items()):
            if self.own(getattr(module, "__file__", None)):
                yield name


def shown(file: str) -> str:
    """A path as findings show it: relative where it is below the current folder."""
    try:
        relative = os.path.relpath(file) if file else ""
    except ValueError:  # another drive
        return file
    return file if relative.startswith("..") else relative
