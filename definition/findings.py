"""Findings: everything a person should know about a definition, or about how it differs from a DAG.

:data:`RULES` is the one list of codes; the documentation page of findings is written from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any, Final

_LONGEST: Final = 600
_PASSWORD: Final = re.compile(r"://[^/\s:@{}]+:[^/\s@{}]+@")
"""User and password in a URL, which no message shows."""


class Severity(str, Enum):
    """How much a finding matters."""

    ERROR = "error"
    """There is no correct definition, or the service would refuse it."""
    DIFFERENCE = "difference"
    """The definition works, and behaves differently from the DAG, or in a way the service does not document."""
    NOTE = "note"
    """Something was decided that is good to know."""


@dataclass(frozen=True)
class Rule:
    """What a code means: ``title`` in a few words, ``cause`` in a sentence, ``cure`` what to do."""

    severity: Severity
    title: str
    cause: str
    cure: str


@dataclass(frozen=True)
class Finding:
    """A finding.

    :param code: stable code, ``SMP`` and three digits, a key of :data:`RULES`.
    :param severity: see :class:`Severity`.
    :param message: one sentence on what was found.
    :param cure: one sentence on what to do.
    :param place: where in the definition or in the task's arguments.
    :param task: Airflow task id, where there is one.
    :param dag: DAG id, where there is one.
    :param file: file, where there is one.
    :param line: line of the file, from 1, where it is known.
    """

    code: str
    severity: Severity
    message: str
    cure: str
    place: str = ""
    task: str = ""
    dag: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.code} {self.severity.value}: {self.located_message}"

    @property
    def located_message(self) -> str:
        """The message after what it is about, from the file to the place."""
        file = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (file, self.dag, self.task, self.place, self.message) if part)

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON object with stable keys."""
        return {**asdict(self), "severity": self.severity.value}


def finding(code: str, message: str, *, place: str = "", task: str = "", dag: str = "", file: str = "") -> Finding:
    """A finding with the severity and the cure of its rule."""
    rule = RULES[code]
    message = _PASSWORD.sub("://***@", message)
    if len(message) > _LONGEST:  # it may show a value of any size
        message = f"{message[:_LONGEST]} ..."
    return Finding(code, rule.severity, message, rule.cure, place, task, dag, file)


def located(findings: Sequence[Finding], **where: str) -> list[Finding]:
    """Copies of findings with ``task``, ``dag`` or ``file`` filled in where they are empty."""
    texts: list[dict[str, Any]] = [
        {key: getattr(item, key) or value for key, value in where.items()} for item in findings
    ]
    return [replace(item, **text) for item, text in zip(findings, texts)]


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without repeats, by severity and then as they were found."""
    ranks = list(Severity)
    return sorted(dict.fromkeys(findings), key=lambda item: ranks.index(item.severity))


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that prevent a correct definition."""
    return [item for item in findings if item.severity is Severity.ERROR]


def _rules(severity: Severity, table: dict[str, tuple[str, str, str]]) -> dict[str, Rule]:
    return {code: Rule(severity, *texts) for code, texts in table.items()}


RULES: Final[dict[str, Rule]] = {
    **_rules(
        Severity.ERROR,
        {
            # Loading DAGs
            "SMP101": (
                "DAG file does not import",
                "Importing the file raised an error, so its DAGs are not known.",
                "Mend the error; the file must import in this environment, with its providers installed.",
            ),
            "SMP102": (
                "No DAG found",
                "The path holds no DAG, or none with the given id.",
                "Name a file or folder that defines a DAG, and check --dag-id.",
            ),
            "SMP103": (
                "Cycle in the DAG",
                "The tasks depend on each other in a circle.",
                "Remove one of the dependencies in the circle.",
            ),
            "SMP104": (
                "Nothing to convert",
                "The DAG has no task that becomes a pipeline step.",
                "Convert a DAG that holds SageMaker steps, or add steps to this one.",
            ),
            "SMP105": (
                "Two DAGs with one file name",
                "Two DAGs would be written to the same file.",
                "Rename one of the DAGs, or convert them into different folders.",
            ),
            "SMP106": (
                "DAG cannot be read",
                "Reading the DAG raised an error that no other finding describes.",
                "Look for an unusual value in the DAG; please report the DAG as a bug.",
            ),
            # Tasks
            "SMP201": (
                "Task type has no translation",
                "No translation is registered for this operator, so the task cannot become a step.",
                "Keep the task in Airflow, replace it with a step operator, or register a translator for its class.",
            ),
            "SMP202": (
                "Operator argument cannot be translated",
                "An argument of the operator changes what the task does and has no counterpart in a pipeline.",
                "Remove the argument, or keep the task in Airflow.",
            ),
            "SMP203": (
                "Sensor without the job it waits for",
                "The sensor does not wait for a job that an upstream task of the same DAG creates.",
                "Let it wait for the job of an upstream task, or keep it in Airflow.",
            ),
            "SMP204": (
                "Mapped task",
                "The task is expanded over a list in a way that a pipeline cannot follow.",
                "Expand it over a list that the DAG holds, write one task per item, or keep the task in Airflow.",
            ),
            "SMP205": (
                "Trigger rule has no counterpart",
                "A pipeline step waits for success, failure or the end of each upstream; this rule is something else.",
                "Use all_success, all_done or all_failed, or keep the task in Airflow.",
            ),
            "SMP206": (
                "Invalid operator arguments",
                "The operator's arguments are not valid together.",
                "Correct the arguments.",
            ),
            "SMP207": (
                "Works on an existing pipeline",
                "The task starts, stops or waits for a SageMaker pipeline, so there is nothing to translate in it.",
                "Keep the task in Airflow, or schedule the pipeline itself.",
            ),
            "SMP208": (
                "The DAG only starts a pipeline",
                "All that the DAG does is to start a SageMaker pipeline and to wait for it: it is one already.",
                "Nothing; with an EventBridge schedule the pipeline needs no DAG.",
            ),
            "SMP209": (
                "Config known only when the DAG runs",
                "Another task makes the config, or a template gives all of it, so the request is not known when the DAG is converted.",
                "Write the config into the DAG, with templates for what changes, or give it in the conversion settings of the task.",
            ),
            # Values
            "SMP301": (
                "Template cannot become an expression",
                "The definition language has only references, Join and JsonGet; the template computes something else.",
                "Compute the value before the run and pass it as a param, or in a Processing or Lambda step.",
            ),
            "SMP302": (
                "Template reads an unknown param",
                "The DAG does not declare the param, so the pipeline would have no such parameter.",
                "Declare it in the DAG's params.",
            ),
            "SMP303": (
                "Reference to a task that is not upstream",
                "The value comes from a task that need not have run before.",
                "Add the dependency in the DAG, or correct the task id.",
            ),
            "SMP304": (
                "Value of another task is not available in a pipeline",
                "The value read from the other task is not among the properties of its step.",
                "Read a property of the step's Describe response, or a property file.",
            ),
            "SMP305": (
                "Param cannot become a parameter",
                "Pipeline parameters are String, Integer, Float or Boolean; the param is something else and is used.",
                "Use a scalar param, or write the value into the task.",
            ),
            "SMP306": (
                "Secret in the definition",
                "The definition would hold a value that Airflow masks as secret; everybody who may describe the pipeline could read it.",
                "Let the job read the secret from AWS Secrets Manager.",
            ),
            "SMP307": (
                "Value is not JSON",
                "The value cannot be written into a definition.",
                "Use text, numbers, booleans, lists and dicts only.",
            ),
            "SMP308": (
                "Role is not an ARN",
                "A definition needs the ARN of a role; the operator was given a role's name.",
                "Write the full ARN arn:aws:iam::<account>:role/<name>.",
            ),
            "SMP309": (
                "Text holds a name that changes",
                "The text holds the name of a job or model that another task makes; a pipeline names it differently, so the text would point at nothing.",
                "Refer to the step's properties instead, for example through a Join.",
            ),
            # Parts of DAGs
            "SMP801": (
                "Task that works on pipelines",
                "Deploying, starting, resuming, stopping, deleting and scheduling a pipeline is work of Airflow; no step of a pipeline does it.",
                "Keep the task in Airflow, in the DAG that runs the pipeline.",
            ),
            "SMP821": (
                "Trigger rule at the border of a pipeline",
                "The task that starts the pipeline waits for the tasks before it to succeed, so no other rule can hold for a task of the pipeline.",
                "Take the tasks before it into the group, leave the task outside, or give it the rule all_success.",
            ),
            "SMP822": (
                "Branch leads out of the pipeline",
                "The task chooses among tasks of which some are not in the pipeline.",
                "Take the tasks between which it chooses into the group, or leave the task outside.",
            ),
            # Structure
            "SMP401": (
                "Task runs in no branch",
                "The task needs tasks of both branches to succeed, or is a direct downstream that no branch names, so Airflow always skips it.",
                "Give a joining task the trigger rule none_failed_min_one_success, and list every direct downstream in a branch.",
            ),
            "SMP402": (
                "Join cannot be expressed",
                "The task runs after one of several branches that do not make up all outcomes of their conditions.",
                "Let the task follow both branches of each condition, or none.",
            ),
            "SMP403": (
                "Reference into a branch that may not have run",
                "After a join, the task reads a value of a step that exists in one branch only.",
                "Read only values of steps before the condition, or move the task into the branch.",
            ),
            "SMP404": (
                "Branch names a task that is not downstream",
                "The condition lists a task that does not depend on it.",
                "Make the task a direct downstream of the condition.",
            ),
            # Definition
            "SMP501": (
                "Not a definition",
                "The text is not JSON or has no definition's structure.",
                "Correct the JSON; Steps must be a list of objects with Name, Type and Arguments.",
            ),
            "SMP502": ("Invalid name", "Names have 1 to 64 letters, digits, hyphens and underscores.", "Rename it."),
            "SMP503": (
                "Name used twice",
                "Names are unique in the whole definition, branches and loop bodies included.",
                "Rename one of the two.",
            ),
            "SMP504": (
                "Too many steps",
                "A pipeline has at most 50 steps, those in branches and loops included; the quota cannot be raised.",
                "Split the pipeline, or join small steps into one.",
            ),
            "SMP505": (
                "Cycle",
                "Steps depend on each other in a circle.",
                "Remove one of the dependencies in the circle.",
            ),
            "SMP506": (
                "Unknown step",
                "A dependency or reference names a step that does not exist.",
                "Correct the name.",
            ),
            "SMP507": (
                "Invalid dependency",
                "The dependency is not of a form the service knows.",
                "Name a step, or give Step and one of the triggers Failed, Stopped and Any, each step once.",
            ),
            "SMP508": (
                "Reference to a step that cannot have run",
                "The step is in another branch of the same condition, inside another loop, or is the step itself.",
                "Refer to steps that run before this one.",
            ),
            "SMP509": (
                "Unknown parameter",
                "The expression names a parameter that is not declared.",
                "Declare it in Parameters, or correct the name.",
            ),
            "SMP510": (
                "Unknown property",
                "The step has no such property.",
                "Correct the path; properties are those of the step's Describe response.",
            ),
            "SMP511": (
                "Malformed expression",
                "An object looks like an expression and has not its form.",
                "Write Get, Std:Join with On and Values, or Std:JsonGet with Path and one of PropertyFile and S3Uri.",
            ),
            "SMP512": (
                "Expression not allowed here",
                "The service resolves expressions only in arguments.",
                "Write a literal.",
            ),
            "SMP513": (
                "Unknown variable",
                "The execution variable or scope does not exist.",
                "Use one of the execution variables of the language.",
            ),
            "SMP514": (
                "Property file not declared",
                "Std:JsonGet reads property files that a Processing step declares, from one of its outputs.",
                "Declare the file in PropertyFiles of the Processing step, with the name of one of its outputs.",
            ),
            "SMP515": (
                "Dependency on a Fail step",
                "A Fail step never succeeds, and the guide forbids to depend on it.",
                "Remove the dependency.",
            ),
            "SMP521": (
                "Unknown argument",
                "The request has no such member; the service refuses it.",
                "Correct the name or remove the member.",
            ),
            "SMP522": ("Missing argument", "The request needs the member.", "Add it."),
            "SMP523": ("Argument of the wrong type", "The request wants another type.", "Correct the value."),
            "SMP524": (
                "Argument value not allowed",
                "The value is outside what the request allows.",
                "Correct the value.",
            ),
            "SMP531": (
                "Invalid parameter",
                "The parameter's type, default or allowed values do not fit each other or the language.",
                "Correct the parameter.",
            ),
            "SMP532": (
                "Too many parameters",
                "A pipeline has at most 200 parameters.",
                "Remove some, or gather values in a file that steps read.",
            ),
            "SMP541": (
                "Invalid condition",
                "The condition is not one of the eight types, or lacks an operand.",
                "Correct the condition.",
            ),
            "SMP551": (
                "Invalid loop",
                "The ForEach step breaks a rule of loops.",
                "Correct the loop: a list or an expression, 1 to 50 at once, a body without Condition, Fail and ForEach.",
            ),
            "SMP561": (
                "Invalid retry policy",
                "The policy breaks a rule of retry policies.",
                "Correct the policy: exactly one of MaxAttempts and ExpireAfterMin, within the limits.",
            ),
            "SMP562": (
                "Invalid cache setting",
                "CacheConfig has Enabled and, as an ISO 8601 duration, ExpireAfter.",
                "Write Enabled and, for example, ExpireAfter P30D.",
            ),
            "SMP563": (
                "Missing or misplaced step key",
                "The step lacks a key its type needs, or has a key in the wrong form.",
                "Correct the step.",
            ),
            "SMP571": (
                "Definition too long",
                "The definition text has at most 1,048,576 characters.",
                "Deploy it through S3, or shorten it.",
            ),
            "SMP572": (
                "Invalid experiment",
                "PipelineExperimentConfig holds ExperimentName and TrialName, valid names or expressions.",
                "Correct it, or set it to null for no experiment.",
            ),
            "SMP220": (
                "Source of a callable is not found",
                "The task's code is packed as source, and the source of this callable cannot be told.",
                "Define the function with def in the DAG file, or in a module beside it.",
            ),
            "SMP221": (
                "Name cannot be packed",
                "The code needs something that is neither data, nor code, nor made by one statement at the top of the DAG file.",
                "Make it inside the function, or pass it as an argument.",
            ),
            "SMP222": (
                "Secret in packed code",
                "The files of the task would hold a value under a name that Airflow masks; everybody who may read the bucket could read it.",
                "Let the code read the secret from AWS Secrets Manager.",
            ),
            "SMP223": (
                "Airflow is not in the container",
                "The code needs something of Airflow, such as a hook or a connection, that a container does not have.",
                "Use boto3 instead, keep the task in Airflow, or name apache-airflow in the setting requirements.",
            ),
            "SMP224": (
                "Context that a container does not have",
                "The code reads something of the context that only Airflow's database knows.",
                "Pass the value as a param, or keep the task in Airflow.",
            ),
            "SMP225": (
                "Argument cannot be passed to a container",
                "The argument is no data that a file can hold, and no value that the job can be given.",
                "Use text, numbers, dates, lists and dicts, or make the object inside the function.",
            ),
            "SMP226": (
                "Too many values for one job",
                "A Processing job has at most 10 inputs, one of which is the code, and 100 environment variables.",
                "Gather results in a task in between, or read fewer of them.",
            ),
            "SMP229": (
                "Variable whose name is computed",
                "A Variable becomes a parameter of the pipeline when its name stands in the code; this use of Variables is another.",
                "Write Variable.get with the name as text, or use a param.",
            ),
            "SMP107": (
                "DAG file takes too long",
                "Loading and converting the file did not end within the time limit.",
                "Move what takes long out of the top level of the file, or raise --timeout.",
            ),
            "SMP108": (
                "DAG file ends its process",
                "The process that loads the file ended without a result.",
                "Remove what ends the process or takes too much memory from the top level of the file.",
            ),
            "SMP110": (
                "Unknown value decides about the DAG",
                "The file asks a value that is not known here, so what the DAG looks like depends on it.",
                "Give the value with --values, or install the module or name its folder with --path.",
            ),
            "SMP111": (
                "Value is different at every load",
                "The value is made from the clock, a uuid or at random while the file loads; a definition would keep one of them for ever.",
                "Use a date macro or the run id, or let the pipeline name what it makes.",
            ),
            "SMP112": (
                "DAG is different at every load",
                "The tasks or their order depend on the clock or on chance.",
                "Let the file make the same tasks every time.",
            ),
            "SMP113": (
                "Unknown value in a place without parameters",
                "A value that is not known here, or a text made of it in a way that a pipeline cannot repeat, stands where no parameter can.",
                "Give the value with --values, or install the module or name its folder with --path.",
            ),
            "SMP310": (
                "Template reads a connection",
                "A connection holds secrets, and a pipeline has no connections.",
                "Let the job read what it needs from AWS Secrets Manager or its role, or write what is no secret as a param.",
            ),
            "SMP311": (
                "Variable in JSON form without value",
                "A pipeline has scalars only, so the value must be known when converting to find the part that is read.",
                "Give the Variable with --values, or use a param.",
            ),
            "SMP240": (
                "Work of another service stays in Airflow",
                "The setting keeps the task in Airflow, or asks for a function that does not exist for this work.",
                "Set services to native or function for the task, its DAG or all, or keep the task in Airflow.",
            ),
            "SMP241": (
                "Setting of a function is missing",
                "A pipeline takes the ARN of a function and the URL of a queue as literal text only, which hold account and Region.",
                "Give account and region in the conversion settings.",
            ),
            # Plans of DAGs of which a part becomes pipelines
            "SMP840": (
                "Kept in Airflow by the settings",
                "The settings have native: false for the task.",
                "Nothing; take the line out where the task may run in a pipeline.",
            ),
            "SMP841": (
                "Wanted in a pipeline, and cannot be",
                "The settings have native: true for a task that has to stay in Airflow.",
                "Do what the reasons say, or take the line out.",
            ),
            "SMP842": (
                "Chosen by a branch that stays in Airflow",
                "A branch operator skips every task directly after it that it does not name, so also the one that starts the pipeline.",
                "Put an EmptyOperator of the task's name between the branch and the task, or let the branch become native too.",
            ),
            "SMP843": (
                "Trigger rule that the start of a pipeline breaks",
                "A task that starts the pipeline comes before the task, and does not start it where a task in Airflow that it waits for fails; by its trigger rule the task runs otherwise.",
                "Nothing: in Airflow the task does what it does today.",
            ),
            "SMP846": (
                "Wrong settings beside the DAG file",
                "The file of settings beside the DAG file cannot be read, or names a DAG or task that does not exist.",
                "Correct the file; the message names what was probably meant.",
            ),
            "SMP847": (
                "File that cannot be split",
                "The statements that make the tasks of a pipeline cannot be put into its task group without a change of what the file does.",
                "Give the tasks of each pipeline statements of their own, next to each other, or keep tasks in Airflow with native: false.",
            ),
            "SMP848": (
                "Split file would be another DAG",
                "The file as it was and the split one were loaded, and their DAGs are not the same; so nothing is written.",
                "Split the file by hand at the places that the findings of plan name, or report the case.",
            ),
            "SMP845": (
                "No pipeline to be in",
                "The task does nothing, and no pipeline can take it in without a path that leaves and returns.",
                "Nothing; it costs nothing in Airflow.",
            ),
        },
    ),
    **_rules(
        Severity.DIFFERENCE,
        {
            "SMP601": (
                "Retries of user code",
                "Airflow would try a failed job again; a pipeline retries only faults of the service.",
                "Retry inside the container, or retry the execution.",
            ),
            "SMP602": (
                "Job name is a prefix",
                "In a pipeline the service adds the execution and the attempt to the name.",
                "Read the name through the step's properties.",
            ),
            "SMP603": (
                "Job name dropped",
                "The name is made from a template; the service names the job itself.",
                "Read the name through the step's properties.",
            ),
            "SMP604": (
                "Date becomes a parameter",
                "A pipeline has no dates of its own; whoever starts it must give the value.",
                "Pass the parameter at each start.",
            ),
            "SMP605": (
                "Condition lifted out of a branch",
                "Conditions inside conditions are not documented as supported, so the inner one stands at the top level, behind the outer one through its operands and dependencies.",
                "Nothing, or convert with --nested-conditions keep.",
            ),
            "SMP606": (
                "Tasks after a join are duplicated",
                "A pipeline cannot join branches, so the tasks after them stand in each branch under names of their own.",
                "Nothing, unless the number of steps matters.",
            ),
            "SMP607": (
                "Trigger rule as run condition",
                "The rule becomes a run condition; the execution then ends CompletedWithFailures where the DAG run would succeed, and what happens when the upstream never starts is not documented.",
                "Check that the step may run in these cases.",
            ),
            "SMP608": (
                "Sensor absorbed",
                "The pipeline itself waits for the job, so the sensor is no step.",
                "Nothing.",
            ),
            "SMP609": (
                "Argument of the operator has no effect",
                "The argument concerns Airflow's own waiting or logging.",
                "Nothing.",
            ),
            "SMP610": (
                "Timeout",
                "The task's timeout becomes the job's longest run time, or has no counterpart for this type.",
                "Set StoppingCondition.MaxRuntimeInSeconds where the job has one.",
            ),
            "SMP611": (
                "Schedule is not part of a definition",
                "The definition does not say when it runs; EventBridge Scheduler starts the pipeline at the DAG's times.",
                "Create the schedule beside the pipeline.",
            ),
            "SMP612": (
                "Airflow setting without counterpart",
                "The setting concerns Airflow's scheduler or notifications.",
                "Use an EventBridge rule on the pipeline's events where you need it.",
            ),
            "SMP613": (
                "Text form of a value",
                "A number or boolean is written into text; how the service writes floats and booleans is not documented.",
                "Use a String param where the form matters.",
            ),
            "SMP614": (
                "Condition compares strictly",
                "The operator casts text to numbers before it compares; the service compares types strictly.",
                "Give the operands the types they are compared as.",
            ),
            "SMP615": (
                "Pool, priority and queue",
                "A pipeline starts every step that can start.",
                "Limit parallel steps with max_active_tasks, which becomes ParallelismConfiguration.",
            ),
            "SMP616": (
                "Connection of the task",
                "A pipeline runs with the role of the pipeline, in the pipeline's account and Region.",
                "Give the pipeline role what the task's connection could do.",
            ),
            "SMP617": (
                "Parameter renamed",
                "Parameter names have letters, digits, hyphens and underscores only.",
                "Pass the parameter under its new name.",
            ),
            "SMP618": (
                "Retry policies without documented effect",
                "The documentation does not list this step type among those retried or cached, though the AWS SDK accepts it.",
                "Do not rely on it before you have seen it work.",
            ),
            "SMP619": (
                "Condition compares different types",
                "The operands have different types; how the service compares those is not documented, and the operator fails on them.",
                "Give both operands one type.",
            ),
            "SMP851": (
                "Place that only a start gives",
                "A parameter without default says where something is, so the policy has a placeholder there, which allows nothing.",
                "Give its value with --parameter NAME=VALUE.",
            ),
            "SMP824": (
                "Number of the try",
                "Where Airflow tries a task of the group again, the execution goes on, and the code of the step sees its first try.",
                "Do not let the code depend on the number of the try.",
            ),
            "SMP825": (
                "Settings of a task group",
                "The task group has them for the pipeline that it starts; the pipeline of the whole DAG does not take them over.",
                "Give the settings to the conversion, and the rest to deploy and start, or deploy the pipeline of the group alone.",
            ),
            "SMP855": (
                "Place or role that only a run knows",
                "A step makes it, or it is an item of a loop over what a step makes, so the policy allows nothing there.",
                "Allow it by hand, as narrow as you know it, or write the place into the definition.",
            ),
            "SMP853": (
                "Work that the definition does not name",
                "The service makes resources of its own with the role of the job, and the policy does not allow that.",
                "Add what the Developer Guide names for the job to its role.",
            ),
            "SMP620": (
                "Fail ends the execution",
                "A Fail step fails the whole execution, which starts no further steps; in Airflow, tasks beside it run on.",
                "Nothing, unless those steps must run; then let the Fail step depend on them.",
            ),
            "SMP630": (
                "Value of the run's conf",
                "Airflow has the value only where the run was started with it; the parameter has the param's default.",
                "Read params instead, which has the default in both.",
            ),
            "SMP631": (
                "Parameter that Airflow masks",
                "Airflow hides values of this name; everybody who may describe an execution sees the parameter's value.",
                "Let the job read the secret from AWS Secrets Manager.",
            ),
            "SMP632": (
                "Param that may be null",
                "A parameter has no null: without a default, a value must be given at each start.",
                "Give the param a default.",
            ),
            "SMP633": (
                "Jinja settings of the DAG",
                "The setting changes how Airflow renders templates; the translation reads them as Airflow does by default.",
                "Check values made of text and templates, or remove the setting.",
            ),
            "SMP634": (
                "Variable becomes a parameter",
                "Airflow reads the Variable in each run; the pipeline has the value that it is started with, or the default.",
                "Pass the parameter at each start, or give the value with --values when converting.",
            ),
            "SMP636": (
                "Role name",
                "The operator looks up the ARN of the role when it runs; a definition needs the ARN itself.",
                "Write the ARN, give the setting account, or pass the parameter at each start.",
            ),
            "SMP637": (
                "Output file in an XCom",
                "The operator reads a file of the job into its XCom; in a pipeline the step that needs a value reads the file.",
                "Nothing, if the job always writes the file.",
            ),
            "SMP635": (
                "Setting becomes a parameter",
                "A step needs the value, and neither the DAG nor the conversion settings have it.",
                "Pass the parameter at each start, or give the setting with --defaults when converting.",
            ),
            "SMP685": (
                "Mapped task is several steps",
                "The list is known when the DAG is converted, so there is one step for each item; a later change of the list needs a new conversion.",
                "Convert again when the list changes.",
            ),
            "SMP686": (
                "Mapped task is a loop",
                "A ForEach step runs one step for each item; whether items after a failed one still run is not documented, and Airflow runs them.",
                "Leave out the setting mapped: loop to get one step for each item.",
            ),
            "SMP688": (
                "Loop over what a task returns",
                "Only the run knows the list; what the service does with an empty one, which Airflow skips, and how long one may be is not documented.",
                "Let the task return a list with items, of not more than 100.",
            ),
            "SMP689": (
                "Setting for a task that does not exist",
                "The conversion settings name a task that the DAG does not have, so they have no effect.",
                "Correct the task id in the file of settings.",
            ),
            "SMP690": (
                "Sensor that no event stands for",
                "The settings ask for an event to start the pipeline, and no pattern of an event means what the sensor waits for; it stays a step that waits.",
                "Wait for one object in a bucket whose name is known, or leave out the setting s3_start.",
            ),
            "SMP691": (
                "Schedule in place of which an event starts",
                "In Airflow the schedule starts the DAG and the sensor then waits; the pipeline is started by the event alone.",
                "Check that the object is written once for each run that is due; a run whose object is never written does not fail, it never starts.",
            ),
            "SMP692": (
                "Event cannot give a date",
                "A rule passes no date to the pipeline, so the parameter has no value when an event starts it.",
                "Give the parameter a default, or start the pipeline from code that computes the date of the object's key.",
            ),
            "SMP693": (
                "Name of a job in Python code",
                "The code puts the name of a job or model together, of a kind that a task before it makes; a pipeline gives such names itself, so it may find nothing.",
                "Take the name from the XCom of the task that makes it, or ignore this where another job is meant.",
            ),
            "SMP687": (
                "LatestOnlyOperator has no effect",
                "In Airflow it skips what is after it in runs of the past; a pipeline makes no such runs by itself, and does not tell one that somebody starts for a date of the past.",
                "Nothing, unless you start executions for dates of the past.",
            ),
            "SMP621": (
                "Unknown step type",
                "This version does not know the type, so the step is kept and not checked.",
                "Check the type's name; update this package if the type is new.",
            ),
            "SMP622": (
                "Unknown key",
                "The key is not among those known for this place.",
                "Check the key; the service may refuse it.",
            ),
            "SMP623": (
                "Value not in the service model",
                "The value is not in the list, or not of the pattern, that the installed botocore knows, or botocore does not know the whole request; the service's own rule may be newer or wider.",
                "Check the spelling; update botocore if the value is new.",
            ),
            "SMP624": (
                "Nested condition",
                "The developer guide says that nested conditions are not supported.",
                "Move the inner condition to the top level.",
            ),
            "SMP625": (
                "Dependency on a Condition step",
                "Naming a Condition step in DependsOn has been reported as refused.",
                "Depend on steps before the condition, or move the step into a branch.",
            ),
            "SMP626": (
                "Number or boolean where text is wanted",
                "The service wants text here and the expression is a number or boolean.",
                "Wrap the expression in Std:Join with an empty On.",
            ),
            "SMP627": (
                "Text where a number or boolean is wanted",
                "Whether the service converts the text is not documented.",
                "Declare the parameter or output with the type that is wanted.",
            ),
            "SMP628": (
                "Step may never run",
                "The step waits for steps in a branch, and never runs when that branch is not taken.",
                "Move the step into the branch if this is not meant.",
            ),
            "SMP670": (
                "Schedule has no counterpart",
                "EventBridge Scheduler has cron, rate and at expressions, in minutes; the schedule is something else.",
                "Start the pipeline from Airflow on this schedule, or choose a schedule that the Scheduler has.",
            ),
            "SMP671": (
                "Runs differ when the clock changes",
                "The Scheduler skips a time that the clock skips, and starts at the first of a time that comes twice; Airflow does not.",
                "Choose a time outside the changed hour, or the time zone UTC.",
            ),
            "SMP672": (
                "One time starts two executions",
                "The times need several schedules, which may meet; Airflow starts one run then.",
                "Write the times so that they exclude each other, or let the second start find the work done.",
            ),
            "SMP673": (
                "Distance counted from another time",
                "A rate counts from the start date or the creation of its schedule; Airflow may count from elsewhere.",
                "Check the time of day, or write the schedule as a cron expression.",
            ),
            "SMP674": (
                "Single run",
                "Airflow runs the DAG once, at once when its start date is past; the Scheduler takes times to come only.",
                "Start the pipeline once by hand.",
            ),
            "SMP675": (
                "Schedule cannot give a date",
                "The Scheduler can pass the time for which a run is due, in one form only; the parameter stays empty.",
                "Start the pipeline by the operator in Airflow or by a Lambda function that computes the date, or compute it in a step.",
            ),
            "SMP676": (
                "Date written another way",
                "The Scheduler writes the same time, with Z where Airflow writes an offset.",
                "Read the time with a parser of ISO 8601, or write the form with strftime in the template.",
            ),
            "SMP677": (
                "Assets",
                "Airflow starts DAGs by what tasks report about assets; a pipeline knows no assets.",
                "Start it by an EventBridge rule on what changes, such as the end of another pipeline's execution or a new S3 object.",
            ),
            "SMP678": (
                "Start by an S3 object",
                "The DAG begins with a sensor that waits for an object; an event starts the pipeline when one is written instead.",
                "Deploy events/start.yaml of the assets, and let the bucket send its events to EventBridge.",
            ),
            "SMP679": (
                "Callback or message",
                "A pipeline calls nothing and writes to nobody; EventBridge is told when executions and steps begin and end.",
                "Make an EventBridge rule with a Lambda function or an SNS topic as target.",
            ),
            "SMP651": (
                "Values through the environment",
                "The values reach the task as environment variables of its job, of which each has at most 256 characters; a longer one fails the step.",
                "Pass long values as files in S3.",
            ),
            "SMP652": (
                "Task that skips itself",
                "A step cannot be skipped: where Airflow would skip the task and what follows, the step fails, and with it the execution.",
                "Use a short circuit or a branch before the task, or return instead of skipping.",
            ),
            "SMP653": (
                "Packages installed at run time",
                "The job installs packages with pip before the task runs, in each run anew; it needs a network and takes time.",
                "Nothing, or build an image that has them.",
            ),
            "SMP654": (
                "Python of the task",
                "The task names a Python of the workers; in a job it runs with what the image has.",
                "Name an image that has this Python and its packages.",
            ),
            "SMP655": (
                "Code that depends on where it runs",
                "What the code finds, in its environment, its folder or by names that it computes, may be something else in a container.",
                "Pass the value as an argument or a param.",
            ),
            "SMP656": (
                "XComs that are not named",
                "The job gets the XComs of all tasks before it that can be had; pulling another one fails.",
                "Name the tasks as text in task_ids.",
            ),
            "SMP657": (
                "Param fixed at its default",
                "A parameter is text, a number or a boolean; the task gets the param's default, whatever the run is started with.",
                "Use scalar params.",
            ),
            "SMP658": (
                "Keys of the run's conf are not known",
                "The task gets every param as the run's conf, also those that the run was not started with.",
                "Read the keys of conf by their names.",
            ),
            "SMP640": (
                "Setting of the DAG made from the clock",
                "The setting is computed from the clock or at random while the file loads, so it is another one at every load.",
                "Write a fixed value.",
            ),
            "SMP641": (
                "Value is not known while the file loads",
                "The file reads a Variable, an environment variable, a connection or a module that is not there; where the value is used it becomes a parameter.",
                "Give the value with --values, or pass the parameter when the pipeline starts.",
            ),
            "SMP642": (
                "DAG file did what is not allowed",
                "While a file loads it may not use the network, start processes or write files; it went on without, so values may differ.",
                "Move this into a task, and give values that it reads with --values.",
            ),
            "SMP643": (
                "Removed operator argument dropped",
                "The argument did something in an earlier version of Airflow and has no counterpart.",
                "Remove the argument, or replace what it did.",
            ),
            "SMP644": (
                "Default differs between versions of Airflow",
                "The DAG relies on a default that is another one in the version it was written for.",
                "Write the setting into the DAG.",
            ),
            "SMP645": (
                "Braces of a template are missing",
                "The text looks like a template whose doubled braces an f-string made single; Jinja does not see it.",
                "Write {{{{ ... }}}} in f-strings.",
            ),
            "SMP646": (
                "XCom without task_ids",
                "Without task_ids Airflow 2 takes the XCom of any task, and Airflow 3 that of the task itself; the only task before this one that has it is read.",
                "Give the task in task_ids.",
            ),
            "SMP647": (
                "Task id without its group",
                "Airflow finds no XCom under this id; the task of a group that is called so is read.",
                "Write the full id in task_ids.",
            ),
            "SMP648": (
                "S3 prefix ends in a slash",
                "The task reads all that begins with the text; read from the step that writes there, it reads the folder only.",
                "Nothing, unless the task should also read other folders whose names begin so.",
            ),
            "SMP660": (
                "Work of a generated function",
                "A Lambda function makes the operator's call, with its own role, in the pipeline's account and Region; its time-out is 10 minutes, and it looks at long work at most every 15 minutes.",
                "Deploy the function's stack once, as described in docs/aws-services.md, or set services to stay.",
            ),
            "SMP661": (
                "Work that may start twice",
                "A queue may deliver a message twice, and the service has no token that makes the second request harmless.",
                "Check that the work may be done twice, or limit how often it runs at once in the service.",
            ),
            "SMP662": (
                "Request without what Airflow adds",
                "The operator would add to the request what only Airflow knows, or make a missing job first.",
                "Write everything into the task's arguments, and make the job beforehand.",
            ),
            "SMP663": (
                "Time limit of a call",
                "A Lambda step ends after 10 minutes; in Airflow the call takes as long as it needs.",
                "Use a Processing step for large amounts of data.",
            ),
            "SMP664": (
                "XCom that no output can be",
                "Outputs of a step are texts of at most 1,024 characters; the task's XCom is more, so no step can read it.",
                "Read it from the service in the task that needs it.",
            ),
            "SMP665": (
                "Failing steps of EMR",
                "The operator adds all steps at once and says what EMR does when one fails; a pipeline runs a step when the one before has succeeded.",
                "Set services to function where the steps must run as EMR decides.",
            ),
            "SMP638": (
                "Tasks beside a failed one",
                "After a failure that no step waits for, nothing promises that further steps start; Airflow runs every task that does not depend on the failed one.",
                "Nothing, unless those tasks must run; then retry the execution, or let a step wait for the one that may fail, by the rule all_done.",
            ),
            "SMP680": (
                "Runs in Airflow after tasks that could not run",
                "The rule takes an upstream task that could not run for one that has failed or ended; a step is not known to run when the one it waits for never starts.",
                "Where the task must run, start it by an EventBridge rule on the end of the execution, or keep it in Airflow.",
            ),
            "SMP659": (
                "Teardown after a short circuit",
                "In Airflow a teardown runs also where a short circuit skips what is before it; in the pipeline it does not.",
                "Let the teardown follow a task before the short circuit.",
            ),
            "SMP844": (
                "Waits for more than in Airflow",
                "A pipeline starts when all the tasks before it have succeeded, so a task of it may wait for, or not run because of, one that it does not depend on.",
                "Nothing, if that may be; otherwise keep the task in Airflow with native: false.",
            ),
        },
    ),
    **_rules(
        Severity.NOTE,
        {
            "SMP701": (
                "Pipeline or step renamed",
                "Pipeline and step names allow fewer characters than Airflow's ids.",
                "Nothing; DisplayName keeps the task id.",
            ),
            "SMP702": ("Task vanishes", "The task does nothing; its dependencies are joined.", "Nothing."),
            "SMP703": (
                "Param without use or counterpart",
                "The param is not scalar and no task reads it, so it becomes no parameter.",
                "Nothing.",
            ),
            "SMP704": (
                "Wrapper key removed",
                "The Airflow operator wraps the response; a step's properties start below the wrapper.",
                "Nothing.",
            ),
            "SMP706": (
                "Reference inferred from a name",
                "The text is the name, or the model's path, of what another task makes; in a pipeline it is read from that step.",
                "Check that this is what is meant.",
            ),
            "SMP705": (
                "Run id becomes the execution id",
                "The run id of Airflow is replaced by the id of the pipeline execution.",
                "Nothing, unless something outside reads the run id.",
            ),
            "SMP716": (
                "Modules that the image must have",
                "The code imports modules that are neither of the standard library nor of the DAG folder.",
                "Use an image that has them, or name their packages in the setting requirements.",
            ),
            "SMP717": (
                "Task that only prints",
                "The task does nothing that another task could notice.",
                "Set drop_trivial to leave such tasks out.",
            ),
            "SMP718": (
                "Statement that runs in the container",
                "The code uses an object that is no plain data; the statement that makes it goes with the code and runs where the task runs.",
                "Nothing, unless the statement reads something that only the DAG folder or the workers have.",
            ),
            "SMP719": (
                "Task that could be a native step",
                "The code makes one call of SageMaker through boto3 or the SageMaker SDK and waits; a step of its own would do the same without a job around it.",
                "Replace the task with the operator, with a check of its config.",
            ),
            "SMP710": (
                "Name of an earlier Airflow",
                "The file uses a name that moved or was renamed; it is taken from its present place.",
                "Nothing; use the present name when you next change the file.",
            ),
            "SMP711": (
                "Module or class is missing",
                "It is not installed here, so that a stand-in takes its place; a task of a missing class is of unknown type.",
                "Install it, or name its folder with --path.",
            ),
            "SMP712": (
                "Start date made from the clock",
                "The start date of the DAG is another one at every load, as days_ago makes it.",
                "Write a fixed start date.",
            ),
            "SMP713": (
                "Date macro of Airflow 2",
                "Airflow 3 does not have the macro; the parameter has the value that Airflow 2 gives.",
                "Nothing, or write it by logical_date.",
            ),
            "SMP714": (
                "S3 location that another task writes to",
                "The task reads from where another one writes to, and keeps the text, because which step made the data is not certain.",
                "Refer to the step's properties where this is meant; let the tasks depend on each other.",
            ),
            "SMP720": (
                "Step of another service",
                "The setting services decides between a native step, where a pipeline has one that fits, and a function.",
                "Set services to function for the task if the operator's XCom or details matter.",
            ),
            "SMP852": (
                "Policy holds for a default",
                "A parameter says where something is, and the policy allows the place that is its default.",
                "Nothing, if starts give no other value; else give it with --parameter NAME=VALUE.",
            ),
            "SMP854": (
                "Policy too long",
                "A managed policy has at most 6,144 characters.",
                "Split the statements over several policies of the role.",
            ),
            "SMP820": (
                "Value that Airflow gives",
                "The value comes from a task that stays in Airflow, or from a template that only Airflow renders; it becomes a parameter, which the task that starts the pipeline fills.",
                "Nothing; the value is text of at most 1,024 characters, a number or a boolean.",
            ),
            "SMP823": (
                "Task group with a pipeline of its own",
                "In Airflow the task starts a pipeline of the group; the pipeline of the whole DAG needs no such start.",
                "Nothing, or deploy the pipeline of the group alone.",
            ),
            "SMP722": (
                "Sensor at the start of a DAG",
                "The pipeline starts and then waits.",
                "Set s3_start: event to have an EventBridge rule on the object start the pipeline instead.",
            ),
            "SMP730": (
                "Condition is always the same",
                "The operands are literals, so the condition is decided here and becomes no step, nor do the tasks of the other branch.",
                "Nothing, if the literals are meant.",
            ),
        },
    ),
}
"""Every code: 1xx loading, 2xx tasks, 3xx values, 4xx structure, 5xx definition, 6xx differences, 7xx notes, 8xx pipelines from Airflow."""
