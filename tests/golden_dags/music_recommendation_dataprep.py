"""Three Data Wrangler exports into feature groups, then a split into data sets."""

import json

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import BUCKET, ROLE, SKLEARN, input_from, instances, output_to, run_uri, script_job

from sagemaker_provider.operators import SageMakerProcessingStepOperator

PREFIX = "music-recommendation-pipeline"
TRACKS = "track-features-music-rec"
RATINGS = "ratings-features-music-rec"
USER_PREFERENCES = "user-5star-track-features-music-rec"


def wrangle(task_id: str, node: str, feature_group: str) -> SageMakerProcessingStepOperator:
    """Export one node of the flow into a feature group."""
    output = f"{node}.default"
    data = [
        input_from(f"s3://{BUCKET}/{PREFIX}/data/{file}", f"/opt/ml/processing/data/{file}", name=file)
        for file in ("tracks_new.csv", "ratings_new.csv")
    ]
    flow = f"s3://{BUCKET}/{PREFIX}/dataprep-notebooks/music_dataprep.flow"
    return SageMakerProcessingStepOperator(
        task_id=task_id,
        config={
            "AppSpecification": {
                "ImageUri": "174368400705.dkr.ecr.us-west-2.amazonaws.com/sagemaker-data-wrangler-container:3.x",
                "ContainerArguments": [f"--output-config '{json.dumps({output: {'content_type': 'CSV'}})}'"],
            },
            "ProcessingInputs": [input_from(flow, "/opt/ml/processing/flow", name="flow"), *data],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": output,
                        "AppManaged": True,
                        "FeatureStoreOutput": {"FeatureGroupName": feature_group},
                    }
                ]
            },
            "ProcessingResources": {"ClusterConfig": instances(kind="ml.m5.4xlarge")},
            "NetworkConfig": {"EnableNetworkIsolation": False},
            "RoleArn": ROLE,
        },
    )


with DAG(
    dag_id="music_recommendation_dataprep",
    schedule=None,
    params={"TrainingInstance": "ml.m4.xlarge", "ModelApprovalStatus": "PendingManualApproval"},
) as dag:
    exports = [
        wrangle("DataWranglerStepTracks", "19ad8e80-2002-4ee9-9753-fe9a384b1166", TRACKS),
        wrangle("DataWranglerStepUserPref", "7a6dad19-2c80-43e3-b03d-ec23c3842ae9", USER_PREFERENCES),
        wrangle("DataWranglerStepRatings", "9a283380-91ca-478e-be99-6ba3bf57c680", RATINGS),
    ]

    split = SageMakerProcessingStepOperator(
        task_id="SplitData",
        config=script_job(
            f"{SKLEARN}:0.23-1-cpu-py3",
            f"s3://{BUCKET}/{PREFIX}/code/create_datasets.py",
            arguments=[
                *("--feature-group-name-tracks", TRACKS),
                *("--feature-group-name-ratings", RATINGS),
                *("--feature-group-name-user-preferences", USER_PREFERENCES),
                *("--bucket-name", BUCKET),
                *("--bucket-prefix", PREFIX),
                *("--region", "us-west-2"),
            ],
            outputs=[
                output_to(
                    run_uri("MusicRecommendationPipeline", "{run}", "SplitData", "output", f"{part}_data"),
                    f"/opt/ml/processing/output/{part}",
                    name=f"{part}_data",
                )
                for part in ("train", "test")
            ],
            cluster=instances(2, "ml.m5.4xlarge", 100),
        ),
    )
    exports >> split
