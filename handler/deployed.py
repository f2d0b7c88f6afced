"""What a deployed stack says of itself, for the commands that work beside it."""

import os
from typing import Any, Final

__all__ = ["environment_beside", "settings_from", "stack_outputs"]

_VARIABLES: Final = {
    "DestinationBucket": "DESTINATION_BUCKET",
    "FormerKeyTemplates": "FORMER_KEY_TEMPLATES",
    "KeyTemplate": "DESTINATION_KEY_TEMPLATE",
    "SourcePrefix": "SOURCE_PREFIX",
    "SourceRequesterPays": "SOURCE_REQUESTER_PAYS",
}
"""Outputs of the stack that are settings of the function."""
_OF_URLS: Final = {"URL_SIGNING_KEYS", "URL_SIGNING_KEYS_ARN"}


def stack_outputs(session: Any, stack: str | None) -> dict[str, str]:  # noqa: ANN401 - boto3's
    """Return the outputs of ``stack``; none where none is named."""
    if not stack:
        return {}
    described = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}


def settings_from(outputs: dict[str, str]) -> dict[str, str]:
    """Return those of the outputs that are settings, as environment variables."""
    return {_VARIABLES[name]: value for name, value in outputs.items() if name in _VARIABLES}


def environment_beside(outputs: dict[str, str]) -> dict[str, str]:
    """Return the environment with the stack's settings, and without the keys that sign URLs.

    A command answers no URL, and who runs it need not be allowed to read the secret.
    """
    environ = {**os.environ, **settings_from(outputs)}
    return {name: value for name, value in environ.items() if name not in _OF_URLS}
