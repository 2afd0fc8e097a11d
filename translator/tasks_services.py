"""Operators and sensors of the amazon provider for services that send messages or run jobs."""

from __future__ import annotations

import json
from typing import Any

from sagemaker_provider.definition.findings import finding
from sagemaker_provider.translator.function_steps import (
    LONGEST_SECONDS,
    as_text,
    by_function,
    classes,
    function_arn,
    ignored,
    listed,
    poke,
    refused,
    wait_for,
    waits,
)
from sagemaker_provider.translator.registry import Given, Stays, TaskStep, Translation, translates
from sagemaker_provider.translator.requests import JsonText, given, is_text_literal

# Messages


@translates(*classes("operators.sns", "SnsPublishOperator"))
def sns_publish(task: Any, settings: Given) -> Translation:
    """Publish, to all protocols of the topic."""
    attributes = {key: _sns_attribute(value) for key, value in (task.message_attributes or {}).items()}
    request = given(
        TargetArn=task.target_arn,
        MessageStructure="json",
        Message=JsonText({"default": task.message}),
        Subject=task.subject,
        MessageDeduplicationId=getattr(task, "message_deduplication_id", None),
        MessageGroupId=getattr(task, "message_group_id", None),
        MessageAttributes=attributes or None,
    )
    return by_function(task, settings, "sns-publish", request, outputs=("return_value_MessageId",))


def _sns_attribute(value: Any) -> dict[str, Any]:
    """A message attribute with the type that the hook gives it."""
    if isinstance(value, (bool, int, float)):
        return {"DataType": "Number", "StringValue": str(value)}
    if isinstance(value, (list, tuple)):
        return {"DataType": "String.Array", "StringValue": JsonText(value)}
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    raise TypeError(f"a message attribute that is a {type(value).__name__}")


@translates(*classes("operators.sqs", "SqsPublishOperator", "SQSPublishOperator"))
def sqs_send(task: Any, settings: Given) -> Translation:
    """SendMessage."""
    request = given(
        QueueUrl=task.sqs_queue,
        MessageBody=task.message_content,
        DelaySeconds=task.delay_seconds,
        MessageAttributes=task.message_attributes or {},
        MessageGroupId=getattr(task, "message_group_id", None),
        MessageDeduplicationId=getattr(task, "message_deduplication_id", None),
    )
    outputs = ("return_value_MessageId", "return_value_MD5OfMessageBody")
    return by_function(task, settings, "sqs-send", request, outputs=outputs)


@translates(*classes("operators.eventbridge", "EventBridgePutEventsOperator"))
def events_put(task: Any, settings: Given) -> Translation:
    """PutEvents."""
    entries = listed(task.entries, "entries")
    outputs = [f"return_value_{index}" for index in range(len(entries))]
    request = given(Entries=entries, EndpointId=task.endpoint_id)
    return by_function(task, settings, "events-put", request, outputs=outputs)


@translates(
    *classes("operators.lambda_function", "LambdaInvokeFunctionOperator", "AwsLambdaInvokeFunctionOperator"),
    *classes("operators.aws_lambda", "AwsLambdaInvokeFunctionOperator"),
)
def lambda_invoke(task: Any, settings: Given) -> Translation:
    """A Lambda step, where the payload is a flat object; otherwise a function that invokes the function."""
    found = list(ignored(task, "log_type"))
    payload = task.payload.decode() if isinstance(task.payload, bytes) else task.payload
    reason = _not_native(task, payload)
    if settings("services") in ("function", "stay") or reason:
        request = given(
            FunctionName=task.function_name,
            InvocationType=task.invocation_type,
            ClientContext=task.client_context,
            Payload=payload,
            Qualifier=task.qualifier,
        )
        outputs = ("return_value",) if task.invocation_type in (None, "RequestResponse") else ()
        found += [finding("SMP720", f"no Lambda step of its own: {reason}", task=task.task_id)] if reason else []
        return by_function(task, settings, "lambda-invoke", request, *found, outputs=outputs)
    arn = task.function_name
    if not arn.startswith("arn:"):
        account, region = settings("account"), settings("region")
        if not account or not region:
            return Stays((finding("SMP241", f"the ARN of the function {arn!r} needs both", task=task.task_id),))
        arn = function_arn(account, region, arn.rpartition("function:")[2])
    found.append(finding("SMP720", "a Lambda step; what the function answers is no XCom", task=task.task_id))
    return TaskStep(
        type="Lambda",
        arguments=as_text(task, json.loads(payload)) if payload else {},
        members={"FunctionArn": f"{arn}:{task.qualifier}" if task.qualifier else arn, "OutputParameters": ()},
        xcom=lambda key, segments: None,
        findings=tuple(found),
    )


def _not_native(task: Any, payload: Any) -> str:
    """Why an invocation is no Lambda step; nothing where it is."""
    if task.invocation_type not in (None, "RequestResponse"):
        return f"a step waits for the answer, which invocation_type={task.invocation_type!r} does not"
    if task.client_context:
        return "a step gives no client context"
    if not is_text_literal(task.function_name) or not is_text_literal(task.qualifier or ""):
        return "a step takes the name of the function as literal text"
    try:
        event = json.loads(payload) if payload else {}
    except (TypeError, ValueError):
        return "the payload is not JSON before its templates have values"
    if not isinstance(event, dict) or not all(isinstance(item, (str, int, float)) for item in event.values()):
        return "a step gives a flat object of texts and numbers"
    return ""


# Jobs


@translates(*classes("operators.glue", "GlueJobOperator", "AwsGlueJobOperator"))
def glue_job(task: Any, settings: Given) -> Translation:
    """StartJobRun of a job that exists."""
    found = refused(
        task,
        update_config="the function does not change the job",
        openlineage_inject_parent_job_info="the run has no parent",
        openlineage_inject_transport_info="the function has no transport",
    )
    if task.script_location or task.create_job_kwargs or task.iam_role_name or getattr(task, "iam_role_arn", None):
        found.append(finding("SMP662", f"the job {task.job_name!r} is not made when it is missing", task=task.task_id))
    if is_text_literal(task.script_location) and not task.script_location.startswith("s3://"):
        found.append(
            finding("SMP202", "the script is a file of the worker", task=task.task_id, place="script_location")
        )
    found += ignored(task, "verbose", "sleep_before_return")
    deferrable = bool(task.deferrable)
    poll = task.waiter_delay if deferrable else getattr(task, "job_poll_interval", 6)
    wait = wait_for(
        poll, task.waiter_max_attempts if deferrable else None, stop=bool(getattr(task, "stop_job_run_on_kill", False))
    )
    request = {"JobName": task.job_name, "Arguments": task.script_args, **(task.run_job_kwargs or {})}
    outputs = ("return_value", "glue_job_run_id")
    return by_function(task, settings, "glue-job", request, *found, wait=wait if waits(task) else None, outputs=outputs)


@translates(*classes("sensors.glue", "GlueJobSensor", "AwsGlueJobSensor"))
def glue_job_sensor(task: Any, settings: Given) -> Translation:
    """Looks at a job run until it ends."""
    job = {"JobName": task.job_name, "RunId": task.run_id, "PredecessorsIncluded": True}
    return by_function(task, settings, "glue-job", None, *ignored(task, "verbose"), job=job, wait=poke(task))


@translates(*classes("operators.glue_crawler", "GlueCrawlerRunOperator"))
def glue_crawler_run(task: Any, settings: Given) -> Translation:
    """StartCrawler."""
    found = []
    if not getattr(task, "fail_on_already_running", True):
        found.append(
            finding(
                "SMP202", "the function fails when the crawler runs", task=task.task_id, place="fail_on_already_running"
            )
        )
    wait = wait_for(task.poll_interval) if waits(task) else None
    request = {"Name": task.crawler_name}
    return by_function(task, settings, "glue-crawler", request, *found, wait=wait, outputs=("return_value",))


@translates(*classes("sensors.glue_crawler", "GlueCrawlerSensor"))
def glue_crawler_sensor(task: Any, settings: Given) -> Translation:
    """Looks at a crawler until it has run."""
    return by_function(task, settings, "glue-crawler", None, job={"Name": task.crawler_name}, wait=poke(task))


@translates(*classes("operators.athena", "AthenaOperator", "AWSAthenaOperator"))
def athena_query(task: Any, settings: Given) -> Translation:
    """StartQueryExecution."""
    context = {**task.query_execution_context, **({"Database": task.database} if task.database else {})}
    context["Catalog"] = getattr(task, "catalog", "AwsDataCatalog")
    result = {**task.result_configuration, **({"OutputLocation": task.output_location} if task.output_location else {})}
    request = given(
        QueryString=task.query,
        QueryExecutionContext=context,
        ResultConfiguration=result,
        WorkGroup=task.workgroup,
        ClientRequestToken=task.client_request_token or None,
    )
    wait = wait_for(task.sleep_time, task.max_polling_attempts, stop=True)
    wait["timeout_seconds"] = min(wait["timeout_seconds"], LONGEST_SECONDS)
    return by_function(task, settings, "athena-query", request, wait=wait, outputs=("return_value",))


@translates(*classes("sensors.athena", "AthenaSensor"))
def athena_sensor(task: Any, settings: Given) -> Translation:
    """Looks at a query until it ends."""
    job, wait = {"QueryExecutionId": task.query_execution_id}, {**poke(task), "poll_seconds": int(task.sleep_time)}
    return by_function(task, settings, "athena-query", None, job=job, wait=wait)


@translates(*classes("operators.batch", "BatchOperator", "AwsBatchOperator"))
def batch_job(task: Any, settings: Given) -> Translation:
    """SubmitJob."""
    seconds = getattr(task, "submit_job_timeout", None)
    request = given(
        jobName=task.job_name,
        jobQueue=task.job_queue,
        jobDefinition=task.job_definition,
        arrayProperties=task.array_properties,
        parameters=task.parameters,
        tags=task.tags,
        containerOverrides=task.container_overrides,
        ecsPropertiesOverride=getattr(task, "ecs_properties_override", None),
        eksPropertiesOverride=getattr(task, "eks_properties_override", None),
        nodeOverrides=task.node_overrides,
        retryStrategy=task.retry_strategy,
        shareIdentifier=task.share_identifier,
        schedulingPriorityOverride=task.scheduling_priority_override,
        timeout={"attemptDurationSeconds": seconds} if seconds else None,
    )
    found = [*refused(task, waiters="a Python object waits"), *ignored(task, "awslogs_enabled")]
    wait = wait_for(task.poll_interval, stop=True) if waits(task) else None
    return by_function(task, settings, "batch-job", request, *found, wait=wait, outputs=("return_value",))


@translates(*classes("sensors.batch", "BatchSensor"))
def batch_sensor(task: Any, settings: Given) -> Translation:
    """Looks at a job until it ends."""
    return by_function(task, settings, "batch-job", None, job={"jobs": [task.job_id]}, wait=poke(task))


@translates(*classes("operators.ecs", "EcsRunTaskOperator", "EcsOperator", "ECSOperator"))
def ecs_task(task: Any, settings: Given) -> Translation:
    """RunTask."""
    request: dict[str, Any] = {
        "cluster": task.cluster,
        "taskDefinition": task.task_definition,
        "overrides": task.overrides,
        "startedBy": task.owner,
    }
    if task.capacity_provider_strategy:
        request["capacityProviderStrategy"] = task.capacity_provider_strategy
    elif task.launch_type:
        request["launchType"] = task.launch_type
    request |= given(
        volumeConfigurations=getattr(task, "volume_configurations", None),
        platformVersion=task.platform_version,
        group=task.group,
        placementConstraints=task.placement_constraints,
        placementStrategy=task.placement_strategy,
        networkConfiguration=task.network_configuration,
        tags=None if task.tags is None else [{"key": key, "value": value} for key, value in task.tags.items()],
        propagateTags=task.propagate_tags,
    )
    found = refused(task, skip_on_exit_code="a step cannot be skipped by how it ends")
    found += ignored(task, "awslogs_group", "reattach", "retry_args")
    attempts = min(task.waiter_max_attempts, LONGEST_SECONDS // max(int(task.waiter_delay), 1))
    wait = wait_for(task.waiter_delay, attempts, stop=True) if waits(task) else None
    return by_function(task, settings, "ecs-task", request, *found, wait=wait, outputs=("ecs_task_arn",))


@translates(
    *classes("operators.step_function", "StepFunctionStartExecutionOperator"),
    *classes("operators.step_function_start_execution", "StepFunctionStartExecutionOperator"),
)
def step_functions(task: Any, settings: Given) -> Translation:
    """StartExecution; the operator waits for its end when it is deferrable."""
    found = refused(task, is_redrive_execution="the function starts executions only")
    value = task.state_machine_input
    request = given(
        stateMachineArn=task.state_machine_arn,
        name=task.name,
        input=JsonText(value) if isinstance(value, dict) else value,
    )
    wait = wait_for(task.waiter_delay, task.waiter_max_attempts) if getattr(task, "deferrable", False) else None
    return by_function(task, settings, "step-functions", request, *found, wait=wait, outputs=("return_value",))


@translates(
    *classes("sensors.step_function", "StepFunctionExecutionSensor"),
    *classes("sensors.step_function_execution", "StepFunctionExecutionSensor"),
)
def step_functions_sensor(task: Any, settings: Given) -> Translation:
    """Looks at an execution until it ends."""
    return by_function(
        task, settings, "step-functions", None, job={"executionArn": task.execution_arn}, wait=poke(task)
    )


@translates(*classes("operators.redshift_data", "RedshiftDataOperator"))
def redshift_statement(task: Any, settings: Given) -> Translation:
    """ExecuteStatement."""
    if isinstance(task.sql, (list, tuple)):
        return Stays((finding("SMP202", "several statements at once", task=task.task_id, place="sql"),))
    request = given(
        ClusterIdentifier=task.cluster_identifier,
        Database=task.database,
        DbUser=task.db_user,
        Parameters=task.parameters,
        WithEvent=bool(task.with_event),
        SecretArn=task.secret_arn,
        StatementName=task.statement_name,
        WorkgroupName=getattr(task, "workgroup_name", None),
        SessionId=getattr(task, "session_id", None),
        SessionKeepAliveSeconds=getattr(task, "session_keep_alive_seconds", None),
        Sql=task.sql,
    )
    wait = wait_for(task.poll_interval, stop=bool(getattr(task, "cancel_on_kill", True))) if waits(task) else None
    results = bool(task.return_sql_result)
    found = [finding("SMP664", "the rows", task=task.task_id)] if results else []
    outputs = () if results else ("return_value_0",)
    return by_function(task, settings, "redshift-statement", request, *found, wait=wait, outputs=outputs)
