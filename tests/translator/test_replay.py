"""Values of a DAG file that something changed after their statement are found, and those that nothing changed are not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from sagemaker_provider.translator.packing import pack

HEAD = """\
import functools, itertools, os, re

class Cfg:
    def __init__(self):
        self.bucket = "base"
        self.items = []

class Holder:
    state = {"n": 0}

def setup(cfg):
    cfg.bucket = "set"

class Plus:
    def __init__(self, function):
        self.function = function

    def __call__(self):
        return self.function() + 1

"""


def problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, companion: str = "") -> list[tuple[str, str]]:
    """The errors of packing the function ``work`` of a module."""
    name = f"replayed_{abs(hash((text, companion)))}"
    (tmp_path / f"{name}.py").write_text(HEAD + text)
    (tmp_path / f"{name}_companion.py").write_text(companion)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = (HEAD + text).replace("companion", f"{name}_companion")
    (tmp_path / f"{name}.py").write_text(text)
    module: Any = __import__(name)
    try:
        return [item for item in pack(module.work, [tmp_path]).problems if item[0] == "SMP221"]
    finally:
        for loaded in [item for item in sys.modules if item.startswith(name)]:
            del sys.modules[loaded]


WORK = "\ndef work():\n    return {}\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cfg = Cfg()\nif not os.environ.get('NEVER'):\n    cfg.bucket = 'prod'\nelse:\n    cfg.bucket = 'x'", "cfg"),
        ("cfg = Cfg()\nfor q in range(3):\n    cfg.items.append(q)", "cfg"),
        ("cfg = Cfg()\nsetattr(cfg, 'bucket', 'x')", "cfg"),
        ("cfg = Cfg()\nother = cfg\nother.bucket = 'x'", "cfg"),
        ("cfg = Cfg()\nsetup(cfg)", "cfg"),
        ("handlers = []\n\ndef register(f):\n    handlers.append(f)\n    return f\n\n@register\ndef one():\n    pass", "handlers"),
        ("counter = itertools.count()\nnext(counter)", "counter"),
        ("Holder.state['n'] = 1\n\ndef change():\n    Holder.state['n'] = 2\nchange()", "Holder"),
        ("def f():\n    return f.n\n\ndef give(function):\n    function.n = 4\ngive(f)", "f"),
        ("@functools.singledispatch\ndef f(x):\n    return 'o'\n\n@f.register(int)\ndef _(x):\n    return 'i'", "f"),
    ],
)  # fmt: skip
def test_what_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str) -> None:
    found = problems(tmp_path, monkeypatch, text + WORK.format(name))
    assert found, "nothing was found"
    assert f"{name!r}" in found[0][1]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cfg = Cfg()", "cfg.bucket"),
        ("cfg = Cfg()\ncfg.bucket = 'x'", "cfg.bucket"),
        ("pattern = re.compile('a+')", "pattern"),
        ("@Plus\ndef f():\n    return 1", "f()"),
        ("@functools.cache\ndef f():\n    return 1", "f()"),
        ("handlers = {'a': setup}", "handlers"),
        ("", "Holder.state"),
    ],
)
def test_what_nothing_changed_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str) -> None:
    assert problems(tmp_path, monkeypatch, text + WORK.format(name)) == []


def test_a_lambda_of_a_comprehension_keeps_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "k = 'WRONG'\nlambdas = [(lambda: k) for k in 'ab']\nwork = lambdas[0]\n"
    (tmp_path / "comprehended.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    import comprehended

    packed = pack(comprehended.work, [tmp_path])
    assert "WRONG" not in packed.files["task_code.py"].decode() or any(code == "SMP220" for code, _ in packed.problems)


def test_a_companion_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    companion = "MODE = 'base'\nKEPT = [1]\n\ndef configure(mode):\n    global MODE\n    MODE = mode\n"
    text = "import companion as comp\ncomp.configure('prod')"
    ((_, message),) = problems(tmp_path, monkeypatch, text + WORK.format("comp.MODE"), companion)
    assert "'MODE' of the module" in message
