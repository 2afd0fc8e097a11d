"""What the source of a task says about what it reads."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest

from sagemaker_provider.translator import callables
from sagemaker_provider.translator.callables import Reads
from sagemaker_provider.translator.syntax import Code


def tree(text: str) -> ast.Module:
    return ast.parse(textwrap.dedent(text))


def function(text: str) -> Any:
    return next(node for node in ast.walk(tree(text)) if isinstance(node, (ast.FunctionDef, ast.Lambda)))


def reads(text: str, given: Any = (), positional: int = 0) -> Reads:
    module = tree(text)
    named = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "task"]
    return callables.reads([Code(module)], named[0] if named else None, given, positional)


ALL = tuple(sorted(set(callables.CONTAINER_KEYS) - {"templates_dict"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def task(): pass", ()),
        ("def task(ds, x, *, run_id): pass", ("ds", "run_id")),
        ("def task(**kwargs): return kwargs['ds'], kwargs.get('ts'), kwargs['own']", ("ds", "ts")),
        ("def task(**c):\n    ti = c['ti']\n    return ti.task_id", ("ti",)),
        ("def task(**c):\n    if 'ds' in c: pass\n    other = c\n    return other['ts']", ("ds", "ts")),
        ("def task(**unused): pass", ()),
        ("def task(): return get_current_context()['ds']", ("ds",)),
        ("def task():\n    c = python.get_current_context()\n    return c.get('ds_nodash')", ("ds_nodash",)),
        ("def task(**kwargs): return helper(**kwargs)", ALL),
        ("def task(**kwargs): return helper(kwargs)", ALL),
        ("def task(**kwargs): return kwargs[name]", ALL),
        ("def helper(): return get_current_context()\ndef task(): return helper()", ALL),
        ("def task(ti): return ti.run_id", ("run_id", "ti")),
        ("def task(dag_run): return dag_run.logical_date", ("dag_run", "logical_date")),
    ],
)
def test_the_context(text: str, expected: tuple[str, ...]) -> None:
    assert reads(text).context == expected
    assert ("SMP655" in dict(reads(text).problems)) == (expected == ALL)


def test_what_is_given_otherwise() -> None:
    assert reads("def task(ds, ts): pass", {"ts"}, 1).context == ()
    assert reads("def task(**c): return c['ds'], c['ts']", {"ts"}).context == ("ds",)


def test_what_a_container_has_not() -> None:
    found = reads("def task(conf, **c): return c['var']['value'], c['prev_ds']")
    assert found.problems == tuple(("SMP224", f"it reads {key!r} of the context") for key in ("conf", "prev_ds", "var"))


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("def task(params): return params['a'], params.get('b', 1)", ("a", "b")),
        ("def task(**c): return c['params']['a']", ("a",)),
        ("def task(**c):\n    p = c.get('params')\n    return p['a']", ("a",)),
        ("def task(params): return dict(params)", None),
        ("def task(params): return params[x]", None),
        ("def task(x): return params['a']", ()),
    ],
)
def test_params(text: str, params: Any) -> None:
    assert reads(text).params == params


@pytest.mark.parametrize(
    ("text", "conf"),
    [
        ("def task(dag_run): return dag_run.conf['a'], dag_run.conf.get('b')", ["a", "b"]),
        ("def task(**c):\n    conf = c['dag_run'].conf or {}\n    return conf.get('a', 5)", ["a"]),
        ("def task(dag_run):\n    conf = dag_run.conf if dag_run else {}\n    return conf['a']", ["a"]),
        ("def task(ti): return ti.dag_run.conf['a']", ["a"]),
        ("def task(dag_run): return json.dumps(dag_run.conf)", None),
        ("def task(dag_run): return dag_run.run_id", []),
    ],
)
def test_the_conf_of_a_run(text: str, conf: Any) -> None:
    found = reads(text).conf
    assert (None if found is None else sorted(found)) == conf


def test_defaults_of_the_conf() -> None:
    found = reads(
        "def task(dag_run): return dag_run.conf.get('a', 5), dag_run.conf.get('b'), dag_run.conf.get('c', f())"
    ).conf
    assert found is not None
    assert {key: callables.has_default(value) for key, value in found.items()} == {"a": True, "b": False, "c": False}
    assert found["a"] == 5


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        ("ti.xcom_pull('a'), ti.xcom_pull(task_ids='b', key='k')", (("a", "return_value"), ("b", "k"))),
        ("ti.xcom_pull(task_ids=['a', 'b']), ti.xcom_pull('a')", (("a", "return_value"), ("b", "return_value"))),
        ("c['ti'].xcom_pull(key='k', task_ids=('a',))", (("a", "k"),)),
        ("ti.xcom_pull('a', None, 'k'), ti.xcom_pull('b', key=k)", (("a", "k"), ("b", None))),
        ("ti.xcom_pull(NAME)", (("late", "return_value"),)),
        ("ti.xcom_pull(f'{x}')", None),
        ("ti.xcom_pull(key='k')", None),
        ("ti.xcom_pull(**options)", None),
        ("ti.xcom_pull(*arguments)", None),
        ("pull(ti.xcom_pull)", None),
        ("1", ()),
    ],
)
def test_xcoms(text: str, tasks: Any) -> None:
    assert reads(f"NAME = 'late'\ndef task(ti, c): return {text}").xcoms == tasks


def test_variables() -> None:
    text = "def task(): return Variable.get('a'), models.Variable.get('b', default_var='x'), Variable.get(NAME, 'y')"
    found = reads(f"NAME = 'c'\n{text}")
    assert sorted(found.variables) == ["a", "b", "c"]
    assert (found.variables["b"], found.variables["c"]) == ("x", "y")
    assert not callables.has_default(found.variables["a"])
    for text in ("Variable.get(f())", "Variable.set('a', 1)", "map(Variable.get, x)"):
        assert [code for code, _ in reads(f"def task(): {text}").problems] == ["SMP229"]


def test_names_that_an_import_gives() -> None:
    assert reads(
        "from airflow.models import Variable as V\ndef task(): return V.get('a', default_var='d')"
    ).variables == {"a": "d"}
    text = "def task():\n    from airflow.sdk import get_current_context as now\n    return now()['ds']"
    assert reads(text).context == ("ds",)


def test_skips() -> None:
    assert callables.raises_skip([Code(tree("raise AirflowSkipException")), Code(tree(""))])
    assert callables.raises_skip([Code(tree("def f():\n    raise exceptions.AirflowSkipException('x')"))])
    assert callables.raises_skip(
        [Code(tree("from airflow.exceptions import AirflowSkipException as Skip\nraise Skip()"))]
    )
    assert not callables.raises_skip([Code(tree("raise ValueError('AirflowSkipException')"))])


@pytest.mark.parametrize(
    ("text", "texts", "single", "always"),
    [
        ("def f(): return 'a'", "a", True, True),
        ("def f(x):\n    if x: return 'a'\n    else: return 'b'", "ab", True, True),
        ("def f(x):\n    if x: return 'a'\n    else: return f'b{x}'", "a", True, False),
        ("def f(x):\n    if x: return 'a'\n    raise ValueError", "a", True, True),
        ("def f(x):\n    if x: return 'a'", "a", True, False),
        ("def f(x): return 'a' if x else 'b'", "ab", True, True),
        ("def f(x): return 'a' if x else None", "a", True, False),
        ("def f(x): return 'a' if x else ['b', 'c']", "a", False, False),
        ("def f(x): return x", "", False, False),
        ("def f(x): return x or 'a'", "a", False, False),
        ("def f(x): return f'{x}' or 'a'", "a", True, False),
        ("def f(x):\n    if x: return None\n    return 'a'", "a", True, False),
        ("def f(x): return [y for y in x]", "", False, False),
        ("def f():\n    t = []\n    t.append('b')\n    return t", "", False, False),
        ("def f(x):\n    t = 'a'\n    if x: t = 'b'\n    return t", "ab", True, True),
        ("def f(x):\n    t = 'a'\n    u = t if x else None\n    return u", "a", True, False),
        ("def f():\n    t = {'a', 'b'}\n    return t", "", False, False),
        ("def f(x):\n    t = 'a'\n    for t in x: pass\n    return t", "", False, False),
        ("def f(t):\n    if not t: t = 'a'\n    return t", "", False, False),
        ("def f():\n    t = t\n    return t", "", False, False),
        ("def f():\n    def g(): return ['a']\n    return 'b'", "b", True, True),
        ("def f(x):\n    with x: return 'b'", "b", True, False),
        ("f = lambda x: 'a' if x else 'b'", "ab", True, True),
        ("def f(): pass", "", True, False),
    ],
)
def test_what_is_returned(text: str, texts: str, single: bool, always: bool) -> None:
    assert callables.answers(function(text)) == callables.Answers(tuple(texts), single, always)


def test_what_a_function_without_source_returns() -> None:
    assert callables.answers(None) == callables.Answers((), single=False, always=False)


@pytest.mark.parametrize(
    ("body", "trivial"),
    [
        ("pass", True),
        ("'''Doc.'''", True),
        ("print('a', ds); log.info('x %s', ti.xcom_pull('a')); return", True),
        ("self.log.warning(f'{x.upper()}')", True),
        ("print(compute())", False),
        ("return 1", False),
        ("x = 1", False),
        ("info('x')", False),
        ("ti.xcom_push('a', 1)", False),
    ],
)
def test_trivial_tasks(body: str, trivial: bool) -> None:
    assert callables.is_trivial(function(f"def f(): {body}")) is trivial
