"""What the commands that call AWS share: which account they reach, and how they say what went wrong."""

from __future__ import annotations

import functools
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sagemaker_provider.commands import FOUND, usage_error

if TYPE_CHECKING:
    from sagemaker_provider.hooks.pipeline import SageMakerPipelineHook


def pipeline_hook(args: Namespace) -> SageMakerPipelineHook:
    """The hook that ``--region`` and ``--aws-conn-id`` ask for; without a connection boto3 looks for credentials.

    :raises AirflowException: there is no such connection; the hook by itself would go on with other credentials.
    """
    from sagemaker_provider.hooks.pipeline import SageMakerPipelineHook

    if args.aws_conn_id:
        SageMakerPipelineHook.get_connection(args.aws_conn_id)
    return SageMakerPipelineHook(aws_conn_id=args.aws_conn_id, region_name=args.region)


def calls_aws(command: Callable[[Namespace], int]) -> Callable[[Namespace], int]:
    """A command that ends with one sentence where what it asks for is refused.

    Exit code 1: AWS or Airflow refuses; 2: a file or a value of the command line is not of its form.
    """

    @functools.wraps(command)
    def run(args: Namespace) -> int:
        from airflow.providers.common.compat.sdk import AirflowException
        from airflow.utils.cli import suppress_logs_and_warning
        from botocore.exceptions import BotoCoreError, ClientError

        codes = [FOUND]

        def told(args: Namespace) -> None:
            try:
                codes[0] = command(args)
            except ClientError as error:
                usage_error(sentence(error))
            except (AirflowException, BotoCoreError) as error:
                usage_error(" ".join(str(error).split()))
            except ValueError as error:  # of a file or of what the command line says
                codes[0] = usage_error(" ".join(str(error).split()))

        # Hooks log where their credentials come from, on standard output.
        suppress_logs_and_warning(told)(Namespace(**{**vars(args), "verbose": False}))
        return codes[0]

    return run


def sentence(error: Any) -> str:
    """What an error of a call says, without the words that boto3 puts around it."""
    told = error.response.get("Error", {})
    return f"{error.operation_name}: {told.get('Message') or 'no message'} ({told.get('Code', 'no code')})"
