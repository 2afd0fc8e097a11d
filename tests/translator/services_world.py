"""Operators of other AWS services, run as they are and as a pipeline with generated functions; both ways' requests."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dag_makers import make_dag
from pipelines_client import Pipelines

from sagemaker_provider.translator import Defaults, Settings, convert, functions

DEFAULTS = {"account": "123456789012", "region": "us-west-2"}
RECORDER = '''
import json, os, botocore.client
from botocore.validate import ParamValidator

def install(path, script):
    """Write down every call; answer those in the script, one answer after the other, the last again and again."""
    real = botocore.client.BaseClient._make_api_call

    def call(client, operation, params):
        name = f"{client.meta.service_model.service_name}.{operation}"
        earlier = 0
        if os.path.exists(path):
            earlier = [json.loads(line)[0] for line in open(path)].count(name)
        with open(path, "a") as file:
            file.write(json.dumps([name, params], default=lambda item: item.decode() if isinstance(item, bytes) else str(item)) + "\\n")
        if name not in script:
            return real(client, operation, params)
        shape = client.meta.service_model.operation_model(operation).input_shape
        report = ParamValidator().validate(params, shape)
        assert not report.has_errors(), report.generate_report()
        answers = script[name]
        return {"ResponseMetadata": {"HTTPStatusCode": 200}, **answers[min(earlier, len(answers) - 1)]}

    botocore.client.BaseClient._make_api_call = call
    return lambda: setattr(botocore.client.BaseClient, "_make_api_call", real)
'''
OWN = ("sagemaker.", "sts.", "logs.")
TOKENS = ("ClientRequestToken", "clientToken", "ClientToken")


class World:
    """A local SageMaker, with what the tests need of other services.

    :param script: ``service.Operation`` -> the answers of services that are not there.
    """

    def __init__(self, local: Any, folder: Path) -> None:
        self.local, self.folder, self.script = local, folder, {}
        self.calls: list[Any] = []
        self.conversion: Any = None

    def client(self, service: str) -> Any:
        return self.local.client(service)

    def airflow(self, make: Any) -> Any:
        """Run the only task of a DAG in this process; its XComs by their keys. The requests are in ``calls``.

        Where the operator sleeps for seconds between two looks, it sleeps for a moment.
        """
        with make_dag() as dag:
            task = make()
        scope: dict[str, Any] = {}
        exec(RECORDER, scope)
        record = self.folder / f"airflow-{time.monotonic_ns()}"
        undo = scope["install"](str(record), self.script)
        pushed: dict[str, Any] = {}
        ti = SimpleNamespace(
            xcom_push=lambda key, value, **_: pushed.__setitem__(key, value),
            dag_id=dag.dag_id,
            task_id=task.task_id,
            run_id="r",
            map_index=-1,
            try_number=1,
            task=task,
            stats_tags={},
        )
        sleep = time.sleep
        time.sleep = lambda seconds: sleep(min(seconds, 0.05))  # type: ignore[assignment]
        try:
            context = {"ti": ti, "task_instance": ti, "task": task, "run_id": "r"}
            if hasattr(task, "poke"):
                while not (result := task.poke(context)):
                    pass
            else:
                result = task.execute(context)
        finally:
            time.sleep = sleep
            undo()
            self.calls = calls(record)
        return {**pushed, "return_value": result}

    def convert(self, make: Any, **settings: Any) -> Any:
        with make_dag() as dag:
            make()
        self.conversion = convert(dag, Settings(defaults=Defaults.from_object({**DEFAULTS, **settings})))
        return self.conversion

    def pipeline(self, make: Any, **settings: Any) -> Any:
        """Convert the DAG, deploy its functions by their templates, run the pipeline; the last step."""
        conversion = self.convert(make, **settings)
        assert conversion.definition is not None, list(map(str, conversion.findings))
        record = self.folder / f"pipeline-{time.monotonic_ns()}"
        queues = [
            queue for path in sorted(conversion.assets) if path.endswith(".yaml") for queue in self.deploy(path, record)
        ]
        pipelines = Pipelines(self.local)
        name = f"p{time.monotonic_ns()}"
        pipelines.create(conversion.definition.to_json(), name)
        arn = pipelines.start(name)
        give_up = time.monotonic() + 60
        while pipelines.status(arn) in ("Executing", "Stopping"):
            assert time.monotonic() < give_up, pipelines.steps(arn)
            for function, queue in queues:
                self.deliver(function, queue)
            time.sleep(0.05)
        self.calls = calls(record)
        return list(pipelines.steps(arn).values())[-1]

    def deploy(self, path: str, record: Path) -> list[tuple[str, str]]:
        """Make the stack of a function; then let the function write down its calls. Its name and queue."""
        kind = Path(path).stem
        stack = f"{functions.PREFIX}{kind}"
        body = self.conversion.assets[path].decode()
        known = [
            item["StackName"]
            for item in self.client("cloudformation").list_stacks()["StackSummaries"]
            if item["StackStatus"] != "DELETE_COMPLETE"
        ]
        if stack not in known:
            needed = [{"ParameterKey": "Resources", "ParameterValue": "*"}]
            needed += [{"ParameterKey": "Roles", "ParameterValue": "*"}] if "\n  Roles:" in body else []
            self.client("cloudformation").create_stack(StackName=stack, TemplateBody=body, Parameters=needed)
            for mapping in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
                self.client("lambda").update_event_source_mapping(
                    UUID=mapping["UUID"], Enabled=False
                )  # moto runs no code
        found = self.client("lambda").get_function(FunctionName=stack)["Configuration"]
        handler = found["Handler"].rpartition(".")[2]
        files = {
            "index.py": self.conversion.assets[f"functions/{kind}.py"].decode(),
            "recorder.py": RECORDER,
            "recorded.py": f"import recorder\nrecorder.install({str(record)!r}, {self.script!r})\nfrom index import *\n",
        }
        self.client("lambda").update_function_code(FunctionName=stack, ZipFile=zipped(files))
        self.client("lambda").update_function_configuration(FunctionName=stack, Handler=f"recorded.{handler}")
        if "AWS::SQS::Queue" not in body:
            return []
        return [(stack, self.client("sqs").get_queue_url(QueueName=stack)["QueueUrl"])]

    def deliver(self, function: str, queue: str, times: int = 1) -> None:
        """What an event source mapping does."""
        sqs = self.client("sqs")
        for message in sqs.receive_message(QueueUrl=queue, AttributeNames=["All"]).get("Messages", ()):
            event = {"Records": [{"body": message["Body"], "attributes": message["Attributes"]}]}
            for _ in range(times):
                answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
                assert "FunctionError" not in answer, answer["Payload"].read()
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def calls(record: Path) -> list[Any]:
    """What was called, without what only concerns the pipeline, and without what is empty."""
    lines = record.read_text().splitlines() if record.exists() else []
    found = [json.loads(re.sub(r" object at 0x[0-9a-f]+", "", line)) for line in lines]
    return [
        [name, filled({key: value for key, value in params.items() if key not in TOKENS})]
        for name, params in found
        if not name.startswith(OWN) and "sagemaker-pipelines-" not in str(params.get("QueueUrl"))
    ]


def filled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: filled(item) for key, item in value.items() if item not in (None, "", {}, [])}
    return [filled(item) for item in value] if isinstance(value, list) else value


def zipped(files: Mapping[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()
