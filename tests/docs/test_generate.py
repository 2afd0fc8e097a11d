"""The documentation says what is true: generated pages are current, links resolve, examples run."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sagemaker_provider import definition, operators
from sagemaker_provider.definition import STEP_TYPES
from sagemaker_provider.definition.findings import RULES, errors
from sagemaker_provider.local.endpoint import LocalEndpoint
from sagemaker_provider.translator import convert
from sagemaker_provider.translator.load import load_dags

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def _generator() -> Any:
    specification = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


GENERATE = _generator()


class Block(NamedTuple):
    """A fenced block of a page, with the words of the comment ``<!-- ... -->`` before it."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def portable(self) -> str:
        """The text for every version of Airflow."""
        return str(GENERATE.portable(self.text))


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    pattern = r"(?:<!-- (?P<words>[^>]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$"
    for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start("language")) + 1
        yield Block(page, line, match["language"], tuple((match["words"] or "").split()), match["text"])


BLOCKS = [block for page in PAGES for block in _blocks(page)]


def _select(language: str, *words: str) -> Any:
    found = [block for block in BLOCKS if block.language == language and (not words or block.words[:1] == words)]
    assert found, "no such block: the pattern or the markers are wrong"
    return pytest.mark.parametrize("block", found, ids=[block.id for block in found])


# Generated pages


def test_the_generated_pages_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert GENERATE.main(["--check"]) == 0, capsys.readouterr().err


def test_check_names_a_page_that_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(GENERATE, "FOLDER", tmp_path / "docs" / "reference")
    monkeypatch.setattr(GENERATE, "with_output", str)  # the commands of pages run in the test above
    assert GENERATE.main([]) == 0
    assert GENERATE.main(["--check"]) == 0
    page = tmp_path / "docs" / "reference" / "findings.md"
    page.write_text(page.read_text() + "by hand\n")
    capsys.readouterr()
    assert GENERATE.main(["--check"]) == 1
    assert "docs/reference/findings.md" in capsys.readouterr().err


def test_every_code_and_every_step_type_has_a_section() -> None:
    findings, steps = ((ROOT / "docs" / "reference" / name).read_text() for name in ("findings.md", "step-types.md"))
    assert re.findall(r"^### (SMP\d+)", findings, re.MULTILINE) == sorted(RULES)
    sections = re.findall(r"^## (\w+)$", steps, re.MULTILINE)
    assert sections == list(STEP_TYPES)


def test_every_step_operator_has_an_example() -> None:
    classes = [name for name in operators.__all__ if name.endswith("StepOperator")]
    assert sorted(GENERATE.EXAMPLES) == sorted(classes)


@pytest.mark.parametrize("name", GENERATE.EXAMPLES)
def test_the_example_of_an_operator_converts(name: str) -> None:
    from airflow.providers.common.compat.sdk import DAG

    scope: dict[str, Any] = {item: getattr(definition, item) for item in definition.__all__}
    scope |= {item: getattr(operators, item) for item in operators.__all__}
    scope |= {"IMAGE": "111122223333.dkr.ecr.us-west-2.amazonaws.com/a:1", "ROLE": "arn:aws:iam::111122223333:role/R"}
    params = {"rows": 5, "mode": "full"}
    with DAG("example", schedule=None, start_date=datetime(2026, 1, 1), params=params) as dag:
        if name == "SageMakerCleanupStepOperator":
            scope["train"] = eval(GENERATE.EXAMPLES["SageMakerTrainingStepOperator"].strip(), scope)
        task = eval(GENERATE.EXAMPLES[name].strip(), scope)
        if name == "SageMakerConditionStepOperator":
            task >> [operators.SageMakerFailStepOperator(task_id=item, error_message="") for item in ("train", "stop")]
    conversion = convert(dag)
    assert conversion.definition is not None
    assert errors(conversion.findings) == []
    assert task.step_type in {step.type for step, _ in conversion.definition.all_steps()}


# Links


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_internal_link_resolves(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    broken = []
    for link in links:
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in re.findall(r"\]\(([^)#\s]+\.md)", index.read_text())}
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page != index} <= linked


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_code_that_a_page_names_exists(page: Path) -> None:
    assert set(re.findall(r"SMP\d{3}", page.read_text(encoding="utf-8"))) <= set(RULES)


# Examples


@_select("python")
def test_every_python_block_compiles(block: Block) -> None:
    compile(block.text, block.id, "exec")


@_select("python", "dag")
def test_every_complete_dag_converts(block: Block, tmp_path: Path) -> None:
    file = tmp_path / block.words[1]
    file.write_text(block.portable)
    dags, found = load_dags(file)
    assert found == []
    assert dags, "the block defines no DAG"
    for _, dag in dags:
        conversion = convert(dag)
        assert errors(conversion.findings) == []
        assert conversion.definition is not None


@pytest.fixture(scope="module")
def endpoint() -> Iterator[LocalEndpoint]:
    """An AWS endpoint that knows pipelines, which the one of the other tests does not."""
    with LocalEndpoint() as endpoint:
        yield endpoint


@_select("python", "run")
def test_every_runnable_block_runs(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: LocalEndpoint
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in endpoint.environment.items():
        monkeypatch.setenv(name, value)
    scope: dict[str, Any] = {"__name__": "example"}
    for earlier in BLOCKS:  # blocks of a page go on where the one before ended
        if earlier.page == block.page and earlier.line <= block.line and earlier.words[:1] in (("run",), ("dag",)):
            if earlier.words[0] == "dag":
                (tmp_path / earlier.words[1]).write_text(earlier.portable)
            exec(compile(earlier.portable, earlier.id, "exec"), scope)


def test_every_console_block_is_of_a_command_that_is_run() -> None:
    commands = [line for block in BLOCKS if block.language == "console" for line in block.text.splitlines()[:1]]
    assert commands
    assert [line for line in commands if not re.match(r"\$ airflow[ -]sagemaker ", line)] == []


def test_the_check_notices_output_that_is_out_of_date() -> None:
    page = (ROOT / "README.md").read_text()
    assert GENERATE.with_output(page) == page
    assert GENERATE.with_output(page.replace("1 of 1 DAGs converted", "2 of 2 DAGs converted")) == page


# The worker examples of the callback page


def _callback_block(word: str) -> dict[str, Any]:
    (block,) = [item for item in BLOCKS if item.page.name == "callback.md" and item.words == ("worker", word)]
    scope: dict[str, Any] = {"__name__": "worker"}
    exec(compile(block.text, block.id, "exec"), scope)
    return scope


def _message(aws: Any, **body: Any) -> tuple[dict[str, Any], str]:
    queue = aws.client("sqs").create_queue(QueueName="answer")["QueueUrl"]
    message = {"token": "abcdefghij", "pipelineExecutionArn": "airflow:d/r/t", "status": "Executing", **body}
    return {**message, "answerQueueUrl": queue}, queue


def _answer(aws: Any, queue: str) -> dict[str, Any]:
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    return json.loads(message["Body"])


@pytest.mark.parametrize(
    ("arguments", "status", "answer"),
    [
        ({"table": "customers"}, "Executing", {"OutputParameters": [{"Name": "rows", "Value": "9"}]}),
        ({}, "Executing", {"FailureReason": "KeyError: 'table'"}),
        ({"table": "customers"}, "Stopping", {"FailureReason": "stopped"}),
    ],
    ids=["success", "failure", "stop"],
)
def test_the_lambda_worker_answers(aws: Any, arguments: dict[str, Any], status: str, answer: dict[str, Any]) -> None:
    handler = _callback_block("lambda")["handler"]
    message, queue = _message(aws, arguments=arguments, status=status)
    handler({"Records": [{"body": json.dumps(message)}]}, None)
    given = _answer(aws, queue)
    assert {**answer, "token": "abcdefghij", "call": given["call"]} == given


def test_the_script_worker_answers_and_deletes_the_message(aws: Any) -> None:
    scope = _callback_block("script")
    message, queue = _message(aws, arguments={"table": "customers"})
    work = aws.client("sqs").create_queue(QueueName="work")["QueueUrl"]
    aws.client("sqs").send_message(QueueUrl=work, MessageBody=json.dumps(message))
    scope["work_off"](work, wait_seconds=0)
    assert _answer(aws, queue)["OutputParameters"] == [{"Name": "rows", "Value": "9"}]
    counts = aws.client("sqs").get_queue_attributes(QueueUrl=work, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == counts["ApproximateNumberOfMessagesNotVisible"] == "0"
