"""What the destination holds of one photo: looked up, committed, swept; see docs/failures.md."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from botocore.exceptions import BotoCoreError

from handler.errors import (
    ConditionFailedError,
    ObjectMissingError,
    SourceChangedError,
    StorageError,
)
from handler.events.objects import ObjectEvent
from handler.photo.destinations import candidate_keys, record_key
from handler.photo.lineage import Lineage, lineage_from_metadata
from handler.photo.manifest import Kept, Record, record_from_object
from handler.s3.requests import Requests
from handler.s3.sink import Condition, condition_over
from handler.settings import Settings

__all__ = ["Ledger"]

_MAX_TURNS: Final = 5


class Ledger:
    """The record of the photo of ``event``, and the renditions that it speaks of.

    *Thread*: one.
    """

    def __init__(self, requests: Requests, settings: Settings, event: ObjectEvent) -> None:
        self._requests = requests
        self._settings = settings
        self._event = event
        self._key = record_key(event, settings)
        # What stands under the key, as far as is known here; None for nothing.
        self._etag: str | None = None
        self.record: Record | None = None

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._settings.destination_bucket, "Key": key}

    def look(self) -> Record | None:
        """Return the record without its list of renditions. *Cost*: one HeadObject."""
        try:
            answer = self._requests.of_destination("head_object", **self._where(self._key))
        except ObjectMissingError:
            self._etag = self.record = None
        else:
            self._etag = answer["ETag"]
            self.record = record_from_object(answer["Metadata"], None)
        return self.record

    def read(self) -> Record | None:
        """Return the whole record. *Cost*: one GetObject."""
        try:
            answer = self._requests.of_destination("get_object", **self._where(self._key))
        except ObjectMissingError:
            self._etag = self.record = None
        else:
            self._etag = answer["ETag"]
            try:
                body = answer["Body"].read()
            except (BotoCoreError, OSError) as error:
                raise StorageError(f"Expected to read {self._key} but received {error}") from error
            self.record = record_from_object(answer["Metadata"], body)
        return self.record

    def condition(self, key: str) -> Condition:
        """Return what a rendition's key is expected to hold, going by the record as last seen."""
        if not self._settings.conditional_writes:
            return {}
        kept = self.record.kept if self.record is not None and not self.record.deleted else ()
        return condition_over(next((f'"{one.etag}"' for one in kept if one.key == key), None))

    @contextmanager
    def suspecting(self, name: str) -> Iterator[None]:
        """Within: the record says that the version called ``name`` is being decoded.

        What ends with an answer takes the mark away; what ends without one leaves it.

        *Cost*: one PutObject, and another where no record of the version follows.
        """
        before = self.record
        # Of a photo without a record this one says that there is nothing yet, of no version.
        record = before if before is not None else Record(lineage=Lineage())
        self._put(replace(record, suspect=name))
        try:
            yield
        except Exception:
            self._put(record)
            raise

    def commit(self, record: Record) -> None:
        """Write ``record``, over whatever is not newer, and remove what it leaves behind.

        *Cost*: one PutObject; where another wrote meanwhile, a GetObject and a PutObject more each
        time, and a HeadObject for each rendition: what that other one removed must not be missed.

        Raises:
            SourceChangedError: A newer version, or the photo's deletion, was recorded meanwhile.
            StorageError: S3 did not take it, or a rendition is gone and has to be made again.
        """
        for turn in range(_MAX_TURNS):
            if turn and not record.deleted:
                self._check_kept(record)
            try:
                self._write(record)
            except (ConditionFailedError, ObjectMissingError):
                present = self.read()
                if present is not None and record.lineage.precedes(present.lineage):
                    self.sweep(present)
                    raise SourceChangedError(
                        f"Expected to record {record.lineage} but {present.lineage} is newer"
                    ) from None
                if present is not None and _are_same(present, record):
                    # Written by this very request, whose answer was lost, or by another attempt.
                    return
            else:
                return
        raise StorageError(f"Expected {self._key} to hold still; others write it all the time")

    def _write(self, record: Record) -> None:
        before = self.record
        condition: Condition = {}
        if self._settings.conditional_writes:
            condition = condition_over(self._etag)
        elif (now := self.look()) is not None and record.lineage.precedes(now.lineage):
            # The store cannot tell, so this look has to; what comes between it and the write is
            # missed.
            raise ConditionFailedError(f"Expected {self._key} to be older than {record.lineage}")
        if record.deleted:
            # Should this end before they are gone, the next attempt finds here what to remove.
            record = replace(record, kept=before.kept if before is not None else ())
        elif before is not None:
            # First: once the record is written nothing tells of them any more.
            left = {one.key for one in before.kept} - {one.key for one in record.kept}
            self._remove(left, lambda found: not record.lineage.precedes(found))
        self._put(record, condition)

    def _put(self, record: Record, condition: Condition | None = None) -> None:
        if condition is None:
            condition = condition_over(self._etag) if self._settings.conditional_writes else {}
        answer = self._requests.of_destination(
            "put_object",
            **self._where(self._key),
            **condition,
            Body=record.body(),
            ContentType="application/json",
            # It changes with the photo, unlike the renditions of one version.
            CacheControl="no-cache",
            Metadata=record.metadata(),
        )
        self._etag, self.record = answer["ETag"], record

    def _check_kept(self, record: Record) -> None:
        for one in record.kept:
            try:
                answer = self._requests.of_destination("head_object", **self._where(one.key))
            except ObjectMissingError:
                raise StorageError(
                    f"Expected {one.key} to be there still, but another attempt removed it"
                ) from None
            if record.lineage.precedes(lineage_from_metadata(answer["Metadata"])):
                raise SourceChangedError(f"Expected {one.key} but a newer one is there")

    def sweep(self, record: Record) -> None:
        """Remove what is older than ``record`` and under none of its keys.

        An attempt that was ended from outside, or that lost against ``record``, leaves such: every
        rendition of a deleted or rejected photo; otherwise those under other keys, where the format
        depends on the photo. *Cost*: a HeadObject for each key that could be one, mostly none.
        """
        has_none = record.deleted or record.rejected is not None
        keys = candidate_keys(self._event, self._settings, of_any_format=not has_none)
        self._remove(keys, lambda found: found.precedes(record.lineage))

    def sweep_own(self, lineage: Lineage) -> None:
        """Remove what an earlier attempt at this version left, where a newer one would not."""
        ours = replace(lineage, modified=None)
        keys = candidate_keys(self._event, self._settings, of_any_format=True)
        self._remove(keys, lambda found: found.is_version(ours))

    def remove_all(self, kept: Iterable[Kept], lineage: Lineage) -> None:
        """Remove every rendition that is not newer than ``lineage``, a deletion's."""
        keys = candidate_keys(self._event, self._settings) | {one.key for one in kept}
        self._remove(keys, lambda found: not lineage.precedes(found))

    def _remove(self, keys: Iterable[str], is_stale: Callable[[Lineage], bool]) -> None:
        for key in sorted(keys):
            with suppress(ObjectMissingError):
                answer = self._requests.of_destination("head_object", **self._where(key))
                found = lineage_from_metadata(answer["Metadata"])
                # What has no lineage was not made here.
                if found.etag is not None and is_stale(found):
                    # Another may have replaced it since; then it is that one's.
                    condition = (
                        {"IfMatch": answer["ETag"]} if self._settings.conditional_writes else {}
                    )
                    with suppress(ConditionFailedError):
                        self._requests.of_destination(
                            "delete_object", **self._where(key), **condition
                        )


def _are_same(one: Record, other: Record) -> bool:
    return (one.lineage, one.made, one.deleted) == (other.lineage, other.made, other.deleted)
