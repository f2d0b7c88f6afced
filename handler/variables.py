"""The names of all settings, and which other variables are a mistake in one of them; pure."""

from collections.abc import Iterable
from typing import Final

from handler.errors import SettingsError
from imaging.limits import Limits

__all__ = ["NAMES", "check_names"]

NAMES: Final = frozenset(
    {
        "CACHE_CONTROL",
        "COMPLETION_TARGET",
        "CONDITIONAL_WRITES",
        "CORS_ORIGINS",
        "CREDENTIALS_CERTIFICATES",
        "CREDENTIALS_KEY",
        "DESTINATION_BUCKET",
        "DESTINATION_KEY_TEMPLATE",
        "DYNAMODB_BUCKET_ATTRIBUTE",
        "DYNAMODB_KEY_ATTRIBUTE",
        "DYNAMODB_VERSION_ATTRIBUTE",
        "FORMER_KEY_TEMPLATES",
        "HTTP_BASE_PATH",
        "HTTP_FALLBACK_KEY",
        "LOG_LEVEL",
        "REJECTED_PREFIX",
        "RENDITIONS_CONFIG",
        "RENDITIONS_TOML",
        "SOURCE_BUCKET",
        "SOURCE_PREFIX",
        "SOURCE_REQUESTER_PAYS",
        "URL_SIGNING_KEYS",
        "URL_SIGNING_KEYS_ARN",
        "WORKER_PER_PHOTO",
        *(f"LIMIT_{name.upper()}" for name in Limits.names()),
    }
)
_OURS: Final = ("DESTINATION_", "LIMIT_", "URL_SIGNING_")
"""What begins so is nobody else's: neither Lambda's nor an SDK's."""
_FIRST_WORDS: Final = frozenset(name.partition("_")[0] for name in NAMES)
_ALIKE: Final = 0.9
"""SOURCE_BUCKETS and CORS_ORIGIN are that like a setting; HTTP_PROXY, SOURCE_REF and
CREDENTIALS_DIRECTORY, which mean something else, are not."""


def check_names(names: Iterable[str]) -> None:
    """Raise SettingsError for a name that no setting has, if it can only be meant for one.

    The setting that was meant would have its default, and nobody would know: without
    SOURCE_BUCKET photos of any bucket are taken, without URL_SIGNING_KEYS any URL is good.

    Args:
        names: Of the environment's variables.
    """
    for name in names:
        if name in NAMES or name.partition("_")[0] not in _FIRST_WORDS:
            continue
        # Imported for a name that begins like one of ours.
        from difflib import get_close_matches

        cutoff = 0.0 if name.startswith(_OURS) else _ALIKE
        if nearest := get_close_matches(name, sorted(NAMES), n=1, cutoff=cutoff):
            raise SettingsError(
                f"{name}: expected the name of a setting, of which {nearest[0]} is the nearest, "
                "but received one that no setting has"
            )
