"""The function with one piece of the rule switched back: what the simulation has to find."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from handler.errors import DestinationAccessDeniedError, StoreArchivedError
from handler.photo import refused, removal
from handler.photo.leftovers import Leftovers
from handler.photo.manifest_store import ManifestStore
from handler.s3.source import S3Source
from handler.version import SourceVersion
from tests.model import scenarios
from tests.model.attempts import ASKS_AGAIN, ASKS_AT_DELETION, CHECKS_PLACE
from tests.model.scenarios import BUCKET_IS_OF_VERSION, MERGES, NULL_IS_NO_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handler.photo.manifest import Manifest

REJECTS_WHAT_IS_REFUSED: Final = "what S3 refuses is rejected"
HOLDS_KEYS: Final = "a manifest is of one key"
SEES_ARCHIVES: Final = "an archived manifest is a lost one"
MEETS_UNNAMED: Final = "what is in the way tells of more"

PIECES: Final = (
    REJECTS_WHAT_IS_REFUSED,
    HOLDS_KEYS,
    SEES_ARCHIVES,
    CHECKS_PLACE,
    MEETS_UNNAMED,
    MERGES,
    ASKS_AGAIN,
    ASKS_AT_DELETION,
    NULL_IS_NO_VERSION,
    BUCKET_IS_OF_VERSION,
)


_read: Final = ManifestStore._read


def _read_or_be_denied(store: ManifestStore, *arguments: Any) -> Manifest | None:  # noqa: ANN401
    try:
        return _read(store, *arguments)
    except StoreArchivedError as error:
        raise DestinationAccessDeniedError(str(error)) from error


_INSTEAD: Final[dict[str, tuple[object, str, Any]]] = {
    REJECTS_WHAT_IS_REFUSED: (refused, "refused_version", lambda _: None),
    HOLDS_KEYS: (SourceVersion, "is_of_key", lambda *_: True),
    SEES_ARCHIVES: (ManifestStore, "_read", _read_or_be_denied),
    CHECKS_PLACE: (ManifestStore, "check_place", lambda _: None),
    MEETS_UNNAMED: (Leftovers, "has_met_unnamed", property(lambda _: False, lambda *_: None)),
    ASKS_AGAIN: (S3Source, "check_current", lambda _: None),
    ASKS_AT_DELETION: (removal, "present_event", lambda *_: None),
}


@contextmanager
def switched_back(piece: str) -> Iterator[None]:
    """Within: the function goes without ``piece``."""
    with ExitStack() as stack:
        stack.enter_context(scenarios.switched_back(piece))
        if piece in _INSTEAD:
            stack.enter_context(mock.patch.object(*_INSTEAD[piece], create=True))
        yield
