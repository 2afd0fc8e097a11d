"""Commands in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sagemaker_provider.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Commands:
    """Runs commands in a folder of its own."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capture = folder, capture

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)

    def __call__(self, *arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        captured = self.capture.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Outcome(end.value.code or 0, captured.out, captured.err)  # type: ignore[arg-type]

    def definition(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.pipeline.json").read_text())

    @property
    def files(self) -> list[str]:
        """The definitions, none without what is deployed with it."""
        names = sorted(path.name for path in self.folder.iterdir() if path.suffix != ".py" and path.is_file())
        definitions = [name for name in names if not name.endswith(".deploy.json")]
        beside = [name.replace(".deploy.json", ".pipeline.json") for name in names if name.endswith(".deploy.json")]
        assert set(beside) <= set(definitions)
        return definitions
