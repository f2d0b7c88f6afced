"""The manifest of one photo in the destination: read, and written by compare-and-swap alone."""

import logging
import secrets
from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeAlias

from botocore.exceptions import BotoCoreError

from handler.errors import (
    ConditionFailedError,
    ObjectMissingError,
    OtherSourceError,
    SourceChangedError,
    StorageError,
    StoreArchivedError,
)
from handler.objects import ObjectEvent
from handler.photo import rule
from handler.photo.destinations import manifest_key
from handler.photo.leftovers import Leftovers
from handler.photo.manifest import (
    Announced,
    Kept,
    Manifest,
    Suspect,
    UnreadableManifestError,
    manifest_from_answer,
    manifest_from_head,
)
from handler.photo.rule import Addition, Draft, Removal
from handler.s3.requests import Requests
from handler.s3.sink import Condition, condition_over
from handler.settings import Settings
from handler.version import SourceVersion, key_digest
from imaging.errors import RejectedPhotoError, RenditionsError

__all__ = ["ManifestStore", "remove_former"]

_MAX_TURNS: Final = 24
_LONGEST_PAUSE: Final = 2

_log = logging.getLogger(__name__)

_Call: TypeAlias = Callable[..., dict[str, Any]]
"""Makes one request of the destination: by the usual budget, or by that of clean-ups."""


class ManifestStore:
    """The manifest of the photo of ``event``.

    Every write depends on what was read. Whoever reads asks S3 for the photo after that, each time:
    only then does a write prove that nobody has seen a later photo (docs/failures.md).

    Attributes:
        manifest: As it was read or written last; None for none.

    *Thread*: one.
    """

    def __init__(
        self, requests: Requests, settings: Settings, event: ObjectEvent, leftovers: Leftovers
    ) -> None:
        self._requests = requests
        self._settings = settings
        self._event = event
        self._leftovers = leftovers
        self._key = manifest_key(event, settings)
        self._where = {"Bucket": settings.destination_bucket, "Key": self._key}
        self._place = SourceVersion(bucket=event.bucket, key_digest=key_digest(event.key))
        # Of what was read last; None for nothing.
        self._etag: str | None = None
        # Of the lost list beside which there was no rendition of another bucket.
        self._looked_at: str | None = None
        self._is_foreign = False
        self._is_proven = False
        # Whether a write was not answered since the last read: S3 may have done it.
        self._is_unanswered = False
        self._turns = 0
        self.manifest: Manifest | None = None

    def look(self) -> Manifest | None:
        """Return the manifest, without its list of renditions. *Cost*: one HeadObject."""
        return self._read(self._requests.of_destination, "head_object", lambda head, _: head)

    def read(self) -> Manifest | None:
        """Return the whole manifest. *Cost*: one GetObject."""
        return self._read_whole(self._requests.of_destination)

    def _read_whole(self, call: _Call) -> Manifest | None:
        try:
            return self._read(call, "get_object", self._with_body)
        except StoreArchivedError as error:
            # Without the body, which a lifecycle rule put away, it is one without a list.
            reason = f"its body is archived: {error}"
            return self._read(call, "head_object", lambda head, _: self._without_list(head, reason))

    def _read(
        self,
        call: _Call,
        operation: str,
        with_body: Callable[[Manifest, dict[str, Any]], Manifest],
    ) -> Manifest | None:
        self._is_foreign = self._is_proven = False
        try:
            answer = call(operation, **self._where)
        except ObjectMissingError:
            self._etag = self.manifest = None
            self._is_unanswered = False
            return None
        self._etag, self._is_unanswered = answer["ETag"], False
        try:
            head = self._own(manifest_from_head(answer["Metadata"]))
        except UnreadableManifestError as error:
            self._is_foreign = True
            self.manifest = self._without_list(Manifest(version=SourceVersion()), error)
        else:
            self.manifest = with_body(head, answer)
        return self.manifest

    def _own(self, manifest: Manifest) -> Manifest:
        """Return ``manifest``, unless it is of another photo: copied, or of another template."""
        if not manifest.version.is_of_key(self._event.key):
            raise UnreadableManifestError("it is of a photo under another key")
        return manifest

    def _with_body(self, head: Manifest, answer: dict[str, Any]) -> Manifest:
        try:
            return manifest_from_answer(answer)
        except UnreadableManifestError as error:
            return self._without_list(head, error)
        except (BotoCoreError, OSError) as error:
            raise StorageError(f"Expected to read {self._key} but received {error}") from error

    def _without_list(self, head: Manifest, reason: object) -> Manifest:
        """Return what ``head`` says of the photo: whatever is there must not stop it for ever.

        A rejection stands, which has no list: a look shows it too. A set is made again.
        """
        _log.warning("%s is taken for an empty manifest: %s", self._key, reason)
        empty = Manifest(version=head.version, deleted=head.deleted, lost=True)
        if head.rejected is None:
            return empty
        return replace(empty, made=head.made, rejected=head.rejected, reason=head.reason)

    def read_kept(self) -> None:
        """Read the list of renditions, where a look has left it out. *Cost*: one GetObject."""
        if self.manifest is not None and self.manifest.kept is None:
            looked_at, is_proven = self._etag, self._is_proven
            self.read()
            self._is_proven = is_proven and self._etag == looked_at

    def check_place(self) -> None:
        """Raise OtherSourceError if the manifest, as it was read last, is of another's photo.

        Whoever is about to write it, or to remove it, calls this; so does whoever would only waste
        requests on such a photo.
        """
        if self.manifest is not None and self.manifest.is_of_another(self._event.bucket):
            raise self._other_source(self.manifest.version)

    def is_of(self, version: SourceVersion) -> bool:
        """Tell whether the manifest, as it was read last, is of ``version``."""
        return self.manifest is not None and self.manifest.version.is_same(version)

    def is_of_another(self) -> bool:
        """Tell whether the manifest, as it was read last, is of another's photo."""
        return self.manifest is not None and self.manifest.is_of_another(self._event.bucket)

    def check_free(self) -> None:
        """Raise OtherSourceError if another bucket's renditions are there beside a lost list.

        Whoever is about to take the place calls this; a tombstone takes none.

        *Cost*: where the list is lost, a HeadObject for each rendition, once.
        """
        is_lost = self.manifest is not None and self.manifest.lost
        if is_lost and not self.is_held() and self._etag != self._looked_at:
            other = self._leftovers.find_other_bucket()
            if other is not None:
                raise self._other_source(other)
            self._looked_at = self._etag

    def _other_source(self, version: SourceVersion) -> OtherSourceError:
        event = self._event
        return OtherSourceError(
            f"Expected renditions of s3://{event.bucket}/{event.key} or none but those of the "
            f"same key in s3://{version.bucket} are there; give the key template a {{bucket}}"
        )

    def is_held(self) -> bool:
        """Tell whether the manifest, as it was read last, says that the place is this photo's.

        One that names no version only says that somebody was about to take it.
        """
        version = self.manifest.version if self.manifest is not None else SourceVersion()
        return version.is_of_photo and version.bucket == self._event.bucket

    def check_replaceable(self, found: SourceVersion) -> None:
        """Check that a rendition of ``found`` is this photo's to replace.

        That of a photo under another key is left from another template.
        One of another bucket is, while the manifest is this photo's: whoever stored it has read
        another manifest, and will not write its own.

        *Cost*: a HeadObject for one of another bucket. *Thread*: any, while no other writes.

        Raises:
            OtherSourceError: It has the place, with or without a manifest.
            ConditionFailedError: Another wrote the manifest meanwhile.
        """
        event = self._event
        if found.is_of_bucket(event.bucket) or not found.is_of_key(event.key):
            return
        if not self.is_held():
            raise self._other_source(found)
        if not self._is_as_read(self._requests.of_destination):
            raise ConditionFailedError(f"Expected {self._key} to be as it was; another wrote it")

    def withdraw(self) -> bool:
        """Read the manifest, and remove it if it only says what somebody was about to store.

        Tell whether nobody has written it meanwhile.

        *Cost*: a GetObject; a HeadObject and a DeleteObject for each rendition that was stored, and
        a DeleteObject.
        """
        manifest = self.read()
        if manifest is None or manifest.deleted or manifest.lost:
            return True
        if self.is_held() or self.is_of_another():
            return True
        self._leftovers.remove_named(manifest.announced, manifest)
        return self._delete()

    def withdraw_of_another(self) -> bool:
        """Do the same for another bucket's photo where a rendition of this one has the place.

        Whoever announced finds that rendition, too. Tell whether the place was taken back.

        *Cost*: none, unless the manifest only announces; else as :meth:`withdraw`, and a HeadObject
        for each rendition, up to the first one of this photo's bucket.
        """
        if not self._announces_for_another() or not self._leftovers.has_own():
            return False
        self.read()
        if self.manifest is None or not self._announces_for_another():
            return True
        self._leftovers.remove_named(self.manifest.announced, self.manifest)
        self._delete()
        return True

    def _announces_for_another(self) -> bool:
        manifest = self.manifest
        if manifest is None or manifest.lost or manifest.version.is_of_photo:
            return False
        return manifest.is_of_another(self._event.bucket)

    def asked(self) -> None:
        """Say that S3 was asked for the photo since the manifest was read."""
        self._is_proven = True

    def prove(self, ask: Callable[[], None]) -> None:
        """Ask S3 for the photo, unless that was done since the manifest was read.

        Of a folder no tombstone is written: where there is no manifest, the place of a photo whose
        key ends in a slash is taken first, and S3 is asked after that. So a deletion, or a folder,
        finds the manifest that makes it write one, or happened before S3 was asked.

        *Cost*: for such a photo, a PutObject, and a GetObject and a DeleteObject if it is gone.

        Args:
            ask: Raises if the photo is no longer the one that this attempt is about.

        Raises:
            OtherSourceError: The place is another's.
            SourceChangedError: The photo is another by now.
        """
        while self.manifest is None and self._event.key.endswith("/"):
            self.swap(rule.taken(None, self._place))
            self._is_proven = False
        self.check_place()
        if not self._is_proven:
            try:
                ask()
            except SourceChangedError:
                self.give_back()
                raise
            self._is_proven = True

    def give_back(self) -> None:
        """Remove the manifest if it only says that somebody was about to take the place.

        Its writer, if it is another, notices, and takes the place again if it has the photo.

        *Cost*: none, unless it says so by what was read last; a GetObject and a DeleteObject then.
        """
        if self.manifest == rule.taken(None, self._place) == self.read():
            self._delete()

    def condition(self, key: str) -> Condition:
        """Return what a rendition's key is expected to hold, going by the manifest as last seen."""
        if not self._settings.conditional_writes:
            return {}
        kept = self.manifest.kept or () if self.manifest is not None else ()
        etag = next((one.etag for one in kept if one.key == key), None)
        return condition_over(None if etag is None else f'"{etag}"')

    def write(self, draft: Draft) -> bool:
        """Write what ``draft`` has to say into the manifest as it was read, and remove the rest.

        Tell whether it is there now. If not, another has written meanwhile, and the manifest was
        read again: :meth:`prove` comes before the next try.

        *Cost*: one PutObject; a HeadObject and a DeleteObject for each rendition that goes.

        Raises:
            OtherSourceError: The place is another's.
            StorageError: S3 did not take it, or others write all the time.
        """
        self.check_place()
        if not isinstance(draft, Removal):
            self.check_free()
        assert self._is_proven, "S3 is asked for the photo between the read and the write"  # noqa: S101 - the rule
        before = self.manifest
        after = rule.merged(before, draft)
        if self._turns and before is not None and after == replace(before, about=after.about):
            # Written by this very request, whose answer was lost, or by another attempt.
            return True
        if before is not None:
            self._leftovers.remove_named(rule.left_behind(before, after), before)
        if not isinstance(draft, Addition):
            self._remove_former(after)
        is_lost = self._leftovers.has_met_unnamed or (before is not None and before.lost)
        if is_lost or isinstance(draft, Removal) or after.rejected is not None:
            # What no manifest names is looked for where one was lost, and where nothing would be
            # stored over it.
            other = self._leftovers.remove_unnamed(after)
            takes_place = not isinstance(draft, Removal)
            if other is not None and takes_place and not self.is_held():
                raise self._other_source(other)
        return self.swap(after)

    def remove_former(self) -> None:
        """As :func:`remove_former`; what the manifest names stays.

        *Cost*: a GetObject besides, where a look has left the list of renditions out.
        """
        if self._settings.former_key_templates:
            self.read_kept()
            self._remove_former(self.manifest)

    def _remove_former(self, manifest: Manifest | None) -> None:
        kept = manifest.kept or () if manifest is not None else ()
        named = frozenset(one.key for one in kept)
        remove_former(self._requests, self._settings, self._event, self._leftovers, named)

    def remove(self, besides: AbstractSet[str]) -> None:
        """Remove the manifest and all that is there, unless it is of a photo in another bucket.

        Args:
            besides: The keys that are in use under another template.
        """
        manifest = self.read()
        if manifest is not None and not manifest.is_of_another(self._event.bucket):
            named: tuple[Kept | Announced, ...] = (*(manifest.kept or ()), *manifest.announced)
            gone = (one for one in named if one.key not in besides)
            self._leftovers.remove_named(gone, manifest)
        self._leftovers.remove_every(self._settings, besides)
        if manifest is None or self._is_foreign or manifest.is_of_another(self._event.bucket):
            return
        self._delete()

    def _delete(self) -> bool:
        """Remove the manifest, unless another wrote it since it was read; tell whether it went."""
        condition = condition_over(self._etag) if self._settings.conditional_writes else {}
        try:
            self._requests.of_destination("delete_object", **self._where, **condition)
        except (ConditionFailedError, ObjectMissingError):
            return False
        return True

    @contextmanager
    def suspecting(self, suspect: Suspect, ask: Callable[[], None]) -> Iterator[None]:
        """Within: the manifest says that a version is being decoded.

        Any answer removes the mark; an end of the process leaves it.

        *Cost*: one PutObject, and another after any error, also where a rejection is written then;
        a GetObject besides, where S3 did not say whether it took the mark.

        Args:
            suspect: The mark.
            ask: As for :meth:`prove`.

        Raises:
            ConditionFailedError: Another wrote the manifest: it may have made the photo.
        """
        self.prove(ask)
        try:
            self._mark(suspect)
            yield
        except Exception:
            self._take_away(suspect)
            raise

    def _mark(self, suspect: Suspect) -> None:
        # Of a lost write the mark may be there all the same: only its answer was lost.
        if not self.swap(replace(self._taken(), suspect=suspect)) and not self._is_marked(suspect):
            raise ConditionFailedError(f"Expected {self._key} to be as it was; another wrote it")

    def _is_marked(self, suspect: Suspect) -> bool:
        """Tell whether the manifest, as it was read last, has the very mark ``suspect``."""
        return self.manifest is not None and self.manifest.suspect == suspect

    def _take_away(self, suspect: Suspect) -> None:
        """Take the mark away if it is there, by the budget of clean-ups alone; never raises.

        Neither the deadline nor the budget for retries ends that. A mark of another's stays. It
        says nothing of the photo, so nobody is asked for it.
        """
        call = self._requests.to_clean_up
        try:
            if self._is_unanswered:
                self._read_whole(call)
            for _ in range(_MAX_TURNS):
                if self.manifest is None or not self._is_marked(suspect):
                    return
                if self._put(replace(self.manifest, suspect=None), call):
                    return
                self._read_whole(call)
        except RenditionsError as error:
            # The error that led here counts.
            _log.warning("%s may still say that a decode is under way: %s", self._key, error)
        else:
            _log.warning("%s still says that a decode is under way; others write it", self._key)

    def announce(
        self, keys: Collection[str], version: SourceVersion, ask: Callable[[], None]
    ) -> None:
        """Name ``keys`` before anything of ``version`` is stored under them.

        For who does not come again if it ends in between: whoever comes next finds them here.

        *Cost*: one PutObject, unless it says so already.

        Args:
            keys: The renditions'.
            version: The photo's.
            ask: As for :meth:`prove`.
        """
        while (after := self._announcing(keys, version, ask)) != self.manifest:
            if self.swap(after):
                return

    def alert(self, keys: Collection[str], version: SourceVersion, ask: Callable[[], None]) -> None:
        """Do the same, and write in any case: whoever has read it before has to look again.

        *Cost*: one PutObject.
        """
        while not self.swap(self._announcing(keys, version, ask)):
            pass

    def _announcing(
        self, keys: Collection[str], version: SourceVersion, ask: Callable[[], None]
    ) -> Manifest:
        self.prove(ask)
        taken = self._taken()
        ours = (Announced(key=key, version=version.name) for key in keys)
        new = (one for one in ours if one not in taken.announced)
        return replace(taken, announced=(*taken.announced, *new))

    def _taken(self) -> Manifest:
        self.check_free()
        return rule.taken(self.manifest, self._place)

    def swap(self, after: Manifest) -> bool:
        """Write ``after`` over what was read; tell whether nobody had written meanwhile.

        If another has, the manifest was read again. The same as was read is another write: who has
        read it before finds out.

        *Cost*: one PutObject.
        """
        if self._put(after, self._requests.of_destination):
            return True
        self._read_again()
        return False

    def _put(self, after: Manifest, call: _Call) -> bool:
        """Write ``after`` over what was read; tell whether nobody had written meanwhile.

        If another has, it has to be read.
        """
        condition: Condition = {}
        if self._settings.conditional_writes:
            condition = condition_over(self._etag)
        elif not self._is_as_read(call):
            return False
        body = after.body(self._event.key, secrets.token_hex(8), self._settings.config_version)
        self._is_unanswered = True
        try:
            answer = call(
                "put_object",
                **self._where,
                **condition,
                Body=body,
                ContentType="application/json",
                # It changes with the photo, unlike the renditions of one version.
                CacheControl="no-cache",
                Metadata=after.metadata(),
            )
        except (ConditionFailedError, ObjectMissingError):
            return False
        self._etag, self.manifest, self._is_foreign = answer["ETag"], after, False
        self._is_unanswered = False
        return True

    def _is_as_read(self, call: _Call) -> bool:
        """Tell whether nobody wrote since: for a store that cannot tell while it writes."""
        try:
            answer = call("head_object", **self._where)
        except ObjectMissingError:
            return self._etag is None
        return bool(answer["ETag"] == self._etag)

    def _read_again(self) -> None:
        """Read what another wrote meanwhile. *Cost*: one GetObject, and a pause from then on."""
        self._turns += 1
        if self._turns == _MAX_TURNS:
            raise StorageError(
                f"Expected {self._key} to stay unchanged; others write it all the time"
            )
        if self._turns > 1:
            self._requests.pause(min(self._turns - 1, _LONGEST_PAUSE))
        self.read()


def remove_former(
    requests: Requests,
    settings: Settings,
    event: ObjectEvent,
    leftovers: Leftovers,
    named: AbstractSet[str] = frozenset(),
) -> None:
    """Remove what the photo has under ``FORMER_KEY_TEMPLATES``, and the manifests that name it.

    Two templates may have the same place for a photo: what is there is the present one's.

    *Cost*: for each template a GetObject, and a HeadObject for each rendition.

    Args:
        requests: Of this invocation.
        settings: With the former templates.
        event: The photo's.
        leftovers: What removes them.
        named: The keys that the present manifest names.
    """
    present = _place(event, settings)
    for template in settings.former_key_templates:
        former = replace(settings, key_template=template, former_key_templates=())
        if _place(event, former) not in {None, present}:
            ManifestStore(requests, former, event, leftovers).remove(named)


def _place(event: ObjectEvent, settings: Settings) -> str | None:
    """Return the manifest's key; None if S3 would not take it, or it would loop: for no photo."""
    try:
        return manifest_key(event, settings)
    except RejectedPhotoError:
        return None
