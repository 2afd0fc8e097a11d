"""What this provider tells Airflow about itself."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Amazon SageMaker Pipelines"


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, as Airflow's provider manager reads it."""
    from sagemaker_provider import __version__

    package = "sagemaker_provider"
    operators = ("jobs", "models", "functions", "control", "checks", "emr", "notebook", "records")

    def modules(folder: str, *names: str) -> list[dict[str, Any]]:
        return [{"integration-name": _INTEGRATION, "python-modules": [f"{package}.{folder}.{name}" for name in names]}]

    return {
        "package-name": "airflow-provider-sagemaker-pipelines",
        "name": _INTEGRATION,
        "description": "Convert DAGs to Amazon SageMaker Pipelines, or run the same steps one by one.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines.html",
                "tags": ["aws"],
            }
        ],
        "operators": modules("operators", *operators, "pipeline", "pipeline_dag", "task_group"),
        "hooks": modules("hooks", "step", "callback"),
        "sensors": modules("sensors", "step"),
        "triggers": modules("triggers", "step", "execution_step", "callback"),
        "extra-links": [f"{package}.operators.links.SageMaker{name}Link" for name in ("Console", "Logs", "Execution")],
        "cli": [f"{package}.cli.airflow_commands"],
        "config": {
            "sagemaker_pipelines": {
                "description": "Task groups that can run as SageMaker pipelines.",
                "options": {
                    "run_as": {
                        "description": "How groups run that do not say it themselves: pipeline or steps.",
                        "version_added": __version__,
                        "type": "string",
                        "example": "steps",
                        "default": "pipeline",
                    }
                },
            }
        },
    }
