"""Selective execution."""

from __future__ import annotations

import pytest
from pipelines_client import condition, definition, processing

from sagemaker_provider.definition import PipelineDefinition
from sagemaker_provider.definition.selection import Selection, select

DEFINITION = PipelineDefinition.from_json(
    definition(
        processing("a"),
        processing("b", "a"),
        processing("c", "b", environment={"A": {"Get": "Steps.a.ProcessingJobName"}}),
        condition("if", {"Get": "Steps.c.ProcessingJobStatus"}, "x", [processing("yes")], []),
        processing("alone"),
    )
)


def test_what_is_selected_needs_what_is_before_it() -> None:
    assert select(DEFINITION, ["c", "if"]) == Selection(
        (), (("a", "Completed"), ("b", "Completed")), ("c", "if", "yes")
    )


@pytest.mark.parametrize(
    ("chosen", "problems"),
    [
        (["a", "c"], ("step 'b' is between selected steps and must be selected too",)),
        (["a", "alone"], ("the selected steps are not connected",)),
        (["yes"], ("step 'yes' is inside a branch or loop; select the step that holds it",)),
        (
            ["no", "yes"],
            ("the pipeline has no step 'no'", "step 'yes' is inside a branch or loop; select the step that holds it"),
        ),
    ],
)
def test_what_cannot_be_selected(chosen: list[str], problems: tuple[str, ...]) -> None:
    assert select(DEFINITION, chosen).problems == problems
