"""The kinds of work on other AWS services that a generated function does for a pipeline.

One table: how the work is started, found again, looked at and stopped, when it is done, and what of it Airflow has as the
task's XCom. Expressions are JMESPath. The requests are those of the amazon provider's operators; states, tokens and
permissions are those of the services' API references.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "sagemaker-pipelines-"
"""Names of the functions and queues begin with this; the managed policy ``AmazonSageMakerPipelinesIntegrations`` lets a
pipeline use those with ``sagemaker`` in their names."""


@dataclass(frozen=True)
class Kind:
    """One kind of work.

    :param summary: what the function does, in a few words.
    :param actions: IAM actions on what the work is about.
    :param reads: IAM actions that know no resource.
    :param passes_roles: whether the work gives roles to a service.
    :param special: the function of :mod:`.function_code` that does the work, if it is not one call.
    :param service: name of the boto3 client.
    :param start: its method that starts the work.
    :param refused: expression over the answer for what the service has refused.
    :param token: member of the request for a token that keeps a repeated request from starting the work twice.
    :param find: method, its request (expression over the request), the entries ``{at, same, job}`` in its answer, and the
        expression over the request that equals ``same``: how to find work that was started already, without a token.
    :param again: what happens when a message comes twice, where there is neither.
    :param job: expression over ``{request, answer}`` for the request of ``look``.
    :param look: method that describes the work.
    :param state: expression over its answer for the state.
    :param succeeded: states in which the work is done.
    :param failed: states in which it has failed.
    :param wrong: expression over its answer for what makes a success a failure.
    :param reason: expression over its answer for why it failed.
    :param stop: method that stops the work, and its request (expression over the job).
    :param xcom: expression over the job for an object of the task's XComs by their keys.
    """

    summary: str
    actions: tuple[str, ...]
    reads: tuple[str, ...] = ()
    passes_roles: bool = False
    special: str = ""
    service: str = ""
    start: str = ""
    refused: str = ""
    token: str = ""
    find: tuple[str, str, str, str] = ("", "", "", "")
    again: str = "starts a second time"
    job: str = ""
    look: str = ""
    state: str = ""
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    wrong: str = ""
    reason: str = ""
    stop: tuple[str, str] = ("", "")
    xcom: str = ""

    @property
    def handler(self) -> str:
        """The function of :mod:`.function_code` that is called."""
        by_search = "work_by_search" if self.find[0] else "work"
        return self.special or ("work_by_token" if self.token else by_search)

    @property
    def waits(self) -> bool:
        """Whether the work takes so long that a Callback step waits for it."""
        return self.special in ("", "watch")


_READ_OBJECTS = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:ListBucket")
_WRITE_OBJECTS = ("s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging")

KINDS: Final[Mapping[str, Kind]] = {
    "s3-copy": Kind("Copies an object within S3.", (*_READ_OBJECTS, *_WRITE_OBJECTS), special="copy_object"),
    "s3-delete": Kind("Deletes objects from S3.", ("s3:DeleteObject", "s3:ListBucket"), special="delete_objects"),
    "s3-list": Kind("Lists objects of an S3 bucket.", ("s3:ListBucket",), special="list_objects"),
    "s3-create": Kind(
        "Writes an object into S3.", ("s3:GetObject", "s3:ListBucket", *_WRITE_OBJECTS), special="create_object"
    ),
    "s3-key": Kind("Waits until objects are in S3.", ("s3:GetObject", "s3:ListBucket"), special="watch"),
    "sns-publish": Kind(
        "Publishes a message to an SNS topic.",
        ("sns:Publish",),
        special="call",
        service="sns",
        start="publish",
        job="answer",
        xcom="{return_value: {MessageId: MessageId}}",
    ),
    "sqs-send": Kind(
        "Sends a message to an SQS queue.",
        ("sqs:SendMessage",),
        special="call",
        service="sqs",
        start="send_message",
        job="answer",
        xcom="{return_value: {MessageId: MessageId, MD5OfMessageBody: MD5OfMessageBody}}",
    ),
    "events-put": Kind(
        "Puts events on EventBridge.",
        ("events:PutEvents",),
        special="call",
        service="events",
        start="put_events",
        refused="FailedEntryCount > `0` && Entries[?ErrorCode]",
        job="answer",
        xcom="{return_value: Entries[].EventId}",
    ),
    "lambda-invoke": Kind("Invokes a Lambda function.", ("lambda:InvokeFunction",), special="invoke"),
    "glue-job": Kind(
        "Runs a Glue job.",
        ("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"),
        service="glue",
        start="start_job_run",
        find=(
            "get_job_runs",
            "{JobName: JobName}",
            "JobRuns[].{at: StartedOn, same: Arguments || `{}`, job: {JobName: JobName, RunId: Id, PredecessorsIncluded: `true`}}",
            "Arguments",
        ),
        job="{JobName: request.JobName, RunId: answer.JobRunId, PredecessorsIncluded: `true`}",
        look="get_job_run",
        state="JobRun.JobRunState",
        succeeded=("SUCCEEDED",),
        failed=("STOPPED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED"),
        reason="JobRun.ErrorMessage",
        stop=("batch_stop_job_run", "{JobName: JobName, JobRunIds: [RunId]}"),
        xcom="{return_value: RunId, glue_job_run_id: RunId}",
    ),
    "glue-crawler": Kind(
        "Runs a Glue crawler.",
        ("glue:StartCrawler", "glue:GetCrawler"),
        service="glue",
        start="start_crawler",
        again="is refused while the first goes on, which fails the step",
        job="{Name: request.Name}",
        look="get_crawler",
        state="(Crawler.State == 'READY' && Crawler.LastCrawl.Status) || Crawler.State",
        succeeded=("SUCCEEDED",),
        failed=("FAILED", "CANCELLED"),
        reason="Crawler.LastCrawl.ErrorMessage",
        xcom="{return_value: Name}",
    ),
    "athena-query": Kind(
        "Runs an Athena query.",
        ("athena:StartQueryExecution", "athena:GetQueryExecution", "athena:StopQueryExecution"),
        service="athena",
        start="start_query_execution",
        token="ClientRequestToken",  # noqa: S106
        job="{QueryExecutionId: answer.QueryExecutionId}",
        look="get_query_execution",
        state="QueryExecution.Status.State",
        succeeded=("SUCCEEDED",),
        failed=("FAILED", "CANCELLED"),
        reason="QueryExecution.Status.StateChangeReason",
        stop=("stop_query_execution", "{QueryExecutionId: QueryExecutionId}"),
        xcom="{return_value: QueryExecutionId}",
    ),
    "batch-job": Kind(
        "Runs a Batch job.",
        ("batch:SubmitJob", "batch:TerminateJob", "batch:TagResource"),
        reads=("batch:DescribeJobs", "batch:ListJobs"),
        service="batch",
        start="submit_job",
        find=(
            "list_jobs",
            "{jobQueue: jobQueue, filters: [{name: 'JOB_NAME', values: [jobName]}]}",
            "jobSummaryList[].{at: createdAt, same: jobName, job: {jobs: [jobId]}}",
            "jobName",
        ),
        job="{jobs: [answer.jobId]}",
        look="describe_jobs",
        state="jobs[0].status",
        succeeded=("SUCCEEDED",),
        failed=("FAILED",),
        reason="jobs[0].statusReason",
        stop=("terminate_job", "{jobId: jobs[0], reason: 'The pipeline was stopped'}"),
        xcom="{return_value: jobs[0]}",
    ),
    "ecs-task": Kind(
        "Runs an ECS task.",
        ("ecs:RunTask", "ecs:DescribeTasks", "ecs:StopTask", "ecs:TagResource"),
        passes_roles=True,
        service="ecs",
        start="run_task",
        refused="failures",
        token="clientToken",  # noqa: S106
        job="{cluster: request.cluster, tasks: [answer.tasks[0].taskArn]}",
        look="describe_tasks",
        state="tasks[0].lastStatus",
        succeeded=("STOPPED",),
        wrong=(
            "failures || (tasks[?lastStatus == 'STOPPED' && (stopCode == 'TaskFailedToStart'"
            " || starts_with(not_null(stoppedReason, ''), 'Host EC2'))].stoppedReason)"
            " || (tasks[?lastStatus == 'STOPPED'].containers[] | [?(lastStatus == 'STOPPED' && exitCode != `0`)"
            " || lastStatus == 'PENDING' || contains(not_null(reason, ''), 'rror')].{name: name, exitCode: exitCode,"
            " reason: reason})"
        ),
        reason="tasks[0].stoppedReason",
        stop=("stop_task", "{cluster: cluster, task: tasks[0], reason: 'The pipeline was stopped'}"),
        xcom="{ecs_task_arn: tasks[0]}",
    ),
    "step-functions": Kind(
        "Runs a Step Functions execution.",
        ("states:StartExecution", "states:DescribeExecution"),
        service="stepfunctions",
        start="start_execution",
        token="name",  # noqa: S106
        job="{executionArn: answer.executionArn}",
        look="describe_execution",
        state="status",
        succeeded=("SUCCEEDED",),
        failed=("FAILED", "TIMED_OUT", "ABORTED"),
        reason="cause || error",
        xcom="{return_value: executionArn}",
    ),
    "redshift-statement": Kind(
        "Runs a Redshift statement.",
        ("redshift-data:ExecuteStatement", "redshift:GetClusterCredentials", "redshift-serverless:GetCredentials"),
        reads=("redshift-data:DescribeStatement", "redshift-data:CancelStatement", "secretsmanager:GetSecretValue"),
        service="redshift-data",
        start="execute_statement",
        token="ClientToken",  # noqa: S106
        job="{Id: answer.Id}",
        look="describe_statement",
        state="Status",
        succeeded=("FINISHED",),
        failed=("FAILED", "ABORTED"),
        reason="Error",
        stop=("cancel_statement", "{Id: Id}"),
        xcom="{return_value: [Id]}",
    ),
    "emr-cluster": Kind(
        "Makes an EMR cluster.",
        ("elasticmapreduce:DescribeCluster", "elasticmapreduce:TerminateJobFlows", "elasticmapreduce:AddTags"),
        reads=("elasticmapreduce:RunJobFlow", "elasticmapreduce:ListClusters"),
        passes_roles=True,
        service="emr",
        start="run_job_flow",
        find=(
            "list_clusters",
            "{ClusterStates: ['STARTING', 'BOOTSTRAPPING', 'RUNNING', 'WAITING']}",
            "Clusters[].{at: Status.Timeline.CreationDateTime, same: Name, job: {ClusterId: Id}}",
            "Name",
        ),
        job="{ClusterId: answer.JobFlowId}",
        look="describe_cluster",
        state="Cluster.Status.State",
        succeeded=("WAITING", "RUNNING", "TERMINATED"),
        failed=("TERMINATED_WITH_ERRORS",),
        reason="Cluster.Status.StateChangeReason.Message",
        stop=("terminate_job_flows", "{JobFlowIds: [ClusterId]}"),
        xcom="{return_value: ClusterId}",
    ),
    "emr-terminate": Kind(
        "Terminates an EMR cluster.",
        ("elasticmapreduce:TerminateJobFlows",),
        special="call",
        service="emr",
        start="terminate_job_flows",
        job="answer",
    ),
    "emr-steps": Kind(
        "Adds steps to an EMR cluster.",
        ("elasticmapreduce:AddJobFlowSteps", "elasticmapreduce:ListSteps"),
        passes_roles=True,
        service="emr",
        start="add_job_flow_steps",
        job="{ClusterId: request.JobFlowId, StepIds: answer.StepIds}",
        look="list_steps",
        state=(
            '(Steps[?contains(`["CANCELLED", "FAILED", "INTERRUPTED"]`, Status.State)] && \'FAILED\')'
            " || (Steps[?Status.State != 'COMPLETED'] && 'RUNNING') || 'COMPLETED'"
        ),
        succeeded=("COMPLETED",),
        failed=("FAILED",),
        reason="Steps[].Status.FailureDetails.Message",
        xcom="{return_value: StepIds, job_flow_id: ClusterId}",
    ),
}
"""The kinds by name."""
