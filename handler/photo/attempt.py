"""One attempt at one photo: the event that asks for it, and what the work needs."""

import time
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import NamedTuple

from handler.errors import Disposition, FolderError
from handler.objects import ObjectEvent
from handler.photo.journal import Journal
from handler.photo.leftovers import Leftovers
from handler.photo.manifest_store import ManifestStore
from handler.photo.rule import Removal
from handler.report import RenditionReport
from handler.s3.requests import Requests
from handler.settings import Settings
from handler.version import version_from_event
from imaging.photo import PhotoOpener

__all__ = ["Attempt", "Outcome", "check_not_folder", "found_gone", "is_folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What every part of the work is given.

    Attributes:
        trigger: What asks for it, and may come again.
        event: The same, or what was found out to have happened to the object meanwhile.
        settings: The settings.
        requests: Of this invocation.
        executor: Uploads.
        open_photo: How the photo is opened.
        journal: Where each part writes down what it learns.
        manifests: The photo's manifest in the destination.
        leftovers: The photo's outdated renditions in the destination.
    """

    trigger: ObjectEvent
    event: ObjectEvent
    settings: Settings
    requests: Requests
    executor: Executor
    open_photo: PhotoOpener
    journal: Journal
    manifests: ManifestStore
    leftovers: Leftovers

    def about(self, event: ObjectEvent) -> "Attempt":
        """Return the same attempt, by the same trigger, about another event of the photo."""
        return replace(self, event=event)


class Outcome(NamedTuple):
    """How an attempt ended, and the renditions that it stored."""

    disposition: Disposition
    renditions: tuple[RenditionReport, ...] = ()


def found_gone(event: ObjectEvent) -> Removal:
    """Return what there is to say of a photo that was found to be gone just now."""
    version = version_from_event(event)
    return Removal(version=replace(version, etag=None, version_id=None, modified=int(time.time())))


def is_folder(event: ObjectEvent, size: int | None) -> bool:
    """Tell whether ``size``, where it is known, and the key are those of a folder.

    A console makes such an object; nothing is written for it, no quarantine, and no manifest where
    there is none.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-folders.html
    """
    return size == 0 and event.key.endswith("/")


def check_not_folder(event: ObjectEvent, size: int | None) -> None:
    """Raise FolderError if it is a folder, going by :func:`is_folder`."""
    if is_folder(event, size):
        raise FolderError(f"Expected a photo but s3://{event.bucket}/{event.key} is a folder")
