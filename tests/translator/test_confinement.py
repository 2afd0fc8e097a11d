"""What DAG code may not do while it loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dag_texts import GOOD, HEAD, dag_of, found, is_converted

from sagemaker_provider.translator.inputs import Inputs
from sagemaker_provider.translator.worker import ConvertedFile, Request, convert_files

TRIED = HEAD + "try:\n    {}\nexcept OSError as error:\n    print(error)\n" + GOOD.removeprefix(HEAD)

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
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ConvertedFile]:
    folder = tmp_path_factory.mktemp("tried")
    for name, statement in NOT_ALLOWED.items():
        (folder / f"{name}.py").write_text(dag_of(TRIED, name).replace("{}", statement, 1))
    before = sorted(path.name for path in folder.iterdir())
    files = convert_files(Request(folder))
    assert sorted(path.name for path in folder.iterdir()) == before
    return {Path(item.file).stem: item for item in files}


@pytest.mark.parametrize("name", NOT_ALLOWED)
def test_what_is_not_allowed_is_refused_and_said(converted: dict[str, ConvertedFile], name: str) -> None:
    (refused,) = [item for item in converted[name].findings if item.code == "SMP642"]
    assert refused.line == 11
    assert refused.message.startswith("the file ")


def test_files_may_be_written_in_a_temporary_folder_that_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        HEAD
        + "import pathlib, shutil, tempfile\n"
        + "with tempfile.TemporaryDirectory() as folder:\n    pathlib.Path(folder, 'a').mkdir()\n"
        + "    pathlib.Path(folder, 'a', 'b').write_text('x')\n"
        + "kept = tempfile.mkdtemp()\nopen(os.devnull, 'w').close()\nos.makedirs(kept, exist_ok=True)\n"
        + 'with DAG("d", schedule=None, description=kept[:4]):\n    step("work")\n'
    )
    (file,) = convert_files(Request(tmp_path / "d.py"))
    assert is_converted(file), found(file)
    assert "SMP642" not in found(file)


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
