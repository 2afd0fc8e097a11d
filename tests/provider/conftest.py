"""Makes the helpers of this folder importable, and runs commands in folders of their own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command_line import Commands


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Run a command in a folder of its own: ``command("convert", "dag.py")``."""
    monkeypatch.chdir(tmp_path)
    return Commands(tmp_path, capfd)
