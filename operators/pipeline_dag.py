"""A whole DAG as one task: another DAG, or a definition, runs as a pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from sagemaker_provider.operators.converted import (
    DEFINITION,
    Converted,
    asset_places,
    carry_out,
    read_converted,
    require_no_error,
)
from sagemaker_provider.operators.names import pipeline_name as name_of_pipeline
from sagemaker_provider.operators.pipeline import SageMakerPipelineStartOperator


class SageMakerPipelineDagOperator(SageMakerPipelineStartOperator):
    """Converts a DAG, deploys the pipeline where it differs, starts it, and waits for its end.

    Parameters that are dates get their values from the run of this task; ``parameters`` go before them.

    :param file: the DAG file, or a definition ``<name>.pipeline.json`` with what lies beside it; a relative path begins at the
        folder of the DAG file of this task.
    :param dag_id: which DAG of the file; by default the only one.
    :param pipeline_name: by default made from ``dag_id``, else from the name of the file.
    :param role: ARN of the role with which the pipeline runs; needed to create it.
    :param settings: settings for the conversion, as :class:`~sagemaker_provider.translator.defaults.Defaults` describes them.
    :param code_location: S3 URI of a folder for the code of Python tasks and for large definitions.
    :param force: take over a pipeline that another has deployed.
    :param kwargs: see :class:`~sagemaker_provider.operators.pipeline.SageMakerPipelineStartOperator`: ``parameters``,
        ``max_parallel_steps``, ``deferrable``, ``poll_interval`` and others.
    """

    template_fields: Sequence[str] = (
        "file",
        "dag_id_of_file",
        "role",
        "code_location",
        *SageMakerPipelineStartOperator.template_fields,
    )

    def __init__(
        self,
        *,
        file: str,
        dag_id: str | None = None,
        pipeline_name: str | None = None,
        role: str | None = None,
        settings: Mapping[str, Any] | None = None,
        code_location: str | None = None,
        force: bool = False,
        **kwargs: Any,
    ) -> None:
        stem = Path(file).name.removesuffix(".py").removesuffix(DEFINITION)
        super().__init__(pipeline_name=pipeline_name or name_of_pipeline(dag_id or stem), **kwargs)
        self.file = file
        self.dag_id_of_file = dag_id
        self.role = role
        self.settings = dict(settings or {})
        self.code_location = code_location
        self.force = force

    def create(self, context: Any, number: int) -> dict[str, Any]:
        """Deploy and start; the same call again starts no other execution."""
        try:
            converted = self._converted
            places = asset_places(converted, self.code_location)
        except ValueError as error:
            raise AirflowFailException(f"{self.task_id}: {error}") from None
        pipeline = converted.pipeline(role=self.role, location=self.code_location or converted.folder(places))
        plan = self.pipelines.plan(pipeline)
        deployment, _ = carry_out(self.pipelines, plan, places, force=self.force, log=self.log)
        dates = {name: self.render_template(template, context) for name, template in converted.date_parameters.items()}
        given = json.loads(self.parameters) if isinstance(self.parameters, str) else self.parameters or {}
        self.parameters = {**dates, **given}
        self.version = self.version or deployment.version
        return super().create(context, number)

    @cached_property
    def _converted(self) -> Converted:
        path = Path(self.dag.fileloc).parent / self.file
        if path.suffix == ".json":
            return read_converted(path, self.pipeline_name)
        from sagemaker_provider.translator.convert import Settings
        from sagemaker_provider.translator.defaults import Defaults
        from sagemaker_provider.translator.worker import Request, convert_files

        given = {"role": self.role, "code_location": self.code_location}
        own = {**{name: item for name, item in given.items() if item}, **self.settings}
        settings = Settings(defaults=Defaults.from_object(own))
        files = convert_files(Request(path, self.dag_id_of_file or None, settings=settings, jobs=1))
        dags = [dag for item in files for dag in item.dags]
        found = [
            *(finding for item in files for finding in item.findings),
            *(item for dag in dags for item in dag.findings),
        ]
        require_no_error(self.file, found, self.log)
        if len(dags) != 1:
            raise ValueError(f"{self.file} has the DAGs {', '.join(dag.dag_id for dag in dags)}: give dag_id")
        (dag,) = dags
        assert dag.definition is not None, "a DAG without a definition has errors"
        named = {**dag.pipeline, "PipelineName": self.pipeline_name}
        return Converted.of(named, dag.definition, dag.assets, (), dag.date_parameters)
