"""Many waiters, few calls: nobody is forgotten, each is told the end once, and at little cost."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quick_loop import run
from scripted_service import Service, refusal

from sagemaker_provider.definition.step_types import TRAINING_JOB, State
from sagemaker_provider.triggers.looks import SAFETY_NET, ResourceLooks, Seen
from sagemaker_provider.triggers.poller import Poller

INTERVAL = 30.0
END = Seen(State.SUCCEEDED, "Completed")


def poller(service: Service) -> Poller[Seen]:
    return Poller(ResourceLooks(TRAINING_JOB, service).look)  # type: ignore[arg-type]


async def outcome(waiting: Poller[Seen], name: str, interval: float = INTERVAL) -> Any:
    """What a waiter is told last, and when."""
    async with aclosing(waiting.watch({"TrainingJobName": name}, interval)) as seen:
        async for each in seen:
            if each.state is not State.RUNNING:
                return each, asyncio.get_running_loop().time()
    raise AssertionError("the watch ended without an end")


async def many(service: Service, count: int, lasts: float = 1800.0) -> tuple[list[float], float]:
    """Wait for jobs that end one after the other: delays of their detection, and how long all have waited in sum."""
    loop, waiting = asyncio.get_running_loop(), poller(service)
    names = [f"job-{number}" for number in range(count)]
    tasks, began, ended = [], {}, {}
    for name in names:
        service.create(name)
        began[name] = loop.time()
        tasks.append(asyncio.ensure_future(outcome(waiting, name)))
        await asyncio.sleep(0.1)
    await asyncio.sleep(600)
    for name in names:
        await asyncio.sleep(lasts / count)
        service.end(name)
        ended[name] = loop.time()
    seen = await asyncio.wait_for(asyncio.gather(*tasks), 4 * 3600)
    delays = [when - ended[name] for name, (_, when) in zip(names, seen, strict=True)]
    return delays, sum(when - began[name] for name, (_, when) in zip(names, seen, strict=True))


def test_two_hundred_cost_a_twentieth_of_one_describe_each() -> None:
    async def scenario() -> None:
        service = Service()
        delays, waited = await many(service, 200)
        assert max(delays) <= INTERVAL + 5
        assert service.calls.total() * 20 < waited / INTERVAL

    run(scenario())


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_a_clock_that_is_wrong_hides_nothing(skew: float) -> None:
    async def scenario() -> None:
        delays, _ = await many(Service(skew), 30)
        assert max(delays) <= INTERVAL + 5

    run(scenario())


def test_what_is_listed_late_is_seen_late() -> None:
    async def scenario() -> None:
        service = Service()
        service.lag = 240
        delays, _ = await many(service, 30)
        assert max(delays) <= INTERVAL + 240 + 5

    run(scenario())


def test_what_is_never_listed_is_seen_by_the_safety_net() -> None:
    async def scenario() -> None:
        service = Service()
        service.lag = 1e6
        delays, _ = await many(service, 30)
        assert max(delays) <= (SAFETY_NET + 2) * INTERVAL

    run(scenario())


def test_one_waiter_is_described() -> None:
    async def scenario() -> None:
        service = Service()
        await many(service, 1)
        assert set(service.calls) == {"DescribeTrainingJob"}

    run(scenario())


def test_lists_that_are_not_allowed_are_tried_once() -> None:
    async def scenario() -> None:
        service = Service()
        service.faults["ListTrainingJobs"].append(refusal("AccessDeniedException"))
        delays, _ = await many(service, 3)
        assert max(delays) <= INTERVAL + 5
        assert service.calls["ListTrainingJobs"] == 1

    run(scenario())


def test_lists_with_more_pages_than_waiters_are_given_up_for_a_while() -> None:
    async def scenario() -> None:
        service = Service()
        waiting = poller(service)
        old = [service.create(f"old-{number}")["TrainingJobName"] for number in range(2)]
        tasks = [asyncio.ensure_future(outcome(waiting, name)) for name in old]
        for number in range(500):  # others' jobs, all of them changing all the time
            service.create(f"other-{number}")
        for _ in range(120):
            await asyncio.sleep(INTERVAL)
            for number in range(500):
                service.end(f"other-{number}", "InProgress")
        assert service.calls["ListTrainingJobs"] < 120
        assert service.calls["DescribeTrainingJob"] <= 2 * 160
        for name in old:
            service.end(name)
        await asyncio.wait_for(asyncio.gather(*tasks), INTERVAL + 5)

    run(scenario())


@pytest.mark.parametrize("answer", [{}, {"TrainingJobSummaries": None}, {"TrainingJobSummaries": [{}]}], ids=str)
def test_an_empty_or_malformed_list_hides_nothing(answer: dict[str, Any]) -> None:
    async def scenario() -> None:
        service = Service()
        service.faults["ListTrainingJobs"].extend([answer] * 1000)
        delays, _ = await many(service, 4)
        assert max(delays) <= (SAFETY_NET + 2) * INTERVAL

    run(scenario())


FAULTS = st.sampled_from(["ThrottlingException", "InternalFailure", {}])
ACTIONS = st.one_of(
    st.tuples(st.just("wait for"), st.integers(0, 5), st.sampled_from([10.0, 30.0, 60.0])),
    st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from(["Completed", "Failed", "Stopped"])),
    st.tuples(st.just("leave"), st.integers(0, 20), st.none()),
    st.tuples(st.just("sleep"), st.integers(0, 100), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(["ListTrainingJobs", "DescribeTrainingJob"]), FAULTS),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(ACTIONS, max_size=40), st.sampled_from([0.0, 45.0, 300.0]), st.sampled_from([0.0, -900.0, 900.0]))
def test_nobody_is_lost_and_each_is_told_the_end_once(actions: list[Any], lag: float, skew: float) -> None:
    async def scenario() -> None:
        service = Service(skew)
        service.lag = lag
        waiting = poller(service)
        told: list[list[Any]] = []
        tasks: list[tuple[str, asyncio.Task[Any]]] = []

        async def wait(name: str, interval: float, mine: list[Any]) -> None:
            async for each in waiting.watch({"TrainingJobName": name}, interval):
                mine.append(each)
                if each.state is not State.RUNNING:
                    return

        for number in range(6):
            service.create(f"job-{number}")
        for action, which, value in actions:
            if action == "wait for":
                told.append([])
                name = f"job-{which}"
                tasks.append((name, asyncio.ensure_future(wait(name, value, told[-1]))))
            elif action == "end" and service.jobs[f"job-{which}"]["TrainingJobStatus"] == "InProgress":
                service.end(f"job-{which}", value)
            elif action == "leave" and which < len(tasks):
                tasks[which][1].cancel()
            elif action == "sleep":
                await asyncio.sleep(which)
            elif action == "fault" and len(service.faults[which]) < 2:  # three unreadable answers in a row are an error
                service.faults[which].append(value if value == {} else refusal(value))
        for number in range(6):
            if service.jobs[f"job-{number}"]["TrainingJobStatus"] == "InProgress":
                service.end(f"job-{number}")
        await asyncio.wait_for(
            asyncio.gather(*(task for _, task in tasks), return_exceptions=True), (SAFETY_NET + 10) * 60
        )
        for (name, task), mine in zip(tasks, told, strict=True):
            if not task.cancelled():
                task.result()
                assert [each.status for each in mine if each.state is not State.RUNNING] == [
                    service.jobs[name]["TrainingJobStatus"]
                ]
        await asyncio.sleep(200)
        calls = service.calls.total()
        await asyncio.sleep(600)
        assert service.calls.total() == calls, "looks go on though nobody waits"

    run(scenario())
