"""What the function asks of S3 for each trigger, request by request.

The order of the requests is that of `handler/photo/making.py` and `removal.py`, what is decided
between them is decided by the same functions. A generator is one attempt: it gives requests, is
sent the answers, and ends when the attempt does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from handler.errors import PoisonPhotoError
from handler.photo import manifest as manifests
from handler.photo import rule
from handler.photo.manifest import Announced, Kept, Manifest, Verdict
from handler.photo.rule import Addition, Draft, Found, GivenUp, Rejection, Removal, WholeSet
from handler.version import SourceVersion

from .world import (
    SETS,
    AskPhoto,
    DeleteFile,
    Kind,
    Look,
    LookAtFile,
    Photo,
    PutFile,
    Read,
    Unwrite,
    Write,
    version_of,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from .world import Request

_ASKED: Final = "set"
_POISON: Final = PoisonPhotoError.code
_CANDIDATES: Final = tuple(sorted({key for keys in SETS.values() for key in keys}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A notification: it comes again until it was handled."""

    name: str
    version: SourceVersion
    is_deletion: bool
    is_first: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Somebody asks for the whole set; comes again, too."""

    name: str
    bucket: str = "photos"
    is_first: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """A client asks for some renditions; nobody asks again if the process ends."""

    name: str
    stems: tuple[str, ...] = ("small",)
    bucket: str = "photos"


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Who takes the version, or whatever is there, for poison; others may be making it still."""

    name: str
    version: SourceVersion = field(default_factory=lambda: SourceVersion(bucket="photos"))


Trigger: TypeAlias = Event | Job | Http | GiveUp
Piece: TypeAlias = str
Steps: TypeAlias = "Generator[Request, Any, None]"
Attempted: TypeAlias = "Generator[Request, Any, bool]"

ASKS_AGAIN: Final = "a writer that lost asks for the photo again"
CHECKS_PLACE: Final = "a writer checks whose place it is"
READS_LIST: Final = "the list is read before it is replaced"
ASKS_AT_DELETION: Final = "a deletion asks for the photo"
TAKES_PLACE: Final = "where no tombstone is written, the place is taken before S3 is asked"


class _EndedError(Exception):
    """The attempt is over: superseded, or refused."""


class _OtherSourceError(Exception):
    """The place is another bucket's."""


class _AgainError(Exception):
    """The attempt is given up, and its trigger comes again."""


class Attempt:
    """One attempt.

    Args:
        trigger: what it is about.
        without: the pieces of the rule that it does not keep.
        has_slash: the photo's key ends in one.
    """

    def __init__(
        self,
        trigger: Trigger,
        without: frozenset[Piece] = frozenset(),
        *,
        has_slash: bool = False,
    ) -> None:
        self._trigger = trigger
        self._without = without
        self._has_slash = has_slash
        self._etag: int | None = None
        self._manifest: Manifest | None = None
        self._proven = False
        self._removed: set[str | None] = set()

    def steps(self) -> Attempted:
        """Give the requests, one after another; return whether the trigger has to come again."""
        try:
            yield from self._work_until_true()
        except _AgainError:
            return True
        return False

    def _work_until_true(self) -> Steps:
        trigger = self._trigger
        while True:
            try:
                yield from self._work(trigger)
            except _EndedError:
                is_over = True
            except _OtherSourceError:
                if not (yield from self._is_free_by_now(_bucket_of(trigger))):
                    return
                is_over = False
            else:
                return
            bucket = _bucket_of(trigger)
            is_first = self._trigger.is_first if isinstance(self._trigger, Event | Job) else True
            photo = None if is_first and not self._removed else (yield AskPhoto(bucket))
            if photo is None or not (yield from self._is_robbed(bucket, photo)):
                if is_over:
                    return
                continue
            version = version_of(bucket, photo)
            if isinstance(trigger, Event):
                version = replace(version, sequencer=trigger.version.sequencer)
            trigger = Event(name=trigger.name, version=version, is_deletion=False)

    def _is_robbed(self, bucket: str, photo: Photo) -> Generator[Request, Any, bool]:
        if photo.name in self._removed:
            return True
        own = self._trigger
        if isinstance(own, Event) and not own.is_first and not own.is_deletion:
            is_own = own.version.is_same(version_of(bucket, photo))
            if is_own:
                self._removed.add(photo.name)
                return True
        yield from self._read()
        manifest = self._manifest
        if manifest is None or not manifest.version.is_same(version_of(bucket, photo)):
            return False
        for one in manifest.kept or ():
            found = yield LookAtFile(one.key)
            if found is None or found.etag != one.etag:
                self._removed.add(photo.name)
                return True
        return False

    def _is_free_by_now(self, bucket: str) -> Generator[Request, Any, bool]:
        """Give up a place that is another's; tell whether that may have changed meanwhile."""
        if self._is_of_another(bucket):
            if (yield from self._withdraw_of_another(bucket)):
                return True
            yield from self._read_list()
            if not self._is_of_another(bucket):
                return True
            if isinstance(self._trigger, Event | Job):
                yield from self._remove_every(bucket)
            return bool(self._removed) and not (yield from self._write_again())
        if not (yield from self._withdraw(bucket)):
            return True
        if self._is_held():
            return True
        for key in _CANDIDATES:
            found = yield LookAtFile(key)
            if found is not None and not found.version.is_of_bucket(bucket):
                return False
        return True

    def _is_of_another(self, bucket: str) -> bool:
        return self._manifest is not None and self._manifest.is_of_another(bucket)

    def _withdraw(self, bucket: str) -> Generator[Request, Any, bool]:
        """Remove a manifest that only announces, and what it announces; False if it was written."""
        yield from self._read()
        manifest = self._manifest
        if manifest is None or manifest.deleted or self._is_held():
            return True
        if manifest.is_of_another(bucket):
            return True
        yield from self._remove_named(manifest.announced, manifest)
        assert self._etag is not None
        is_gone: bool = yield Unwrite(self._etag)
        return is_gone

    def _write_again(self) -> Generator[Request, Any, bool]:
        assert self._manifest is not None
        written = yield Write(self._manifest, self._etag)
        if written is None:
            yield from self._read()
            return False
        self._etag = written
        return True

    def _withdraw_of_another(self, bucket: str) -> Generator[Request, Any, bool]:
        """Do the same for another bucket's photo where a rendition of this one has the place."""
        if not self._announces_for_another(bucket) or not (yield from self._has_own(bucket)):
            return False
        yield from self._read()
        if self._manifest is not None and self._announces_for_another(bucket):
            yield from self._remove_named(self._manifest.announced, self._manifest)
            assert self._etag is not None
            yield Unwrite(self._etag)
        return True

    def _announces_for_another(self, bucket: str) -> bool:
        manifest = self._manifest
        if manifest is None or manifest.version.is_of_photo:
            return False
        return manifest.is_of_another(bucket)

    def _has_own(self, bucket: str) -> Generator[Request, Any, bool]:
        for key in _CANDIDATES:
            found = yield LookAtFile(key)
            if found is not None and found.version.bucket == bucket:
                return True
        return False

    def _work(self, trigger: Trigger) -> Steps:
        match trigger:
            case Event(version=version, is_deletion=True):
                yield from self._remove(version)
            case Event(version=version):
                yield from self._make(version)
            case Job(bucket=bucket):
                yield from self._make(SourceVersion(bucket=bucket))
            case Http(bucket=bucket, stems=stems):
                yield from self._make_some(bucket, stems)
            case GiveUp(version=version):
                yield from self._give_up(version)

    # The manifest

    def _look(self) -> Steps:
        self._keep((yield Look()))

    def _read(self) -> Steps:
        self._keep((yield Read()))

    def _keep(self, answer: tuple[int, Manifest] | None) -> None:
        self._etag, self._manifest = answer or (None, None)
        self._proven = False

    def _is_held(self) -> bool:
        version = self._manifest.version if self._manifest is not None else SourceVersion()
        return version.is_of_photo and version.bucket == _bucket_of(self._trigger)

    def _check_place(self) -> None:
        bucket = _bucket_of(self._trigger)
        if CHECKS_PLACE in self._without or self._manifest is None:
            return
        if self._manifest.is_of_another(bucket):
            raise _OtherSourceError

    def _read_list(self) -> Steps:
        if self._manifest is None or self._manifest.kept is not None:
            return
        if READS_LIST in self._without:
            self._manifest = replace(self._manifest, kept=())
            return
        looked_at, proven = self._etag, self._proven
        yield from self._read()
        self._proven = proven and self._etag == looked_at

    def _check_current(self, version: SourceVersion) -> Steps:
        if ASKS_AGAIN in self._without:
            return
        assert version.bucket is not None
        photo = yield AskPhoto(version.bucket)
        if photo is None or not version_of(version.bucket, photo).is_same(version):
            raise _EndedError

    def _prove(self, version: SourceVersion, kept: Iterable[Kept] = ()) -> Steps:
        while self._has_slash and TAKES_PLACE not in self._without and self._manifest is None:
            taken = rule.taken(None, SourceVersion(bucket=version.bucket))
            written = yield Write(taken, None)
            if written is None:
                yield from self._read()
            else:
                self._etag, self._manifest = written, taken
            self._proven = False
        self._check_place()
        if self._proven:
            return
        try:
            yield from self._check_current(version)
        except _EndedError:
            yield from self._give_back()
            raise
        for one in kept:
            found = yield LookAtFile(one.key)
            if found is None or found.etag != one.etag:
                raise _AgainError
        self._proven = True

    def _give_back(self) -> Steps:
        taken = rule.taken(None, SourceVersion(bucket=_bucket_of(self._trigger)))
        if self._manifest != taken:
            return
        yield from self._read()
        if self._manifest == taken and self._etag is not None:
            yield Unwrite(self._etag)

    def _write(self, draft: Draft) -> Generator[Request, Any, bool]:
        self._check_place()
        before = self._manifest
        after = rule.merged(before, draft)
        if before is not None:
            yield from self._remove_named(rule.left_behind(before, after), before)
        if isinstance(draft, Removal | Rejection | GivenUp):
            is_anothers = yield from self._remove_unnamed(after)
            if is_anothers and not isinstance(draft, Removal) and not self._is_held():
                raise _OtherSourceError
        written = yield Write(after, self._etag)
        if written is None:
            yield from self._read()
            return False
        self._etag, self._manifest = written, after
        return True

    def _remove_named(self, named: Iterable[Kept | Announced], before: Manifest) -> Steps:
        for one in named:
            found = yield LookAtFile(one.key)
            if found is not None and rule.is_named(one, found, before):
                self._removed.add(found.version.etag)
                yield DeleteFile(one.key, found.etag)

    def _remove_unnamed(self, manifest: Manifest) -> Generator[Request, Any, bool]:
        """Remove what is outdated; tell whether another bucket's rendition is there."""
        named = {one.key: one.etag for one in manifest.kept or ()}
        files: dict[str, Found] = {}
        for key in _CANDIDATES:
            found = yield LookAtFile(key)
            if key in named and (found is None or found.etag != named[key]):
                self._removed.add(manifest.version.etag)
            if found is not None and found.etag != named.get(key):
                files[key] = found
        if not files:
            return False
        bucket = _bucket_of(self._trigger)
        photo = yield AskPhoto(bucket)
        present = SourceVersion() if photo is None else version_of(bucket, photo)
        for key, found in files.items():
            if rule.is_outdated(found, present, bucket):
                self._removed.add(found.version.etag)
                yield DeleteFile(key, found.etag)
        return any(not one.version.is_of_bucket(bucket) for one in files.values())

    def _remove_every(self, bucket: str) -> Steps:
        for key in _CANDIDATES:
            found = yield LookAtFile(key)
            if found is not None and found.version.bucket == bucket:
                self._removed.add(found.version.etag)
                yield DeleteFile(key, found.etag)

    def _commit(self, draft: Draft) -> Steps:
        kept = draft.kept if isinstance(draft, WholeSet | Addition) else ()
        try:
            yield from self._prove(draft.version, kept)
            while not (yield from self._write(draft)):
                yield from self._prove(draft.version, kept)
        except (_EndedError, _OtherSourceError):
            yield from self._remove_own(kept)
            raise

    def _remove_own(self, made: Iterable[Kept]) -> Steps:
        for one in made:
            found = yield LookAtFile(one.key)
            if found is not None and found.etag == one.etag:
                self._removed.add(found.version.etag)
                yield DeleteFile(one.key, found.etag)

    # The photo

    def _make(self, named: SourceVersion) -> Steps:
        assert named.bucket is not None
        yield from self._look()
        unless: SourceVersion | None = None
        self._check_place()
        if self._manifest is not None and named.etag not in self._removed:
            match (yield from self._judge(named)):
                case Verdict.UNCHANGED:
                    yield from self._unchanged(self._manifest)
                    return
                case Verdict.SUPERSEDED:
                    yield from self._superseded()
                case Verdict.UNCHANGED_IF_CURRENT:
                    unless = self._manifest.version
        photo = yield AskPhoto(named.bucket)
        if photo is None or _names_another(named, version_of(named.bucket, photo)):
            yield from self._leave(named)
            if isinstance(self._trigger, Job):
                yield from self._read_list()
                nothing = Manifest(version=SourceVersion(), deleted=True)
                yield from self._remove_unnamed(self._manifest or nothing)
            yield from self._give_back()
            raise _EndedError
        version = replace(version_of(named.bucket, photo), sequencer=named.sequencer)
        if unless is not None and self._manifest is not None and version.is_same(unless):
            yield from self._unchanged(self._manifest)
            return
        self._proven = True
        yield from self._read_list()
        yield from self._prove(version)
        if isinstance(self._trigger, Job) and self._is_rejected(version):
            return
        if photo.kind is Kind.TEXT:
            yield from self._commit(_rejection(version))
            return
        kept = yield from self._store(photo, version, SETS[photo.kind])
        yield from self._commit(WholeSet(version=version, made=_ASKED, kept=kept))

    def _is_rejected(self, version: SourceVersion) -> bool:
        manifest = self._manifest
        is_same = manifest is not None and version.is_same(manifest.version)
        return is_same and manifest is not None and manifest.rejected is not None

    def _judge(self, named: SourceVersion) -> Generator[Request, Any, Verdict]:
        verdict = self._judged(named)
        is_there = self._manifest is not None and not self._manifest.deleted
        if is_there and (verdict is Verdict.MAKE or self._is_in_doubt()):
            yield from self._read()
            self._check_place()
            verdict = self._judged(named)
        is_done = verdict in {Verdict.UNCHANGED, Verdict.UNCHANGED_IF_CURRENT}
        if is_done and self._is_in_doubt() and not (yield from self._is_whole()):
            return Verdict.MAKE
        return verdict

    def _is_in_doubt(self) -> bool:
        trigger = self._trigger
        if isinstance(trigger, Http | GiveUp):
            return False
        return not trigger.is_first or (isinstance(trigger, Event) and trigger.is_deletion)

    def _is_whole(self) -> Generator[Request, Any, bool]:
        for one in (self._manifest.kept if self._manifest is not None else None) or ():
            found = yield LookAtFile(one.key)
            if found is None or found.etag != one.etag:
                return False
        return True

    def _judged(self, named: SourceVersion) -> Verdict:
        if self._manifest is None:
            return Verdict.MAKE
        return manifests.judge(named, self._manifest, _ASKED)

    def _unchanged(self, manifest: Manifest) -> Steps:
        if manifest.rejected is None:
            return
        if manifest.rejected == _POISON or not self._comes_again(manifest.version):
            yield from self._remove_unnamed(manifest)

    def _comes_again(self, version: SourceVersion) -> bool:
        trigger = self._trigger
        return isinstance(trigger, Event) and trigger.version.is_same(version)

    def _leave(self, named: SourceVersion) -> Steps:
        """Remove what was left of a version that is not there."""
        if named.etag is None and named.version_id is None:
            return
        for key in _CANDIDATES:
            found = yield LookAtFile(key)
            if found is not None and found.version.is_same(named):
                self._removed.add(found.version.etag)
                yield DeleteFile(key, found.etag)

    def _make_some(self, bucket: str, stems: tuple[str, ...]) -> Steps:
        yield from self._read()
        manifest = self._manifest
        self._check_place()
        photo = yield AskPhoto(bucket)
        if photo is None:
            return
        self._proven = True
        version = version_of(bucket, photo)
        is_same = manifest is not None and version.is_same(manifest.version)
        if photo.kind is Kind.TEXT:
            if manifest is None or not is_same or not manifest.kept:
                yield from self._commit(_rejection(version))
            return
        keys = [key for key in SETS[photo.kind] if key.split(".")[0] in stems]
        kept = yield from self._store(photo, version, keys)
        yield from self._commit(Addition(version=version, names=stems, kept=kept))

    def _give_up(self, named: SourceVersion) -> Steps:
        assert named.bucket is not None
        yield from self._read()
        self._check_place()
        photo = yield AskPhoto(named.bucket)
        if photo is None or _names_another(named, version_of(named.bucket, photo)):
            return
        self._proven = True
        version = replace(version_of(named.bucket, photo), sequencer=named.sequencer)
        yield from self._prove(version)
        draft = GivenUp(
            rejection=Rejection(version=version, made=_ASKED, code=_POISON, reason=""),
            announced=tuple(Announced(key=key, version=version.name) for key in _CANDIDATES),
        )
        # If another has written meanwhile, it finds no mark when it comes again.
        yield from self._write(draft)

    def _store(
        self, photo: Photo, version: SourceVersion, keys: Iterable[str]
    ) -> Generator[Request, Any, tuple[Kept, ...]]:
        """Store the renditions, or take over what another attempt has stored."""
        keys = list(keys)
        if not self._comes_again(version):
            yield from self._announce(keys, version)
        kept: list[Kept] = []
        before = (
            {one.key: one.etag for one in (self._manifest.kept or ())} if self._manifest else {}
        )
        for key in keys:
            ours = Found(etag=f"{photo.name}/{key}", version=version)
            over = before.get(key)
            if over is not None and self._manifest is not None:
                self._removed.add(self._manifest.version.etag)
            while not (yield PutFile(key, ours, over)):
                present = yield LookAtFile(key)
                if present is not None and version.is_same(present.version):
                    break
                try:
                    if present is not None:
                        yield from self._check_replaceable(present)
                    yield from self._check_current(version)
                except (_EndedError, _OtherSourceError):
                    yield from self._remove_own(kept)
                    raise
                over = present.etag if present is not None else None
                if present is not None:
                    # Replaced is removed.
                    self._removed.add(present.version.etag)
            kept.append(Kept(key=key, etag=ours.etag))
        return tuple(kept)

    def _check_replaceable(self, present: Found) -> Steps:
        if present.version.is_of_bucket(_bucket_of(self._trigger)):
            return
        if not self._is_held():
            raise _OtherSourceError
        answer = yield Look()
        if answer is None or answer[0] != self._etag:
            raise _AgainError

    def _announce(self, keys: list[str], version: SourceVersion) -> Steps:
        while True:
            yield from self._prove(version)
            before = rule.taken(self._manifest, SourceVersion(bucket=version.bucket))
            ours = (Announced(key=key, version=version.name) for key in keys)
            new = tuple(one for one in ours if one not in before.announced)
            if not new:
                return
            after = replace(before, announced=(*before.announced, *new))
            written = yield Write(after, self._etag)
            if written is not None:
                self._etag, self._manifest = written, after
                return
            yield from self._read()

    def _superseded(self) -> Steps:
        yield from self._read_list()
        if (manifest := self._manifest) is not None:
            yield from self._remove_unnamed(manifest)
        raise _EndedError

    def _tell(self, left: SourceVersion) -> Generator[Request, Any, bool]:
        """Write the manifest of the version that is left again; tell whether it is as it was."""
        before = self._manifest
        if before is None or not before.version.is_same(left):
            return True
        if not before.version.covers(left):
            after = rule.covering(before, left)
            written = yield Write(after, self._etag)
            if written is None:
                yield from self._read()
                return False
            self._etag, self._manifest = written, after
        return True

    def _remove(self, gone: SourceVersion) -> Steps:
        assert gone.bucket is not None
        yield from self._read()
        while True:
            manifest = self._manifest
            self._check_place()
            if manifest is not None and gone.precedes(manifest.version):
                yield from self._superseded()
            if ASKS_AT_DELETION not in self._without:
                photo = yield AskPhoto(gone.bucket)
                if photo is not None:
                    named = replace(version_of(gone.bucket, photo), sequencer=gone.sequencer)
                    if (yield from self._tell(named)):
                        yield from self._make(named)
                        return
                    continue
            if self._has_slash and manifest is None:
                nothing = Manifest(version=SourceVersion(), deleted=True)
                yield from self._remove_unnamed(nothing)
                return
            self._proven = True
            if (yield from self._write(Removal(version=replace(gone, etag=None, version_id=None)))):
                return


def _bucket_of(trigger: Trigger) -> str:
    bucket = trigger.version.bucket if isinstance(trigger, Event | GiveUp) else trigger.bucket
    assert bucket is not None
    return bucket


def _names_another(named: SourceVersion, version: SourceVersion) -> bool:
    names_one = named.etag is not None or named.version_id is not None
    return names_one and not named.is_same(version)


def _rejection(version: SourceVersion) -> Rejection:
    return Rejection(version=version, made=_ASKED, code="no-photo", reason="")
