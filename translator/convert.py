"""From a DAG to a pipeline definition, pass by pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import networkx as nx

from sagemaker_provider.definition import shapes
from sagemaker_provider.definition.conditions import ConditionTypeError, decode_condition, holds
from sagemaker_provider.definition.expressions import Get, walk
from sagemaker_provider.definition.findings import Finding, errors, finding, located, ordered
from sagemaker_provider.definition.model import VERSION, Parameter, PipelineDefinition
from sagemaker_provider.definition.step_types import STEP_TYPES, Resource
from sagemaker_provider.operators.names import pipeline_name
from sagemaker_provider.translator import graph as graphs
from sagemaker_provider.translator.arguments import role_findings, secret_findings
from sagemaker_provider.translator.branches import EVERYWHERE, SIDES, TEARDOWN, Copy, World, copy_in, worlds
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.emission import Emission
from sagemaker_provider.translator.events import rule_template
from sagemaker_provider.translator.failures import TOLERANT, Origin, failure_findings, listed
from sagemaker_provider.translator.lines import with_lines
from sagemaker_provider.translator.mapping import is_mapped, mapped
from sagemaker_provider.translator.names import step_names
from sagemaker_provider.translator.parameters import Parameters, own_params
from sagemaker_provider.translator.parts import Starter, border_findings, part_of
from sagemaker_provider.translator.registry import (
    RETURN_VALUE,
    Absorbed,
    Given,
    RefusedError,
    Stays,
    Steps,
    TaskStep,
    Translation,
    Vanishes,
    XComFile,
    node_id,
    operator_name,
    translator_for,
)
from sagemaker_provider.translator.schedule import date_inputs, schedules
from sagemaker_provider.translator.settings import dag_findings, pipeline_request, runtime_limit, task_findings
from sagemaker_provider.translator.templates import UntranslatableError, canonical, is_template
from sagemaker_provider.translator.text_flow import has_succeeded, outputs
from sagemaker_provider.translator.triggers import both, through, trigger
from sagemaker_provider.translator.values import Surroundings, Values, conditions


@dataclass(frozen=True)
class Settings:
    """How to convert.

    :param nested_conditions: ``lift`` moves a condition in a branch to the top level, ``keep`` leaves it there.
    :param experiment_config: ``PipelineExperimentConfig`` of the definition; ``None`` creates no experiment.
    :param variables: values of Airflow Variables, which become the defaults of their parameters.
    :param defaults: images, roles, places and choices for the tasks.
    """

    nested_conditions: str = "lift"
    experiment_config: Mapping[str, Any] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    defaults: Defaults = field(default_factory=Defaults)


@dataclass(frozen=True)
class StepsOfTask:
    """The steps in a definition that do the same for a task: one, or one for each branch that the task is in.

    :param names: names of the steps, of which at most one runs in an execution.
    :param type: step type.
    :param suffix: which of several steps of the task it is; ``""`` for the one that gives the task's result.
    :param step: what the task was translated to.
    :param outcome: of a condition that is always the same, and so has no step.
    :param absorbed: whether the task is a sensor that waits for the step, which is that of another task.
    """

    names: tuple[str, ...]
    type: str
    suffix: str
    step: TaskStep
    outcome: bool | None = None
    absorbed: bool = False


@dataclass(frozen=True)
class Conversion:
    """The result of :func:`convert`: ``definition, findings = convert(dag)``.

    :param definition: the definition; ``None`` when there is an error among the findings.
    :param findings: all findings, errors first.
    :param pipeline: members of a CreatePipeline request that come from the DAG: ``PipelineName``,
        ``PipelineDescription``, ``RoleArn`` where the setting ``role`` is an ARN, ``Tags``, ``ParallelismConfiguration``.
    :param assets: files that steps need, by their paths below the setting ``code_location``.
    :param schedules: requests to EventBridge Scheduler, see :func:`~sagemaker_provider.translator.schedule.schedules`.
    :param date_parameters: parameters that are dates: name -> template, as :func:`.dates.render_dates` takes them.
    :param run_values: parameter -> template or reference that has its value in a run of the DAG.
    :param tasks: task -> the steps that it became.
    :param step_types: task id -> types of the steps that it becomes, none for one that vanishes. A task without translation
        is missing.
    """

    definition: PipelineDefinition | None
    findings: list[Finding]
    pipeline: dict[str, Any]
    assets: dict[str, bytes] = field(default_factory=dict)
    schedules: list[dict[str, Any]] = field(default_factory=list)
    date_parameters: dict[str, str] = field(default_factory=dict)
    run_values: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, list[StepsOfTask]] = field(default_factory=dict)
    step_types: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Any]:
        """The definition and the findings."""
        yield from (self.definition, self.findings)


def convert(
    dag: Any,
    settings: Settings | None = None,
    *,
    task_ids: Iterable[str] | None = None,
    value: Callable[[Any], Any] | None = None,
    translated: Mapping[str, Translation] | None = None,
) -> Conversion:
    """Convert a DAG, or a part of it that a task in Airflow starts.

    What the tasks of a part read of the other tasks, and templates that only Airflow can render, become parameters; the
    ``run_values`` say how Airflow computes them. Schedule and settings of the DAG stay Airflow's.

    :param dag: an Airflow DAG.
    :param settings: how to convert.
    :param task_ids: the tasks of the part; ``None`` for the whole DAG.
    :param value: for a part, the value of a template or reference in a run, so that parameters get its type.
    :param translated: what :func:`translations` said of the DAG, for many parts of one.
    :return: definition, findings and pipeline settings. Nothing of the DAG is left out without a finding.
    """
    settings, starter, found = settings or Settings(), None, []
    if task_ids is not None:
        kept = frozenset(task_ids)
        starter, found = Starter(dag, frozenset(dag.task_dict) - kept, value), list(border_findings(dag, kept))
    try:
        part = dag if starter is None else part_of(dag, kept)
        conversion = _Compiler(part, settings, starter, found, translated=translated or {}).run()
    except Exception as error:  # one DAG that nobody thought of must not keep the others from being converted
        reason = f"{type(error).__name__}: {error}"
        conversion = Conversion(None, [finding("SMP106", reason)], {"PipelineName": pipeline_name(dag.dag_id)})
    return replace(conversion, findings=with_lines(located(conversion.findings, dag=dag.dag_id), dag))


def translations(dag: Any, settings: Settings) -> dict[str, Translation]:
    """What each task of an acyclic DAG becomes, looked at by itself, as in a part of the DAG."""
    compiler = _Compiler(part_of(dag, dag.task_dict), settings, Starter(dag, frozenset()))
    compiler.read()
    compiler.order = graphs.in_order(compiler.graph)
    compiler.translate_tasks()
    return compiler.translations


@dataclass
class _Compiler:
    """One conversion: the passes share these tables."""

    dag: Any
    settings: Settings
    starter: Starter | None = None
    findings: list[Finding] = field(default_factory=list)
    decided: dict[str, StepsOfTask] = field(default_factory=dict)
    started_by: Mapping[str, Any] | None = None
    translations: dict[str, Translation] = field(default_factory=dict)
    translated: Mapping[str, Translation] = field(default_factory=dict)

    def run(self) -> Conversion:
        request, found = pipeline_request(self.dag, self.settings.defaults.value(self.dag.dag_id, "", "role"))
        self.findings += found
        self.read()
        if circle := graphs.cycle(self.graph):
            self.findings.append(finding("SMP103", " -> ".join([*circle, circle[0]])))
            return self._failed(request)
        self.order = graphs.in_order(self.graph)
        requests: list[dict[str, Any]] = []
        if self.starter is None:
            requests, found = schedules(self.dag)
            self.findings += [*found, *dag_findings(self.dag), *self.misplaced_settings()]
        self.translate_tasks()
        self.expand()
        if not self.steps and not errors(self.findings):
            self.findings.append(
                finding("SMP104", "none of the tasks becomes a step" if self.graph else "the DAG has no tasks")
            )
        self.parameters = Parameters(self.dag.params, self.settings.variables)
        self.absorb_sensors()
        self.place()
        if errors(self.findings):
            return self._failed(request)
        self.name_copies()
        self.expressions()
        self.findings += self.parameter_findings()
        if errors(self.findings):
            return self._failed(request)
        self.copy_edges()
        emission = Emission(
            edges=self.edges,
            worlds=self.worlds,
            order=self.order,
            conditions=self.branches,
            steps=self.rewritten,
            names=self.names,
            copy_of=self.copy_of,
            reads=self.data,
            nested=self.settings.nested_conditions == "keep",
            concurrency=self.dag.max_active_tasks,
        )
        steps = emission.emit()
        self.findings += emission.findings
        if errors(self.findings):
            return self._failed(request)
        members = {"Version": VERSION, "Metadata": {}, "PipelineExperimentConfig": self.settings.experiment_config}
        parameters = tuple(item for item in self.parameters.known.values() if self.is_read(item))
        definition = PipelineDefinition(steps, parameters, members)
        self.findings += [*self.unused_params(), *self.named_by_task(definition.validate())]
        if errors(self.findings):
            return self._failed(request)
        limited = "ParallelismConfiguration" in request
        self.findings += failure_findings(definition, self.origins(), self.graph, limited=limited)
        requests = self._with_dates(requests)
        if self.started_by is not None:
            self.assets["events/start.yaml"] = rule_template(self.dag.dag_id, self.started_by).encode()
        assets = dict(sorted(self.assets.items()))
        in_run = self.parameters.in_run()
        return Conversion(
            definition,
            self._by_task(),
            request,
            assets,
            requests,
            self.parameters.forms,
            {item.name: in_run[item.name] for item in parameters if item.name in in_run},
            self.steps_of_tasks(),
            self._step_types(),
        )

    def read(self) -> None:
        """Read the tasks and their dependencies."""
        self.graph = graphs.read(self.dag)
        self.tasks: dict[str, Any] = dict(self.dag.task_dict)

    def _with_dates(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Requests of the schedule that give the parameters which are dates, as far as a schedule can."""
        if self.started_by is not None:
            self.findings += [finding("SMP691", f"{len(requests)} are left out", place="schedule")] if requests else []
            for name, template in self.parameters.forms.items():
                reason = f"the event gives no {name!r}, which is {template}"
                self.findings.append(finding("SMP692", reason, place=f"Parameters.{name}"))
            return []
        if not requests:
            return []
        values, found = date_inputs(self.parameters.forms, self.dag)
        self.findings += found
        given = [{"Name": name, "Value": value} for name, value in sorted(values.items())]
        if not given:
            return requests
        parameters = {"SageMakerPipelineParameters": {"PipelineParameterList": given}}
        return [{**item, "Target": {**item["Target"], **parameters}} for item in requests]

    def _failed(self, request: dict[str, Any]) -> Conversion:
        return Conversion(None, self._by_task(), request, step_types=self._step_types())

    def _step_types(self) -> dict[str, tuple[str, ...]]:
        """The types of the steps that each task becomes, as far as tasks have been translated."""
        known = {task_id: item for task_id in self.dag.task_dict if (item := self.translations.get(task_id))}
        return {
            task_id: (item.type,)
            if isinstance(item, TaskStep)
            else tuple(dict.fromkeys(step.type for step in item.steps.values()))
            if isinstance(item, Steps)
            else ()
            for task_id, item in known.items()
            if not isinstance(item, Stays)
        }

    def _by_task(self) -> list[Finding]:
        """The findings, in order, with the tasks that their nodes belong to."""
        owners = {node: task.task_id for node, task in self.tasks.items()}
        return ordered(replace(item, task=owners.get(item.task, item.task)) for item in self.findings)

    # Pass: what each task becomes

    def translate_tasks(self) -> None:
        """Ask the registry about every task."""
        for task_id in self.order:
            task = self.tasks[task_id]
            translation = self._translation(task)
            self.findings += located(translation.findings, task=task_id)
            if isinstance(translation, Vanishes) and translation.started_by is not None:
                self.started_by = translation.started_by
            if isinstance(translation, TaskStep):
                translation, found = runtime_limit(task, translation)
                self.findings += [*task_findings(task, translation), *found]
            elif isinstance(translation, Steps):
                self.findings += task_findings(task, next(iter(translation.steps.values())))
            elif not isinstance(translation, Stays):
                self.findings += task_findings(task, None)
            self.translations[task_id] = translation

    def expand(self) -> None:
        """Put the steps of tasks that become several into the graph in place of the task."""
        self.several = {name: item for name, item in self.translations.items() if isinstance(item, Steps)}
        self.entries = {name: graphs.entries(name, item) for name, item in self.several.items()}
        self.graph = graphs.expanded(self.graph, self.several)
        for task_id, parts in self.several.items():
            for suffix, step in parts.steps.items():
                node = node_id(task_id, suffix)
                limited, found = runtime_limit(self.tasks[task_id], step)
                self.tasks[node], self.translations[node] = self.tasks[task_id], limited
                self.findings += located([*step.findings, *found], task=task_id)
        self.order = graphs.in_order(self.graph)
        self.findings = self._of_pipelines() or self.findings
        self.steps: dict[str, TaskStep] = {
            node: item for node in self.order if isinstance(item := self.translations[node], TaskStep)
        }

    def _of_pipelines(self) -> list[Finding]:
        """What to say of a DAG that only starts pipelines and waits for them, instead of what to say of its tasks."""
        work = [item for item in self.translations.values() if not isinstance(item, Vanishes)]
        if not work or any([found.code for found in item.findings] != ["SMP207"] for item in work):
            return []
        reasons = "; ".join(found.message for item in work for found in item.findings)
        return [finding("SMP208", reasons), *(item for item in self.findings if item.code != "SMP207")]

    def _translation(self, task: Any) -> Translation:
        if self._given(task.task_id)("native") is False:
            return Stays((finding("SMP840", "native is false", task=task.task_id),))
        if is_mapped(task):
            lengths = {
                name: len(item.steps)
                for name, item in self.translations.items()
                if isinstance(item, Steps) and item.mapped
            }
            loop = self._given(task.task_id)("mapped") == "loop"
            return self._guarded(task, lambda: mapped(task, loop, lengths, self._indexed, self._unmapped))
        return self.translated.get(task.task_id) or self._unmapped(task)

    def _indexed(self, task_id: str) -> bool:
        """Whether a task writes what it returns into a file."""
        item = self.translations.get(task_id)
        return isinstance(item, TaskStep) and isinstance(item.xcom(RETURN_VALUE, ()), XComFile)

    def _unmapped(self, task: Any) -> Translation:
        translator, reason = translator_for(task)
        if translator is None:
            message = f"no translation for {operator_name(task)}{reason and ': ' + reason}"
            return Stays((finding("SMP201", message, task=task.task_id),))
        return self._guarded(task, lambda: translator(task, self._given(task.task_id)))

    def _guarded(self, task: Any, translate: Callable[[], Translation]) -> Translation:
        try:
            return translate()
        except RefusedError as error:
            return Stays((finding(error.code, str(error), task=task.task_id),))
        except Exception as error:  # it reads what the author of the DAG wrote
            return Stays((finding("SMP206", f"{type(error).__name__}: {error}", task=task.task_id),))

    def _given(self, task_id: str) -> Given:
        def given(name: str) -> Any:
            if name == "s3_start" and self.starter is not None:
                return None  # Airflow starts the pipeline, not an event
            return self.settings.defaults.value(self.dag.dag_id, task_id, name)

        return given

    # Pass: sensors on jobs of the pipeline itself

    def absorb_sensors(self) -> None:
        """Let sensors vanish that wait for what an upstream task makes; the others are errors."""
        self.made: dict[str, tuple[str, ...]] = {}
        self.waited_for: dict[str, str] = {}
        self.outputs = outputs(self.steps)
        for name, step in self.steps.items():
            if step.made_name:
                made = canonical(step.made_name, self.tasks[name].task_id)
                self.made[made] = (*self.made.get(made, ()), name)
        for task_id, item in self.translations.items():
            if not isinstance(item, Absorbed):
                continue
            maker = self._maker(task_id, item)
            if maker is not None:
                self.waited_for[task_id] = maker
            if maker is None:
                self.findings.append(
                    finding("SMP203", "it waits for something that no upstream task of the DAG makes", task=task_id)
                )
            else:
                self.findings.append(
                    finding("SMP608", f"the step of {maker!r} is waited for by the pipeline itself", task=task_id)
                )

    def _maker(self, sensor: str, item: Absorbed) -> str | None:
        """The upstream task that makes what a sensor waits for, by its name or by a reference to just that."""
        upstream = nx.ancestors(self.graph, sensor)
        makers = [name for name, step in self.steps.items() if step.type == item.kind and name in upstream]
        for name in makers:
            step, resource = self.steps[name], STEP_TYPES[item.kind].resource
            given = step.made_name or (step.arguments.get(resource.name) if resource and resource.name else None)
            if (
                isinstance(item.waits_for, str)
                and isinstance(given, str)
                and canonical(given, self.tasks[name].task_id) == canonical(item.waits_for, sensor)
            ):
                return name
        values = Values(sensor, self._surroundings(Copy(sensor, EVERYWHERE), absolute=True))
        found = values.rewrite(item.waits_for, "waits_for")
        for name in values.reads & set(makers):
            resource = STEP_TYPES[item.kind].resource
            if isinstance(found, Get) and resource and found.segments[-1] in _identities(resource):
                return name
        return None

    # Pass: branches

    def place(self) -> None:
        """Find the worlds in which each task runs; one copy of the task for each."""
        self.branches = {
            name: {
                side: tuple(task for head in heads for task in self._heads(name, head))
                for side, heads in step.branches.items()
                if side == SIDES[0] or not step.fail_otherwise
            }
            for name, step in self.steps.items()
            if step.type == "Condition"
        }
        inner = {node_id(name, suffix) for name, item in self.several.items() for suffix in item.steps}
        inner -= {entry for entries in self.entries.values() for entry in entries}
        self.rules = {
            name: "all_success"
            if name in inner
            else str(getattr(self.tasks[name].trigger_rule, "value", self.tasks[name].trigger_rule))
            for name in self.graph
        }
        constants = self._constants()
        self.branches |= {name: {side: self.branches[name][side]} for name, side in constants.items()}
        short_circuits = {name for name, step in self.steps.items() if step.short_circuit}
        setups = {name for name in self.graph if getattr(self.tasks[name], "is_setup", False)}
        self.worlds, found = worlds(self.graph, self.branches, self.rules, short_circuits, constants, setups)
        self.findings += [*found, *self._skipped_by_success()]
        self._fold(constants)

    def _fold(self, constants: Mapping[str, str]) -> None:
        """Let conditions vanish that always take the same side."""
        for name, side in constants.items():
            below = nx.descendants(self.graph, name)
            never = [node for node in self.order if node in below and not self.worlds[node]]
            names = listed(self.tasks[node].task_id for node in never)
            truth = "true" if side == SIDES[0] else "false"
            reason = f"the conditions are always {truth}{names and f', so what never runs is {names}'}"
            self.findings.append(finding("SMP730", reason, task=name))
            before = [self.steps[node] for node in nx.ancestors(self.graph, name) & set(self.steps)]
            if any(step.type != "Condition" or step.fail_otherwise for step in before):
                for node in (node for node in never if self.rules[node] in TOLERANT):
                    others = listed(
                        self.tasks[other].task_id for other in never if nx.has_path(self.graph, node, other)
                    )
                    reason = f"where {self.tasks[name].task_id!r} cannot run, Airflow runs {others}"
                    self.findings.append(finding("SMP680", reason, task=node))
            self.decided[name] = StepsOfTask((), "Condition", "", self.steps[name], side == SIDES[0])
        for name in constants:
            del self.branches[name], self.steps[name]

    def _constants(self) -> dict[str, str]:
        """The conditions without templates and references, and the side that they always take."""
        found = {}
        for name in self.branches:
            step = self.steps[name]
            try:
                value = all([holds(decode_condition(item)) for item in step.arguments["Conditions"]])
            except ConditionTypeError:
                continue
            side = SIDES[0 if value else 1]
            if side in self.branches[name] and not is_template(str(step.arguments)):
                found[name] = side
        return found

    def _skipped_by_success(self) -> Iterator[Finding]:
        """Tasks that go on when an upstream is skipped because nothing failed: a pipeline knows no skipping."""
        skippable: set[str] = set()
        for task in self.order:
            upstream = skippable & set(self.graph.predecessors(task))
            rule = self.rules[task]
            if upstream and (rule.startswith("none_failed") or rule in ("all_done", TEARDOWN)):
                reason = f"the rule {rule} after {min(upstream)!r}, which is skipped unless something fails"
                yield finding("SMP205", reason, task=task)
            elif upstream or (rule in ("one_failed", "all_failed") and self.graph.in_degree(task)):
                skippable.add(task)

    def _heads(self, condition: str, head: str) -> list[str]:
        """The tasks that a condition names: a task, or the roots of a task group."""
        groups = self.dag.task_group.get_task_group_dict()
        named = (
            [head]
            if head in self.graph
            else [root.task_id for root in groups[head].get_roots()]
            if head in groups
            else []
        )
        heads = [entry for name in named for entry in self.entries.get(name, (name,))]
        if not any(self.graph.has_edge(condition, task) for task in heads):
            reason = f"{head!r} is not directly downstream" if heads else f"there is no task {head!r}"
            self.findings.append(finding("SMP404", reason, task=condition))
        return heads

    def copies(self, task: str) -> list[Copy]:
        """The copies of a task, the first of which keeps the task's name."""
        return [Copy(task, world) for world in self.worlds[task]]

    def copy_in(self, task: str, world: World) -> Copy | None:
        """The copy of a task that has run in a world, if one has."""
        return copy_in(self.worlds, task, world)

    def name_copies(self) -> None:
        """Give every copy a step name."""
        names, found = step_names(
            {name: step.name for name, step in self.steps.items()},
            {name: self.worlds[name] for name in self.steps},
            self.order,
        )
        self.names = {Copy(task, world): name for (task, world), name in names.items()}
        self.copy_of = {name: copy for copy, name in self.names.items()}
        self.findings += found

    # Pass: values

    def expressions(self) -> None:
        """Rewrite the values of every copy, and give them the types of the request."""
        self.rewritten: dict[Copy, TaskStep] = {}
        self.data: dict[Copy, set[str]] = {}
        self.assets: dict[str, bytes] = {}
        for task in self.order:
            if (step := self.steps.get(task)) is None:
                continue
            for copy in self.copies(task):
                values = Values(task, self._surroundings(copy))
                step = self._built(self.steps[task], values)
                arguments = values.rewrite(step.arguments, "config") or {}
                loop_over = values.rewrite(step.loop_over, "loop_over")
                members = values.rewrite(step.members, "") or {}
                row = STEP_TYPES[step.type]
                if row.shape:
                    arguments = values.typed(arguments, shapes.request_shape(*row.shape), "config")
                values.check_joins(arguments, "config")
                if step.type == "Condition":
                    arguments = {"Conditions": conditions(arguments["Conditions"])}
                self.rewritten[copy] = replace(step, arguments=arguments, members=members, loop_over=loop_over)
                for read in sorted(values.reads):
                    if self.tasks[read] is not self.tasks[task] and not getattr(self.tasks[read], "do_xcom_push", True):
                        reason = (
                            f"{read!r} has do_xcom_push=False, so Airflow finds nothing; the pipeline reads its step"
                        )
                        self.findings.append(finding("SMP609", reason, task=task))
                self.data[copy] = values.reads
                self.findings += [
                    *values.findings,
                    *role_findings(task, arguments),
                    *secret_findings(task, arguments),
                    *self.given_findings(task, {"config": arguments, "loop_over": loop_over, **members}),
                ]

    def _built(self, step: TaskStep, values: Values) -> TaskStep:
        """A step as it is once it is known what it reads; its files are kept."""
        if step.build is not None:
            try:
                step = step.build(values)
            except UntranslatableError as error:
                self.findings.append(finding(error.code, str(error), task=values.task_id))
            self.findings += located(step.findings, task=values.task_id)
        self.assets |= step.assets
        return step

    def _surroundings(self, copy: Copy, *, absolute: bool = False) -> Surroundings:
        def step_name(task: str, *, loops: bool = False) -> str:
            looped = not loops and task in self.steps and self.steps[task].loop_over is not None
            if looped or (task in self.several and task not in self.graph):
                reason = f"the task {task!r} is mapped; its result is a list, which no expression is"
                raise UntranslatableError(reason, "SMP304")
            if task not in self.graph:
                raise UntranslatableError(f"there is no task {task!r}", "SMP303")
            if task == copy.task or not (
                self.graph.has_edge(task, copy.task) or nx.has_path(self.graph, task, copy.task)
            ):
                raise UntranslatableError(f"the task {task!r} is not upstream", "SMP303")
            if absolute:
                return task
            other = self.copy_in(task, copy.world)
            if other is None:
                raise UntranslatableError(f"the task {task!r} has not run in every branch that leads here", "SMP403")
            if other not in self.names:
                raise UntranslatableError(f"the task {task!r} becomes no step", "SMP304")
            return self.names[other]

        task = self.tasks[copy.task]
        return Surroundings(
            self.dag.dag_id,
            self.parameters,
            self.steps,
            step_name,
            {} if absolute else self.made,
            own_params(self.dag, task),
            task.task_id,
            self._given(task.task_id),
            self.graph,
            {} if absolute else self.outputs,
            lambda first: has_succeeded(self.graph, self.rules, first, copy.task),
            self.starter,
        )

    # Pass: the graph of copies

    def copy_edges(self) -> None:
        """Join the copies as the tasks are joined; then let vanished tasks go and needless edges with them."""
        edges = nx.DiGraph()
        edges.add_nodes_from(copy for task in self.order for copy in self.copies(task))
        for copy in list(edges):
            for upstream in self.graph.predecessors(copy.task):
                if (other := self.copy_in(upstream, copy.world)) is not None:
                    edges.add_edge(other, copy, trigger=trigger(self.tasks, upstream, copy.task, self.rules[copy.task]))
        self.fan = dict(edges.in_degree)
        for copy in list(edges):
            for upstream in self.data.get(copy, ()):
                if (other := self.copy_in(upstream, copy.world)) is not None and not edges.has_edge(other, copy):
                    edges.add_edge(other, copy, trigger="Completed")
        for copy in [copy for copy in edges if copy.task in self.waited_for]:
            if (other := self.copy_in(self.waited_for[copy.task], copy.world)) is not None:
                edges.add_edge(other, copy, trigger="Completed")  # a sensor succeeds when what it waits for does
        for copy in [copy for copy in edges if copy.task not in self.steps]:
            self._vanish(edges, copy)
        self.edges = edges
        for copy in edges:
            rule = self.rules[copy.task]
            triggers = [edges.edges[edge]["trigger"] for edge in edges.in_edges(copy)]
            if None in triggers or (triggers and self._one_of_several(copy)):
                self.findings.append(
                    finding("SMP205", f"the rule {rule} with {self.fan[copy]} upstream tasks", task=copy.task)
                )
            elif any(item != "Completed" for item in triggers):
                self.findings.append(
                    finding(
                        "SMP607",
                        f"the rule {rule} becomes {', '.join(sorted({item for item in triggers if item != 'Completed'}))}",
                        task=copy.task,
                    )
                )

    def _one_of_several(self, copy: Copy) -> bool:
        """Whether a copy waits for the first of several upstreams; a step can only wait for all."""
        return self.rules[copy.task] in ("one_success", "one_failed", "one_done") and self.fan[copy] > 1

    def _vanish(self, edges: nx.DiGraph, copy: Copy) -> None:
        """Join what is before a copy with what is after it, with the run conditions of both edges."""
        before = [(edge[0], edges.edges[edge]["trigger"]) for edge in edges.in_edges(copy)]
        after = [(edge[1], edges.edges[edge]["trigger"]) for edge in edges.out_edges(copy)]
        edges.remove_node(copy)
        for second, leaving in after:
            if not before and leaving not in ("Completed", "Any"):
                reason = f"the rule {self.rules[second.task]} after {copy.task!r}, which does nothing and never fails"
                self.findings.append(finding("SMP205", reason, task=second.task))
            for first, entering in before:
                combined = None if self._one_of_several(copy) else through(entering, leaving, len(before))
                if combined and self.rules[second.task] == "one_done":
                    combined = entering  # what vanished does not fail
                if edges.has_edge(first, second):
                    combined = both(edges.edges[first, second]["trigger"], combined)
                if combined is None:
                    reason = f"the rules {self.rules[copy.task]} and, after it, {self.rules[second.task]} together"
                    self.findings.append(finding("SMP205", reason, task=copy.task))
                edges.add_edge(first, second, trigger=combined or "Completed")

    # Findings

    def misplaced_settings(self) -> list[Finding]:
        """Settings for tasks that the DAG does not have."""
        own = {key: value for key, value in self.settings.defaults.tasks.items() if key[0] == self.dag.dag_id}
        wrong = Defaults(tasks=own).misplaced({self.dag.dag_id: self.dag.task_dict})
        return [finding("SMP689", message, place="settings") for message in wrong]

    def is_read(self, parameter: Parameter) -> bool:
        """Whether a parameter is declared: in a whole DAG, every param is; in a part, those that its steps read."""
        return self.starter is None or parameter.name in self.read_parameters

    @cached_property
    def read_parameters(self) -> frozenset[str]:
        """The names of the parameters that steps read."""
        values = [(step.arguments, step.members, step.loop_over) for step in self.rewritten.values()]
        return frozenset(item.name for _, item in walk(values) if isinstance(item, Get) and item.scope == "Parameters")

    def parameter_findings(self) -> list[Finding]:
        """What is to be said of parameters; in a part, of those that are read."""
        known = self.parameters.known.items()
        unread = {name for key, item in known if not self.is_read(item) for name in (key, item.name)}
        return [item for item in self.parameters.findings if item.place.partition(".")[2] not in unread]

    def given_findings(self, task: str, value: Any) -> Iterator[Finding]:
        """The parameters of a step that only Airflow can give."""
        names = {item.name: place for place, item in reversed([*walk(value)]) if isinstance(item, Get)}
        for name in sorted(names.keys() & self.parameters.from_airflow):
            reason = f"{self.parameters.sources[name]!r} becomes the parameter {name!r}"
            yield finding("SMP820", reason, task=task, place=names[name])

    def unused_params(self) -> list[Finding]:
        """Params that became no parameter and are not read."""
        if self.starter is not None:
            return []
        return [finding("SMP703", reason, place=f"params.{name}") for name, reason in self.parameters.unfit.items()]

    def named_by_task(self, found: list[Finding]) -> list[Finding]:
        """Findings of the validation with the task whose step they are about."""
        tasks = {name: copy.task for name, copy in self.copy_of.items()}
        return [
            replace(item, task=tasks.get(item.place.removeprefix("Steps.").partition(".")[0], ""))
            if item.place.startswith("Steps.")
            else item
            for item in found
        ]

    def steps_of_tasks(self) -> dict[str, list[StepsOfTask]]:
        """The steps that each task became."""
        found = {task: [item] for task, item in self.decided.items()}
        for node, step in self.steps.items():
            task_id = self.tasks[node].task_id
            suffix = node.removeprefix(task_id).removeprefix("--")
            if names := tuple(self.names[copy] for copy in self.copies(node)):
                found.setdefault(task_id, []).append(StepsOfTask(names, step.type, suffix, step))
        for sensor, maker in self.waited_for.items():
            step = self.steps[maker]
            names = tuple(self.names[copy] for copy in self.copies(maker))
            found[sensor] = [StepsOfTask(names, step.type, "", step, absorbed=True)]
        return found

    def origins(self) -> dict[str, Origin]:
        """What each step was made from."""
        return {
            name: Origin(
                copy.task,
                self.tasks[copy.task].task_id,
                self.rules[copy.task],
                bool(getattr(self.tasks[copy.task], "is_setup", False)),
                copy.world,
            )
            for name, copy in self.copy_of.items()
        }


def _identities(resource: Resource) -> set[str]:
    """The members of a description that say which one it is."""
    paths = [*resource.identifiers, *resource.identifiers.values(), resource.name or "", "Id"]
    return {path.rpartition(".")[2] for path in paths}
