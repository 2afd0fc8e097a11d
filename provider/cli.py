"""The commands ``airflow sagemaker ...`` and ``airflow-sagemaker ...``: one table, two parsers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

HELP: Final = "Convert DAGs to Amazon SageMaker Pipelines, check definitions, run a local SageMaker"


@dataclass(frozen=True)
class Argument:
    """An argument of a command: its flags, and the options of ``argparse``."""

    flags: tuple[str, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class Command:
    """A command: its name, help, its function as ``module.function`` of :mod:`sagemaker_provider`, and its arguments."""

    name: str
    help: str
    function: str
    arguments: tuple[Argument, ...]

    def __call__(self, args: argparse.Namespace) -> None:
        """Run the command and end the process with its exit code."""
        module, _, function = self.function.rpartition(".")
        sys.exit(getattr(import_module(f"sagemaker_provider.{module}"), function)(args))


def _argument(*flags: str, **options: Any) -> Argument:
    return Argument(flags, options)


def _at_least(least: float, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """The type of an option that is a number, and no smaller one."""

    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(least) - 1
        if not value >= least:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a {'whole ' if kind is int else ''}number of at least {least}"
            )
        return value

    return number


_FORMAT = _argument(
    "--format", choices=("text", "json"), default="text", help="how results are printed (default: text)"
)
_DAGS = _argument("path", metavar="FILE_OR_FOLDER", help="DAG file, or folder of DAG files")
_STRICT = _argument("--strict", action="store_true", help="fail on differences too, not only on errors")

CONVERSION: Final = (
    _argument("--dag-id", dest="dag_id", metavar="ID", help="only this DAG"),
    _argument(
        "--compat",
        action="store_true",
        help="load DAGs of Airflow 1 and 2, with stand-ins for missing modules, Variables and connections",
    ),
    _argument(
        "--values",
        metavar="FILE.yaml",
        help="variables, env, connections and params: what DAG files read while they load, and defaults",
    ),
    _argument(
        "--defaults",
        metavar="FILE.yaml",
        help="conversion settings: images, roles and places, per DAG and task",
    ),
    _argument(
        "--path",
        dest="folders",
        metavar="FOLDER",
        action="append",
        default=[],
        help="a folder with modules that DAG files import; may be repeated",
    ),
    _argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="for loading and converting one file (default: 60)",
    ),
    _argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="files at once (default: one for each core)",
    ),
    _argument(
        "--nested-conditions",
        dest="nested_conditions",
        choices=("lift", "keep"),
        default="lift",
        help="move a condition in a branch to the top level, or keep it there (default: lift)",
    ),
    _argument("--experiment", action="store_true", help="create an experiment per pipeline and a trial per execution"),
)
"""Options of every command that converts DAGs: :func:`sagemaker_provider.commands.conversion_request` reads them."""

_SWITCH: Final = {"action": "store_true"}
LOCAL_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "images": {
        "choices": ("simulate", "refuse", "simulate-all"),
        "help": "jobs whose image cannot run here: simulate them or refuse them; or simulate all (default: simulate)",
    },
    "isolation": {
        "choices": ("auto", "namespace", "paths", "docker"),
        "help": "how a job gets its /opt/ml: a mount namespace, rewritten paths, or Docker (default: auto)",
    },
    "python": {"metavar": "FILE", "help": "the Python that runs jobs and functions (default: this one)"},
    "max_processes": {
        "type": int,
        "metavar": "N",
        "help": "job processes at once (default: two for each core, at least 8)",
    },
    "stop_seconds": {
        "type": float,
        "metavar": "N",
        "help": "from SIGTERM to SIGKILL when a job is stopped (default: 10)",
    },
    "simulated_seconds": {"type": float, "metavar": "N", "help": "how long simulated jobs take (default: 0)"},
    "simulated_outputs": {"metavar": "DIR", "help": "DIR/<OutputName>/ holds what simulated Processing jobs write"},
    "retry_scale": {"type": float, "metavar": "N", "help": "factor for the waits of retry policies (default: 1)"},
    "nested_conditions": {**_SWITCH, "help": "accept conditions in branches"},
    "condition_dependencies": {**_SWITCH, "help": "accept conditions in DependsOn"},
    "any_after_skipped": {**_SWITCH, "help": "let run conditions be met by steps that never start"},
    "start_after_failure": {**_SWITCH, "help": "start independent steps after one has failed"},
    "create_model_package_groups": {**_SWITCH, "help": "let RegisterModel steps make missing groups"},
    "convert_types": {**_SWITCH, "help": "turn numbers into text, and text into numbers, where arguments want it"},
}
"""Options of ``local``: member of ``sagemaker_provider.local.settings.LocalSettings`` -> options of ``argparse``."""

_AWS: Final = (
    _argument("--region", metavar="NAME", help="AWS Region (default: that of the connection or of boto3)"),
    _argument(
        "--aws-conn-id",
        dest="aws_conn_id",
        metavar="ID",
        help="Airflow connection (default: credentials as boto3 finds them, AWS_PROFILE too)",
    ),
)
"""Options of every command that calls AWS."""

_OWNER = _argument("--owner", metavar="TEXT", help="who deploys it, as its tag says (default: the DAG id)")
_FORCE = _argument("--force", **_SWITCH, help="take a pipeline that another has deployed")
_PIPELINE = _argument("pipeline", metavar="PIPELINE", help="name, or <name>.pipeline.json")
_EXECUTION = _argument(
    "execution", metavar="EXECUTION", help="ARN, PIPELINE/ID, or a pipeline for its latest execution"
)
_PARALLEL = _argument(
    "--max-parallel-steps",
    dest="max_parallel_steps",
    type=_at_least(1),
    metavar="N",
    help="steps of this execution at once",
)
_POLL = _argument(
    "--poll-interval",
    dest="poll_interval",
    type=_at_least(0.01, float),
    default=5.0,
    metavar="SECONDS",
    help="between two looks while waiting (default: 5)",
)
_WAIT: Final = (
    _argument("--wait", **_SWITCH, help="show the steps until the execution ends; exit code 1 unless it succeeds"),
    _POLL,
)
_DEPLOYMENT: Final = (
    _argument(
        "path", metavar="FILE_OR_FOLDER", nargs="+", help="<name>.pipeline.json, DAG file, or folder of DAG files"
    ),
    *CONVERSION,
    _argument("--name", metavar="NAME", help="name of the pipeline (default: made from the DAG id or file name)"),
    _argument("--role", metavar="ARN", help="role with which the pipeline runs (default: the conversion setting)"),
    _OWNER,
    _argument("--alias", metavar="NAME", action="append", default=[], help="alias for the version; may be repeated"),
    _argument(
        "--max-parallel-steps",
        dest="max_parallel_steps",
        type=_at_least(1),
        metavar="N",
        help="steps of an execution at once (default: max_active_tasks of the DAG)",
    ),
    _argument(
        "--code-location",
        dest="code_location",
        metavar="S3_URI",
        help="where assets go if the definition has a parameter for it, and large definitions",
    ),
    _FORCE,
    _FORMAT,
    _STRICT,
    *_AWS,
)

COMMANDS: Final = (
    Command(
        "convert",
        "Convert the DAGs of a file or folder to pipeline definitions, one JSON file for each DAG",
        "commands.convert",
        (
            _DAGS,
            _argument(
                "--output", metavar="FOLDER", help="where <dag>.pipeline.json is written (default: the current folder)"
            ),
            _argument(
                "--task-groups",
                dest="task_groups",
                action="store_true",
                help="convert the task groups that run as pipelines, instead of whole DAGs",
            ),
            _FORMAT,
            _STRICT,
            *CONVERSION,
        ),
    ),
    Command(
        "assess",
        "Say of each DAG and task of a file or folder what becomes of it, and what to mend first",
        "assess_commands.assess",
        (
            _DAGS,
            _argument("--output", metavar="FILE", help="where the assessment is written (default: standard output)"),
            _argument(
                "--format",
                choices=("text", "json", "markdown", "html"),
                default="text",
                help="form of the assessment; html is one page with the graphs (default: text)",
            ),
            _STRICT,
            *CONVERSION,
        ),
    ),
    Command(
        "plan",
        "Say of DAGs of which a part stays in Airflow which pipelines the rest becomes, and why the part stays",
        "plan_commands.plan",
        (_DAGS, _FORMAT, *CONVERSION),
    ),
    Command(
        "split",
        "Write a DAG file in which the pipelines that plan finds are task groups, once its DAGs are seen to be the same",
        "plan_commands.split",
        (
            _argument("path", metavar="FILE", help="DAG file"),
            _argument("-o", "--output", metavar="FILE", required=True, help="the DAG file that is written"),
            _FORMAT,
            *CONVERSION,
        ),
    ),
    Command(
        "validate",
        "Check a pipeline definition, whoever made it",
        "commands.validate",
        (_argument("path", metavar="FILE.json", nargs="+", help="definition"), _FORMAT, _STRICT),
    ),
    Command(
        "deploy",
        "Create pipelines, or update what is different in them",
        "deploy_commands.deploy",
        _DEPLOYMENT,
    ),
    Command(
        "diff",
        "Show what deploy would change; exit code 0: nothing, 3: something, 1: errors, 2: not understood",
        "deploy_commands.diff",
        _DEPLOYMENT,
    ),
    Command(
        "policy",
        "Write least-privilege IAM policies for the roles of pipelines, for who deploys, schedules and answers; calls no AWS",
        "policy_commands.policy",
        (
            _argument("path", metavar="FILE.json", nargs="+", help="definition"),
            _argument(
                "--role", metavar="ARN", help="role with which the pipeline runs (default: the conversion setting)"
            ),
            _argument("--region", metavar="NAME", help="AWS Region (default: AWS_REGION)"),
            _argument(
                "--parameter",
                metavar="NAME=VALUE",
                action="append",
                default=[],
                help="what starts give; may be repeated",
            ),
            _argument("--code-location", dest="code_location", metavar="S3_URI", help="where deploy puts files"),
            _argument("--scheduler-role", dest="scheduler_role", metavar="ARN", help="role of the schedule"),
            _argument(
                "--output", metavar="FOLDER", help="where <pipeline>.<who>.policy.json and .trust.json are written"
            ),
            _FORMAT,
            _STRICT,
        ),
    ),
    Command(
        "versions",
        "List the versions of a pipeline",
        "deploy_commands.versions",
        (_PIPELINE, _FORMAT, *_AWS),
    ),
    Command(
        "start",
        "Start an execution, after a check of its parameters",
        "execution_commands.start",
        (
            _PIPELINE,
            _argument(
                "--parameter", metavar="NAME=VALUE", action="append", default=[], help="a parameter; may be repeated"
            ),
            _argument("--date", metavar="DATE", help="logical date for which the date parameters are computed"),
            _argument(
                "--data-interval",
                dest="data_interval",
                nargs=2,
                metavar=("START", "END"),
                help="data interval for the date parameters that read it",
            ),
            _argument("--version", type=_at_least(1), metavar="N", help="number of the version (default: the latest)"),
            _argument("--alias", metavar="NAME", help="alias of the version"),
            _argument(
                "--step", metavar="NAME", action="append", default=[], help="run only this step; may be repeated"
            ),
            _argument(
                "--source",
                metavar="EXECUTION",
                help="whose results the steps read that are before those of --step: PIPELINE/ID, ARN, or 'latest'",
            ),
            _argument("--token", metavar="TEXT", help="the same text starts one execution, however often it is given"),
            _argument("--display-name", dest="display_name", metavar="NAME", help="name of the execution in Studio"),
            _argument("--description", metavar="TEXT", help="description of the execution"),
            _PARALLEL,
            *_WAIT,
            _FORMAT,
            *_AWS,
        ),
    ),
    Command(
        "status",
        "Show the steps of an execution: states, times, attempts, cache hits, reasons of failures",
        "execution_commands.status",
        (
            _EXECUTION,
            _argument("--watch", **_SWITCH, help="until the execution ends; exit code 1 unless it succeeds"),
            _POLL,
            _FORMAT,
            *_AWS,
        ),
    ),
    Command(
        "list",
        "List pipelines",
        "execution_commands.list_pipelines",
        (_argument("--prefix", metavar="TEXT", help="how their names begin"), _FORMAT, *_AWS),
    ),
    Command(
        "executions",
        "List the executions of a pipeline, the latest first",
        "execution_commands.executions",
        (
            _PIPELINE,
            _argument("--limit", type=_at_least(1), default=20, metavar="N", help="how many (default: 20)"),
            _FORMAT,
            *_AWS,
        ),
    ),
    Command(
        "compare",
        "Compare two executions: parameters, steps, durations, metrics",
        "execution_commands.compare",
        (
            _argument("first", metavar="EXECUTION", help="ARN, PIPELINE/ID, or a pipeline for its latest execution"),
            _argument("second", metavar="EXECUTION", help="likewise"),
            _FORMAT,
            *_AWS,
        ),
    ),
    Command("stop", "Stop an execution and its jobs", "execution_commands.stop", (_EXECUTION, *_WAIT, _FORMAT, *_AWS)),
    Command(
        "resume",
        "Let an execution that failed or was stopped go on from there",
        "execution_commands.resume",
        (_EXECUTION, _PARALLEL, *_WAIT, _FORMAT, *_AWS),
    ),
    Command(
        "schedule",
        "Create, show, enable, disable or delete the EventBridge schedules that start a pipeline",
        "schedule_commands.schedule",
        (
            _argument("action", choices=("create", "show", "enable", "disable", "delete"), help="what to do"),
            _PIPELINE,
            _argument(
                "--scheduler-role", dest="scheduler_role", metavar="ARN", help="create: role that starts the pipeline"
            ),
            _argument("--expression", metavar="TEXT", help="create: such as 'cron(0 6 * * ? *)' (default: the DAG's)"),
            _argument(
                "--timezone", metavar="NAME", default="UTC", help="create: time zone of --expression (default: UTC)"
            ),
            _argument(
                "--parameter",
                metavar="NAME=VALUE",
                action="append",
                default=[],
                help="create: what each start passes; may be repeated",
            ),
            _argument("--group", metavar="NAME", default="default", help="group of schedules (default: default)"),
            _FORMAT,
            *_AWS,
        ),
    ),
    Command(
        "delete",
        "Delete a pipeline with its versions and executions",
        "deploy_commands.delete",
        (_PIPELINE, _argument("--yes", **_SWITCH, help="do not ask"), _OWNER, _FORCE, *_AWS),
    ),
    Command(
        "events",
        "Create, show or delete the EventBridge rule and SQS queue whose events wake waiting tasks",
        "events_commands.events",
        (
            _argument("action", choices=("create", "show", "delete"), help="what to do"),
            _argument(
                "--name",
                metavar="NAME",
                default="airflow-sagemaker-events",
                help="name of both (default: airflow-sagemaker-events)",
            ),
            _FORMAT,
            *_AWS,
        ),
    ),
    Command(
        "local",
        "Run a local SageMaker: an AWS endpoint on this machine where jobs and pipelines really run",
        "commands.local",
        (
            _argument("--port", type=int, default=4580, help="TCP port; 0 for a free one (default: 4580)"),
            _argument("--data", metavar="DIR", help="keep the state in this folder (default: in memory)"),
            _argument("--faults", metavar="FILE.json", help="faults to begin with"),
            *(
                _argument(f"--{name.replace('_', '-')}", dest=name, **options)
                for name, options in LOCAL_SETTINGS.items()
            ),
        ),
    ),
)


def airflow_commands() -> list[Any]:
    """The commands for Airflow's own command line (Airflow 3)."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    actions = [
        ActionCommand(
            name=command.name,
            help=command.help,
            func=command,
            args=tuple(Arg(item.flags, **item.options) for item in command.arguments),
        )
        for command in COMMANDS
    ]
    return [GroupCommand(name="sagemaker", help=HELP, subcommands=actions)]


def main(argv: Sequence[str] | None = None) -> None:
    """The command line ``airflow-sagemaker``, for every version of Airflow.

    Exit code 0: done; 1: errors were found; 2: the command was not understood.
    """
    parser = argparse.ArgumentParser(prog="airflow-sagemaker", description=HELP)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.help, description=command.help)
        for item in command.arguments:
            sub.add_argument(*item.flags, **item.options)
        sub.set_defaults(run=command)
    args = parser.parse_args(argv)
    args.run(args)


if __name__ == "__main__":
    main()
