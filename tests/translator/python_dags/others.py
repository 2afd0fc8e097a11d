"""A mapped task and one that gathers its results, a sensor, and a template with a loop in a Python task."""

from airflow.providers.common.compat.sdk import DAG, task

with DAG("others", schedule=None, params={"factor": 3}):

    @task.sensor(poke_interval=1, timeout=60)
    def wait():
        """Wait for the second call."""
        from pathlib import Path
        from tempfile import gettempdir

        mark = Path(gettempdir(), "python-task-sensor-mark")
        if mark.exists():
            mark.unlink()
            return True
        mark.touch()
        return False

    @task
    def times(number, params=None, ti=None):
        """One of several."""
        return number * params["factor"] + ti.map_index

    @task
    def total(numbers, ti=None):
        """Gather them."""
        return [sum(numbers), ti.xcom_pull(task_ids="times")[1]]

    numbers = times.expand(number=[1, 2])
    wait() >> numbers
    total(numbers)
