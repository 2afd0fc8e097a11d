"""Tune or train, as the config says; the winner's model scores the test set."""

from datetime import datetime

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import BranchPythonOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator, SageMakerTuningOperator
from airflow.utils.trigger_rule import TriggerRule
from team_config import BUCKET, ROLE_ARN, XGBOOST, cluster, default_args, s3_input, xgboost_training

CONFIG = {"job_level": {"region_name": "us-west-2", "run_hyperparameter_opt": "no"}}


def is_hpo_enabled():
    return CONFIG["job_level"]["run_hyperparameter_opt"] != "no"


def pick(hpo):
    return "model_tuning" if hpo else "model_training"


train_config = xgboost_training("reviews-{{ ts_nodash }}", f"s3://{BUCKET}/reviews/train", f"s3://{BUCKET}/reviews/out")
tune_config = {
    "HyperParameterTuningJobName": "reviews-hpo-{{ ts_nodash | lower }}",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5"}]},
    },
    "TrainingJobDefinition": {
        "StaticHyperParameters": {"num_round": "50"},
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "InputDataConfig": [
            s3_input(f"s3://{BUCKET}/reviews/train"),
            s3_input(f"s3://{BUCKET}/reviews/validation", "validation"),
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/reviews/out"},
        "ResourceConfig": cluster(),
        "RoleArn": ROLE_ARN,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
}

with DAG(
    "hpo_or_train", default_args=default_args, schedule=None, start_date=datetime(2024, 1, 1), catchup=False
) as dag:
    init = EmptyOperator(task_id="start")
    branching = BranchPythonOperator(task_id="branching", python_callable=pick, op_kwargs={"hpo": is_hpo_enabled()})
    train = SageMakerTrainingOperator(task_id="model_training", config=train_config, check_interval=1, print_log=False)
    tune = SageMakerTuningOperator(task_id="model_tuning", config=tune_config, check_interval=1)
    cleanup = EmptyOperator(task_id="cleanup", trigger_rule=TriggerRule.ONE_SUCCESS)

    init >> branching >> [train, tune] >> cleanup
