"""The function with one piece of the rule switched back: what the simulation has to find."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from handler.photo import removal
from handler.photo.manifest_store import ManifestStore
from handler.s3.source import S3Source
from tests.model import scenarios
from tests.model.attempts import ASKS_AGAIN, ASKS_AT_DELETION, READS_LIST
from tests.model.scenarios import BUCKET_IS_OF_VERSION, MERGES, NULL_IS_NO_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECES: Final = (
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


_INSTEAD: Final[dict[str, tuple[object, str, Callable[..., Any]]]] = {
    READS_LIST: (ManifestStore, "read_kept", _take_for_empty),
    ASKS_AGAIN: (S3Source, "check_current", lambda _: None),
    ASKS_AT_DELETION: (removal, "present_event", lambda _: None),
}


@contextmanager
def switched_back(piece: str) -> Iterator[None]:
    """Within: the function goes without ``piece``."""
    with ExitStack() as stack:
        stack.enter_context(scenarios.switched_back(piece))
        if piece in _INSTEAD:
            stack.enter_context(mock.patch.object(*_INSTEAD[piece]))
        yield
