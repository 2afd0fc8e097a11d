"""A task in a virtual environment."""

from airflow.providers.common.compat.sdk import DAG, task

with DAG("apart", schedule=None):

    @task.virtualenv(system_site_packages=True, skip_on_exit_code=7)
    def apart(text, number):
        """Run in a virtual environment."""
        import sys

        return [sys.prefix != sys.base_prefix, text, number]

    @task
    def count(found):
        """Read what it gave."""
        return len(found)

    count(apart("a", number=2))
