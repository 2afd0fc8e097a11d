"""A DAG of the TaskFlow kind around a training and a transform: dicts as XComs, the context, a command."""

from __future__ import annotations

import datetime
import logging
from dataclasses import asdict, dataclass

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator, SageMakerTransformOperator
from airflow.providers.common.compat.sdk import DAG, task

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2 has it itself
    from airflow.operators.bash import BashOperator

BUCKET = "bucket"
WEIGHTS = {"a": (1, 2), "b": (3, 4)}
log = logging.getLogger(__name__)


@dataclass
class Row:
    """A row."""

    name: str
    weights: tuple[int, int]

    def total(self) -> int:
        """The sum of its weights."""
        return sum(self.weights)


def rows(limit: int) -> list[Row]:
    """Some rows."""
    return [Row(name, weights) for name, weights in sorted(WEIGHTS.items())][:limit]


with DAG("flow", schedule=None, params={"limit": 2, "word": "it's"}) as dag:

    @task(multiple_outputs=True)
    def extract(limit, ti=None, params=None):
        """Give rows."""
        log.info("limit %s", limit)
        ti.xcom_push(key="first", value=rows(1)[0].name)
        return {"rows": [asdict(item) for item in rows(int(limit))], "word": params["word"], "limit": limit}

    @task
    def consume(data, word, trained, **context):
        """Put together what others gave."""
        ti = context["ti"]
        return {
            "total": sum(Row(**item).total() for item in data["rows"]),
            "word": word,
            "first": ti.xcom_pull(task_ids="extract", key="first"),
            "none": ti.xcom_pull(task_ids="extract", key="other"),
            "images": trained["Training"]["AlgorithmSpecification"]["TrainingImage"],
            "when": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
            "pair": (1, (2, 3)),
            "task": f"{ti.dag_id}.{ti.task_id}.{ti.try_number}.{context['dag'].dag_id}",
            "facts": [ti.task.retries, context["task"].retry_delay, sorted(context["dag"].tags)],
        }

    @task
    def scored(result):
        """Read what the XCom of a transform says of its model."""
        return [result["Model"]["PrimaryContainer"]["Environment"], result["Transform"]["TransformResources"]]

    @task
    def last(line, ti=None):
        """Read the line and a date that went through a file."""
        when = ti.xcom_pull(task_ids="consume")["when"]
        return [line, when.year, ti.xcom_pull(task_ids="consume")["pair"][1][0]]

    data = extract("{{ params.limit }}")
    train = SageMakerTrainingOperator(
        task_id="train",
        check_interval=1,
        print_log=False,
        config={
            "TrainingJobName": "train",
            "RoleArn": "arn:aws:iam::123456789012:role/Jobs",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "HyperParameters": {"limit": "{{ ti.xcom_pull('extract', key='limit') }}"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
    score = SageMakerTransformOperator(
        task_id="score",
        check_interval=1,
        config={
            "Model": {
                "ModelName": "scorer",
                "ExecutionRoleArn": "arn:aws:iam::123456789012:role/Jobs",
                "PrimaryContainer": {"Image": "image", "Environment": {"WORD": "{{ params.word }}"}},
            },
            "Transform": {
                "TransformJobName": "score",
                "ModelName": "scorer",
                "TransformInput": {
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in"}}
                },
                "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/scores"},
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            },
        },
    )
    consumed = consume(data, data["word"], train.output)
    shell = BashOperator(
        task_id="shell",
        bash_command="echo one; echo \"$WORD {{ ti.xcom_pull('consume')['total'] }} {{ params.limit }}\"",
        env={"WORD": "{{ params.word }}"},
        append_env=True,
    )
    data >> train
    scored(score.output)
    consumed >> shell
    last(shell.output)
