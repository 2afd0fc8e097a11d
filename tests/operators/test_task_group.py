"""Task groups that run as a pipeline: what they look like, and what their tasks do when something goes wrong."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import boto3
import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
    TaskGroup,
)
from contexts import context as airflow_context
from pipelines_client import ROLE, processing

from sagemaker_provider.definition import Equals
from sagemaker_provider.hooks.step import SageMakerStepError
from sagemaker_provider.operators import (
    SageMakerConditionStepOperator,
    SageMakerFailStepOperator,
    SageMakerLambdaStepOperator,
    SageMakerPipelineTaskGroup,
    SageMakerProcessingStepOperator,
)
from sagemaker_provider.operators.mirroring import Mirror

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:  # Airflow 2 has it itself
    from airflow.operators.empty import EmptyOperator

FUNCTION = "arn:aws:lambda:us-west-2:111122223333:function:work"


def make_dag(**options: Any) -> DAG:
    return DAG("work", schedule=None, **options)


def step(task_id: str, **options: Any) -> SageMakerLambdaStepOperator:
    return SageMakerLambdaStepOperator(task_id=task_id, function_arn=FUNCTION, outputs=["o"], **options)


def group_of(*names: str, **options: Any) -> Any:
    """A DAG with a group ``g`` of chained tasks."""
    with make_dag() as dag, SageMakerPipelineTaskGroup("g", **options):
        tasks = [step(name) for name in names]
        for one, other in pairwise(tasks):
            one >> other
    return dag


# What a group looks like


def test_a_task_that_starts_the_pipeline_comes_first() -> None:
    dag = group_of("a", "b")
    assert dag.task_dict["g.launch"].downstream_task_ids == {"g.a"}
    assert dag.task_dict["g.a"].downstream_task_ids == {"g.b"}
    assert {name: type(task).__name__ for name, task in dag.task_dict.items()} == {
        "g.a": "SageMakerLambdaStepOperator",
        "g.b": "SageMakerLambdaStepOperator",
        "g.launch": "SageMakerPipelineLaunchOperator",
    }


def test_step_by_step_nothing_is_changed() -> None:
    dag = group_of("a", "b", run_as="steps")
    assert set(dag.task_dict) == {"g.a", "g.b"}
    assert not isinstance(dag.task_dict["g.a"], Mirror)


def test_airflows_configuration_says_how_groups_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SAGEMAKER_PIPELINES__RUN_AS", "steps")
    assert set(group_of("a").task_dict) == {"g.a"}
    assert "g.launch" in group_of("a", run_as="pipeline").task_dict


def test_a_group_runs_in_one_of_two_ways() -> None:
    with pytest.raises(ValueError, match="g: run_as is one of steps, pipeline or a template, not 'both'"):
        group_of("a", run_as="both")


def test_ids_without_the_group_stay_so() -> None:
    dag = group_of("a", prefix_group_id=False)
    assert set(dag.task_dict) == {"a", "g.launch"}


def test_the_pipeline_starts_after_whatever_its_tasks_come_after() -> None:
    with make_dag() as dag:
        before, late, left = step("before"), step("late"), step("left")
        reads = step("reads")
        with SageMakerPipelineTaskGroup("g") as group:
            a, b = step("a"), step("b", config={"x": reads.properties.OutputParameters["o"]})
            a >> b
        with TaskGroup("others"):
            in_group = step("in_group")
        before >> group
        late >> b
        b.set_upstream(left)
        in_group >> b
    launch = dag.task_dict["g.launch"]
    assert launch.upstream_task_ids == {"before", "late", "left", "reads", "others.in_group"}


def test_a_task_between_tasks_of_the_pipeline_is_refused() -> None:
    with make_dag():
        with SageMakerPipelineTaskGroup("g"):
            a, b = step("a"), step("b")
        between = step("between")
        a >> between
        with pytest.raises(ValueError, match="'between' runs between tasks of 'g', which cannot be one pipeline"):
            between >> b


def test_mapped_and_empty_tasks_stay_what_they_are() -> None:
    from airflow.providers.common.compat.sdk import task

    @task
    def work(x: int) -> int:
        return x

    with make_dag() as dag, SageMakerPipelineTaskGroup("g"):
        work.expand(x=[1, 2])
        EmptyOperator(task_id="nothing")
    mapped = dag.task_dict["g.work"]
    assert issubclass(mapped.operator_class, Mirror)
    assert mapped.operator_class.__name__ == "_PythonDecoratedOperator"
    assert not isinstance(dag.task_dict["g.nothing"], Mirror)


def test_a_group_in_an_expanded_group_is_refused() -> None:
    from airflow.providers.common.compat.sdk import task_group

    @task_group
    def outer(x: int) -> None:
        with SageMakerPipelineTaskGroup("g"):
            step("a")

    with make_dag(), pytest.raises(ValueError, match="cannot be in a task group that is expanded"):
        outer.expand(x=[1, 2])


def test_it_is_serialised_as_other_tasks_are() -> None:
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization  # type: ignore[no-redef]
    found = Serialization.from_dict(Serialization.to_dict(group_of("a", "b")))
    assert found.task_dict["g.a"].task_type == "SageMakerLambdaStepOperator"
    assert found.task_dict["g.a"].upstream_task_ids == {"g.launch"}


# What its tasks do, on a local SageMaker


class Run:
    """One run of a DAG with a group ``g``, without Airflow: tasks are called with a context of ours."""

    def __init__(self, dag: Any, local: Any) -> None:
        self.dag, self.local, self.left = dag, local, {}
        self.client = boto3.client("sagemaker")

    def context(self, task_id: str, attempt: int = 1, cleared: int = 0) -> dict[str, Any]:
        found = airflow_context(f"g.{task_id}", try_number=attempt, max_tries=cleared)
        found["ti"].xcom_pull = lambda task_ids: self.left.get(task_ids)
        found |= {"params": dict(self.dag.params), "task": self.dag.task_dict[f"g.{task_id}"]}
        return found

    def run(self, task_id: str, attempt: int = 1, cleared: int = 0) -> Any:
        task = self.dag.task_dict[f"g.{task_id}"]
        execute = type(task).execute.__wrapped__  # Airflow counts who calls it
        self.left[f"g.{task_id}"] = execute(task, self.context(task_id, attempt, cleared))
        return self.left[f"g.{task_id}"]

    def executions(self) -> list[tuple[str, str]]:
        found = self.client.list_pipeline_executions(
            PipelineName="work-g", SortBy="CreationTime", SortOrder="Ascending"
        )
        return [
            (item["PipelineExecutionDisplayName"].partition("-")[2].partition("-")[2], item["PipelineExecutionStatus"])
            for item in found["PipelineExecutionSummaries"]
        ]

    def ended(self) -> str:
        """The status of the last execution, once all have ended."""
        while {"Executing", "Stopping"} & {status for _, status in self.executions()}:
            time.sleep(0.02)
        return self.executions()[-1][1]

    def calls(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.local.calls)


def job(task_id: str, command: str = "true", **options: Any) -> SageMakerProcessingStepOperator:
    config = processing(task_id, entrypoint=["sh", "-c", command])["Arguments"]
    return SageMakerProcessingStepOperator(task_id=task_id, config=config, aws_conn_id=None, **options)


def group(**options: Any) -> SageMakerPipelineTaskGroup:
    given = {"role": ROLE, "deferrable": False, "poll_interval": 0.02, "aws_conn_id": None}
    return SageMakerPipelineTaskGroup("g", **{**given, **options})


@pytest.fixture
def flaky(local_sagemaker: Any, tmp_path: Any) -> Run:
    """Two tasks side by side that fail until a file is there, and one after them."""
    with make_dag() as dag, group():
        one, other = (job(name, f"test -e {tmp_path}/well || exit 3") for name in ("one", "other"))
        [one, other] >> job("last")
    run = Run(dag, local_sagemaker)
    run.run("launch")
    return run


def test_a_failed_step_fails_its_task_with_its_reason(flaky: Run) -> None:
    with pytest.raises(SageMakerStepError, match=r"the step 'g-one' ended as Failed: .*exit code: 3"):
        flaky.run("one")


def test_a_first_try_tells_the_failure_of_an_execution_that_has_ended(flaky: Run) -> None:
    assert flaky.ended() == "Failed"
    with pytest.raises(SageMakerStepError, match="ended as Failed"):
        flaky.run("one")
    assert flaky.calls("RetryPipelineExecution") == 0


def test_the_tries_after_it_resume_the_execution_once(flaky: Run, tmp_path: Any) -> None:
    flaky.ended()
    (tmp_path / "well").touch()
    results: dict[str, Any] = {}
    threads = [
        threading.Thread(target=lambda name=name: results.update({name: flaky.run(name, 2)}))
        for name in ("one", "other")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: value["ProcessingJobStatus"] for name, value in results.items()} == {
        "one": "Completed",
        "other": "Completed",
    }
    assert flaky.run("last")["ProcessingJobStatus"] == "Completed"
    assert flaky.executions() == [("0-1", "Succeeded")]


def test_who_comes_after_the_one_that_resumed_waits(flaky: Run, tmp_path: Any, mocker: Any) -> None:
    flaky.ended()
    (tmp_path / "well").touch()
    hook = flaky.dag.task_dict["g.launch"].hook
    resume = hook.resume

    def second(arn: str) -> None:
        resume(arn)
        resume(arn)  # the same again finds that it runs

    mocker.patch.object(hook, "resume", second)
    assert flaky.run("one", 2)["ProcessingJobStatus"] == "Completed"
    assert flaky.executions()[-1][0] == "0-1"
    assert flaky.calls("RetryPipelineExecution") == 1


def test_a_try_that_comes_while_the_execution_runs_resumes_it_when_it_has_failed(
    local_sagemaker: Any, tmp_path: Any
) -> None:
    with make_dag() as dag, group():
        job("bad", f"test -e {tmp_path}/well || exit 3")
        job("slow", f"until test -e {tmp_path}/well; do sleep 0.2; done; sleep 2")
    run = Run(dag, local_sagemaker)
    run.run("launch")
    with pytest.raises(SageMakerStepError, match="'g-bad' ended as Failed"):
        run.run("bad")
    assert run.executions() == [("0-1", "Executing")]
    (tmp_path / "well").touch()
    assert run.run("bad", 2)["ProcessingJobStatus"] == "Completed"
    assert run.ended() == "Succeeded"


def test_a_failure_after_the_resumption_is_told(flaky: Run) -> None:
    flaky.ended()
    with pytest.raises(SageMakerStepError, match="'g-one' ended as Failed"):
        flaky.run("one", 2)
    assert flaky.calls("RetryPipelineExecution") == 1


def test_a_step_that_never_started_fails_its_task(local_sagemaker: Any) -> None:
    with make_dag() as dag, group():
        job("bad", "exit 1")
        job("slow", "sleep 1") >> job("late")
    run = Run(dag, local_sagemaker)
    run.run("launch")
    assert run.ended() == "Failed"
    with pytest.raises(Exception, match="ended as Failed before the step ran: g-bad Failed"):
        run.run("late")


def test_a_step_of_no_branch_is_skipped(local_sagemaker: Any) -> None:
    with make_dag(params={"way": "a"}) as dag, group():
        way = SageMakerConditionStepOperator(
            task_id="way", conditions=Equals("{{ params.way }}", "a"), if_task_ids="g.yes", else_task_ids="g.no"
        )
        way >> [job("yes"), job("no")]
    run = Run(dag, local_sagemaker)
    run.run("launch")
    assert run.ended() == "Succeeded"
    with pytest.raises(AirflowSkipException, match="has ended as Succeeded without this step"):
        run.run("no")


def test_a_step_of_no_branch_is_skipped_beside_a_failure_that_was_seen_to(local_sagemaker: Any) -> None:
    with make_dag(params={"way": "a"}) as dag, group():
        way = SageMakerConditionStepOperator(
            task_id="way", conditions=Equals("{{ params.way }}", "a"), if_task_ids="g.yes", else_task_ids="g.no"
        )
        way >> [job("yes"), job("no")]
        job("bad", "exit 1") >> job("clean", trigger_rule="one_failed")
    run = Run(dag, local_sagemaker)
    run.run("launch")
    assert run.ended() == "CompletedWithFailures"
    with pytest.raises(AirflowSkipException, match="has ended as CompletedWithFailures without this step"):
        run.run("no")


def test_what_cannot_be_resumed_is_started_anew_by_the_first_who_tries(local_sagemaker: Any) -> None:
    with make_dag(params={"way": "a"}) as dag, group():
        job("before") >> SageMakerFailStepOperator(task_id="stop", error_message="{{ params.way }} is wrong")
    run = Run(dag, local_sagemaker)
    run.run("launch")
    assert run.ended() == "Failed"
    with pytest.raises(AirflowFailException, match="the step 'g-stop' ended as Failed: a is wrong"):
        run.run("stop")
    with pytest.raises(AirflowFailException, match="a is wrong"):
        run.run("stop", 2)
    assert run.executions() == [("0-1", "Failed"), ("0-2", "Failed")]
    assert run.run("before", 2)["ProcessingJobStatus"] == "Completed"
    assert run.calls("StartPipelineExecution") == 2


def test_a_lost_launch_is_taken_up_and_a_cleared_one_starts_anew(local_sagemaker: Any) -> None:
    with make_dag() as dag, group():
        job("work", "sleep 60")
    run = Run(dag, local_sagemaker)
    first, again = run.run("launch"), run.run("launch", 2)
    assert first == again
    new = run.run("launch", 3, cleared=2)
    assert new["PipelineExecutionArn"] != first["PipelineExecutionArn"]
    run.client.stop_pipeline_execution(PipelineExecutionArn=new["PipelineExecutionArn"])
    assert run.ended() == "Stopped"
    assert run.executions() == [("0-1", "Stopped"), ("2-1", "Stopped")]
    assert run.calls("CreatePipeline") == 1 and run.calls("UpdatePipeline") == 0


@pytest.mark.parametrize("killed", ["launch", "work"])
def test_a_kill_stops_the_execution(local_sagemaker: Any, killed: str, mocker: Any) -> None:
    with make_dag() as dag, group():
        job("work", "sleep 60")
    run = Run(dag, local_sagemaker)
    launched = run.run("launch")
    task, context = dag.task_dict[f"g.{killed}"], run.context(killed)
    mocker.patch("sagemaker_provider.triggers.interrupts.current_state", side_effect=["running", "failed", None])
    context["ti"].max_tries = 1
    task._waiting = task._started_one = (context, launched["PipelineExecutionArn"])
    task.on_kill()
    assert run.executions() == [("0-1", "Executing")], "only the worker goes away"
    task.on_kill()
    assert run.ended() == "Stopped"
    task.on_kill()
    with pytest.raises(SageMakerStepError, match="the step 'g-work' ended as Stopped"):
        run.run("work")


def test_a_deferred_task_waits_with_its_deadline(local_sagemaker: Any) -> None:
    from datetime import timedelta

    with make_dag() as dag, group(deferrable=True):
        job("work", "sleep 60", execution_timeout=timedelta(hours=1))
    run = Run(dag, local_sagemaker)
    launched = run.run("launch")
    context = run.context("work")
    with pytest.raises(TaskDeferred) as deferred:
        dag.task_dict["g.work"].execute(context)
    trigger = deferred.value.trigger
    assert (trigger.execution, trigger.steps) == (launched["PipelineExecutionArn"], [{"names": ["g-work"]}])
    assert trigger.deadline == context["ti"].start_date.timestamp() + 3600
    run.client.stop_pipeline_execution(PipelineExecutionArn=trigger.execution)


def test_a_task_that_goes_on_without_the_event_looks_again(local_sagemaker: Any) -> None:
    with make_dag() as dag, group():
        work = job("work")
    run = Run(dag, local_sagemaker)
    run.run("launch")
    assert run.ended() == "Succeeded"
    assert work.step_ended(run.context("work"))["ProcessingJobStatus"] == "Completed"


def test_a_timeout_stops_the_execution_though_a_try_follows(local_sagemaker: Any, mocker: Any) -> None:
    with make_dag() as dag, group():
        work = job("work", "sleep 60")
    run = Run(dag, local_sagemaker)
    launched = run.run("launch")
    mocker.patch("sagemaker_provider.triggers.interrupts.current_state", return_value="running")
    context = run.context("work", cleared=1)
    work._waiting = (context, launched["PipelineExecutionArn"])
    try:
        raise AirflowTaskTimeout
    except AirflowTaskTimeout:  # Airflow calls it while it handles the timeout
        work.on_kill()
    assert run.ended() == "Stopped"


def test_without_a_launch_there_is_nothing_to_mirror(local_sagemaker: Any) -> None:
    with make_dag() as dag, group():
        job("work", trigger_rule="all_done")
    with pytest.raises(AirflowFailException, match=r"g\.launch has not started the pipeline"):
        Run(dag, local_sagemaker).run("work")


def test_what_is_no_pipeline_says_so_before_anything_is_deployed(local_sagemaker: Any) -> None:
    with make_dag() as dag, group():
        step("work", config={"x": "{{ task.owner }}"}, aws_conn_id=None)
    run = Run(dag, local_sagemaker)
    with pytest.raises(AirflowFailException, match=r"g cannot be a pipeline: SMP301 error: work: g\.work: config\.x"):
        run.run("launch")
    assert run.calls("CreatePipeline") == 0


def test_what_comes_before_a_task_must_come_before_the_start(local_sagemaker: Any) -> None:
    with make_dag() as dag:
        with group():
            work = job("work")
        late = step("late")
        work.upstream_task_ids.add("late")  # as only Airflow itself does it
        late.downstream_task_ids.add("g.work")
    with pytest.raises(
        AirflowFailException, match=r"late come before g\.work and not before g\.launch: write late >> group"
    ):
        Run(dag, local_sagemaker).run("launch")


def test_the_pipeline_of_the_whole_dag_needs_no_launch() -> None:
    from sagemaker_provider.translator import convert

    conversion = convert(group_of("a", "b"))
    assert [item.task for item in conversion.findings if item.code == "SMP823"] == ["g.launch"]
    assert conversion.definition is not None
    assert [item.name for item, _ in conversion.definition.all_steps()] == ["g-a", "g-b"]
    assert "SMP825" not in [item.code for item in conversion.findings]
    findings = convert(group_of("a", role=ROLE, parameters={"a": 1})).findings
    assert [item.message for item in findings if item.code == "SMP825"] == ["the group has role, parameters"]


def test_values_that_are_no_parameters_are_named(local_sagemaker: Any) -> None:
    with make_dag(params={"long": "x" * 1025}) as dag, group():
        step("work", config={"x": "{{ params.long }}"}, aws_conn_id=None)
    with pytest.raises(AirflowFailException, match="'long' has 1025 characters, allowed are 1024"):
        Run(dag, local_sagemaker).run("launch")


def test_a_param_of_the_run_says_how_it_runs(local_sagemaker: Any) -> None:
    with make_dag(params={"way": "both"}) as dag, group(run_as="{{ params.way }}"):
        step("a")
    run = Run(dag, local_sagemaker)
    run.left["g.launch"] = {"run_as": "steps"}
    assert not dag.task_dict["g.launch"].runs_pipeline(run.context("a"))
    run.left["g.launch"] = {"run_as": "pipeline"}
    assert dag.task_dict["g.launch"].runs_pipeline(run.context("a"))
    dag.task_dict["g.launch"].run_as = "both"
    with pytest.raises(AirflowFailException, match="run_as is one of steps, pipeline, not 'both'"):
        run.run("launch")
