"""The function with one piece of the rule switched back: what the simulation has to find."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from handler.errors import DestinationAccessDeniedError, StoreArchivedError
from handler.photo import making, refused, removal
from handler.photo.attempt import check_not_folder
from handler.photo.leftovers import Leftovers
from handler.photo.manifest_store import ManifestStore
from handler.s3.source import S3Source
from handler.version import SourceVersion
from tests.model import scenarios
from tests.model.attempts import ASKS_AGAIN, ASKS_AT_DELETION, CHECKS_PLACE, READS_LIST
from tests.model.scenarios import BUCKET_IS_OF_VERSION, MERGES, NULL_IS_NO_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handler.photo.attempt import Attempt
    from handler.photo.manifest import Manifest

REJECTS_WHAT_IS_REFUSED: Final = "what S3 refuses is rejected"
CLEARS_FOLDERS: Final = "a folder takes a photo's renditions"
HOLDS_KEYS: Final = "a manifest is of one key"
SEES_ARCHIVES: Final = "an archived manifest is a lost one"
MEETS_UNNAMED: Final = "what is in the way tells of more"

PIECES: Final = (
    REJECTS_WHAT_IS_REFUSED,
    CLEARS_FOLDERS,
    HOLDS_KEYS,
    SEES_ARCHIVES,
    CHECKS_PLACE,
    MEETS_UNNAMED,
    MERGES,
    READS_LIST,
    ASKS_AGAIN,
    ASKS_AT_DELETION,
    NULL_IS_NO_VERSION,
    BUCKET_IS_OF_VERSION,
)
"""What was seen to go wrong before the rule was one, and the pieces that are against it:

- an HTTP request beside a photo's event removes what the event has made: ``MERGES``;
- a job that names no version leaves the older version's renditions: ``READS_LIST``;
- a version that is deleted for good keeps its renditions: ``ASKS_AT_DELETION``; the second photo
  under the version ID ``null`` is taken for the first one: ``NULL_IS_NO_VERSION``; a deletion while
  HTTP decodes is written over: ``ASKS_AGAIN``;
- of two buckets' photos in one place, one overwrites or removes the other's renditions:
  ``BUCKET_IS_OF_VERSION`` and ``CHECKS_PLACE``.
"""


_read: Final = ManifestStore._read


def _take_for_empty(store: ManifestStore) -> None:
    """Take the list that was not read for empty, and look for nothing that it may have named.

    The latter would hide it: what is in the way of a rendition, or left of a photo that is rejected
    by now, tells of the rest.
    """
    if store.manifest is not None and store.manifest.kept is None:
        store.manifest = replace(store.manifest, kept=())
        vars(store._leftovers)["remove_unnamed"] = lambda _: None


def _leave_to_folder(attempt: Attempt, source: S3Source) -> None:
    check_not_folder(attempt.event, source.size)


def _read_or_be_denied(store: ManifestStore, *arguments: Any) -> Manifest | None:  # noqa: ANN401
    try:
        return _read(store, *arguments)
    except StoreArchivedError as error:
        raise DestinationAccessDeniedError(str(error)) from error


_INSTEAD: Final[dict[str, tuple[object, str, Any]]] = {
    REJECTS_WHAT_IS_REFUSED: (refused, "refused_version", lambda _: None),
    CLEARS_FOLDERS: (making, "_check_no_folder", _leave_to_folder),
    HOLDS_KEYS: (SourceVersion, "is_of_key", lambda *_: True),
    SEES_ARCHIVES: (ManifestStore, "_read", _read_or_be_denied),
    CHECKS_PLACE: (ManifestStore, "check_place", lambda _: None),
    MEETS_UNNAMED: (Leftovers, "has_met_unnamed", property(lambda _: False, lambda *_: None)),
    READS_LIST: (ManifestStore, "read_kept", _take_for_empty),
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
