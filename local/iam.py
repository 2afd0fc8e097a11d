"""What moto's IAM lacks and the SageMaker SDK asks before it does anything: whether a role may do something.

Nothing is forbidden here, so every action is allowed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from sagemaker_provider.local.bodies import take

_SIMULATE: Final = "SimulatePrincipalPolicy"


def iam(environ: dict[str, Any], start: Callable[..., Any], moto: Any) -> Iterable[bytes]:
    """Answer a request signed for IAM."""
    request = parse_qs(take(environ).decode(errors="replace"))
    if request.get("Action") != [_SIMULATE]:
        return moto(environ, start)  # type: ignore[no-any-return]
    actions = [value for key, values in sorted(request.items()) if key.startswith("ActionNames.") for value in values]
    results = "".join(
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>*</EvalResourceName>"
        "<EvalDecision>allowed</EvalDecision></member>"
        for action in actions
    )
    text = (
        f'<{_SIMULATE}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{_SIMULATE}Result>'
        f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults></{_SIMULATE}Result>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{_SIMULATE}Response>"
    )
    start("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(text.encode())))])
    return [text.encode()]
