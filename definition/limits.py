"""Limits of the service that bind a definition.

Sources: the service model (botocore), the AWS General Reference page "Amazon SageMaker AI endpoints and quotas",
and the validators of the SageMaker Python SDK. Lengths are characters.
"""

from __future__ import annotations

from typing import Final

DEFINITION_CHARACTERS: Final = 1_048_576
"""Length of ``PipelineDefinition`` in CreatePipeline; longer ones must be given through S3."""

STEPS: Final = 50
"""Steps in a pipeline (quota L-729F2471, not adjustable). Branch and loop-body steps are counted too."""

NESTING: Final = 200
"""Levels of objects and lists that are read; 50 conditions, each inside the other, need about 160."""

PARAMETERS: Final = 200
STEP_NAME: Final = r"[A-Za-z0-9\-_]{1,64}"
STEP_NAME_LENGTH: Final = 64
PARAMETER_NAME: Final = r"[A-Za-z0-9\-_]{1,64}"
PIPELINE_NAME: Final = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}"
DISPLAY_NAME: Final = 256
DESCRIPTION: Final = 3072
PARAMETER_DEFAULT: Final = 4096
PARAMETER_ENUM_VALUES: Final = 16
PARAMETER_VALUE: Final = 1024
"""Length of a parameter value given at the start of an execution."""

OUTPUT_PARAMETERS: Final = 50
OUTPUT_PARAMETER_VALUE: Final = 1024
QUEUE_URL: Final = 256
ERROR_MESSAGE: Final = 3072
FAILURE_REASON: Final = 256
"""Length of ``FailureReason`` in SendPipelineExecutionStepFailure."""

FOR_EACH_ITEMS: Final = 100
FOR_EACH_CONCURRENCY: Final = 50

RETRY_INTERVAL_SECONDS: Final = 43_200
RETRY_ATTEMPTS: Final = 20
RETRY_EXPIRE_MINUTES: Final = 14_400

LAMBDA_SECONDS: Final = 600
"""Longest a Lambda step may take, measured by the pipeline."""

EXPERIMENT_NAME: Final = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}"
