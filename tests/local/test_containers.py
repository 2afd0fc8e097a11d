"""Containers: isolation, signals, Docker's command line, the log, and what is on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from job_tools import IMAGE, Bench, s3_output

from sagemaker_provider.local import containers, launch
from sagemaker_provider.local.containers import Container
from sagemaker_provider.local.service import LocalSettings, local_sagemaker
from sagemaker_provider.local.transfers import JobError

needs_namespaces = pytest.mark.skipif(
    not containers.namespaces_work(), reason="this system has no private mount namespaces"
)
ENVIRONMENT = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(LocalSettings(isolation="paths"), tmp_path / "job")
    yield made
    while made.running:
        made.kill()
        made.wait(1)


def finish(container: Container, *command: str, seconds: float = 10) -> list[str]:
    """Run a command; its output."""
    container.start(command, ENVIRONMENT)
    assert container.wait(seconds) is not None
    return container.new_log()


@needs_namespaces
def test_each_job_has_its_own_opt_ml_and_the_machine_keeps_its_opt(tmp_path: Path) -> None:
    before = sorted(os.listdir("/opt"))
    jobs = [Container(LocalSettings(isolation="namespace"), tmp_path / name) for name in ("one", "two")]
    for job in jobs:
        (job.ml / "name").write_text(job.folder.name)
        job.start(["sh", "-c", "cat /opt/ml/name; echo; ls -A /opt; sleep 0.2; echo x > /opt/ml/new"], ENVIRONMENT)
    for job in jobs:
        assert job.wait(10) == 0
        name, *entries = job.new_log()
        assert name == job.folder.name and sorted({*entries, "ml"}) == sorted({*before, "ml"}) and "ml" in entries
        assert (job.ml / "new").read_text() == "x\n"
    assert sorted(os.listdir("/opt")) == before


@needs_namespaces
@pytest.mark.skipif(not hasattr(os, "setuid") or os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
@pytest.mark.skipif(not os.access("/usr/bin/python3", os.X_OK), reason="needs a Python that everybody may use")
def test_an_ordinary_user_has_it_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(launch.__file__, folder / "launch.py")
        (folder / "ml").mkdir()
        (folder / "ml" / "x").write_text("mine")
        for path in (folder, folder / "ml"):
            path.chmod(0o777)
        read, write = os.pipe()
        script = (
            "import os, subprocess, sys; sys.exit(subprocess.call([sys.executable, '-I', '-S', sys.argv[1], str(os.getpid()), "
            "sys.argv[2], sys.argv[3], '/', 'sh', '-c', 'cat /opt/ml/x; id -u; echo 1 > /opt/ml/y'], close_fds=False))"
        )
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = subprocess.run(
            [*user, "/usr/bin/python3", "-c", script, str(folder / "launch.py"), str(write), str(folder / "ml")],
            pass_fds=(write,),
            capture_output=True,
            text=True,
            check=False,
        )
        os.close(read)
        os.close(write)
        if "no private mount namespace" in done.stderr:
            pytest.skip("ordinary users have no namespaces here")
        assert (done.returncode, done.stdout) == (0, "mine65534\n"), done.stderr
        assert (folder / "ml" / "y").stat().st_uid == 65534


def test_paths_are_rewritten_where_they_are_meant(container: Container) -> None:
    ml = str(container.ml)
    for text, seen in {
        "/opt/ml": ml,
        "--dir=/opt/ml/model": f"--dir={ml}/model",
        '{"a":"/opt/ml/x","b":"/opt/ml"}': f'{{"a":"{ml}/x","b":"{ml}"}}',
        "/opt/mlflow": "/opt/mlflow",
        "/opt/ml-x": "/opt/ml-x",
        "/srv/opt/ml": "/srv/opt/ml",
    }.items():
        assert container.seen(text) == seen
    container.write("/opt/ml/config/x.json", {"at": "/opt/ml/in"})
    assert json.loads((container.ml / "config" / "x.json").read_text()) == {"at": f"{ml}/in"}
    assert finish(container, "echo", "/opt/ml/x") == [f"{ml}/x"]


@pytest.mark.parametrize("path", ["/etc", "/opt/ml/../x", "/opt/mlx", "relative", "/"])
def test_only_opt_ml_has_a_place(container: Container, path: str) -> None:
    with pytest.raises(JobError, match="is not below /opt/ml"):
        container.path(path)
    assert container.path("/opt/ml/a/../b") == container.ml / "b"


def test_exit_codes_are_those_of_a_shell(tmp_path: Path) -> None:
    commands = {
        0: ["true"],
        5: ["sh", "-c", "exit 5"],
        143: ["sh", "-c", "kill $$"],
        127: ["no-such-program"],
        126: ["/"],
    }
    for code, command in commands.items():
        made = Container(LocalSettings(isolation="paths"), tmp_path / str(code))
        made.start(command, ENVIRONMENT)
        assert made.wait(10) == code and not made.running


def test_the_log_is_read_line_by_line_while_the_process_runs(container: Container) -> None:
    container.start(["sh", "-c", "echo one; printf tw; echo err >&2; sleep 0.4; printf 'o \\377'"], ENVIRONMENT)
    end = time.monotonic() + 5
    lines: list[str] = []
    while len(lines) < 2 and time.monotonic() < end:
        lines += container.new_log()
    assert lines == ["one", "twerr"]
    assert container.new_log() == [] and container.wait(10) == 0
    assert container.new_log() == ["o \ufffd"] and container.new_log() == []


def test_very_long_lines_are_cut(container: Container) -> None:
    lines = finish(container, sys.executable, "-c", "print('x' * 450000); print('end')")
    assert [len(line) for line in lines] == [200_000, 200_000, 50_000, 3]


def test_folders_without_permissions_are_removed(container: Container) -> None:
    finish(
        container,
        "sh",
        "-c",
        f"mkdir -p {container.ml}/a/b; touch {container.ml}/a/b/c; chmod 0 {container.ml}/a/b {container.ml}/a",
    )
    container.remove()
    assert not container.folder.exists()


def test_links_in_outputs_lead_where_they_led(container: Container) -> None:
    (container.ml / "in").mkdir()
    (container.ml / "out").mkdir()
    (container.ml / "in" / "data").write_text("1")
    (container.ml / "out" / "link").symlink_to("/opt/ml/in/data")
    (container.ml / "out" / "broken").symlink_to("/opt/ml/in/nothing")
    found = list(container.outputs(container.ml / "out"))
    assert found == [(container.ml / "out" / "link", container.ml / "in" / "data")]


def test_python_is_the_python_of_the_settings(tmp_path: Path) -> None:
    versioned = tmp_path / "python9.9"
    versioned.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    versioned.chmod(0o755)
    path = containers.search_path(LocalSettings(python=str(versioned)), tmp_path / "work")
    for name in ("python", "python3"):
        found = shutil.which(name, path=path)
        assert found is not None and found.startswith(str(tmp_path))
        done = subprocess.run([found, "-c", "print('it works')"], capture_output=True, text=True, check=True)
        assert done.stdout == "it works\n"


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (["python3", "-c", "pass"], True),
        (["/bin/sh", "/opt/ml/x.sh"], True),
        (["/opt/ml/program"], True),
        (["smspark-submit", "x.py"], False),
        (["/usr/bin/no-such-program"], False),
        (["python3", "/app/main.py"], False),
        (["bash", "/app/run.sh"], False),
    ],
)
def test_what_is_only_in_an_image_cannot_run(command: list[str], runs: bool) -> None:
    assert (containers.cannot_run(command, LocalSettings()) is None) is runs


def test_settings_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="there is no Python 'python9'"),
        local_sagemaker(LocalSettings(python="python9")),
    ):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="there is no program 'docker'"):
        containers.check_settings(LocalSettings(isolation="docker"))


# Docker: a program that writes down how it was called


DOCKER = """#!{python}
import json, os, subprocess, sys
arguments = sys.argv[1:]
with open({calls!r}, "a") as file:
    file.write(json.dumps([arguments, sorted(os.environ)]) + "\\n")
if arguments[0] == "run":
    ml = arguments[arguments.index("--volume") + 1].partition(":")[0]
    os.makedirs(ml + "/processing/out", exist_ok=True)
    open(ml + "/processing/out/x", "w").write("from docker")
    print("in the container")
"""


def test_docker_gets_the_image_the_folder_and_a_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    (tmp_path / "docker").write_text(DOCKER.format(python=sys.executable, calls=str(calls)))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SECRET_OF_THE_USER", "x")
    with local_sagemaker(LocalSettings(isolation="docker")) as local:
        bench = Bench(local)
        bench.process(
            "in-docker",
            AppSpecification={
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["app", "run"],
                "ContainerArguments": ["--x", "1"],
            },
            Environment={"MINE": "a b"},
            ProcessingOutputConfig={"Outputs": [s3_output("out", "s3://bucket/docker")]},
        )
        job = bench.wait("ProcessingJob", "in-docker")
        assert job["ProcessingJobStatus"] == "Completed", job
        assert bench.get("docker/x") == b"from docker"
        assert bench.log("ProcessingJob", "in-docker")[1] == "in the container"
        bench.train("by-image")
        assert bench.wait("TrainingJob", "by-image")["TrainingJobStatus"] == "Completed"
    (processing, names), (training, _) = [
        json.loads(line) for line in calls.read_text().splitlines() if '["run"' in line
    ][:2]
    at = processing.index(IMAGE)
    assert processing[:2] == ["run", "--rm"] and processing[at + 1 :] == ["run", "--x", "1"]
    assert processing[processing.index("--entrypoint") + 1] == "app"
    assert processing[processing.index("--volume") + 1].endswith("/ml:/opt/ml")
    given = [processing[index + 1] for index, item in enumerate(processing) if item == "--env"]
    assert "MINE=a b" in given and f"AWS_ENDPOINT_URL={local.url}" in given
    assert not any("SECRET_OF_THE_USER" in item for item in [*given, *names])
    assert training[training.index(IMAGE) + 1 :] == ["train"] and "--entrypoint" not in training
