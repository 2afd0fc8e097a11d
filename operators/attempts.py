"""Which job belongs to a try of a task: the one to take up after a crash, or the next one.

Jobs of a task instance are numbered from 1 in each *generation*. A generation begins with the first try, and again
when a person clears the task. Airflow raises ``max_tries`` then (``clear_task_instances``, or the scheduler for a task
cleared while it runs), so ``max_tries`` names the generation. Where there is no store, a task whose ``retries`` are
lowered in the DAG while its run is under way may fail its remaining tries with the failure of its first job.

A new try cannot see whether the one before it has failed with its job or has died. So a job that goes on or has
succeeded is taken up; one that has ended badly is followed by the next, at most one for each try. Where Airflow has a
task state store (3.3 and later), tries write down what they do. There a failure that no try has told yet is told first.
"""

from __future__ import annotations

from typing import Any, Final

from sagemaker_provider.definition.step_types import State

STORE_KEY: Final = "sagemaker_job"
"""Key in the task state store. Its value: ``generation``; ``number``, ``identifiers`` and ``try`` of the latest job;
``told``, the latest number with whose failure a try has failed."""


class Attempts:
    """The jobs of a task instance, as far as its tries tell.

    :param context: Airflow context.
    :param retries: the task's ``retries``.
    """

    def __init__(self, context: Any, retries: int | None) -> None:
        ti = context["ti"]
        self.generation: int = ti.max_tries
        before = min(max(ti.max_tries - (retries or 0), 0), ti.try_number - 1)
        self.tries: int = ti.try_number - before
        """Tries of this generation, this one included."""
        self.earlier = range(self.generation - before, self.generation)
        """Generations before this one; not each of these numbers was one."""
        self._try: int = ti.try_number
        self._store = context.get("task_state_store")
        self._record: dict[str, Any] = {"generation": self.generation, "number": 0, "identifiers": {}, "told": 0}
        record = self._store.get(STORE_KEY) if self._store is not None else None
        if record and record["generation"] == self.generation:
            self._record = record

    @property
    def latest(self) -> tuple[int, dict[str, Any]]:
        """Number and identifiers of the latest job; 1 and nothing where no store knows them."""
        return max(self._record["number"], 1), self._record["identifiers"]

    def is_spent(self, number: int, state: State, ended_badly: int) -> bool:
        """Whether an earlier try has failed with a job, so that this try starts the next one.

        :param number: number of the job.
        :param state: the job's state, failed or stopped.
        :param ended_badly: how many jobs of this generation have ended so, as far as seen, this one included.
        """
        latest: int = self._record["number"]
        if number != latest:
            return number < latest or ended_badly < self.tries
        stopped_for_this_try = state is State.STOPPED and self._record["try"] < self._try
        return stopped_for_this_try or bool(number <= self._record["told"])

    def remember(self, number: int, identifiers: dict[str, Any]) -> None:
        """Write down the job that this try creates or waits for.

        :param identifiers: empty as long as they are not known.
        """
        self._write({"number": number, "identifiers": identifiers, "try": self._try})

    def tell(self) -> None:
        """Write down that this try fails with its job."""
        self._write({"told": self._record["number"]})

    def _write(self, members: dict[str, Any]) -> None:
        changed = {**self._record, **members}
        if self._store is not None and changed != self._record:
            self._store.set(STORE_KEY, changed)
            self._record = changed
