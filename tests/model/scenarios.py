"""What is tried, and the pieces of the rule that it takes."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import handler.version
from handler.photo import rule
from handler.photo.manifest import Manifest
from handler.photo.rule import Addition, Draft, GivenUp
from handler.version import SourceVersion

from .attempts import ASKS_AGAIN, ASKS_AT_DELETION, READS_LIST, TAKES_PLACE, GiveUp, Http, Job
from .search import Scenario
from .world import Buckets, Delete, DeleteNewest, Kind, Put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PNG: Final = Put(name="a", kind=Kind.PNG)
_JPEG: Final = Put(name="b", kind=Kind.JPEG)
_TEXT: Final = Put(name="t", kind=Kind.TEXT)
_HTTP: Final = Http(name="http")
_HTTP_LARGE: Final = Http(name="http large", stems=("large",))
_JOB: Final = Job(name="job")
_GIVE_UP: Final = GiveUp(name="give up")
_LATER: Final = GiveUp(
    name="a later delivery", version=SourceVersion(bucket="photos", etag="a", sequencer="01")
)


def _of_any_bucket(buckets: Buckets) -> dict[str, Scenario]:
    scenarios = {
        "put": Scenario(buckets=buckets, changes=(_PNG,), others=(_HTTP, _HTTP_LARGE)),
        "put, job": Scenario(buckets=buckets, changes=(_PNG,), others=(_JOB,), crashes=1),
        "replaced": Scenario(buckets=buckets, changes=(_PNG, _JPEG), crashes=1),
        "replaced, twice": Scenario(buckets=buckets, changes=(_PNG, _JPEG), repeats=1),
        "replaced, HTTP": Scenario(buckets=buckets, changes=(_PNG, _JPEG), others=(_HTTP,)),
        "replaced by text": Scenario(buckets=buckets, changes=(_PNG, _TEXT), crashes=1),
        "deleted": Scenario(buckets=buckets, changes=(_PNG, Delete()), crashes=1),
        "deleted, HTTP": Scenario(buckets=buckets, changes=(_PNG, Delete()), others=(_HTTP,)),
    }
    scenarios["given up"] = Scenario(buckets=buckets, changes=(_PNG,), others=(_LATER,), crashes=1)
    scenarios["replaced, given up"] = Scenario(
        buckets=buckets, changes=(_PNG, _JPEG), others=(_LATER,)
    )
    scenarios["deleted, given up"] = replace(scenarios["deleted"], others=(_GIVE_UP,))
    scenarios["deleted, with a slash"] = replace(scenarios["deleted"], has_slash=True)
    return {f"{buckets}: {name}": scenario for name, scenario in scenarios.items()}


QUICK: Final = {
    name: scenario for buckets in Buckets for name, scenario in _of_any_bucket(buckets).items()
} | {
    "suspended: another photo of the same size": Scenario(
        buckets=Buckets.SUSPENDED, changes=(_PNG, Put(name="c", kind=Kind.PNG)), others=(_HTTP,)
    ),
    "plain: replaced by text, which a job tells": Scenario(
        buckets=Buckets.PLAIN, changes=(_PNG, replace(_TEXT, sends_job=True))
    ),
    "plain: replaced by another format, which a job tells": Scenario(
        buckets=Buckets.PLAIN, changes=(_PNG, replace(_JPEG, sends_job=True))
    ),
    "plain: two buckets": Scenario(
        buckets=Buckets.PLAIN, changes=(_PNG, replace(_JPEG, bucket="other"))
    ),
}
"""Some seconds for each; the tests run them."""

LONG: Final = {
    name: scenario
    for buckets in Buckets
    for name, scenario in {
        f"{buckets}: replaced, deleted": Scenario(buckets=buckets, changes=(_PNG, _JPEG, Delete())),
        f"{buckets}: replaced, deleted, a process ends": Scenario(
            buckets=buckets, changes=(_PNG, _JPEG, Delete()), crashes=1
        ),
        f"{buckets}: replaced, deleted, HTTP": Scenario(
            buckets=buckets, changes=(_PNG, _JPEG, Delete()), others=(_HTTP,)
        ),
        f"{buckets}: replaced, HTTP in its format": Scenario(
            buckets=buckets, changes=(_PNG, _JPEG), others=(_HTTP_LARGE,)
        ),
        f"{buckets}: replaced, job": Scenario(
            buckets=buckets, changes=(_PNG, _JPEG), others=(_JOB,)
        ),
        f"{buckets}: deleted, job": Scenario(
            buckets=buckets, changes=(_PNG, Delete()), others=(_JOB,)
        ),
        f"{buckets}: given up, HTTP": Scenario(
            buckets=buckets, changes=(_PNG,), others=(_GIVE_UP, _HTTP), crashes=1
        ),
        f"{buckets}: replaced by text, job": Scenario(
            buckets=buckets, changes=(_PNG, _TEXT), others=(_JOB,)
        ),
    }.items()
} | {
    "plain: deleted, HTTP, with a slash": Scenario(
        buckets=Buckets.PLAIN, changes=(_PNG, Delete()), others=(_HTTP,), has_slash=True
    ),
    "plain: deleted, put again, with a slash": Scenario(
        buckets=Buckets.PLAIN, changes=(_PNG, Delete(), _JPEG), has_slash=True
    ),
    "plain: two buckets, a process ends": Scenario(
        buckets=Buckets.PLAIN, changes=(_PNG, replace(_JPEG, bucket="other")), crashes=1
    ),
    "plain: two buckets, one is deleted": Scenario(
        buckets=Buckets.PLAIN, changes=(_PNG, replace(_JPEG, bucket="other"), Delete())
    ),
    "versioned: deleted for good, replaced, a process ends": Scenario(
        buckets=Buckets.VERSIONED, changes=(_PNG, _TEXT, DeleteNewest(), _JPEG), crashes=1
    ),
    "versioned: deleted for good": Scenario(
        buckets=Buckets.VERSIONED, changes=(_PNG, _JPEG, DeleteNewest())
    ),
    "versioned: deleted for good, HTTP": Scenario(
        buckets=Buckets.VERSIONED, changes=(_PNG, _JPEG, DeleteNewest()), others=(_HTTP,)
    ),
    "versioned: deleted for good, a process ends": Scenario(
        buckets=Buckets.VERSIONED, changes=(_PNG, _JPEG, DeleteNewest()), crashes=1
    ),
}
"""Minutes for some; `make model`."""


# The rule, switched back piece by piece

MERGES: Final = "a writer merges"
NULL_IS_NO_VERSION: Final = "null is no version"
BUCKET_IS_OF_VERSION: Final = "a version has a bucket"
ANNOUNCES_ALL: Final = "who gives a photo up announces what others may be storing"


def _unmerged(before: Manifest | None, draft: Draft) -> Manifest:
    if isinstance(draft, Addition):
        return Manifest(version=draft.version, kept=draft.kept)
    return _merged(before, draft)


def _unannounced(before: Manifest | None, draft: Draft) -> Manifest:
    if isinstance(draft, GivenUp):
        draft = replace(draft, announced=())
    return _merged(before, draft)


_merged: Final = rule.merged

FOUND_BY: Final = {
    MERGES: "plain: put",
    READS_LIST: "plain: replaced by another format, which a job tells",
    ASKS_AGAIN: "plain: deleted, HTTP",
    ASKS_AT_DELETION: "versioned: deleted for good",
    TAKES_PLACE: "plain: deleted, with a slash",
    NULL_IS_NO_VERSION: "suspended: another photo of the same size",
    BUCKET_IS_OF_VERSION: "plain: two buckets",
    ANNOUNCES_ALL: "plain: given up",
}
"""Which scenario ends wrong without which piece."""


_INSTEAD: Final[tuple[tuple[str, object, str, Callable[..., Any]], ...]] = (
    (MERGES, rule, "merged", _unmerged),
    (ANNOUNCES_ALL, rule, "merged", _unannounced),
    (NULL_IS_NO_VERSION, handler.version, "_identity", lambda version_id: version_id),
    (BUCKET_IS_OF_VERSION, SourceVersion, "is_of_bucket", lambda *_: True),
)


@contextmanager
def switched_back(piece: str) -> Iterator[None]:
    """Within: the functions of the rule are without ``piece``, as far as it is theirs."""
    with ExitStack() as stack:
        for of_piece, owner, name, instead in _INSTEAD:
            if of_piece == piece:
                stack.enter_context(mock.patch.object(owner, name, instead))
        yield
