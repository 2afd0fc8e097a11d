"""A list that only the run knows, a task for each of its items, and one that reads what they give."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, task

with DAG("loops", schedule=None):

    @task
    def parts() -> list[dict[str, int]]:
        return [{"n": 1}, {"n": 20}, {"n": 300}]

    @task
    def double(part: dict[str, int], factor: int, **context: object) -> int:
        return part["n"] * factor + context["ti"].map_index

    @task
    def total(values: list[int]) -> dict[str, object]:
        return {"sum": sum(values), "values": list(values)}

    total(double.partial(factor=2).expand(part=parts()))
