"""Check steps: which files their jobs write, and which baselines they compare with.

Source: the Developer Guide's page "Baseline calculation, drift detection and lifecycle with ClarifyCheck and QualityCheck
steps", and the shape ``DriftCheckBaselines`` of the service model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

VIOLATIONS: Final = "constraint_violations.json"
"""File in which a check's job lists what it found."""

FILES: Final[Mapping[str, Mapping[str, str]]] = {
    "QualityCheck": {"Constraints": "constraints.json", "Statistics": "statistics.json"},
    "ClarifyCheck": {"Constraints": "analysis.json"},
}
"""Step type -> kind of baseline -> file that the job writes."""

BASELINES: Final[Mapping[str, Mapping[str, Mapping[str, tuple[str, str]]]]] = {
    "QualityCheck": {
        "DATA_QUALITY": {
            "Constraints": ("ModelDataQuality", "Constraints"),
            "Statistics": ("ModelDataQuality", "Statistics"),
        },
        "MODEL_QUALITY": {"Constraints": ("ModelQuality", "Constraints"), "Statistics": ("ModelQuality", "Statistics")},
    },
    "ClarifyCheck": {
        "DATA_BIAS": {"Constraints": ("Bias", "PreTrainingConstraints")},
        "MODEL_BIAS": {"Constraints": ("Bias", "PostTrainingConstraints")},
        "MODEL_EXPLAINABILITY": {"Constraints": ("Explainability", "Constraints")},
    },
}
"""Step type -> check type -> kind of baseline -> path in ``DriftCheckBaselines`` of a model package."""


class BaselineError(Exception):
    """A check needs an existing baseline, and there is none."""


def is_set(value: Any, default: bool = False) -> bool:
    """Whether a key such as ``SkipCheck`` is set; rendered templates and parameters are text."""
    if value is None:
        return default
    return value.strip().lower() == "true" if isinstance(value, str) else bool(value)


def approved_packages_request(group: str) -> dict[str, Any]:
    """The ListModelPackages request whose first answer is the latest approved package of a group."""
    return {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "Approved",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": 1,
    }


def registered_baselines(step_type: str, check_type: str, package: Mapping[str, Any]) -> dict[str, str]:
    """The baselines of a model package (a DescribeModelPackage response), by kind."""
    found = {}
    for kind, (area, member) in BASELINES[step_type][check_type].items():
        source = ((package.get("DriftCheckBaselines") or {}).get(area) or {}).get(member)
        if source:
            found[kind] = source["S3Uri"]
    return found


def need_baselines(step_type: str, found: Mapping[str, Any], *, skip: bool, register: bool) -> None:
    """Raise :class:`BaselineError` when a baseline is missing that the check will use.

    :param found: the existing baselines, by kind.
    :param skip: ``SkipCheck``: nothing is compared.
    :param register: ``RegisterNewBaseline``: the new baseline is the one used later on.
    """
    missing = [kind for kind in FILES[step_type] if not found.get(kind)]
    if missing and not (skip and register):
        raise BaselineError(
            f"no existing baseline ({', '.join(missing)}): supply it, or name a model package group with an approved package "
            "that has DriftCheckBaselines; for a first run skip the check and register a new baseline"
        )


def check_properties(step_type: str, output: str, existing: Mapping[str, str], *, register: bool) -> dict[str, str]:
    """The properties of a check step.

    :param output: S3 URI of the job's output.
    :param existing: the existing baselines, by kind.
    """
    calculated = {kind: f"{output.rstrip('/')}/{file}" for kind, file in FILES[step_type].items()}
    used = calculated if register else existing
    return {
        **{f"CalculatedBaseline{kind}": uri for kind, uri in calculated.items()},
        **{f"BaselineUsedForDriftCheck{kind}": uri for kind, uri in used.items() if uri},
    }


def violations_text(report: Mapping[str, Any], uri: str) -> str:
    """What a report of violations says, in a line; empty when it lists none."""
    found = report.get("violations") or []
    if not found:
        return ""
    shown = "; ".join(
        f"{item.get('feature_name', item.get('metric_name', ''))}: {item.get('description', '')}" for item in found[:5]
    )
    return f"{len(found)} violation(s) in {uri}: {shown}"
