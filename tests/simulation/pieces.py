"""The function with one piece of the rule switched back: what the simulation has to find."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from handler.errors import DestinationAccessDeniedError, StoreArchivedError
from handler.photo import making, refused, removal
from handler.photo.manifest_store import ManifestStore
from handler.photo.renditions import _Uploads
from handler.s3.source import S3Source
from handler.version import SourceVersion
from tests.model import scenarios
from tests.model.attempts import ASKS_AGAIN, ASKS_AT_DELETION, CHECKS_PLACE, READS_LIST
from tests.model.scenarios import BUCKET_IS_OF_VERSION, MERGES, NULL_IS_NO_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def _take_for_empty(store: ManifestStore) -> None:
    if store.manifest is not None and store.manifest.kept is None:
        store.manifest = replace(store.manifest, kept=())


_read: Final = ManifestStore._read


def _read_or_be_denied(store: ManifestStore, *arguments: Any) -> Manifest | None:  # noqa: ANN401
    try:
        return _read(store, *arguments)
    except StoreArchivedError as error:
        raise DestinationAccessDeniedError(str(error)) from error


def _check_replaceable(uploads: _Uploads, found: SourceVersion | None) -> None:
    if found is not None:
        uploads._attempt.manifests.check_replaceable(found)
    uploads._source.check_current()


_INSTEAD: Final[dict[str, tuple[object, str, Callable[..., Any]]]] = {
    REJECTS_WHAT_IS_REFUSED: (refused, "refused_version", lambda _: None),
    CLEARS_FOLDERS: (making, "_check_no_folder", lambda *_: None),
    HOLDS_KEYS: (SourceVersion, "is_of_key", lambda *_: True),
    SEES_ARCHIVES: (ManifestStore, "_read", _read_or_be_denied),
    CHECKS_PLACE: (ManifestStore, "check_place", lambda _: None),
    MEETS_UNNAMED: (_Uploads, "_check_replaceable", _check_replaceable),
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
            stack.enter_context(mock.patch.object(*_INSTEAD[piece]))
        yield
