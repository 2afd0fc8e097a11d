"""The commands ``airflow sagemaker ...`` and ``airflow-sagemaker ...``: one table, two parsers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

HELP: Final = "Convert DAGs to Amazon SageMaker Pipelines and check definitions"


@dataclass(frozen=True)
class Argument:
    """An argument of a command: its flags, and the options of ``argparse``."""

    flags: tuple[str, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class Command:
    """A command: its name, help, the function in :mod:`sagemaker_provider.commands`, and its arguments."""

    name: str
    help: str
    function: str
    arguments: tuple[Argument, ...]

    def __call__(self, args: argparse.Namespace) -> None:
        """Run the command and end the process with its exit code."""
        sys.exit(getattr(import_module("sagemaker_provider.commands"), self.function)(args))


def _argument(*flags: str, **options: Any) -> Argument:
    return Argument(flags, options)


_FORMAT = _argument(
    "--format", choices=("text", "json"), default="text", help="how findings are printed (default: text)"
)
_STRICT = _argument("--strict", action="store_true", help="fail on differences too, not only on errors")

COMMANDS: Final = (
    Command(
        "convert",
        "Convert the DAGs of a file or folder to pipeline definitions, one JSON file for each DAG",
        "convert",
        (
            _argument("path", metavar="FILE_OR_FOLDER", help="DAG file, or folder of DAG files"),
            _argument("--dag-id", dest="dag_id", metavar="ID", help="convert only this DAG"),
            _argument(
                "--output", metavar="FOLDER", help="where <dag>.pipeline.json is written (default: the current folder)"
            ),
            _FORMAT,
            _STRICT,
            _argument(
                "--nested-conditions",
                dest="nested_conditions",
                choices=("lift", "keep"),
                default="lift",
                help="move a condition in a branch to the top level, or keep it there (default: lift)",
            ),
            _argument(
                "--experiment", action="store_true", help="create an experiment per pipeline and a trial per execution"
            ),
        ),
    ),
    Command(
        "validate",
        "Check a pipeline definition, whoever made it",
        "validate",
        (_argument("path", metavar="FILE.json", nargs="+", help="definition"), _FORMAT, _STRICT),
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
