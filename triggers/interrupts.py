"""Why a waiting task is told to end: because a person or a timeout wants it to end, or because its process goes away.

Airflow calls ``on_kill`` in both cases: a worker that shuts down sends SIGTERM to its tasks as a person's kill does, and a
trigger that moves to another triggerer is cancelled as one whose task was cleared. The difference is the state that
Airflow has for the task.
"""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from airflow.providers.common.compat.sdk import AirflowTaskTimeout
from airflow.triggers.base import BaseTrigger

from sagemaker_provider.hooks.aws import AwsSettings
from sagemaker_provider.triggers.calls import in_thread

log = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 2.5
"""Airflow kills a task that has not ended 5 seconds after SIGTERM."""
_GOES_ON: Final = ("running", "queued", "scheduled", "up_for_retry")
"""States of a task whose end nobody wants."""
_NO_SUPERVISOR: Final = (EOFError, BrokenPipeError, ConnectionResetError)
"""What asking Airflow raises in a task whose supervisor has ended."""
_WAITS: Final = "deferred"
"""State of a task that a triggerer waits for; its process may take a while yet to end."""


def current_state(ti: Any) -> str | None:
    """The state that Airflow has for a task instance now; ``None`` once it was cleared.

    :param ti: task instance of a worker or a triggerer.
    """
    if hasattr(ti, "current_state"):  # Airflow 2.11 asks the database
        return ti.current_state()  # type: ignore[no-any-return]
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    index = -1 if ti.map_index is None else ti.map_index
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=index
    )
    name = ti.task_id if index < 0 else f"{ti.task_id}_{index}"
    return states.get(ti.run_id, {}).get(name)  # type: ignore[no-any-return]


def goes_on(ti: Any, *, deferred: bool = False) -> bool:
    """Whether a running task was told to end only because its worker shuts down, and another try or a triggerer follows.

    A timeout is none: Airflow calls ``on_kill`` for it while it handles its ``AirflowTaskTimeout``.

    Called in a signal handler, so Airflow is asked from a thread: the interrupted code may hold the connection. Where
    Airflow does not answer, a person's kill is assumed: a job that nobody wants costs more than one that starts again.
    But a person's kill comes through the supervisor of the task, so it is none where that has gone.

    :param ti: the task instance.
    :param deferred: whether the task has left its wait to a triggerer; what follows then is telling Airflow so, and no wait.
    """
    if isinstance(sys.exc_info()[1], AirflowTaskTimeout):
        return False
    another = ti.try_number <= ti.max_tries
    following = (_WAITS, *(_GOES_ON if another else ()))
    executor = ThreadPoolExecutor(max_workers=1)
    try:
        return executor.submit(current_state, ti).result(_PATIENCE_SECONDS) in following
    except _NO_SUPERVISOR:
        return deferred or another
    except Exception as error:
        log.warning("Airflow does not say what is to become of the task: %r", error)
        return deferred
    finally:
        executor.shutdown(wait=False)


class InterruptibleTrigger(BaseTrigger, AwsSettings):  # type: ignore[misc]
    """A trigger that stops what it waits for when its task is no longer to wait."""

    async def stop_work(self) -> None:
        """Stop what is waited for."""
        raise NotImplementedError

    async def on_kill(self) -> None:
        """Stop, if Airflow means it; Airflow 3.3 and later call this when the trigger is no longer theirs to run."""
        if await in_thread(current_state, self.task_instance) != _WAITS:
            await self.stop_work()

    async def cancelled(self) -> None:
        """Do what ``on_kill`` does where Airflow has no such call; called when the trigger is cancelled."""
        if hasattr(BaseTrigger, "on_kill") or self.task_instance is None:  # nobody's: in dag.test()
            return
        try:
            await self.on_kill()
        except Exception:
            self.log.warning("What the trigger waited for may run on", exc_info=True)
