"""What tells SAM that the function has changed, where only the value of a parameter has.

SAM publishes a version where the text of the function's properties changes, and in that text a
parameter is a name. Without more, a stack that is given more memory keeps invoking the version that
has less. So the values are part of the parameter `Revision`, which the template names.

Source: samtranslator, `SamFunction._construct_version`.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME: Final = "Revision"
_IN_TEXT: Final = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def _named(value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any part of a template
    """Yields each parameter or resource, and each condition, that a value names: section, name."""
    match value:
        case {"Ref": str(name)}:
            yield "Parameters", name
        case {"Condition": str(name)}:
            yield "Conditions", name
        case {"Fn::If": [str(name), *_]}:
            yield "Conditions", name
        case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), _]}:
            yield from (("Parameters", name) for name in _IN_TEXT.findall(text))
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _named(one)


def revision(template: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """Returns what differs whenever the template's function does.

    Args:
        template: Before SAM's transform.
        values: Of the parameters; one that is not there has its default.
    """
    function = template["Resources"]["Function"]["Properties"]
    found: dict[str, Any] = {}
    waiting = [function]
    while waiting:
        for section, name in _named(waiting.pop()):
            declared = template.get(section, {}).get(name)
            if declared is None or f"{section}.{name}" in found or name == NAME:
                continue
            if section == "Conditions":
                found[f"{section}.{name}"] = declared
                waiting.append(declared)
            else:
                found[f"{section}.{name}"] = str(values.get(name, declared.get("Default", "")))
    text = json.dumps([function, found], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
