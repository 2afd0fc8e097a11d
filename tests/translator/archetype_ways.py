"""The DAGs of ``tests/dags/archetypes``: converted, and run both ways on one local SageMaker."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pipelines_client import Pipelines
from services_world import World
from two_ways import CREATES, NAMED

from sagemaker_provider.definition import PipelineDefinition
from sagemaker_provider.definition.findings import Finding, Severity
from sagemaker_provider.definition.validation import references
from sagemaker_provider.translator import Conversion, Settings, convert
from sagemaker_provider.translator.dates import render_dates
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.load import load_dags

FOLDER = Path(__file__).parents[1] / "dags" / "archetypes"
DEFAULTS = Defaults.from_object(yaml.safe_load((FOLDER / "defaults.yaml").read_text(encoding="utf-8")))
BUCKET, CODE = "ml-team", "pipelines/code"
BRANCHES = {"IfSteps": "if", "ElseSteps": "else", "ForEachBody": "each"}
OF_THE_CALL = ("ClientToken", "ClientRequestToken", "Tags")


def converted(dag_id: str) -> Conversion:
    """The conversion of the DAG of the file with its name, with the settings beside it."""
    dags, problems = load_dags(FOLDER / f"{dag_id}.py", dag_id)
    assert not problems, [str(item) for item in problems]
    conversion: Conversion = convert(dags[0][1], Settings(defaults=DEFAULTS))
    return conversion


def outline(definition: PipelineDefinition | None) -> list[str]:
    """The steps, one a line: where it is, its name, its type, what it waits for and reads."""
    lines = []
    for step, enclosing in definition.all_steps() if definition else ():
        place = "".join(f"{outer.name}.{BRANCHES[key]}/" for outer, key in enclosing)
        after = [name if trigger == "Completed" else f"{name} ({trigger})" for name, trigger in step.dependencies()]
        waits = ", ".join(sorted({*after, *references(step)}))
        lines.append(f"{place}{step.name} {step.type}{waits and f' after {waits}'}")
    return lines


def verdict(findings: Iterable[Finding]) -> list[str]:
    """The errors and differences by code, and the tasks that they are about."""
    found: dict[str, set[str]] = {}
    for item in findings:
        if item.severity != Severity.NOTE:
            found.setdefault(item.code, set()).add(item.task)
    return [" ".join([code, *sorted(tasks)]).strip() for code, tasks in sorted(found.items())]


@dataclass
class Ended:
    """How a run ended.

    :param states: task -> ``success``, ``failed`` or ``skipped``.
    :param requests: what SageMaker was asked to make, with digests in place of names.
    :param returned: Python task -> what it returned.
    :param objects: key in the bucket -> content.
    """

    states: dict[str, str]
    requests: list[str]
    returned: dict[str, Any]
    objects: dict[str, str]


class _Names(dict[str, dict[str, str]]):
    """Name of what was made -> its kind -> a digest of the request that made it, whatever it is called."""

    def in_text(self, text: str) -> str:
        """A text with digests in place of names; of the first that was made, where several have the name."""
        if not self:
            return text
        known = "|".join(map(re.escape, sorted(self, key=len, reverse=True)))
        return re.sub(rf"(?<![\w-])({known})(?![\w-])", lambda match: next(iter(self[match[0]].values())), text)

    def within(self, value: Any, kind: str = "") -> Any:
        """A value with digests in place of names."""
        if isinstance(value, Mapping):
            return {key: self.within(item, NAMED.get(key, "")) for key, item in value.items()}
        if isinstance(value, list):
            return [self.within(item) for item in value]
        if isinstance(value, str):
            return self.get(value, {}).get(kind) or self.in_text(value)
        return value


def _requests(calls: list[Any]) -> tuple[list[str], _Names]:
    """The create requests without the names they give, and what those names stand for."""
    found, names = [], _Names()
    for call in calls:
        if call.operation not in CREATES or _is_task(call.request):
            continue
        kind = call.operation.removeprefix("Create")
        own = {key for key, made in NAMED.items() if made == kind and isinstance(call.request.get(key), str)}
        rest = {key: item for key, item in call.request.items() if key not in {*own, *OF_THE_CALL}}
        text = json.dumps(names.within(rest), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        for key in sorted(own):
            names.setdefault(call.request[key], {})[kind] = f"<{kind} {digest}>"
        found.append(f"{kind} {text}")
    return sorted(found), names


def _is_task(request: Mapping[str, Any]) -> bool:
    """Whether a request is for the job of a Python or Bash task."""
    entry = request.get("AppSpecification", {}).get("ContainerEntrypoint") or [""]
    return bool(entry[-1] == "/opt/ml/processing/input/code/airflow_task/run.py")


def _objects(local: Any, names: _Names) -> dict[str, str]:
    s3 = local.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()) if CODE not in item["Key"]]
    contents = {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    return {names.in_text(key): names.in_text(_text(key, content)) for key, content in contents.items()}


def _text(key: str, content: bytes) -> str:
    """An object as text, an archive as what is in it."""
    if not key.endswith(".tar.gz"):
        return content.decode()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {item.name: archive.extractfile(item) for item in archive.getmembers()}
        return "".join(f"{name}: {file.read()!r}\n" for name, file in sorted(files.items()) if file)


def fresh(local: Any, seed: Mapping[str, str], models: tuple[str, ...] = ()) -> None:
    """An account with the team's bucket, role and models, and nothing else."""
    local.reset()
    s3 = local.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    for key, text in seed.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())
    role = "SageMakerExecution"
    arn = local.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    local.client("sagemaker").create_model_package_group(ModelPackageGroupName="abalone")
    local.client("sns").create_topic(Name="ml-team")
    local.client("glue").create_job(
        Name="clean-events", Role=arn, Command={"Name": "glueetl", "ScriptLocation": "s3://ml-team/glue/clean.py"}
    )
    for model in models:
        image = "123456789012.dkr.ecr.us-west-2.amazonaws.com/model:1"
        local.client("sagemaker").create_model(ModelName=model, PrimaryContainer={"Image": image}, ExecutionRoleArn=arn)


def in_airflow(local: Any, airflow: Callable[..., Any], dag_id: str, conf: Any) -> tuple[Ended, Any]:
    """Run the DAG in Airflow; how it ended, and the run."""
    from airflow.models import DagRun
    from airflow.utils.session import create_session

    before = len(local.calls)
    tasks = airflow(FOLDER / f"{dag_id}.py", dag_id, conf)
    requests, names = _requests(list(local.calls)[before:])
    returned = {task.task_id: names.within(task.xcom) for task in tasks if task.state == "success"}
    with create_session() as session:
        run = session.query(DagRun).filter_by(dag_id=dag_id, run_id=tasks[0].run_id).one()
        session.expunge(run)
    return Ended({task.task_id: task.state for task in tasks}, requests, returned, _objects(local, names)), run


def deployed(local: Any, conversion: Conversion, folder: Path) -> list[tuple[World, str, str]]:
    """Make the stacks of the functions that a pipeline calls; those with queues, and the queues."""
    world = World(local, folder)
    world.conversion = conversion
    stacks = [path for path in sorted(conversion.assets) if path.endswith(".yaml")]
    return [(world, *names) for path in stacks for names in world.deploy(path, folder / "calls")]


def in_pipeline(local: Any, conversion: Conversion, parameters: Mapping[str, str], folder: Path) -> Ended:
    """Run the pipeline of a conversion, with its files where they belong.

    :param folder: an empty folder, for what the functions write down.
    """
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    s3, pipelines = local.client("s3"), Pipelines(local)
    for path, content in conversion.assets.items():
        s3.put_object(Bucket=BUCKET, Key=f"{CODE}/{path}", Body=content)
    before = len(local.calls)
    name = conversion.pipeline["PipelineName"]
    pipelines.create(conversion.definition.to_json(), name)
    queues = deployed(local, conversion, folder)
    arn = pipelines.start(name, parameters=dict(parameters))
    give_up = time.monotonic() + 120
    while pipelines.status(arn) in ("Executing", "Stopping"):
        assert time.monotonic() < give_up, pipelines.steps(arn)
        for world, function, queue in queues:
            world.deliver(function, queue)
        time.sleep(0.05)
    requests, names = _requests(list(local.calls)[before:])
    states: dict[str, str] = {}
    returned = {}
    ran = pipelines.steps(arn)
    for step, _ in conversion.definition.all_steps():
        task = (step.display_name or step.name).partition("--")[0]
        if step.type == "Condition":
            continue
        if step.name not in ran:
            states.setdefault(task, "skipped")
            continue
        status = ran[step.name]["StepStatus"]
        ended = "success" if status == "Succeeded" else "failed"
        states[task] = "failed" if states.get(task) == "failed" else ended
        if ended == "success" and _is_task(step.arguments):
            job = pipelines.job(arn, step.name)
            place = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].partition(f"s3://{BUCKET}/")[2]
            xcoms = json.loads(s3.get_object(Bucket=BUCKET, Key=f"{place}/xcom.json")["Body"].read())
            returned[task] = names.within(xcoms.get("return_value"))
        elif ended == "failed":
            returned[task] = str(ran[step.name].get("FailureReason"))
    return Ended(states, requests, returned, _objects(local, names))


def deciders(conversion: Conversion) -> set[str]:
    """The tasks that choose what runs."""
    assert conversion.definition is not None
    return {step.name.partition("--")[0] for step, _ in conversion.definition.all_steps() if step.type == "Condition"}


def both_ways(
    local: Any,
    airflow: Callable[..., Any],
    dag_id: str,
    folder: Path,
    *,
    seed: Mapping[str, str],
    models: tuple[str, ...] = (),
    conf: Mapping[str, Any] | None = None,
) -> tuple[Ended, Ended]:
    """Run a DAG in Airflow and as a pipeline, with the same dates and params, in accounts that hold the same.

    :param folder: an empty folder.
    :return: how each ended; of Airflow's tasks those that have steps.
    """
    conversion = converted(dag_id)
    fresh(local, seed, models)
    one, run = in_airflow(local, airflow, dag_id, dict(conf or {}))
    given = {"data_interval_start": run.data_interval_start, "data_interval_end": run.data_interval_end}
    dates = render_dates(conversion.date_parameters, logical_date=run.logical_date, **given)
    fresh(local, seed, models)
    other = in_pipeline(
        local, conversion, {**dates, **{key: str(value) for key, value in (conf or {}).items()}}, folder
    )
    one.states = {task: state for task, state in one.states.items() if task in other.states}
    one.returned = {task: value for task, value in one.returned.items() if task in other.returned}
    for task in [task for task, value in one.returned.items() if value is None and task in deciders(conversion)]:
        del one.returned[task], other.returned[task]  # Airflow 3 keeps no XCom of a task that skips others
    return one, other
