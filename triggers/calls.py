"""AWS calls of everything that waits in one process with the same settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asgiref.sync import sync_to_async

from sagemaker_provider.hooks.aws import AwsSettings

if TYPE_CHECKING:
    from sagemaker_provider.hooks.step import SageMakerStepHook

T = TypeVar("T")
THREADS: Final = 8
"""How many calls with the same settings are under way at once; boto3 has no asynchronous form."""

_OUT_OF_DATE: Final = ("ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId")
"""Codes of credentials that were valid and are no more; the connection may hold new ones."""


class Calls:
    """AWS calls with the settings of one connection, from threads, paced together.

    botocore's adaptive retries slow all calls of a client down when the service throttles one of them, so there is one
    client for each service. Its options go before those here.

    :param settings: see :attr:`~sagemaker_provider.hooks.aws.AwsSettings.aws_settings`.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._aws = AwsSettings()
        self._aws.set_aws(**settings)
        self._hooks: dict[str, SageMakerStepHook] = {}
        self._making = asyncio.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sagemaker-waiting")

    async def call(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A response as JSON. Credentials that have expired are read from the connection once more.

        :raises botocore.exceptions.ClientError: the service refused.
        :raises botocore.exceptions.BotoCoreError: there was no answer, or there are no credentials.
        """
        from botocore.exceptions import ClientError

        hook = await self._hook(service)
        try:
            return await self._run(hook.call, operation, request)
        except ClientError as error:
            if error.response["Error"].get("Code") not in _OUT_OF_DATE:
                raise
            if self._hooks.get(service) is hook:
                del self._hooks[service]
        return await self._run((await self._hook(service)).call, operation, request)

    async def service_config(self, service: str) -> dict[str, Any]:
        """What the connection's extra says about a service."""
        hook = await self._hook(service)
        return await self._run(lambda: dict(hook.service_config))

    def close(self) -> None:
        """Let the threads end when their calls have."""
        self._threads.shutdown(wait=False)

    async def _run(self, call: Callable[..., T], *arguments: Any) -> T:
        return await in_thread(call, *arguments, threads=self._threads)

    async def _hook(self, service: str) -> SageMakerStepHook:
        async with self._making:  # making a client is neither cheap nor safe for many threads
            if service not in self._hooks:
                retries = {"mode": "adaptive", **(self._aws.botocore_config or {}).get("retries", {})}
                hook = self._aws.aws_hook(service, max_pool_connections=THREADS, retries=retries)
                await self._run(lambda: hook.conn)
                self._hooks[service] = hook
            return self._hooks[service]


async def in_thread(call: Callable[..., T], *arguments: Any, threads: ThreadPoolExecutor | None = None) -> T:
    """The result of a call that blocks; Airflow's connections can be read in it.

    :param threads: where it runs; by default in a thread of the event loop's own.
    """
    result: T = await sync_to_async(call, thread_sensitive=False, executor=threads)(*arguments)
    return result
