"""Which templates keep the type of their value. The operators and the translator ask the same question here."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from jinja2 import Undefined

_LONE = re.compile(r"\{\{(?![-+])((?:(?!\{\{|\}\}|\{%|\{#).)+)(?<![-+])\}\}", re.DOTALL)


def lone_expression(text: str) -> str | None:
    """The expression of a text that is one ``{{ expression }}`` and nothing else, without control of white space.

    Such a text keeps the type of the expression: ``"{{ params.count }}"`` is a number if the param is one. In every
    other text the values are written as text, as Jinja does.
    """
    match = _LONE.fullmatch(text)
    return match[1].strip() or None if match else None


class TypedTemplates:
    """Renders templates as Airflow does, except that a text that is one ``{{ expression }}`` keeps the expression's type.

    So ``"{{ params.count }}"`` is a number if the param is one, as it is in a pipeline. For operators, before their base class.
    """

    def render_template(self, content: Any, context: Any, jinja_env: Any = None, seen_oids: Any = None) -> Any:
        """A rendered value."""
        task: Any = self
        if isinstance(content, str) and (expression := lone_expression(content)):
            environment = jinja_env or task.get_template_env()
            value = environment.compile_expression(expression, undefined_to_none=False)(**context)
            if isinstance(value, datetime):
                return str(value)
            if not isinstance(value, Undefined):  # Airflow's own rendering says what is undefined
                return value
        rendered: Any = super()
        return rendered.render_template(content, context, jinja_env, seen_oids)
