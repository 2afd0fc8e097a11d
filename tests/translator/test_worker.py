"""Files in processes of their own: hostile ones, many, and what they may not do."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from dag_texts import GOOD, HEAD, dag_of, found, is_converted

from sagemaker_provider.translator.inputs import Inputs
from sagemaker_provider.translator.worker import ConvertedFile, Request, convert_files

HOSTILE = {
    "good": GOOD,
    "exits": HEAD + "sys.exit(3)\n",
    "exits_at_once": HEAD + "os._exit(3)\n",
    "succeeds_at_once": HEAD + "os._exit(0)\n",
    "aborts": HEAD + "os.abort()\n",
    "deep": HEAD + "def f():\n    f()\nf()\n",
    "takes_memory": HEAD + "taken = bytearray(1 << 36)\n",
    "own_limit": HEAD + "sys.setrecursionlimit(10**9)\ndef f():\n    return [f()]\nf()\n",
    "forges": HEAD
    + "import json\n"
    + 'for number in range(3, 64):\n    try:\n        os.write(number, b"{}")\n    except OSError:\n        pass\n'
    + "os._exit(0)\n",
    "recursive": HEAD
    + 'a = {}\na["a"] = a\nb = []\nb.append(b)\nwith DAG("recursive", schedule=None):\n    step("work", a=a, b=b)\n',
    "unserialisable": HEAD + 'with DAG("unserialisable", schedule=None):\n    step("work", a=object(), b=open)\n',
    "thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,)).start()\n" + GOOD,
    "prints": 'import os\nprint("hunter2-printed")\nos.write(1, b"hunter2-written")\nos.write(2, b"hunter2-err")\n'
    + GOOD,
    "hooks": HEAD
    + "import builtins\nbuiltins.open = None\nsys.exit = None\nos.getcwd = None\n"
    + GOOD.removeprefix(HEAD),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name, text in HOSTILE.items():
        (folder / f"{name}.py").write_text(dag_of(text, name))
    return folder


@pytest.fixture(scope="module")
def converted(folder: Path) -> dict[str, ConvertedFile]:
    before = sorted(path.name for path in folder.iterdir())
    files = convert_files(Request(folder, timeout=20))
    assert sorted(path.name for path in folder.iterdir()) == before
    return {Path(item.file).stem: item for item in files}


def test_every_file_has_an_answer(converted: dict[str, ConvertedFile]) -> None:
    assert sorted(converted) == sorted(HOSTILE)


@pytest.mark.parametrize("name", ["good", "thread", "prints"])
def test_a_file_that_can_be_converted_is(converted: dict[str, ConvertedFile], name: str) -> None:
    assert is_converted(converted[name]), found(converted[name])


@pytest.mark.parametrize(
    ("name", "code", "part"),
    [
        ("exits", "SMP101", "SystemExit: 3"),
        ("exits_at_once", "SMP108", "exit code 3"),
        ("succeeds_at_once", "SMP108", "exit code 0"),
        ("aborts", "SMP108", "SIGABRT"),
        ("deep", "SMP101", "RecursionError"),
        ("takes_memory", "SMP101", "MemoryError"),
        ("forges", "SMP108", "no result"),
        ("hooks", "SMP108", "exit code 1"),
        ("recursive", "SMP101", "RecursionError"),
        ("unserialisable", "SMP307", "cannot be written into a definition"),
    ],
)
def test_a_file_that_cannot_is_an_error_of_its_own(
    converted: dict[str, ConvertedFile], name: str, code: str, part: str
) -> None:
    assert part in found(converted[name]).get(code, ""), found(converted[name])
    assert not is_converted(converted[name])


def test_an_endless_recursion_ends_its_own_process_only(converted: dict[str, ConvertedFile]) -> None:
    assert set(found(converted["own_limit"])) <= {"SMP101", "SMP107", "SMP108"}
    assert converted["own_limit"].findings


def test_nothing_that_a_file_prints_is_in_the_results(
    converted: dict[str, ConvertedFile], capfd: pytest.CaptureFixture[str]
) -> None:
    assert "hunter2" not in repr(converted["prints"])
    captured = capfd.readouterr()
    assert "hunter2" not in captured.out + captured.err


def test_a_file_that_never_ends_is_ended(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(
        "import airflow  # dag\nwhile True:\n    try:\n        pass\n    except BaseException:\n        pass\n"
    )
    (tmp_path / "sleeps.py").write_text("import airflow, time  # dag\ntime.sleep(3600)\n")
    (tmp_path / "good.py").write_text(dag_of(GOOD, "good"))
    files = {Path(item.file).stem: item for item in convert_files(Request(tmp_path, timeout=8))}
    assert "longer than 8 s" in found(files["endless"])["SMP107"]
    assert "SMP107" in found(files["sleeps"])
    assert is_converted(files["good"])


def test_ten_thousand_tasks_are_counted_not_converted(tmp_path: Path) -> None:
    many = HEAD + 'with DAG("many", schedule=None):\n    for number in range(10_000):\n        step(f"work_{number}")\n'
    (tmp_path / "many.py").write_text(many)
    (file,) = convert_files(Request(tmp_path / "many.py", timeout=300))
    assert "10000" in found(file)["SMP504"].replace(",", "")


def test_many_files_at_once(tmp_path: Path) -> None:
    for number in range(30):
        text = GOOD if number % 10 else HEAD + "os._exit(1)\n"
        (tmp_path / f"f{number:02}.py").write_text(dag_of(text, f"d{number}"))
    files = convert_files(Request(tmp_path, jobs=8))
    assert [Path(item.file).stem for item in files] == [f"f{number:02}" for number in range(30)]
    assert sum(map(is_converted, files)) == 27


def test_variables_and_connections_of_the_values_file_are_read_in_airflows_way(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        HEAD
        + "from airflow.models import Variable\nfrom airflow.providers.common.compat.sdk import BaseHook\n"
        + 'with DAG("d", schedule=None):\n'
        + '    step("work", v=Variable.get("bucket"), c=BaseHook.get_connection("db").host)\n'
    )
    inputs = Inputs({"bucket": "mine"}, connections={"db": "postgres://me:hunter2@there/db"})
    (file,) = convert_files(Request(tmp_path / "d.py", inputs=inputs))
    assert is_converted(file), found(file)
    assert json.loads(file.dags[0].definition or "")["Steps"][0]["Arguments"] == {"v": "mine", "c": "there"}


def test_a_secret_of_the_values_file_is_never_written(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        HEAD
        + "from airflow.models import Variable\n"
        + 'with DAG("d", schedule=None):\n    step("work", v="x" + Variable.get("db_password"))\n'
    )
    (tmp_path / "e.py").write_text(
        "from airflow.models import Variable  # dag\nraise ValueError(Variable.get('db_password'))\n"
    )
    files = convert_files(Request(tmp_path, inputs=Inputs({"db_password": "hunter2"})))
    assert "hunter2" not in repr(files)
    assert "SMP306" in found(files[0])
    assert not is_converted(files[0])
    assert "***" in found(files[1])["SMP101"]


def test_companion_modules_come_from_further_folders(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/names_of_the_team.py").write_text('NAME = "from_the_team"\n')
    text = HEAD + 'from names_of_the_team import NAME\nwith DAG("d", schedule=None):\n    step(NAME)\n'
    (tmp_path / "dags/d.py").write_text(text)
    (file,) = convert_files(Request(tmp_path / "dags", folders=(tmp_path / "shared",)))
    assert is_converted(file), found(file)
    (without,) = convert_files(Request(tmp_path / "dags"))
    assert "names_of_the_team" in found(without)["SMP101"]


def test_a_zip_file_of_dags_is_loaded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.writestr("in_the_zip.py", dag_of(GOOD, "zipped"))
    (file,) = convert_files(Request(tmp_path))
    assert file.dag_ids == ("zipped",)
    assert is_converted(file), found(file)


def test_ignored_files_are_not_loaded(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(dag_of(GOOD, name))
    (tmp_path / ".airflowignore").write_text("two.py\n")
    assert [item.dag_ids for item in convert_files(Request(tmp_path))] == [("one",)]


def test_one_dag_of_many(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(dag_of(GOOD, name))
    files = convert_files(Request(tmp_path, "two"))
    assert [dag.dag_id for file in files for dag in file.dags] == ["two"]
    missing = convert_files(Request(tmp_path, "three"))
    assert found(missing[-1])["SMP102"] == "there is no DAG 'three'; there are one, two"


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        HEAD
        + "from datetime import datetime, timedelta\n"
        + 'with DAG("d", schedule=None, start_date=datetime.now() - timedelta(days=1)):\n    step("work")\n'
    )
    one, two = (convert_files(Request(tmp_path / "d.py")) for _ in range(2))
    assert one == two
    assert is_converted(one[0])


def test_what_cannot_be_loaded_at_all_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d.py").write_text(dag_of(GOOD, "d"))
    monkeypatch.setattr("sagemaker_provider.translator.worker._SERVERS", [])
    monkeypatch.setattr("sagemaker_provider.translator.worker._PROGRAM", "raise SystemExit('no Airflow here')")
    with pytest.raises(RuntimeError, match="no Airflow here"):
        convert_files(Request(tmp_path / "d.py"))
    assert os.listdir(tmp_path) == ["d.py"]
