"""Which templates keep the type of their value. The operators and the translator ask the same question here."""

from __future__ import annotations

import re

_LONE = re.compile(r"\{\{(?![-+])((?:(?!\{\{|\}\}|\{%|\{#).)+)(?<![-+])\}\}", re.DOTALL)


def lone_expression(text: str) -> str | None:
    """The expression of a text that is one ``{{ expression }}`` and nothing else, without control of white space.

    Such a text keeps the type of the expression: ``"{{ params.count }}"`` is a number if the param is one. In every
    other text the values are written as text, as Jinja does.
    """
    match = _LONE.fullmatch(text)
    return match[1].strip() or None if match else None
