"""DAG files in processes of their own.

A server process imports Airflow once, without credentials in its environment, and forks a process for each file; it is kept
for later requests of the same client. The process of a file may not use the network, start processes or write
(:mod:`.confinement`), has a time limit, and answers with data: findings, definitions as text, assets. Nothing of it is ever
unpickled, and what it prints goes nowhere.
"""

from __future__ import annotations

import atexit
import base64
import gc
import json
import os
import pickle
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, TypeAlias

from sagemaker_provider.definition.findings import Finding, Severity, errors, finding, located
from sagemaker_provider.translator.convert import Settings
from sagemaker_provider.translator.inputs import Inputs, clean_environment
from sagemaker_provider.translator.loading import shown
from sagemaker_provider.translator.planning import Plan, Region
from sagemaker_provider.translator.registry import operator_name
from sagemaker_provider.translator.split import Frame, Made
from sagemaker_provider.translator.static import outline_of

TIMEOUT: Final = 60.0
"""Seconds that loading and converting one file may take."""
Progress: TypeAlias = "Callable[[int, int], None]"
_MOST_PLANNED: Final = 1000
"""Tasks of the largest DAG that is planned."""
_PROGRAM: Final = """
import sys
sys.path[:] = filter(None, sys.path)  # the current folder is no place for modules
from sagemaker_provider.translator.worker import serve
serve()
"""


@dataclass(frozen=True)
class Request:
    """What to convert, and how.

    :param path: a DAG file, a zip file of them, or a folder, which is searched as Airflow does.
    :param dag_id: only this DAG.
    :param folders: further folders with modules that DAG files import.
    :param compat: load DAGs of Airflow 1 and 2, with stand-ins for what is missing.
    :param inputs: the values file.
    :param settings: how to convert.
    :param timeout: seconds for each file.
    :param jobs: how many files at once.
    :param plan: plan which tasks go into pipelines, instead of converting whole DAGs.
    :param assess: say also which tasks of a DAG with errors could be in pipelines of their own.
    :param task_groups: convert the task groups that run as pipelines, instead of whole DAGs.
    :param compared: texts to load in the place of the file, instead of converting it: the first makes the same DAGs, the
        others have more tasks.
    """

    path: Path
    dag_id: str | None = None
    folders: tuple[Path, ...] = ()
    compat: bool = False
    inputs: Inputs = field(default_factory=Inputs)
    settings: Settings = field(default_factory=Settings)
    timeout: float = TIMEOUT
    jobs: int = os.cpu_count() or 1
    plan: bool = False
    assess: bool = False
    task_groups: bool = False
    compared: tuple[str, ...] = ()


class _Task(NamedTuple):
    """A request with all that the server does not share with its client."""

    request: Request
    environment: dict[str, str]
    folder: str
    modules: list[str]
    temporary: str


class _Server(NamedTuple):
    """A running server: for which process and Airflow it is, and where it writes what goes wrong."""

    key: tuple[int, str | None]
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def errors(self) -> str:
        """The end of what it wrote."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace").strip()[-2000:]


@dataclass(frozen=True)
class ConvertedTask:
    """One task.

    :param operator: qualified name of its class.
    :param downstream: ids of the tasks directly after it.
    :param step_types: types of the steps that it becomes, none when it vanishes; ``None`` when it has no translation.
    :param planned: whether a plan puts it into a pipeline; ``None`` without a plan.
    """

    task_id: str
    operator: str
    downstream: tuple[str, ...]
    step_types: tuple[str, ...] | None
    planned: bool | None = None


@dataclass(frozen=True)
class ConvertedDag:
    """One DAG.

    :param tasks: all of its tasks, in the order in which they were defined.
    :param definition: the JSON text of the definition; ``None`` when there is an error among the findings.
    :param pipeline: members of a CreatePipeline request that come from the DAG.
    :param assets: files that the steps need: relative path -> content.
    :param schedules: requests to EventBridge Scheduler.
    :param date_parameters: parameters that are dates: name -> template.
    :param plan: for a request to plan, the plan; there is no definition then.
    :param made: for a request to plan, where in the file the tasks are made.
    """

    dag_id: str
    tasks: tuple[ConvertedTask, ...]
    definition: str | None
    pipeline: dict[str, Any]
    findings: list[Finding]
    assets: dict[str, bytes]
    schedules: list[dict[str, Any]]
    date_parameters: dict[str, str]
    plan: Plan | None = None
    made: Made = field(default_factory=dict)


@dataclass(frozen=True)
class ConvertedFile:
    """One file.

    :param dag_ids: all DAGs of the file, also those that were not asked for.
    :param findings: findings on the file itself; those on a DAG are with the DAG.
    """

    file: str
    dags: tuple[ConvertedDag, ...] = ()
    dag_ids: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def convert_files(request: Request, progress: Progress | None = None) -> list[ConvertedFile]:
    """Convert the DAGs of a file or folder, each file in a process of its own.

    :param progress: called with the number of files that are done and of all files, at first and after each.
    :return: the files by name. One that cannot be loaded, takes too long or ends its process has a finding that says so.
    :raises RuntimeError: Airflow cannot be loaded at all.
    """
    answers: dict[str, ConvertedFile] = {}
    for answer in _answers(request):
        if answer["file"]:
            answers[answer["file"]] = _converted(answer)
        else:
            total = int(answer["text"])
        if progress:
            progress(len(answers), total)
    files = [answers[name] for name in sorted(answers, key=shown)]
    known = sorted({dag_id for item in files for dag_id in item.dag_ids})
    if (
        not request.compared
        and not any(item.dags for item in files)
        and (request.dag_id or not any(item.findings for item in files))
    ):
        reason = (
            f"there is no DAG {request.dag_id!r}; there are {', '.join(known) or 'none'}"
            if request.dag_id
            else "there is no DAG"
        )
        files.append(ConvertedFile(str(request.path), findings=(finding("SMP102", reason, file=str(request.path)),)))
    return files


def _answers(request: Request) -> Iterator[dict[str, Any]]:
    """How many files there are, without a name; then what the server says about each file, as it comes."""
    with _LOCK, tempfile.TemporaryDirectory(prefix="sagemaker-convert-") as temporary:
        server = _server()
        assert server.stdin is not None and server.stdout is not None
        environment = {**clean_environment(request.inputs), "TMPDIR": temporary}
        task = _Task(request, environment, os.getcwd(), list(filter(None, sys.path)), temporary)
        done = False
        try:
            with suppress(BrokenPipeError):
                pickle.dump(task, server.stdin)
                server.stdin.flush()
            for line in server.stdout:
                answer = json.loads(line)
                if done := answer["file"] is None:
                    break
                yield answer
        finally:
            if not done:
                _stop_server()
        if not done:
            raise RuntimeError(f"the process that loads DAG files ended: {_SERVERS.pop().errors()}")


_LOCK: Final = threading.Lock()
_SERVERS: Final[list[_Server]] = []
"""The server of this process, once there is one."""


def _server() -> subprocess.Popen[bytes]:
    """The server; a new one where there is none, or where it belongs to another Airflow or was forked from."""
    key = (os.getpid(), os.environ.get("AIRFLOW_HOME"))
    if _SERVERS and _SERVERS[-1].key == key and _SERVERS[-1].process.poll() is None:
        return _SERVERS[-1].process
    _stop_server()
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the server
    environment = {**clean_environment(Inputs()), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(  # noqa: S603 - this Python, with a program of ours
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=environment,
    )
    _SERVERS[:] = [_Server(key, process, errors)]
    return process


@atexit.register
def _stop_server() -> None:
    """End the server and what still runs of it."""
    for server in _SERVERS:
        if server.key[0] == os.getpid() and server.process.stdin and server.process.stdout:
            with suppress(BrokenPipeError):
                server.process.stdin.close()  # the server ends what still runs
            server.process.wait()
            server.process.stdout.close()


def _converted(answer: dict[str, Any]) -> ConvertedFile:
    """A file from what its process wrote, which may be anything."""
    file = shown(answer["file"])
    if answer["code"]:
        return _failed(answer, file)
    try:
        result = json.loads(answer["text"])
        dags = tuple(
            ConvertedDag(
                item["dag_id"],
                tuple(map(_task, item["tasks"])),
                item["definition"],
                dict(item["pipeline"]),
                list(map(_finding, item["findings"])),
                {_inside(name): base64.b64decode(content) for name, content in item["assets"].items()},
                list(item["schedules"]),
                dict(item["date_parameters"]),
                _plan(item["plan"]) if item["plan"] else None,
                {task: tuple(Frame(*frame) for frame in frames) for task, frames in item["made"].items()},
            )
            for item in result["dags"]
        )
        found = tuple(map(_finding, result["findings"]))
        return ConvertedFile(file, dags, tuple(result["dag_ids"]), found)
    except (ValueError, TypeError, KeyError, AttributeError):
        return _failed({**answer, "code": "SMP108", "reason": "the process of the file gave no result"}, file)


def _plan(item: dict[str, Any]) -> Plan:
    return Plan(
        tuple(
            Region(
                region["name"],
                tuple(region["tasks"]),
                int(region["steps"]),
                tuple(region["after"]),
                tuple(map(_finding, region["findings"])),
            )
            for region in item["regions"]
        ),
        {str(task): list(map(_finding, reasons)) for task, reasons in item["stays"].items()},
        tuple(map(_finding, item["findings"])),
    )


def _inside(name: str) -> str:
    """The path of an asset.

    :raises ValueError: it leads out of the folder of the assets.
    """
    if os.path.isabs(name) or ".." in Path(name).parts:
        raise ValueError(f"{name!r} is not a path below the assets")
    return name


def _failed(answer: dict[str, Any], file: str) -> ConvertedFile:
    reason = f"{answer['reason']}; {held}" if (held := _held(Path(answer["file"]))) else answer["reason"]
    return ConvertedFile(file, findings=(finding(answer["code"], reason, file=file),))


def _held(file: Path) -> str:
    """What a file that does not load seems to hold."""
    found = outline_of(file)
    return f"the file holds {found}" if found and found.tasks else ""


def _finding(item: dict[str, Any]) -> Finding:
    return Finding(**{**item, "severity": Severity(item["severity"])})


def _task(item: dict[str, Any]) -> ConvertedTask:
    types = None if item["step_types"] is None else tuple(item["step_types"])
    return ConvertedTask(item["task_id"], item["operator"], tuple(item["downstream"]), types, item["planned"])


# The server


@dataclass
class _Process:
    """A file that is being converted."""

    file: str
    pid: int
    deadline: float
    temporary: Path
    written: bytearray = field(default_factory=bytearray)


def serve() -> None:
    """Read requests from standard input; write to standard output how many files there are, and a line about each.

    A line without a file is the last one.
    """
    with os.fdopen(os.dup(1), "w") as answers, open(os.devnull, "r+b") as nothing:
        os.dup2(nothing.fileno(), 1)
        _preload()
        while True:
            try:
                task: _Task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from convert_files
            except EOFError:
                return
            os.chdir(task.folder)
            files = _files(task.request.path)
            _write(answers, "", text=str(len(files)))
            if not _convert_all(task, files, answers):
                return
            _write(answers, None)


def _preload() -> None:
    """Import what every file needs, so that the processes have it already."""
    from airflow.providers.common.compat.sdk import task

    from sagemaker_provider.definition.shapes import request_shape
    from sagemaker_provider.definition.step_types import STEP_TYPES
    from sagemaker_provider.translator import clocks, compat, confinement, load, planning, registry, settle  # noqa: F401

    registry._load()
    load.dag_bag_class()
    import airflow.providers.amazon.aws.operators.sagemaker
    import airflow.providers.amazon.aws.sensors.sagemaker  # noqa: F401

    hasattr(task, "docker")  # reads the list of providers
    for row in STEP_TYPES.values():
        if row.shape:
            request_shape(*row.shape)
    gc.collect()
    gc.freeze()


def _files(path: Path) -> list[str]:
    """The DAG files of a path, with the ``.airflowignore`` of a folder respected."""
    if not path.is_dir():
        return [str(path)]
    from airflow.utils.file import find_dag_file_paths

    return sorted(map(str, find_dag_file_paths(str(path.resolve()), safe_mode=True)))


def _convert_all(task: _Task, files: Iterable[str], answers: IO[str]) -> bool:
    """Convert files, some at a time; end those that take too long, and all of them when the client goes away.

    :return: whether the client is still there.
    """
    request = task.request
    pending = list(files)[::-1]
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    running: dict[int, _Process] = {}
    try:
        while pending or running:
            while pending and len(running) < max(1, request.jobs):
                descriptor, process = _start(task, pending.pop())
                running[descriptor] = process
                selector.register(descriptor, selectors.EVENT_READ, process)
            nearest = min(process.deadline for process in running.values())
            for key, _ in selector.select(max(0, nearest - time.monotonic())):
                if key.data is None:
                    return False
                content = os.read(key.fd, 1 << 20)
                key.data.written += content
                if not content:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _answer(running.pop(key.fd), answers)
            for descriptor, process in list(running.items()):
                if process.deadline < time.monotonic():
                    selector.unregister(descriptor)
                    os.close(descriptor)
                    del running[descriptor]
                    _end(process)
                    reason = f"loading and converting takes longer than {request.timeout:g} s"
                    _write(answers, process.file, "SMP107", reason)
        return True
    finally:
        selector.close()
        for process in running.values():
            _end(process)


def _start(task: _Task, file: str) -> tuple[int, _Process]:
    request = task.request
    reading, writing = os.pipe()
    temporary = Path(tempfile.mkdtemp(dir=task.temporary))
    pid = os.fork()
    if pid:
        os.close(writing)
        return reading, _Process(file, pid, time.monotonic() + request.timeout, temporary)
    try:
        os.setsid()
        _to_nowhere(keep=writing)
        os.environ.clear()
        os.environ.update(task.environment)
        sys.path[:] = task.modules
        content = json.dumps(_result(request, Path(file), temporary)).encode()
        with os.fdopen(writing, "wb") as target:
            target.write(content)
        os._exit(0)
    except BaseException:  # what cannot be told as a result, such as no memory left
        os._exit(1)


def _to_nowhere(keep: int) -> None:
    """Close what the server uses, and let standard input and output lead nowhere."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 16 else 1 << 16)


def _answer(process: _Process, answers: IO[str]) -> None:
    """Tell how a process ended: with a result, or otherwise."""
    _, status = os.waitpid(process.pid, 0)
    shutil.rmtree(process.temporary, ignore_errors=True)
    code = os.waitstatus_to_exitcode(status)
    if code == 0 and process.written:
        _write(answers, process.file, text=process.written.decode(errors="replace"))
    elif code < 0:
        _write(answers, process.file, "SMP108", f"the process ended by {signal.Signals(-code).name}")
    else:
        _write(answers, process.file, "SMP108", f"the process ended with exit code {code}")


def _end(process: _Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has not begun yet
        os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)
    shutil.rmtree(process.temporary, ignore_errors=True)


def _write(answers: IO[str], file: str | None, code: str = "", reason: str = "", text: str = "") -> None:
    answers.write(json.dumps({"file": file, "code": code, "reason": reason, "text": text}) + "\n")
    answers.flush()


# The process of a file


def _result(request: Request, file: Path, temporary: Path) -> dict[str, Any]:
    """Load and convert a file, as data."""
    from sagemaker_provider.translator.confinement import confine
    from sagemaker_provider.translator.loading import Loading

    sys.dont_write_bytecode = True
    tempfile.tempdir = str(temporary)
    os.environ["TMPDIR"] = str(temporary)
    folder = request.path if request.path.is_dir() else file.parent
    loading = Loading((folder, *request.folders, *_dags_folder(folder)))
    confine(temporary, lambda what: loading.note("SMP642", f"the file {what}"))
    return _loaded(request, file, loading)


def _dags_folder(folder: Path) -> tuple[Path, ...]:
    from airflow.providers.common.compat.sdk import conf

    dags = Path(conf.get("core", "dags_folder")).resolve()
    return (dags,) if dags in folder.resolve().parents else ()


def _pipelines(request: Request, loaded: Iterable[tuple[Path, Any]]) -> Iterator[tuple[Path, Any, str, Any]]:
    """What is converted: file, DAG, name, and what converts it."""
    from sagemaker_provider.translator.convert import convert
    from sagemaker_provider.translator.groups import pipelines_of_groups

    for source, dag in loaded:
        if request.dag_id in (None, dag.dag_id):
            found = pipelines_of_groups(dag) if request.task_groups else {dag.dag_id: convert}
            yield from ((source, dag, name, converting) for name, converting in found.items())


def _loaded(request: Request, file: Path, loading: Any) -> dict[str, Any]:
    from sagemaker_provider.translator import clocks, compat
    from sagemaker_provider.translator.load import load_dags
    from sagemaker_provider.translator.planning import plan
    from sagemaker_provider.translator.settle import explained, leak, settle
    from sagemaker_provider.translator.split import recorded
    from sagemaker_provider.translator.stubs import DAMAGED

    stubs = compat.install(loading, request.inputs) if request.compat else None
    worlds = clocks.install(loading)
    with recorded(str(file.resolve())) as places:
        loaded, found = load_dags(file, folders=request.folders)
    if request.compared:
        said = _compared(request, file, {dag.dag_id: dag for _, dag in loaded})
        return _told([], loaded, _clean([*found, *loading.findings, *said], stubs, request.inputs.secrets))
    first = worlds.leave()
    others = {dag.dag_id: dag for _, dag in (load_dags(file, folders=request.folders)[0] if loaded else [])}
    second = worlds.leave()
    unlike = [key for key, value in first.items() if value != second.get(key) and not DAMAGED.search(str(value))]
    secrets, spans = request.inputs.secrets, dict[Any, int]()
    settings = _settings(request, file, [dag for _, dag in loaded], loading)
    dags: list[dict[str, Any]] = []
    pipelines = list(_pipelines(request, loaded))
    if request.task_groups and not pipelines:
        found.append(finding("SMP104", "no task group runs as a pipeline", file=shown(str(file))))
    for source, dag, name, converting in pipelines:
        settled = settle(dag, others.get(dag.dag_id), stubs, request.inputs.params, spans)
        place = {"dag": dag.dag_id, "file": shown(str(source))}
        if request.plan:

            def told(findings: Iterable[Finding], place: Mapping[str, str] = place) -> list[dict[str, Any]]:
                return [item.to_json() for item in located(_clean(explained(findings), stubs, secrets), **place)]

            dags.append({**_planned(plan(dag, settings, settled), dag, told), "made": places.get(dag.dag_id, {})})
            continue
        conversion = converting(dag, settings)
        results = [*settled, *conversion.findings]
        definition = None if conversion.definition is None else conversion.definition.to_json()
        assets = conversion.assets
        if definition is not None and not errors(results):
            with worlds.second():
                again = converting(others[dag.dag_id], settings)
            same = again.definition is not None and again.definition.to_json() == definition
            if not same or again.assets != assets:
                made = f": {', '.join(sorted({name for _, name in unlike}))} of the file" if unlike else ""
                results.append(finding("SMP111", f"something in the definition is different at every load{made}"))
        data = {
            "pipeline": conversion.pipeline,
            "schedules": conversion.schedules,
            "date_parameters": conversion.date_parameters,
        }
        content = [definition or "", json.dumps(data), *(item.decode("latin-1") for item in assets.values())]
        if problem := leak("".join(content), secrets):
            results.append(problem)
            data = {"pipeline": {}, "schedules": [], "date_parameters": {}}
        stays = _staying(dag, settings, [*settled, *loading.findings], results) if request.assess else None
        results = _clean(explained(results), stubs, secrets)
        failed = bool(errors([*results, *loading.findings]))
        dags.append(
            {
                **data,
                "dag_id": name,
                "tasks": [_as_data(task, conversion, stays, secrets) for task in dag.task_dict.values()],
                "plan": None,
                "made": {},
                "definition": None if failed else definition,
                "assets": {} if failed else {key: base64.b64encode(item).decode() for key, item in assets.items()},
                "findings": [
                    replace(item, dag=dag.dag_id, file=item.file or shown(str(source))).to_json() for item in results
                ],
            }
        )
    held = _held(file)
    found = [
        replace(item, message=f"{item.message}; {held}") if item.code == "SMP101" and held else item
        for item in found
        if item.code != "SMP102"
    ]
    return _told(dags, loaded, _clean([*found, *loading.findings], stubs, secrets))


def _told(dags: list[dict[str, Any]], loaded: list[Any], found: list[Finding]) -> dict[str, Any]:
    return {
        "dags": dags,
        "dag_ids": [dag.dag_id for _, dag in loaded],
        "findings": [item.to_json() for item in found],
    }


def _compared(request: Request, file: Path, dags: Mapping[str, Any]) -> Iterator[Finding]:
    """Load the texts that the file is compared with in its place; findings say what is different."""
    from sagemaker_provider.translator.load import load_dags
    from sagemaker_provider.translator.split import differences, instead_of

    noise = {dag.dag_id: dag for _, dag in load_dags(file, folders=request.folders)[0]}
    for number, text in enumerate(request.compared):
        with instead_of(str(file.resolve()), text):
            others, problems = load_dags(file, folders=request.folders)
        yield from (finding("SMP848", item.message, file=item.file) for item in problems)
        there = {dag.dag_id: dag for _, dag in others}
        for dag_id in sorted({*dags, *there}):
            if dag_id not in dags or dag_id not in there:
                said = [f"the DAG is {'new' if dag_id in there else 'missing'}"]
            elif number:
                missing = sorted({*dags[dag_id].task_dict} - {*there[dag_id].task_dict})
                said = [f"task {task!r} is missing" for task in missing]
            else:
                said = differences(dags[dag_id], there[dag_id], noise.get(dag_id))
            yield from (finding("SMP848", item, dag=dag_id, file=shown(str(file))) for item in said)


def _settings(request: Request, file: Path, dags: Iterable[Any], loading: Any) -> Settings:
    """How to convert the DAGs of a file: by the settings beside it, and then those of the request."""
    from sagemaker_provider.translator.defaults import Defaults, beside, path_beside

    own = Defaults()
    try:
        own = beside(file)
        wrong = [
            f"{shown(str(path_beside(file)))}: {item}"
            for item in own.misplaced({dag.dag_id: dag.task_dict for dag in dags})
        ]
    except ValueError as error:
        wrong = [str(error)]
    loading.findings += [finding("SMP846", item, file=shown(str(file))) for item in wrong]
    return replace(request.settings, defaults=own.over(request.settings.defaults))


def _planned(made: Plan, dag: Any, told: Callable[[Iterable[Finding]], list[dict[str, Any]]]) -> dict[str, Any]:
    """A DAG with its plan, as data."""
    regions = [{**vars(region), "findings": told(region.findings)} for region in made.regions]
    stays = {task: told(reasons) for task, reasons in made.stays.items()}
    nothing: dict[str, Any] = {
        "tasks": [],
        "definition": None,
        "pipeline": {},
        "assets": {},
        "schedules": [],
        "date_parameters": {},
    }
    return {
        **nothing,
        "dag_id": dag.dag_id,
        "findings": [],
        "plan": {"regions": regions, "stays": stays, "findings": told(made.findings)},
    }


def _staying(dag: Any, settings: Settings, loading: list[Finding], results: list[Finding]) -> set[str] | None:
    """The tasks that stay in Airflow where the others are in pipelines; why they do is added to the results.

    :param loading: what was found while the DAG was loaded; where that is about no task, there is no plan.
    :param results: what its conversion found.
    :return: ``None`` where there is no plan.
    """
    from sagemaker_provider.translator.planning import plan

    if not errors(results) or any(not item.task for item in errors(loading)) or len(dag.task_dict) > _MOST_PLANNED:
        return None
    made = plan(dag, settings, loading)
    if errors(made.findings):
        return None
    found = [item for reasons in made.stays.values() for item in reasons]
    found += [item for region in made.regions for item in region.findings if item.task in region.tasks]
    known = {(item.code, item.task) for item in results}
    results += [item for item in found if (item.code, item.task) not in known]
    return set(made.stays)


def _as_data(task: Any, conversion: Any, stays: set[str] | None, secrets: Iterable[str]) -> dict[str, Any]:
    return {
        "task_id": _hidden(task.task_id, secrets),
        "operator": operator_name(task),
        "downstream": [_hidden(item, secrets) for item in sorted(task.downstream_task_ids)],
        "step_types": conversion.step_types.get(task.task_id),
        "planned": None if stays is None else task.task_id not in stays,
    }


def _hidden(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _clean(findings: Iterable[Finding], stubs: Any, secrets: Iterable[str]) -> list[Finding]:
    """Findings with names in place of tokens, and without secrets."""
    cleaned = []
    for item in findings:
        text = stubs.readable(item.message) if stubs else item.message
        message, task, place = (_hidden(part, secrets) for part in (text, item.task, item.place))
        cleaned.append(replace(item, message=message, task=task, place=place))
    return cleaned
