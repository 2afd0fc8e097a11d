"""Does a test notice when a rule of findings is gone?

``python tests/mutations.py [SMPnnn ...]`` takes one code after the other (all by default), makes its findings nameless notes, and
runs the tests that name the code, then all tests of their files, until one fails. It prints the codes that no test notices, and
then ends with 1. Each code costs the start of pytest and some tests, about five seconds.

The same file is the plug-in of pytest that takes the code away.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sagemaker_provider.definition.findings import RULES, Finding, Rule, Severity

TESTS = Path(__file__).parent
GONE = "SMP000"
"""The code of a finding whose rule is gone."""


def naming(code: str) -> list[Path]:
    """The test files that name a code, those that say little else first."""
    others = (path for path in TESTS.rglob("test_*.py") if path.name != "test_mutations.py")  # which calls this again
    files = {path: path.read_text(encoding="utf-8").count(f'"{code}"') for path in others}
    return sorted((path for path, count in files.items() if count), key=lambda path: (-files[path], path))


def functions(code: str, files: Iterable[Path]) -> list[str]:
    """The tests in whose text, decorators included, a code stands, as pytest names them."""
    found = []
    for file in files:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        lines = text.splitlines()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
                if f'"{code}"' in "\n".join(lines[first - 1 : node.end_lineno]):
                    found.append(f"{file}::{node.name}")
    return found


def noticed(code: str) -> bool:
    """Whether a test fails when the rule of a code is gone.

    :raises RuntimeError: pytest could not run the tests.
    """
    files = naming(code)
    tests = functions(code, files)
    return bool(tests and _fails(code, tests)) or bool(files and _fails(code, map(str, files)))


def _fails(code: str, tests: Iterable[str]) -> bool:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "mutations",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "REMOVED_RULE": code}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 1):
        raise RuntimeError(f"{code}: pytest ended with {ended.returncode}\n{ended.stdout}{ended.stderr}")
    return ended.returncode == 1


def pytest_configure() -> None:
    """Take the rule of the environment variable ``REMOVED_RULE`` away from the process of the tests."""
    from hypothesis import Phase, settings

    settings.register_profile("mutations", phases=(Phase.explicit, Phase.generate), deadline=None)  # nothing to explain
    settings.load_profile("mutations")
    removed, original = os.environ["REMOVED_RULE"], Finding.__init__
    RULES[GONE] = Rule(Severity.NOTE, "Gone", "Gone.", "Gone.")

    def without(self: Finding, code: str, severity: Severity, *texts: Any, **named: Any) -> None:
        original(self, *((GONE, Severity.NOTE) if code == removed else (code, severity)), *texts, **named)

    Finding.__init__ = without  # type: ignore[method-assign]


def main(codes: Iterable[str]) -> int:
    """Print the codes that no test notices."""
    missed = []
    for code in codes:
        if re.fullmatch(r"SMP\d{3}", code) is None or code not in RULES:
            raise SystemExit(f"{code} is no code of a finding")
        if not noticed(code):
            missed.append(code)
            print(f"{code} {RULES[code].title}: no test notices that it is gone", flush=True)
    print(f"{len(missed)} rules that no test notices")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or sorted(RULES)))
