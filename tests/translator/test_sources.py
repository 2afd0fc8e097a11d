"""Python files as text."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from sagemaker_provider.translator import sources

TWO = [lambda x: x + 1, lambda x: x + 2]
LONE = lambda x: x  # noqa: E731


def closures() -> list[Any]:
    one, two = 1, 2
    return [lambda: one, lambda: two]


def test_lambdas_of_one_line_are_told_apart() -> None:
    source = sources.read(__file__)
    texts = [[source.part(node) for node in sources.matching(source, item.__code__)] for item in [*TWO, *closures()]]
    assert texts == [["lambda x: x + 1"], ["lambda x: x + 2"], ["lambda: one"], ["lambda: two"]]


@pytest.mark.parametrize(
    ("text", "at_once", "later"),
    [
        ("x = A + b.c", "A b", ""),
        ("def f(a, b=D): return a + G", "D", "G"),
        ("def f():\n    x = 1\n    def g(): return x + G\n    return g", "", "G"),
        ("@deco\ndef f(): pass", "deco", ""),
        ("class A(B):\n    x = C\n    def m(self): return D", "B C", "D"),
        ("def f():\n    class A(B):\n        x = C", "", "B C"),
        ("def f(x: Hint, y: 'Other') -> Result: z: Third = G", "", "G"),
        ("class A:\n    x: Hint = B", "B", ""),
        ("def f(): return [i for i in G if i]", "", "G"),
        ("def f():\n    global g\n    g = 1", "", "g"),
        ("f = lambda x, y=D: x + G", "D", "G"),
        ("import os\nx = os.sep", "", ""),
        ("def f():\n    import os\n    return os.sep", "", ""),
    ],
)
def test_names_that_a_text_needs(text: str, at_once: str, later: str) -> None:
    found = sources.names(text)
    assert (found.at_once, found.later) == (frozenset(at_once.split()), frozenset(later.split()))


def test_parts_keep_what_is_inside_of_texts() -> None:
    text = 'def outer():\n    def inner():\n        return """\n    a\n  b"""\n    def plain():\n        return 1\n'
    source = sources.parse(text)
    inner, plain = (source.functions[line][0] for line in (2, 6))
    assert source.part(inner) == 'if True:\n    def inner():\n        return """\n    a\n  b"""'
    assert source.part(plain) == "def plain():\n    return 1"


def test_parts_with_edits() -> None:
    source = sources.parse("def f(ä=x, b=[\n    y,\n]): return 'é'; z = 1\n")
    (node,) = source.functions[1]
    first, second = node.args.defaults
    assert source.part(node, [(second, "2"), (first, "1")]) == "def f(ä=1, b=2): return 'é'; z = 1"


def test_bindings() -> None:
    text = """
import a.b, c as d
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from hidden import x
else:
    x = 1
try:
    import y
except ImportError:
    y = None
with open(p) as handle:
    z, (w, v) = 1, (2, 3)
for i in range(3):
    def f(): pass
"""
    source = sources.parse(text)
    certain = {
        name: [item.certain for item in source.bindings.get(name, [])]
        for name in ("a", "d", "x", "y", "z", "v", "f", "c")
    }
    assert certain == {
        "a": [True], "d": [True], "x": [True], "y": [False, False], "z": [True], "v": [True], "f": [False], "c": []
    }  # fmt: skip


def test_imports_that_run() -> None:
    tree = ast.parse("import a\nif TYPE_CHECKING:\n    import b\ndef f():\n    from .c import d, e\n")
    assert [alias.name for _, alias in sources.imports(tree)] == ["a", "d", "e"]


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def")
    with pytest.raises(SyntaxError):
        sources.read(str(tmp_path / "bad.py"))
