"""Files in processes of their own: hostile ones, many, and what they may not do."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from sagemaker_provider.translator.inputs import Inputs
from sagemaker_provider.translator.worker import ConvertedFile, Request, convert_files

HEAD = """\
import os, socket, subprocess, sys
from airflow.providers.common.compat.sdk import DAG
from sagemaker_provider.operators import SageMakerLambdaStepOperator

def step(task_id, **config):
    return SageMakerLambdaStepOperator(
        task_id=task_id, function_arn="arn:aws:lambda:us-west-2:111122223333:function:f", config=config
    )

"""
GOOD = HEAD + 'with DAG("{name}", schedule=None):\n    step("work", a=1)\n'
TRIED = HEAD + "try:\n    {}\nexcept OSError as error:\n    print(error)\n" + GOOD.removeprefix(HEAD)


def dag_of(text: str, name: str) -> str:
    return text.replace("{name}", name)


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

NOT_ALLOWED = {
    "connects": 'socket.create_connection(("127.0.0.1", 9))',
    "looks_up": 'socket.getaddrinfo("example.com", 80)',
    "sends": 'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))',
    "listens": 'socket.socket().bind(("127.0.0.1", 0))',
    "runs": 'subprocess.run(["true"])',
    "runs_in_a_shell": 'os.system("true")',
    "forks": "os.fork()",
    "becomes": 'os.execv("/bin/true", ["true"])',
    "spawns": 'os.posix_spawn("/bin/true", ["true"], {})',
    "kills": "os.kill(os.getppid(), 9)",
    "writes": 'open("written.txt", "w")',
    "appends": 'open(__file__, "a")',
    "opens_for_writing": 'os.open("written.txt", os.O_CREAT | os.O_WRONLY)',
    "removes": "os.remove(__file__)",
    "renames": 'os.rename(__file__, "moved.py")',
    "makes_a_folder": 'os.mkdir("made")',
    "links": 'os.symlink("/", "link.txt")',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name, text in HOSTILE.items():
        (folder / f"{name}.py").write_text(dag_of(text, name))
    for name, statement in NOT_ALLOWED.items():
        (folder / f"{name}.py").write_text(dag_of(TRIED, name).replace("{}", statement, 1))
    return folder


@pytest.fixture(scope="module")
def converted(folder: Path) -> dict[str, ConvertedFile]:
    before = sorted(path.name for path in folder.iterdir())
    files = convert_files(Request(folder, timeout=20))
    assert sorted(path.name for path in folder.iterdir()) == before
    return {Path(item.file).stem: item for item in files}


def found(file: ConvertedFile) -> dict[str, str]:
    return {item.code: item.message for item in (*file.findings, *(item for dag in file.dags for item in dag.findings))}


def is_converted(file: ConvertedFile) -> bool:
    return [dag.definition is not None for dag in file.dags] == [True]


def test_every_file_has_an_answer(converted: dict[str, ConvertedFile]) -> None:
    assert sorted(converted) == sorted([*HOSTILE, *NOT_ALLOWED])


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


@pytest.mark.parametrize("name", NOT_ALLOWED)
def test_what_is_not_allowed_is_refused_and_said(converted: dict[str, ConvertedFile], name: str) -> None:
    (refused,) = [item for item in converted[name].findings if item.code == "SMP642"]
    assert refused.line == 11
    assert refused.message.startswith("the file ")


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


def test_the_environment_of_dag_files_holds_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__SECRETS__BACKEND_KWARGS",
        "AIRFLOW_CONN_OTHER",
        "AIRFLOW_VAR_OTHER",
        "SOME_TOKEN",
    ):
        monkeypatch.setenv(name, "hunter2")
    (tmp_path / "d.py").write_text(
        HEAD
        + 'shown = sorted(name for name, value in os.environ.items() if "hunter2" in value)\n'
        + 'with DAG("d", schedule=None):\n    step("work", shown=str(shown), given=os.environ["GIVEN"])\n'
    )
    (file,) = convert_files(Request(tmp_path / "d.py", inputs=Inputs(env={"GIVEN": "yes"})))
    assert is_converted(file), found(file)
    arguments = json.loads(file.dags[0].definition or "")["Steps"][0]["Arguments"]
    assert arguments == {"shown": "[]", "given": "yes"}


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


CLOCKS = {
    "now": ("from datetime import datetime", "str(datetime.now())"),
    "module": ("import datetime as dt", "dt.datetime.utcnow().isoformat()"),
    "today": ("from datetime import date", 'date.today().strftime("%d")'),
    "time": ("import time", "int(time.time())"),
    "strftime": ("import time", 'time.strftime("%H")'),
    "uuid": ("import uuid", "uuid.uuid1().hex"),
    "pendulum": ("import pendulum", 'pendulum.now("UTC").to_date_string()'),
    "random": ("import random", "random.random()"),
    "secrets": ("import secrets", "secrets.token_hex(4)"),
    "entropy": ("import os", "os.urandom(4).hex()"),
}


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ConvertedFile]:
    folder = tmp_path_factory.mktemp("clocks")
    for name, (line, value) in CLOCKS.items():
        text = f"{HEAD}{line}\nwith DAG('{name}', schedule=None):\n    step('work', a='same', made={value})\n"
        (folder / f"{name}.py").write_text(text)
    return {Path(item.file).stem: item for item in convert_files(Request(folder))}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_value_made_from_clock_or_chance_is_an_error(clocks: dict[str, ConvertedFile], name: str) -> None:
    (error,) = [item for item in clocks[name].dags[0].findings if item.code == "SMP111"]
    assert (error.task, error.place.rpartition(".")[2]) == ("work", "made")


def test_what_a_packed_function_reads_of_its_module_is_compared_too(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        HEAD
        + "from datetime import datetime\nfrom airflow.decorators import task\nimport missing_settings\n"
        + 'NOW = datetime.now().isoformat()\nTEAM = f"team {missing_settings.TEAM}"\n'
        + 'with DAG("d", schedule=None):\n'
        + "    @task\n    def clock():\n        return NOW\n"
        + "    @task\n    def stand_in():\n        return TEAM\n"
        + "    {}()\n"
    )
    for name, code, part in (("clock", "SMP111", "NOW of the file"), ("stand_in", "SMP113", "stand-in")):
        file = tmp_path / f"{name}.py"
        file.write_text((tmp_path / "d.py").read_text().replace("{}", name))
        (converted,) = convert_files(Request(file, compat=True))
        assert part in found(converted)[code]
        assert not is_converted(converted)


def test_the_real_classes_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        HEAD
        + "import datetime as module\nfrom datetime import date, datetime, timedelta, timezone\n"
        + "class Later(datetime):\n    pass\n"
        + "checks = [\n"
        + "    isinstance(datetime(2024, 1, 1), datetime), isinstance(datetime.now(), date),\n"
        + "    type(datetime(2024, 1, 1)).__mro__[0].__module__ == 'datetime', issubclass(datetime, date),\n"
        + "    datetime.strptime('2024', '%Y').year == 2024, datetime.fromtimestamp(0, timezone.utc).year == 1970,\n"
        + "    datetime.combine(date(2024, 1, 2), datetime.min.time()).day == 2, module.date.fromisoformat('2024-01-02').day == 2,\n"
        + "    datetime.now(timezone.utc).tzinfo is timezone.utc, (datetime(2024, 1, 2) - timedelta(days=1)).day == 1,\n"
        + "]\n"
        + 'with DAG("d", schedule=None):\n    step("work", checks=str(checks))\n'
    )
    (file,) = convert_files(Request(tmp_path / "d.py"))
    assert is_converted(file), found(file)
    assert json.loads(file.dags[0].definition or "")["Steps"][0]["Arguments"]["checks"] == str([True] * 10)


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
