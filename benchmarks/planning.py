"""Time to plan DAGs of which a part becomes pipelines: it should grow linearly with the tasks.

Prints a row for each size and share of tasks that stay in Airflow: regions found, milliseconds in all and for each task (median of
the rounds), and the ratio of the time for each task to that of the smallest size of the same run. Aim for 1,000 tasks: 2 seconds.
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from typing import Any

import conversion
import mixed_dag
import networkx as nx
from rich.console import Console
from rich.table import Table

from sagemaker_provider.translator import Settings
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.planning import Plan, plan

logging.disable(logging.WARNING)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 200, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    table = Table(*("shape", "tasks", "stay", "regions", "ms", "ms/task", "ratio"))
    for shape, every in (("chain", 0), ("chain", 5), ("mixed", 0), ("mixed", 5)):
        first = 0.0
        for size in args.sizes:
            dag = mixed_dag.build(size) if shape == "mixed" else conversion.build(shape, size)
            names = list(dag.task_dict)
            stay = {(dag.dag_id, name): {"native": False} for name in (names[every::every] if every else ())}
            settings = Settings(defaults=Defaults(tasks=stay))
            found: list[Plan] = []
            taken = conversion.seconds(partial(_planned, found, dag, settings), args.rounds)
            _check(dag, found[-1])
            first = first or taken / len(names)
            share = taken / len(names)
            numbers = (len(found[-1].stays), len(found[-1].regions), f"{taken * 1000:.0f}", f"{share * 1000:.2f}")
            table.add_row(shape, str(len(names)), *map(str, numbers), f"{share / first:.2f}")
    Console().print(table)


def _planned(found: list[Plan], dag: Any, settings: Settings) -> None:
    found.append(plan(dag, settings))


def _check(dag: Any, made: Plan) -> None:
    part_of = {task: region.name for region in made.regions for task in region.tasks}
    edges = [
        (part_of.get(task.task_id, task.task_id), part_of.get(other, other))
        for task in dag.tasks
        for other in task.downstream_task_ids
    ]
    assert nx.is_directed_acyclic_graph(nx.DiGraph(edge for edge in edges if edge[0] != edge[1]))


if __name__ == "__main__":
    main()
