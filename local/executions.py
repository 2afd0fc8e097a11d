"""Executions of pipelines: which step may start, which never will, and how an execution ends.

One thread for each execution decides; each running step has a thread of its own, which tells the first when it has ended.
What happened is in the store, so that an execution can go on after a restart.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.definition import PipelineDefinition, Step
from sagemaker_provider.definition.selection import needs
from sagemaker_provider.local import step_kinds, steps
from sagemaker_provider.local.evaluation import StepFailedError
from sagemaker_provider.local.pipelines import step_kind, steps_of

if TYPE_CHECKING:
    from sagemaker_provider.local.service import LocalSageMaker
    from sagemaker_provider.local.store import Record

WAITING: Final = "waiting"
RUNNING: Final = "running"
NEVER: Final = "never"
"""State of a step that will not start: its branch is not taken, or what it waits for cannot come."""
_ENDED: Final = ("Succeeded", "Failed", "Stopped")
_log = logging.getLogger(__name__)


@dataclass
class Node:
    """A step of an execution, or one of an iteration of a loop.

    :param name: as it is listed.
    :param step: what to do.
    :param needs: (name of a node, trigger).
    :param branch: the condition it is in, and the branch.
    :param loop: the name of the ForEach step, the index and the item of the iteration it belongs to.
    :param state: one of ``waiting``, ``running``, ``never`` and the statuses of the service for what has ended.
    """

    name: str
    step: Step
    order: int
    needs: tuple[tuple[str, str], ...] = ()
    branch: tuple[str, str] | None = None
    loop: tuple[str, int, Any] | None = None
    siblings: frozenset[str] = frozenset()
    state: str = WAITING

    @property
    def holds_a_slot(self) -> bool:
        """Whether it counts for ``MaxParallelExecutionSteps`` while it runs; a loop's iterations do, not the loop."""
        return self.step.type != "ForEach"


class Executions:
    """The executions that run.

    :param local: the service.
    """

    def __init__(self, local: LocalSageMaker) -> None:
        self._local = local
        self._running: dict[str, Execution] = {}
        self._lock = threading.Lock()
        self._closed = False

    def open(self) -> None:
        """Take executions, again after :meth:`close`."""
        self._closed = False

    def start(self, region: str, arn: str) -> None:
        """Let an execution run from where its records say it is."""
        execution = Execution(self._local, region, arn)
        with self._lock:
            if self._closed:  # the next server goes on with it
                return
            self._running[arn] = execution
        thread = threading.Thread(target=self._run, args=(arn, execution), name=f"execution-{arn[-12:]}", daemon=True)
        thread.start()

    def _run(self, arn: str, execution: Execution) -> None:
        try:
            execution.run()
        except Exception as error:
            if execution.closed.is_set():
                return
            _log.exception("The execution %s failed inside the local SageMaker", arn)
            execution.finish("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            with self._lock:
                if self._running.get(arn) is execution:
                    del self._running[arn]

    def wake(self, arn: str) -> None:
        """Tell an execution that its record has changed."""
        with self._lock:
            execution = self._running.get(arn)
        if execution is not None:
            execution.inbox.put(None)

    def resume(self) -> None:
        """Go on with the executions that ran when the server before this one ended."""
        for region, arn in self._local.store.places("PipelineExecution"):
            record = self._local.store.get(region, "PipelineExecution", arn)
            if record and record["PipelineExecutionStatus"] in ("Executing", "Stopping"):
                self.start(region, arn)

    def close(self) -> None:
        """Leave all executions as they are."""
        with self._lock:
            self._closed = True
            running = list(self._running.values())
            self._running.clear()
        for execution in running:
            execution.closed.set()
            execution.stopping.set()
            execution.inbox.put(None)
        self._local.store.wake()


class Execution:
    """One execution.

    :param local: the service.
    :param region: its Region.
    :param arn: its ARN; the record is in the store.
    """

    def __init__(self, local: LocalSageMaker, region: str, arn: str) -> None:
        self.local, self.region, self.arn = local, region, arn
        self.inbox: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.closed, self.stopping = threading.Event(), threading.Event()
        self.definition = PipelineDefinition.from_json(self.record["_definition"])
        self.nodes = {node.name: node for node in nodes_of(self.definition, self.record.get("_selected"))}
        self._loops: dict[str, _Loop] = {}

    @property
    def record(self) -> Record:
        """What the store holds of the execution."""
        record = self.local.store.get(self.region, "PipelineExecution", self.arn)
        assert record is not None, f"{self.arn} was removed while it ran"
        return record

    @property
    def stops(self) -> bool:
        """Whether the execution is being stopped; not when only the server ends."""
        return self.stopping.is_set() and not self.closed.is_set()

    def step_record(self, name: str) -> Record | None:
        """What the store holds of one of its steps."""
        return self.local.store.get(self.region, step_kind(self.arn), name)

    def run(self) -> None:
        """Run to the end."""
        try:
            steps.make_experiment(self)
        except StepFailedError as error:
            self.finish("Failed", str(error))
            return
        self._take_up()
        heard: list[str | None] = [None]
        while not self.closed.is_set():
            if None in heard and self.record["PipelineExecutionStatus"] == "Stopping":
                self.stopping.set()
                for node in self._running():
                    if node.step.type != "ForEach":
                        step_kinds.stop(self, node)
            self._settle()
            running = self._running()
            if not running:
                self.finish(*self._outcome())
                return
            if all(node.step.type == "ForEach" for node in running):
                raise RuntimeError(f"nothing of the loops {[node.name for node in running]} can go on")
            heard = [self.inbox.get()]
            while not self.inbox.empty():
                heard.append(self.inbox.get())
            for name in heard:
                self._hear(name)

    def finish(self, status: str, reason: str | None) -> None:
        """Record how the execution ended."""
        changes: dict[str, Any] = {"PipelineExecutionStatus": status, "EndTime": time.time()}
        if reason:
            changes["FailureReason"] = reason[:1300]
        if self.local.store.get(self.region, "PipelineExecution", self.arn) is not None:
            self.local.store.change(self.region, "PipelineExecution", self.arn, **changes)

    # Deciding

    def _running(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.state == RUNNING]

    def _hear(self, name: str | None) -> None:
        """A step tells that it has ended."""
        if name is not None and (record := self.step_record(name)):
            self.nodes[name].state = record["StepStatus"]

    def _take_up(self) -> None:
        """Continue with what the store says: after a restart, a retry, or with steps of another execution."""
        for record in steps_of(self.local, self.region, self.arn):
            if "IterationContext" in record:
                continue  # taken up with its loop
            node = self.nodes.get(record["StepName"])
            if node is None:  # an unselected step, whose result is taken over
                step = next(step for step, _ in self.definition.all_steps() if step.name == record["StepName"])
                node = self.nodes[step.name] = Node(step.name, step, record["_order"])
            if record["StepStatus"] in _ENDED:
                node.state = record["StepStatus"]
            else:
                self._start(node)

    def _settle(self) -> None:
        """Start what can start, and mark what never will, until nothing changes."""
        moved = True
        while moved:
            moved = False
            for loop in list(self._loops.values()):
                moved |= loop.advance()
            for node in sorted(self.nodes.values(), key=lambda node: node.order):
                if node.state != WAITING:
                    continue
                verdict = self._verdict(node)
                if verdict == NEVER:
                    node.state, moved = NEVER, True
                elif verdict == RUNNING and self._may_start(node):
                    self._start(node)
                    moved = True

    def _verdict(self, node: Node) -> str:
        """Whether a waiting step has to wait, can start, or never will."""
        verdict = RUNNING
        if node.branch:
            condition = self.nodes.get(node.branch[0])
            if condition is not None:  # it is not there when only steps of its branch were selected
                if condition.state in (WAITING, RUNNING):
                    verdict = WAITING
                elif condition.state != "Succeeded" or self._taken(condition) != node.branch[1]:
                    return NEVER
        for name, trigger in node.needs:
            needed = self.nodes.get(name)
            if needed is None:  # not selected; its result was taken over or is not needed
                continue
            if needed.state in (WAITING, RUNNING):
                verdict = WAITING
            elif needed.state == NEVER:
                if trigger == "Completed" or not self.local.settings.any_after_skipped:
                    return NEVER
            elif trigger != "Any" and needed.state != {"Completed": "Succeeded"}.get(trigger, trigger):
                return NEVER
        return verdict

    def _taken(self, condition: Node) -> str:
        record = self.step_record(condition.name)
        assert record is not None
        return "IfSteps" if record["_properties"]["Outcome"] == "True" else "ElseSteps"

    def _may_start(self, node: Node) -> bool:
        if self.stopping.is_set():
            return False
        if self._unhandled_failures() and not self.local.settings.start_after_failure:
            if not node.loop and node.name not in self._handlers():  # a loop that runs goes on, as a job does
                return False
        if node.loop and not self._loops[node.loop[0]].may_start(node):
            return False
        limit = self.record.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        return limit is None or not node.holds_a_slot or sum(item.holds_a_slot for item in self._running()) < limit

    def _unhandled_failures(self) -> list[Node]:
        """Steps that failed or were stopped, without a step that was to run in that case."""
        handled = {
            name
            for node in self.nodes.values()
            if node.state != NEVER
            for name, trigger in node.needs
            if trigger != "Completed"
        }
        return [
            node
            for node in self.nodes.values()
            if node.state in ("Failed", "Stopped") and node.name not in handled and not node.loop
        ]

    def _handlers(self) -> set[str]:
        """Steps that run because of a failure, or after one that does."""
        found: set[str] = set()
        grown = True
        while grown:
            grown = False
            for node in self.nodes.values():
                if node.name not in found and (self._handles(node) or self._before(node) & found):
                    found.add(node.name)
                    grown = True
        return found

    def _handles(self, node: Node) -> bool:
        ended = {name: self.nodes[name].state for name, _ in node.needs if name in self.nodes}
        return any(trigger != "Completed" and ended.get(name) in ("Failed", "Stopped") for name, trigger in node.needs)

    def _before(self, node: Node) -> set[str]:
        return {name for name, _ in node.needs} | ({node.branch[0]} if node.branch else set())

    def _start(self, node: Node) -> None:
        node.state = RUNNING
        if node.step.type == "ForEach":
            self._start_loop(node)
            return
        thread = threading.Thread(target=self._carry_out, args=(node,), name=f"step-{node.name}", daemon=True)
        thread.start()

    def _carry_out(self, node: Node) -> None:
        try:
            steps.carry_out(self, node)
        except Exception as error:
            if not self.closed.is_set() and self.local.store.get(self.region, "PipelineExecution", self.arn):
                _log.exception("The step %s of %s failed inside the local SageMaker", node.name, self.arn)
                steps.end(self, node, "Failed", FailureReason=f"InternalServerError: {type(error).__name__}: {error}")
        self.inbox.put(node.name)

    def _outcome(self) -> tuple[str, str | None]:
        if self.stopping.is_set():
            late = [node for node in self.nodes.values() if (self.step_record(node.name) or {}).get("_timed_out")]
            return (
                ("Failed", "Step failure: a Lambda function timed out while the execution stopped.")
                if late
                else ("Stopped", None)
            )
        if self._unhandled_failures():
            return "Failed", "Step failure: One or multiple steps failed."
        if any(node.state in ("Failed", "Stopped") and not node.loop for node in self.nodes.values()):
            return "CompletedWithFailures", None
        return "Succeeded", None

    # Loops

    def _start_loop(self, node: Node) -> None:
        try:
            items = steps.loop_items(self, node)
        except StepFailedError as error:
            steps.end(self, node, "Failed", FailureReason=str(error))
            node.state = "Failed"
            return
        loop = self._loops[node.name] = _Loop(self, node, items)
        for child in loop.children:
            self.nodes[child.name] = child
            record = self.step_record(child.name)
            if record and record["StepStatus"] in _ENDED:
                child.state = record["StepStatus"]
            elif record:
                self._start(child)


@dataclass
class _Loop:
    """A ForEach step and its iterations."""

    execution: Execution
    node: Node
    items: list[Any]
    children: list[Node] = field(init=False)

    def __post_init__(self) -> None:
        body = self.node.step.branches()["ForEachBody"]
        names = frozenset(step.name for step in body)
        self.children = [
            Node(
                f"{step.name}-{index}",
                step,
                self.node.order,
                tuple((f"{name}-{index}", trigger) for name, trigger in needs(step) if name in names),
                loop=(self.node.name, index, item),
                siblings=names,
            )
            for index, item in enumerate(self.items)
            for step in body
        ]

    def may_start(self, child: Node) -> bool:
        """Whether the iteration of a child may begin or goes on; none begins after a child has failed."""
        assert child.loop is not None
        begun = {item.loop[1] for item in self.children if item.loop and item.state != WAITING}
        if child.loop[1] in begun:
            return True
        if any(item.state in ("Failed", "Stopped") for item in self.children):
            return False
        open_ones = {item.loop[1] for item in self.children if item.loop and item.loop[1] in begun and item.state in (WAITING, RUNNING)}  # fmt: skip
        return len(open_ones) < int(self.node.step.arguments["MaxConcurrency"])

    def advance(self) -> bool:
        """End the loop when no child runs or can start; whether it ended now."""
        if self.node.state != RUNNING or any(item.state == RUNNING for item in self.children):
            return False
        failed = any(item.state in ("Failed", "Stopped") for item in self.children)
        if any(item.state == WAITING for item in self.children) and not (failed or self.execution.stopping.is_set()):
            return False
        for item in self.children:
            if item.state == WAITING:
                item.state = NEVER
        self.node.state = steps.end_loop(self.execution, self.node, self.items, self.children)
        return True


# The graph


def nodes_of(definition: PipelineDefinition, selected: list[str] | None = None) -> Iterator[Node]:
    """The steps of a definition as nodes, without the iterations of loops, which are known only while it runs."""
    for order, (step, enclosing) in enumerate(definition.all_steps()):
        if any(outer.type == "ForEach" for outer, _ in enclosing):
            continue
        if selected is not None and step.name not in selected:
            continue
        branch = (enclosing[-1][0].name, enclosing[-1][1]) if enclosing else None
        inner = {item.name for item in step.branches().get("ForEachBody", ())}
        waits = [need for item in (step, *step.branches().get("ForEachBody", ())) for need in needs(item)]
        yield Node(step.name, step, order, tuple(dict.fromkeys(need for need in waits if need[0] not in inner)), branch)
