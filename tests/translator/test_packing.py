"""Callables as files: they do the same where the DAG file is not."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_data import DATA

from sagemaker_provider.translator.companions import MODULES
from sagemaker_provider.translator.literals import literal
from sagemaker_provider.translator.packing import CODE, Pack, pack

Load = Callable[..., Any]
_numbers = itertools.count()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Write a DAG file, and further files, and import it as Airflow does."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(text: str, files: Any = ()) -> Any:
        for name, content in dict(files).items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content))
        return imported(tmp_path / f"dag_{next(_numbers)}.py", textwrap.dedent(text))

    yield make
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def imported(file: Path, text: str) -> Any:
    """A module of a file that is called as Airflow calls DAG files."""
    file.write_text(text)
    name = f"unusual_prefix_{'0' * 40}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def packed(module: Any, name: str = "task", **options: Any) -> Pack:
    return pack(getattr(module, name), [Path(module.__file__).parent], **options)


def problems(made: Pack) -> list[str]:
    return sorted({code for code, _ in made.problems})


def unpacked(made: Pack, folder: Path) -> Any:
    """The callable of a pack, in this process; companions must not be loaded yet."""
    for path, content in made.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    module = types.ModuleType("task_code")
    sys.modules["task_code"] = module  # dataclasses look there
    names = vars(module)
    sys.path.insert(0, str(folder / MODULES))
    try:
        exec(compile(made.files[CODE], str(folder / CODE), "exec"), names)
    finally:
        sys.path.remove(str(folder / MODULES))
    return eval(made.entry, names)


SAME = {
    "plain": "def task(x): return x + 1",
    "data": """
        import datetime
        LIMITS = {"a": (1, 2), "when": datetime.datetime(2026, 1, 2)}
        def task(x): return LIMITS["a"][1] + x, LIMITS["when"].year
        """,
    "helpers": """
        import json as j
        from os import path
        def inner(x): return j.dumps([x, join("a", str(x))])
        join = path.join
        def task(x): return inner(x)
        """,
    "recursion": """
        def even(n): return n == 0 or odd(n - 1)
        def odd(n): return n != 0 and even(n - 1)
        def task(x): return even(x)
        """,
    "classes": """
        from dataclasses import dataclass, field
        from enum import Enum
        class Colour(Enum):
            RED = 1
        BASE = 5
        @dataclass(order=True)
        class Item:
            size: int = BASE
            parts: list = field(default_factory=list)
            def bigger(self, by): return Item(self.size + by)
        def task(x): return Item().bigger(x).size, Colour.RED.value
        """,
    "decorated": """
        import functools
        def twice(function):
            @functools.wraps(function)
            def inner(*args): return function(*args) * 2
            return inner
        def thrice(function):
            def inner(*args): return function(*args) * 3
            return inner
        @thrice
        def helper(x): return x + 1
        @twice
        def task(x): return helper(x)
        """,
    "decorated without wraps": """
        def thrice(function):
            def inner(*args): return function(*args) * 3
            return inner
        @thrice
        def task(x): return x + 1
        """,
    "nested": """
        def make():
            factor, names = 3, ["a"]
            def helper(x, more=names): return x * factor + len(more)
            def task(x):
                text = '''
            a
        b'''
                return helper(x), text
            return task
        task = make()
        """,
    "nested recursion": """
        def make():
            def task(x): return 1 if x < 2 else x * task(x - 1)
            return task
        task = make()
        """,
    "lambda": "N = 4\ntask = [lambda x: x + N, lambda x: x - N][1]",
    "partial": """
        from functools import partial
        def add(a, b, *, c): return a + b * c
        task = partial(partial(add, 2), c=5)
        """,
    "method": """
        class Adder:
            def __init__(self, by): self.by = by
            def add(self, x): return x + self.by
            @classmethod
            def one(cls, x): return cls(1).add(x)
        adder = Adder(3)
        adder.by = 7
        task = adder.add
        """,
    "class method": """
        class Adder:
            @classmethod
            def one(cls, x): return x + 1
        task = Adder.one
        """,
    "callable object": """
        class Adder:
            def __call__(self, x): return x + 2
        task = Adder()
        """,
    "regular expression": """
        import re
        WORD = re.compile(r"\\d+")
        def task(x): return WORD.findall(f"a{x}")
        """,
    "late value": """
        tasks = []
        for number in range(3):
            def task(x, by=number): return x, by, number
            tasks.append(task)
        number = 10
        task = tasks[1]
        """,
    "conditional import": """
        try:
            import json_that_is_not_there as json
        except ImportError:
            import json
        if True:
            SEPARATOR = "-"
        def task(x): return json.dumps([x, SEPARATOR])
        """,
    "a with block": """
        import contextlib
        with contextlib.nullcontext() as nothing:
            def task(x): return x, SIZE
            SIZE = 8
        """,
    "standard library": "from math import factorial as task",
    "builtin": "task = str",
    "annotations": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from nowhere import Thing
        def task(x: "Thing") -> "Thing": return x
        """,
    "asynchronous": """
        import asyncio
        async def work(x): return x + 1
        def task(x): return asyncio.run(work(x))
        """,
    "semicolons": "a = 1; b = 2\ndef task(x): return a + b + x; c = 3",
    "nothing": "def task(x, y=None): return (x, y, None, ...)[:3]",
}


@pytest.mark.parametrize("name", SAME)
def test_they_do_the_same(name: str, load: Load, tmp_path: Path) -> None:
    module = load(SAME[name])
    made = packed(module)
    assert not set(problems(made)) - {"SMP718"}, made.problems
    assert unpacked(made, tmp_path / "pack")(6) == module.task(6)
    assert packed(module).files == made.files


def test_airflow_decorators_are_left_out(load: Load, tmp_path: Path) -> None:
    module = load("""
        from airflow.providers.common.compat.sdk import DAG, task as decorator, setup
        with DAG("d", schedule=None):
            @setup
            @decorator(multiple_outputs=True)
            def task(x): return {"x": x}
        """)
    made = packed(module)
    assert b"@" not in made.files[CODE] and b"airflow" not in made.files[CODE]
    assert unpacked(made, tmp_path / "pack")(1) == {"x": 1}


def test_tasks_in_a_dag_function(load: Load, tmp_path: Path) -> None:
    module = load("""
        from airflow.providers.common.compat.sdk import dag, task
        @dag(schedule=None)
        def flow():
            prefix = "p"
            @task
            def first(x): return prefix + str(x)
            first(1)
        made = flow()
        """)
    made = pack(module.made.get_task("first").python_callable, [Path(module.__file__).parent])
    assert unpacked(made, tmp_path / "pack")(2) == "p2"


def test_modules_of_the_folder_go_with_it(load: Load, tmp_path: Path) -> None:
    text = """
        from company.prepare import clean
        from company import settings
        import flat
        def task(x):
            from company.late import late
            return clean(x), settings.NAME, flat.f(x), late()
        """
    module = load(
        text,
        {
            "company/__init__": "",
            "company/prepare": "from .deep import low\nimport numpy_like\ndef clean(x): return low(x)",
            "company/deep": "import json\ndef low(x): return json.dumps(x)",
            "company/settings": "NAME = 'n'",
            "company/late": "def late(): return 'late'",
            "company/unused": "1 / 0",
            "flat": "def f(x): return x",
            "numpy_like": "",
        },
    )
    made = packed(module)
    names = {"__init__", "prepare", "deep", "settings", "late"}
    assert set(made.files) == {
        CODE,
        *(f"{MODULES}/company/{name}.py" for name in names),
        f"{MODULES}/flat.py",
        f"{MODULES}/numpy_like.py",
    }
    expected = module.task(1)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("company", "flat", "numpy_like")]:
        del sys.modules[name]
    assert unpacked(made, tmp_path / "pack") and run_apart(made, tmp_path / "apart", "1") == repr(expected)


def run_apart(made: Pack, folder: Path, argument: str) -> str:
    """What the callable of a pack gives in a process of its own."""
    for path, content in made.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    code = f"import sys; sys.path[:0] = ['.', 'modules']; from task_code import {made.entry} as f; print(repr(f({argument})))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_a_callable_of_another_module_is_taken_from_there(load: Load, tmp_path: Path) -> None:
    module = load(
        "from churn.jobs import task",
        {
            "churn/__init__": "",
            "churn/base": "NAME = 'base'\ndef scale(x): return x * 10",
            "churn/jobs": """
            from airflow.models import DAG  # of no use in a container
            from .base import scale
            FACTOR = 2
            def task(x):
                from . import base
                return scale(x) * FACTOR, base.NAME
            """,
        },
    )
    made = packed(module)
    assert not made.problems
    assert set(made.files) == {CODE, f"{MODULES}/churn/__init__.py", f"{MODULES}/churn/base.py"}
    assert run_apart(made, tmp_path / "pack", "3") == repr(module.task(3))


def test_data_of_other_modules_goes_by_value(load: Load) -> None:
    made = packed(
        load("from place import BUCKET\ndef task(): return BUCKET", {"place": "import os\nBUCKET = os.getcwd()[:0]"})
    )
    assert b"BUCKET = ''" in made.files[CODE]
    assert list(made.files) == [CODE]


def test_modules_that_the_image_must_have(load: Load) -> None:
    made = packed(load("import boto3\ndef task():\n    import pandas, json\n    from sklearn.svm import SVC"))
    assert made.modules == ("pandas", "sklearn")
    made = packed(load("import boto3\ndef task(): return boto3"))
    assert made.modules == ("boto3",)


WRONG = {
    "no source": ("SMP220", "space = {}\nexec('def task(): pass', space)\ntask = space['task']"),
    "an object without a name": ("SMP220", "class A:\n    def f(self): pass\ntask = A().f"),
    "an open file": ("SMP221", "for handle in [open(__file__)]: handle.close()\ndef task(): return handle"),
    "made in one case only": ("SMP221", "import re\nif re:\n    P = re.compile('a')\ndef task(): return P"),
    "made twice": ("SMP221", "import re\nP = re.compile('a')\nP = re.compile('b')\ndef task(): return P"),
    "an argument of a partial": ("SMP221", "from functools import partial\ntask = partial(print, object())"),
    "two of one name": (
        "SMP221",
        """
        x = 1
        def other(): return x
        def make():
            x = 2
            def task(): return x + other()
            return task
        task = make()
        """,
    ),
    "a decorator of a function around it": (
        "SMP221",
        """
        import functools
        def make():
            def deco(f):
                @functools.wraps(f)
                def inner(): return f() + 1
                return inner
            @deco
            def task(): return 1
            return task
        task = make()
        """,
    ),
    "a secret": ("SMP222", "API_KEY = 'k'\ndef task(): return API_KEY"),
    "a secret inside": ("SMP222", "CONFIG = {'db': [{'password': 'k'}]}\ndef task(): return CONFIG"),
    "a secret default": ("SMP222", "def task(password='k'): return password"),
    "a secret in the code": ("SMP222", "def task():\n    token = 'k'\n    return token"),
    "a secret argument in the code": ("SMP222", "def task(): return dict(password='k')"),
    "a secret of a partial": ("SMP222", "from functools import partial\ntask = partial(dict, password='k')"),
    "a hook": ("SMP223", "def task():\n    from airflow.hooks.base import BaseHook\n    return BaseHook"),
    "a hook of the file": (
        "SMP223",
        "from airflow.providers.amazon.aws.hooks.s3 import S3Hook\ndef task(): return S3Hook()",
    ),
    "an object of Airflow": (
        "SMP223",
        "from airflow.providers.common.compat.sdk import DAG\nd = DAG('d')\ndef task(): return d.dag_id",
    ),
    "the whole of Airflow": ("SMP223", "def task():\n    import airflow.models\n    return airflow"),
    "globals": ("SMP655", "def task(): return globals()['x']"),
    "its environment": ("SMP655", "import os\ndef task(): return os.environ['X']"),
    "a variable of it": ("SMP655", "import os\ndef task(): return os.getenv('X')"),
    "its own file": ("SMP655", "def task(): return open(__file__)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_packed_is_said(name: str, load: Load) -> None:
    code, text = WRONG[name]
    made = packed(load(text))
    assert problems(made) == [code], made.problems
    assert not any("'k'" in message for _, message in made.problems)
    if code == "SMP222" and "partial" not in name and "code" not in name and "default" not in name:
        assert b"'k'" not in made.files[CODE]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("SMP222", "PASSWORD = 'k'\ndef f(): pass"),
        ("SMP223", "from airflow.hooks.base import BaseHook\ndef f(): pass"),
        ("SMP655", "import os\nX = os.environ.get('X')\ndef f(): pass"),
        ("SMP655", "import os\nX = os.getenv('X')\ndef f(): pass"),
        ("SMP655", "def f(): return open(__file__)"),
    ],
)
def test_what_modules_of_the_folder_do(code: str, text: str, load: Load) -> None:
    module = load("from helper import f\ndef task(): return f()", {"helper": text})
    assert problems(packed(module)) == [code]


def test_names_of_secrets_are_no_secrets(load: Load) -> None:
    made = packed(load("def task(client): return client.get_secret_value(SecretId='prod/db'), dict(token_path='p')"))
    assert not made.problems


def test_where_airflow_is_installed(load: Load) -> None:
    module = load("def task():\n    from airflow.hooks.base import BaseHook\n    return BaseHook")
    made = packed(module, served=False)
    assert not made.problems
    assert made.modules == ("airflow",)


def test_several_problems_at_once(load: Load) -> None:
    made = packed(load("PASSWORD = 'k'\nfor f in [open(__file__)]: f.close()\ndef task(): return PASSWORD, f"))
    assert problems(made) == ["SMP221", "SMP222"]


def test_the_same_in_every_process(load: Load) -> None:
    module = load("""
        NAMES = {"b", "a", "c"}
        import os, json, re
        P = re.compile("x")
        def h1(): return os, P
        def h2(): return json, NAMES
        def task(): return h1(), h2()
        """)
    code = (
        "import sys, importlib; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from sagemaker_provider.translator.packing import pack\n"
        "print(pack(importlib.import_module(sys.argv[2]).task, [Path(sys.argv[1])]).files)"
    )
    file = Path(module.__file__)
    other = subprocess.run(
        [sys.executable, "-c", code, str(file.parent), file.stem],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == f"{pack(module.task, [file.parent]).files}\n"


names = st.sampled_from(["alpha", "beta", "gamma", "delta"])


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A file with data, functions that use it and each other, and a task that calls one."""
    lines = ["import math", "from functools import reduce as fold"]
    data = draw(st.dictionaries(names, DATA, min_size=1))
    lines += [f"{name} = {literal(value)}" for name, value in data.items()]
    known: list[str] = []
    for number in range(draw(st.integers(1, 4))):
        parts = [f"repr({draw(st.sampled_from(sorted(data)))})"]
        parts += [f"{draw(st.sampled_from(known))}(n - 1)" for _ in range(draw(st.integers(0, 2))) if known]
        parts.append(
            draw(st.sampled_from(["str(math.floor(n / 2))", "str(fold(lambda a, b: a + b, [n, 1]))", "str(n)"]))
        )
        default = draw(st.sampled_from(["", ", k=2", f", k={sorted(data)[0]}"]))
        body = f"return ' '.join([{', '.join(parts)}])"
        name = f"f{number}"
        shape = draw(st.sampled_from(["def", "lambda", "nested"]))
        if shape == "def":
            lines.append(f"def {name}(n{default}):\n    if n < 0: return ''\n    {body}")
        elif shape == "lambda":
            lines.append(f"{name} = lambda n{default}: '' if n < 0 else {body.removeprefix('return ')}")
        else:
            inner = f"    local = {number}\n    def {name}(n{default}):\n        if n < 0: return str(local)\n        {body}"
            lines.append(f"def make_{name}():\n{inner}\n    return {name}\n{name} = make_{name}()")
        known.append(name)
    return "\n".join([*lines, f"task = {known[-1]}"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(programs())
def test_random_files(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("random")
    module = imported(folder / f"random_{next(_numbers)}.py", text)
    made = packed(module)
    assert not [problem for problem in made.problems if "two different values" not in problem[1]], made.problems
    if not made.problems:
        assert unpacked(made, folder / "pack")(3) == module.task(3)
    del sys.modules[module.__name__]
