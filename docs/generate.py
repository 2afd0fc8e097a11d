"""Write the reference pages from the tables of the package, and what the commands shown in other pages print.

``python docs/generate.py`` writes them, ``python docs/generate.py --check`` exits 1 when one of them is out of date.

Commands are those of ``console`` blocks: ``$ airflow sagemaker ...`` runs in a folder with the files of the page, which are
the blocks after a comment ``<!-- dag FILE -->``; after ``<!-- file FILE -->`` where they are something else, or a DAG that does
not convert by itself.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sagemaker_provider import cli, operators
from sagemaker_provider.definition import STEP_TYPES, StepType
from sagemaker_provider.definition.findings import RULES, Rule, Severity
from sagemaker_provider.definition.step_types import Resource
from sagemaker_provider.operators.base import SageMakerStepOperator
from sagemaker_provider.operators.step import StepDescription
from sagemaker_provider.translator.defaults import SETTINGS

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "docs" / "reference"
HEADER: Final = (
    "<!-- Written by docs/generate.py from the package; change the tables there, then run `make docs`. -->\n\n"
)

GROUPS: Final = {
    "1": "Loading DAGs",
    "2": "Tasks",
    "3": "Values",
    "4": "Structure",
    "5": "Definition",
    "6": "Differences",
    "7": "Notes",
    "8": "Pipelines in Airflow and on AWS",
}
SEVERITIES: Final = {
    Severity.ERROR: "There is no correct definition, or the service would refuse it. Nothing is written for the DAG.",
    Severity.DIFFERENCE: "The definition works, and behaves differently from the DAG, or in a way the service does not "
    "document. `--strict` treats these as errors.",
    Severity.NOTE: "Something was decided that is good to know.",
}
CACHING: Final = {
    "documented": "documented",
    "sdk": "accepted by the AWS SDK, effect not documented",
    "no": "no",
}
API_REFERENCE: Final = {
    "sagemaker": "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_{}.html",
    "emr": "https://docs.aws.amazon.com/emr/latest/APIReference/API_{}.html",
    "emr-serverless": "https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_{}.html",
}
WITHOUT_OPERATOR: Final = (
    "None. Definitions that have such steps are read, checked and written, but no operator makes them."
)

EXAMPLES: Final = {
    "SageMakerProcessingStepOperator": """
SageMakerProcessingStepOperator(
    task_id="evaluate",
    property_files=[PropertyFile("report", "evaluation", "report.json")],
    config={
        "AppSpecification": {"ImageUri": IMAGE, "ContainerArguments": ["--limit", "0.1"]},
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "evaluation",
                    "S3Output": {
                        "S3Uri": "s3://my-bucket/evaluation",
                        "LocalPath": "/opt/ml/processing/evaluation",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "RoleArn": ROLE,
    },
)
""",
    "SageMakerTrainingStepOperator": """
SageMakerTrainingStepOperator(
    task_id="train",
    config={
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "HyperParameters": {"max_depth": "6"},
        "OutputDataConfig": {"S3OutputPath": "s3://my-bucket/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
)
""",
    "SageMakerNotebookJobStepOperator": """
SageMakerNotebookJobStepOperator(
    task_id="report",
    image_uri=IMAGE,
    kernel_name="python3",
    input_notebook="report.ipynb",
    input_s3_uri="s3://my-bucket/notebooks/report",
    output_s3_uri="s3://my-bucket/reports",
    role_arn=ROLE,
    parameters={"month": "2026-01"},
)
""",
    "SageMakerTuningStepOperator": """
SageMakerTuningStepOperator(
    task_id="tune",
    config={
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "10"}]
            },
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://my-bucket/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "RoleArn": ROLE,
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    },
)
""",
    "SageMakerAutoMLStepOperator": """
SageMakerAutoMLStepOperator(
    task_id="autopilot",
    config={
        "AutoMLJobConfig": {"Mode": "ENSEMBLING"},
        "InputDataConfig": [
            {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://my-bucket/train"}},
                "TargetAttributeName": "churned",
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://my-bucket/autopilot"},
        "RoleArn": ROLE,
    },
)
""",
    "SageMakerTransformStepOperator": """
SageMakerTransformStepOperator(
    task_id="score",
    config={
        "ModelName": "churn",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://my-bucket/customers"}}
        },
        "TransformOutput": {"S3OutputPath": "s3://my-bucket/scores"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    },
)
""",
    "SageMakerModelStepOperator": """
SageMakerModelStepOperator(
    task_id="model",
    config={
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://my-bucket/models/model.tar.gz"},
    },
)
""",
    "SageMakerRegisterModelStepOperator": """
SageMakerRegisterModelStepOperator(
    task_id="register",
    config={
        "ModelPackageGroupName": "churn",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://my-bucket/models/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    },
)
""",
    "SageMakerEndpointConfigStepOperator": """
SageMakerEndpointConfigStepOperator(
    task_id="endpoint_config",
    config={
        "EndpointConfigName": Join("-", ["churn", ExecutionVariable("PipelineExecutionId")]),
        "ProductionVariants": [
            {"VariantName": "all", "ModelName": "churn", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        ],
    },
)
""",
    "SageMakerEndpointStepOperator": """
SageMakerEndpointStepOperator(
    task_id="deploy", config={"EndpointName": "churn", "EndpointConfigName": "churn-2026-01"}
)
""",
    "SageMakerInferenceComponentStepOperator": """
SageMakerInferenceComponentStepOperator(
    task_id="component",
    config={
        "InferenceComponentName": "churn",
        "EndpointName": "shared",
        "VariantName": "all",
        "Specification": {
            "ModelName": "churn",
            "ComputeResourceRequirements": {"NumberOfCpuCoresRequired": 1, "MinMemoryRequiredInMb": 1024},
        },
        "RuntimeConfig": {"CopyCount": 1},
    },
)
""",
    "SageMakerQualityCheckStepOperator": """
SageMakerQualityCheckStepOperator(
    task_id="data_quality",
    check_type="DATA_QUALITY",
    model_package_group_name="churn",
    config={
        "AppSpecification": {"ImageUri": IMAGE},
        "Environment": {
            "dataset_format": '{"csv": {"header": true}}',
            "dataset_source": "/opt/ml/processing/input/data",
            "output_path": "/opt/ml/processing/output",
            "publish_cloudwatch_metrics": "Disabled",
        },
        "ProcessingInputs": [
            {
                "InputName": "data",
                "S3Input": {
                    "S3Uri": "s3://my-bucket/train",
                    "LocalPath": "/opt/ml/processing/input/data",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "check",
                    "S3Output": {
                        "S3Uri": "s3://my-bucket/checks",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "RoleArn": ROLE,
    },
)
""",
    "SageMakerClarifyCheckStepOperator": """
SageMakerClarifyCheckStepOperator(
    task_id="bias",
    check_type="DATA_BIAS",
    supplied_baseline_constraints="s3://my-bucket/baselines/analysis.json",
    config={
        "AppSpecification": {"ImageUri": IMAGE},
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/input/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for name, uri in (
                ("config", "s3://my-bucket/bias/analysis_config.json"),
                ("data", "s3://my-bucket/train"),
            )
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "analysis_result",
                    "S3Output": {
                        "S3Uri": "s3://my-bucket/bias/result",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "RoleArn": ROLE,
    },
)
""",
    "SageMakerLambdaStepOperator": """
SageMakerLambdaStepOperator(
    task_id="count",
    function_arn="arn:aws:lambda:us-west-2:111122223333:function:sagemaker-count",
    config={"table": "customers"},
    outputs=[OutputParameter("rows", "Integer"), "location"],
)
""",
    "SageMakerCallbackStepOperator": """
SageMakerCallbackStepOperator(
    task_id="approve",
    queue_url="https://sqs.us-west-2.amazonaws.com/111122223333/approvals",
    config={"model": "churn"},
    outputs=["approved_by"],
)
""",
    "SageMakerEMRStepOperator": """
SageMakerEMRStepOperator(
    task_id="spark",
    config={
        "ClusterId": "j-1ABCDEFG2HIJK",
        "StepConfig": {
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://my-bucket/features.py"]}
        },
    },
)
""",
    "SageMakerEMRServerlessStepOperator": """
SageMakerEMRServerlessStepOperator(
    task_id="spark",
    config={
        "ApplicationId": "00f1abcdefgh1234",
        "ExecutionRoleArn": ROLE,
        "JobConfig": {
            "executionRoleArn": ROLE,
            "jobDriver": {"sparkSubmit": {"entryPoint": "s3://my-bucket/features.py"}},
        },
    },
)
""",
    "SageMakerConditionStepOperator": """
SageMakerConditionStepOperator(
    task_id="check",
    conditions=[GreaterThan("{{ params.rows }}", 1000), Not(Equals("{{ params.mode }}", "dry-run"))],
    if_task_ids=["train"],
    else_task_ids=["stop"],
)
""",
    "SageMakerFailStepOperator": """
SageMakerFailStepOperator(task_id="stop", error_message=Join(" ", ["not enough rows:", "{{ params.rows }}"]))
""",
    "SageMakerLineageStepOperator": """
SageMakerLineageStepOperator(
    task_id="record",
    config={
        "Artifacts": [
            {
                "ArtifactName": "customers",
                "ArtifactType": "DataSet",
                "Source": {"SourceUri": "s3://my-bucket/customers"},
            }
        ],
        "Contexts": [
            {"ContextName": "churn", "ContextType": "Project", "Source": {"SourceUri": "s3://my-bucket/churn"}}
        ],
        "Associations": [
            {
                "Source": {"Name": "customers", "Type": "Artifact"},
                "Destination": {"Name": "churn", "Type": "Context"},
                "AssociationType": "ContributedTo",
            }
        ],
    },
)
""",
    "SageMakerCleanupStepOperator": """
SageMakerCleanupStepOperator(task_id="tidy", sources=[CleanupSource(train)])
""",
}
"""Operator -> a task; the tests run each and convert it."""


def pages() -> dict[Path, str]:
    """The text of every generated page."""
    return {
        FOLDER / "findings.md": HEADER + "\n".join(findings_page()) + "\n",
        FOLDER / "settings.md": HEADER + "\n".join(settings_page()) + "\n",
        FOLDER / "step-types.md": HEADER + "\n".join(step_types_page()) + "\n",
        **{
            page: with_output(text)
            for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
            if "```console" in (text := page.read_text(encoding="utf-8"))
        },
    }


# Commands


def portable(text: str) -> str:
    """A DAG file for every version of Airflow: ``airflow.sdk`` has other homes in Airflow 2, as the pages say."""
    return text.replace("from airflow.sdk import", "from airflow.providers.common.compat.sdk import")


def with_output(text: str) -> str:
    """A page with what its commands print."""
    with tempfile.TemporaryDirectory() as folder, _inside(folder):
        for name, file in re.findall(
            r"^<!-- (?:dag|file) (\S+) -->\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        ):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(portable(file), encoding="utf-8")
        return re.sub(r"^```console\n(.*?)^```$", _console, text, flags=re.MULTILINE | re.DOTALL)


@contextlib.contextmanager
def _inside(folder: str) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _console(block: re.Match[str]) -> str:
    shown = ""
    os.environ["COLUMNS"] = "100"
    for command in re.findall(r"^\$ (.*)$", block[1], re.MULTILINE):
        output, concerns = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(concerns), contextlib.suppress(SystemExit):
            cli.main(shlex.split(re.sub(r"^airflow[ -]sagemaker ", "", command)))
        shown += f"$ {command}\n{output.getvalue()}{concerns.getvalue()}"
    return "```console\n" + "\n".join(line.rstrip() for line in shown.splitlines()) + "\n```"


# Findings


def findings_page() -> Iterator[str]:
    """Every code, by group."""
    yield "# Findings\n"
    yield "A finding has a stable code, a severity, the file, DAG, task and place it is about, one sentence on what was"
    yield "found and one on what to do. `airflow-sagemaker convert` and `validate` print them; with `--format json` they"
    yield "are objects with the keys `code`, `severity`, `message`, `cure`, `file`, `dag`, `task` and `place`.\n"
    yield "| severity | meaning |"
    yield "|---|---|"
    for severity, text in SEVERITIES.items():
        yield f"| {severity.value} | {text} |"
    for group, title in GROUPS.items():
        rules = [(code, rule) for code, rule in sorted(RULES.items()) if code[3] == group]
        yield f"\n## {title}\n"
        for code, rule in rules:
            yield from _finding(code, rule)


def _finding(code: str, rule: Rule) -> Iterator[str]:
    yield f'<a id="{code.lower()}"></a>\n'
    yield f"### {code} {rule.title}\n"
    yield f"Severity: {rule.severity.value}. {_cell(rule.cause)}\n"
    yield f"To do: {_cell(rule.cure)}\n"


# Step types


def settings_page() -> Iterator[str]:
    """Every conversion setting."""
    yield "# Conversion settings\n"
    yield "A DAG says nothing of the image, the role or the S3 folder that a pipeline needs for a Python task. The settings do, in a"
    yield "YAML file that `convert --defaults FILE.yaml` reads: for all DAGs, for one (`dags`), or for a task (`tasks` in it). The task's"
    yield "value holds before that of its DAG, and the DAG's before that for all.\n"
    yield "```yaml"
    yield "role: arn:aws:iam::111122223333:role/SageMaker"
    yield "code_location: s3://my-bucket/code"
    yield "dags:"
    yield "  churn:"
    yield "    instance_type: ml.m5.2xlarge"
    yield "    tasks:"
    yield "      prepare: {image: 111122223333.dkr.ecr.us-west-2.amazonaws.com/pandas:2}"
    yield "```\n"
    yield "| setting | value | where the settings do not have it | |"
    yield "|---|---|---|---|"
    for name, row in SETTINGS.items():
        value = " or ".join(f"`{choice}`" for choice in row.choices) or {
            str: "text",
            int: "number",
            bool: "true, false",
        }.get(row.kind, "list")
        default = "" if row.default is None else f"`{row.default}`"
        missing = (
            f"parameter `{row.parameter}`{', default ' + default if default else ''}" if row.parameter else default
        )
        yield f"| `{name}` | {value} | {missing} | {_cell(row.description)} |"


def step_types_page() -> Iterator[str]:
    """Every step type with its operator."""
    made_by = {name: getattr(operators, name) for name in operators.__all__}
    classes = [cls for cls in made_by.values() if isinstance(cls, type) and issubclass(cls, SageMakerStepOperator)]
    yield "# Step types\n"
    yield "One section for each type of step. The same table drives the converter, the operators, the sensors and"
    yield "`validate`.\n"
    yield "| step type | operator | waits | cached | retry policies |"
    yield "|---|---|---|---|---|"
    for row in STEP_TYPES.values():
        names = [_link(cls.__name__) for cls in classes if getattr(cls, "step_type", None) == row.name]
        waits = "yes" if _waits(row) else "no"
        retry = ("documented" if row.retry_documented else "accepted by the AWS SDK") if row.retry else "no"
        yield f"| [{row.name}](#{row.name.lower()}) | {', '.join(names) or '-'} | {waits} | {CACHING[row.cacheable]} | {retry} |"
    yield "\n`waits`: step by step, the task waits until the service is done; otherwise it ends once the call has returned."
    yield "`cached` and `retry policies` concern pipelines only.\n"
    yield '<a id="common-parameters"></a>\n'
    yield "## Parameters of every operator\n"
    yield from _parameters(StepDescription)
    yield "\nAll arguments of Airflow's `BaseOperator` are accepted as well.\n"
    yield "The examples below use these names:\n"
    yield "```python"
    yield 'IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"'
    yield 'ROLE = "arn:aws:iam::111122223333:role/SageMaker"'
    yield "```"
    yield "\n`train` and `prepare` are a training and a processing step before.\n"
    for row in STEP_TYPES.values():
        yield f"\n## {row.name}\n"
        yield from _step_type(row)
        found = [cls for cls in classes if getattr(cls, "step_type", None) == row.name]
        if not found:
            yield f"\nOperator: {WITHOUT_OPERATOR}"
        for cls in found:
            yield from _operator(cls)


def _step_type(row: StepType) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for title, text in _facts(row):
        yield f"| {title} | {text} |"
    if row.resource and row.resource.states:
        yield "\n| status of the service | means |"
        yield "|---|---|"
        for status, state in row.resource.states.items():
            yield f"| `{status}` | {state.value} |"


def _facts(row: StepType) -> Iterator[tuple[str, str]]:
    resource = row.resource
    if row.shape:
        yield "Arguments", f"the request of {_api(*row.shape)}"
    elif resource:
        yield "Arguments", f"of their own form; the step calls {_api(resource.service, resource.create)}"
    else:
        yield "Arguments", "of their own form"
    if resource:
        yield "Name", _name(row, resource)
        yield (
            "Result",
            f"the response of {_api(resource.service, resource.describe)}"
            + (f", below `{resource.result}`" if resource.result else ""),
        )
        if resource.states:
            yield "Status", f"`{resource.status}`"
            yield "Failure reason", ", ".join(f"`{path}`" for path in resource.reason)
        yield "Stop", _api(resource.service, resource.stop) if resource.stop else "cannot be stopped"
        if resource.update:
            yield "Update", f"{_api(resource.service, resource.update)} when the name exists"
    if row.removed:
        yield "Not allowed in a pipeline", ", ".join(f"`{path}`" for path in row.removed)
    keys = [f"`{key}`" for key in row.required_keys] + [f"`{key}` (optional)" for key in row.optional_keys]
    if keys:
        yield "Further keys of the step", ", ".join(keys)
    yield "Properties", _properties(row)
    yield "Cache", CACHING[row.cacheable]
    if row.retry:
        documented = "" if row.retry_documented else " (accepted by the AWS SDK, effect not documented)"
        ignored = f"; ignored by the service: {', '.join(f'`{kind}`' for kind in row.retry_ignored)}"
        yield (
            "Retry policies",
            ", ".join(f"`{kind}`" for kind in row.retry) + documented + (ignored if row.retry_ignored else ""),
        )
    else:
        yield "Retry policies", "no"
    yield "In a ForEach body", "allowed" if row.in_loop else "not allowed"


def _name(row: StepType, resource: Resource) -> str:
    if resource.name is None:
        return "given by the service"
    if not row.auto_named:
        return f"`{resource.name}`, taken as it is" if row.shape else "given by the pipeline"
    limit = f" of at most {row.prefix_length} characters" if row.prefix_length else ""
    return f"`{resource.name}` may be left out; in a pipeline it is a prefix{limit}"


def _properties(row: StepType) -> str:
    parts = []
    if row.properties:
        service, shape = row.properties
        described = row.resource.describe if row.resource else shape
        where = f"`{row.resource.result}` in " if row.resource and row.resource.result else ""
        parts.append(f"members of {where}the {_api(service, described)} response")
    parts += [f"`{name}`" for name in row.extra_properties]
    if "OutputParameters" in row.optional_keys:
        parts.append("`OutputParameters['<name>']`")
    if "PropertyFiles" in row.optional_keys:
        parts.append("values of its property files, with `JsonGet`")
    return ", ".join(parts) or "none"


def _waits(row: StepType) -> bool:
    return bool(row.resource and row.resource.states) or row.name in ("Lambda", "Callback")


def _operator(cls: type[Any]) -> Iterator[str]:
    yield f'\n<a id="{cls.__name__.lower()}"></a>\n'
    yield f"### {cls.__name__}\n"
    text, _ = _docstring(cls)
    yield text + "\n"
    yield from _parameters(*[base for base in cls.__mro__ if base not in SageMakerStepOperator.__mro__])
    yield "\nand [the parameters of every operator](#common-parameters).\n"
    yield "```python"
    yield EXAMPLES[cls.__name__].strip()
    yield "```"


def _parameters(*classes: type[Any]) -> Iterator[str]:
    """A table of the parameters in the docstrings of classes; what a subclass says goes before its base."""
    known: dict[str, str] = {}
    for cls in classes:
        for name, text in _docstring(cls)[1].items():
            known.setdefault(name, text)
    if known:
        yield "| parameter | |"
        yield "|---|---|"
    for name, text in known.items():
        yield f"| `{name}` | {_cell(text)} |"


def _docstring(cls: type[Any]) -> tuple[str, dict[str, str]]:
    """The text of a docstring, and its parameters."""
    if "__doc__" not in vars(cls) or not cls.__doc__:
        return "", {}
    text = _markdown(inspect.cleandoc(cls.__doc__))
    body, *parameters = re.split(r"^:param (?=\w+:)", text, flags=re.MULTILINE)
    pairs = (item.split(":", 1) for item in parameters)
    return body.strip(), {name: " ".join(meaning.split()) for name, meaning in pairs}


def _markdown(text: str) -> str:
    """The roles and literals of reStructuredText as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda match: f"`{_last(match[1])}`", text)
    return text.replace("``", "`")


def _last(name: str) -> str:
    return (
        name if name.startswith("sagemaker_provider.definition") and name.count(".") == 1 else name.rpartition(".")[2]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|") if "`" in text else text.replace("|", "\\|").replace("<", "&lt;")


def _api(service: str, operation: str | None) -> str:
    return f"[{operation}]({API_REFERENCE[service].format(operation)})"


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` compare them."""
    if arguments not in ([], ["--check"]):
        print("usage: python docs/generate.py [--check]", file=sys.stderr)
        return 2
    texts = pages()
    old = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if arguments:
        for path in old:
            print(f"out of date: {_shown(path)}; run: python docs/generate.py", file=sys.stderr)
        return 1 if old else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in old:
        path.write_text(texts[path], encoding="utf-8")
        print(f"written: {_shown(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
