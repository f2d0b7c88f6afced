"""The day: what happens to photos, who asks for them, and what is expected in the end."""

from __future__ import annotations

import collections
import functools
import json
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

import pyvips

from handler.errors import Disposition
from handler.events.batch_operations import open_envelope
from handler.http.respond import respond
from handler.keys import KeyTemplate
from handler.objects import Change, ObjectEvent
from handler.photo.process import process
from handler.s3.requests import Requests
from handler.version import key_digest
from imaging.config import parse_config
from imaging.rendering import open_photo
from tests.servers.memory import Versioning

from .client import StepClient
from .schedule import AtOnce, KilledError, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from handler.report import JobReport
    from handler.settings import Settings
    from imaging.photo import Photo as OpenedPhoto
    from imaging.photo import PhotoOpener
    from imaging.planning import Asked
    from imaging.specs import RenditionSpec

DESTINATION: Final = "renditions"
SOURCES: Final = {kind.value: kind for kind in Versioning}
"""The buckets of the photos, called by their kinds; what has versions may suspend them later."""
_OF_VERSIONS: Final = tuple(name for name in SOURCES if name != Versioning.PLAIN)
OTHER: Final = "other"
"""A bucket with photos of the same keys, for which the template has no place."""
OUTSIDE: Final = "private"
"""A bucket that jobs name and nobody may read."""

_SPECS: Final = {
    "own": '[[renditions]]\nname = "own"\nwidth = 24\nformat = "source"\n',
    "small": '[[renditions]]\nname = "small"\nwidth = 8\n',
    "two": '[[renditions]]\nname = "two"\nwidth = 12\nformat = ["webp", "jpeg"]\n',
    "small of most": '[[renditions]]\nname = "small"\nwidth = 8\nexclude = ["**2 photo.jpg**"]\n',
    "small with tags": '[[renditions]]\nname = "small"\nwidth = 8\ncopy_tags = true\n',
    "two of some": (
        '[[renditions]]\nname = "two"\nwidth = 12\nformat = ["webp", "jpeg"]\n'
        'storage_class = "STANDARD_IA"\nkeys = ["sets/**", "**7 photo.jpg**"]\n'
    ),
    "two of others": (
        '[[renditions]]\nname = "two"\nwidth = 10\nformat = ["jpeg"]\ntags = { of = "others" }\n'
        'exclude = ["sets/**", "**7 photo.jpg**"]\n'
    ),
}
_NAMES: Final = ("own", "small", "two")


def _is_of_some(key: str) -> bool:
    return key.startswith("sets/") or "7 photo.jpg" in key


_GIVEN: Final[Mapping[str, tuple[str, tuple[str | None, ...], Callable[[str], bool]]]] = {
    "own": ("own", (None,), lambda _: True),
    "small": ("small", ("jpg",), lambda _: True),
    "two": ("two", ("webp", "jpg"), lambda _: True),
    "small of most": ("small", ("jpg",), lambda key: "2 photo.jpg" not in key),
    "small with tags": ("small", ("jpg",), lambda _: True),
    "two of some": ("two", ("webp", "jpg"), _is_of_some),
    "two of others": ("two", ("jpg",), lambda key: not _is_of_some(key)),
}
"""What each spec gives: its name, its files' endings, None for the photo's own, and to which keys.

The code under test is not asked for what is expected of it.
"""
_TAGGING: Final = {"small with tags": "{}", "two of others": "of=others"}
"""The tags of what a spec gives, where it has some; `{}` for the photo's."""
_SETS: Final = (
    ("own", "small"),
    ("own", "small", "two"),
    ("small", "two"),
    ("own",),
    ("own", "small of most"),
    ("own", "small with tags"),
    ("small of most", "two of some"),
    ("own", "two of some", "two of others"),
)
_TEMPLATES: Final = (
    "{key}/{name}.{ext}",
    "sets/{key}/{name}.{ext}",
    "{name}/{key}.{ext}",
    "{bucket}/{key}/{name}.{ext}",
    "{prefix}{stem}_{name}.{source_ext}.{ext}",
    "{prefix}{name}/{bucket}/{stem}.{source_ext}.{ext}",
)
_MOST_AT_ONCE: Final = 4
_MOST_TRIES: Final = 120
_COMES_AGAIN_AFTER_S: Final = 60
_DEADLY: Final = 0.8
_MAGIC: Final = ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp"))
_STEPS: Final[Mapping[str, float]] = {
    "put": 30,
    "put the bytes of before": 3,
    "put what looks the same": 2,
    "put and everybody asks": 2,
    "put what S3 refuses": 1.5,
    "put into an archive": 1.5,
    "put what ends processes": 1.5,
    "moved into an archive": 2,
    "restored": 3,
    "deleted": 8,
    "changed while everybody asks": 4,
    "version deleted for good": 4,
    "versions on or off": 0.5,
    "put in both buckets": 1.5,
    "put in the other bucket": 1,
    "deleted in the other bucket": 0.7,
    "job": 10,
    "job of a version": 4,
    "batch operation": 4,
    "HTTP for one": 20,
    "HTTP for all": 8,
    "HTTP that ends": 5,
    "job outside": 2,
    "foreign rendition": 2,
    "foreign manifest": 2,
    "copied manifest": 2,
    "deleted manifest": 2,
    "rendition archived": 1,
    "manifest archived": 1,
    "another configuration": 0.15,
    "another template": 0.1,
}
"""What a step may be, by weight."""
_OF_TWO_BUCKETS: Final = frozenset(
    {"put in both buckets", "put in the other bucket", "deleted in the other bucket"}
)


class Store(Protocol):
    """S3, as the world sees it: no fault befalls what is asked here."""

    def client(self) -> Any:  # noqa: ANN401 - botocore's
        """Return a client of the function's."""

    def put(self, bucket: str, key: str, body: bytes, **headers: Any) -> Photo:  # noqa: ANN401
        """Store an object."""

    def archive(self, bucket: str, key: str, *, is_away: bool) -> None:
        """Move the object into an archive, or restore it."""

    def delete(self, bucket: str, key: str, version_id: str | None = None) -> str | None:
        """Delete it, or a version for good; return the version ID of a marker."""

    def current(self, bucket: str, key: str) -> Photo | None:
        """Return the object."""

    def version_ids(self, bucket: str, key: str) -> Sequence[str]:
        """Return the IDs of all versions with bytes, oldest first; none where there are none."""

    def turn_versions(self, bucket: str) -> None:
        """Let a bucket have versions from now on, or suspend them."""

    def objects(self, bucket: str) -> Mapping[str, Photo]:
        """Return a bucket's objects by key."""

    def tick(self, seconds: float) -> None:
        """Let time pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """An object.

    Attributes:
        etag: without quotes.
        version_id: as S3 says it.
        body: its bytes.
        metadata: its user metadata.
        tagging: its tags, as a query.
        is_archived: only a HEAD tells of it.
        is_locked: by its uploader's key; not even a HEAD does.
    """

    etag: str
    version_id: str | None
    body: bytes
    metadata: Mapping[str, str]
    tagging: str
    is_archived: bool = False
    is_locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Somebody asks the function for something.

    Attributes:
        kind: what is counted.
        work: does it, for that many times by now; returns whether it is to come again.
        key: the photo's.
        ends_after: so many requests, its process ends; None to leave that to chance.
    """

    kind: str
    work: Callable[[Any, Settings, int], bool]
    key: str
    ends_after: int | None = None


def _key(number: int) -> str:
    """Return the key of a photo.

    One in four meets another one: under `sets/{key}/...` the place of the photo before it is that
    of this one under `{key}/...`. One in eight ends in a slash, as a folder's does.
    """
    first = f"{number - number % 4:04} photo.jpg"
    if number % 4 == 1:
        return f"sets/{first}"
    return f"{number:04} photo.jpg" + "/" * (number % 8 == 2)


def _number(key: str) -> int:
    number = int(key.removeprefix("sets/")[:4])
    return number + 1 if key.startswith("sets/") else number


def _kept(manifest: Photo | None) -> dict[str, str] | None:
    """Return what a manifest names; None if it is spoilt."""
    try:
        document = json.loads(manifest.body) if manifest is not None else None
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("lost"):
        return None
    kept = document.get("kept")
    return kept if isinstance(kept, dict) else None


def _announced(manifest: Photo) -> list[str]:
    """Return what a manifest announces, also one whose list is lost; nothing if it is spoilt."""
    try:
        document = json.loads(manifest.body)
    except ValueError:
        return []
    is_whole = isinstance(document, dict) and isinstance(document.get("kept"), dict)
    return [key for key, _ in document.get("announced", [])] if is_whole else []


def _is_of(manifest: Photo, key: str) -> bool:
    is_own = manifest.metadata.get("source-key-digest", key_digest(key)) == key_digest(key)
    return "state" in manifest.metadata and is_own


def _is_poison(manifest: Photo, photo: Photo) -> bool:
    """Tell whether the photo was refused since its attempts ended, again and again."""
    is_of_photo = manifest.metadata.get("source-etag") == photo.etag
    return is_of_photo and manifest.metadata.get("rejected") == "poison"


@functools.cache
def _template(text: str) -> KeyTemplate:
    return KeyTemplate(text, _NAMES)


class Simulation:
    """The world, and the attempts under way in it."""

    def __init__(
        self, store: Store, settings: Settings, *, keys: int, seed: int, has_faults: bool
    ) -> None:
        self._dice = random.Random(seed)
        self._store = store
        self._has_faults = has_faults
        self._base = settings
        self._set: tuple[str, ...] = _SETS[0]
        self._templates = [_TEMPLATES[0]]
        self._settings = self._configured()
        self._keys = [_key(number) for number in range(keys)]
        self._number = 0
        self._due: list[Trigger] = []
        self._running: list[tuple[Run, Trigger]] = []
        self._bodies: dict[tuple[str, str], list[bytes]] = collections.defaultdict(list)
        self._foreign: dict[str, bytes] = {}
        self._holders: dict[str, str] = {}
        self._deadly: set[str] = set()
        self._gone: set[tuple[str, str]] = set()
        # The tags of photos that were moved into an archive; no two photos have the same ones.
        self._moved: set[str] = set()
        self._destroyed: set[str] = set()
        self._lost: set[str] = set()
        self._forgotten: set[str] = set()
        self._unknowable: set[str] = set()
        self._tries: collections.Counter[Trigger] = collections.Counter()
        self._stuck: list[str] = []
        self.drawn: collections.Counter[str] = collections.Counter()
        self.came: collections.Counter[str] = collections.Counter()

    # Where a photo is

    def _bucket(self, key: str) -> str:
        return tuple(SOURCES)[_number(key) // 4 % len(SOURCES)]

    def _buckets(self, key: str) -> tuple[str, ...]:
        """Return the buckets that have a photo of this key, now and then."""
        return (self._bucket(key), *([OTHER] if self._is_contested(key) else []))

    @staticmethod
    def _is_contested(key: str) -> bool:
        """Tell whether two buckets have photos of this key; of some only one has."""
        return _number(key) % 10 == 7

    def _configured(self) -> Settings:
        config = parse_config("\n".join(_SPECS[name] for name in self._set), file="simulation")
        current, *former = map(_template, reversed(self._templates))
        return replace(
            self._base,
            config=config,
            key_template=current,
            former_key_templates=tuple(former),
            # Init would want a {bucket} in the template; without it two of them may meet.
            source_buckets=(*SOURCES, OTHER),
        )

    def _sequencer(self) -> str:
        self._number += 1
        return f"{self._number:08X}"

    # What happens

    def step(self) -> None:
        """Let one thing happen."""
        self._store.tick(2)
        happenings: Mapping[str, Callable[[str, str], None]] = {
            "put": lambda bucket, key: self._put(bucket, key, self._body()),
            "put the bytes of before": self._put_back,
            "put what looks the same": self._put_same_picture,
            "put and everybody asks": self._put_and_ask,
            "put what S3 refuses": lambda bucket, key: self._put(
                bucket, key, self._body(), SSECustomerKey="nobody's"
            ),
            "put into an archive": lambda bucket, key: self._put(
                bucket, key, self._body(), StorageClass="GLACIER"
            ),
            "put what ends processes": self._put_deadly,
            "moved into an archive": self._move_away,
            "restored": self._restore,
            "deleted": self._delete,
            "changed while everybody asks": self._ask_and_change,
            "version deleted for good": self._delete_version,
            "versions on or off": lambda *_: self._store.turn_versions(
                self._dice.choice((*_OF_VERSIONS, OTHER))
            ),
            "put in both buckets": self._put_in_both,
            "put in the other bucket": lambda _, key: self._put(OTHER, key, self._body()),
            "deleted in the other bucket": lambda _, key: self._delete(OTHER, key),
            "job": lambda bucket, key: self._ask("job", bucket, key),
            "job of a version": self._ask_for_version,
            "batch operation": self._ask_in_batch,
            "HTTP for one": lambda bucket, key: self._request(
                "HTTP for one", bucket, key, self._dice.choice(_NAMES)
            ),
            "HTTP for all": self._request_all,
            "HTTP that ends": self._request_and_end,
            "job outside": lambda _, key: self._ask("job outside", OUTSIDE, key),
            "foreign rendition": self._put_foreign,
            "foreign manifest": self._spoil,
            "copied manifest": self._copy,
            "deleted manifest": self._delete_manifest,
            "rendition archived": self._archive_rendition,
            "manifest archived": self._archive_manifest,
            "another configuration": lambda *_: self._reconfigure(sets=self._dice.choice(_SETS)),
            "another template": lambda *_: self._reconfigure(
                template=self._dice.choice(_TEMPLATES)
            ),
        }
        (kind,) = self._dice.choices(tuple(_STEPS), tuple(_STEPS.values()))
        key = self._dice.choice(self._keys)
        if kind in _OF_TWO_BUCKETS:
            contested = [one for one in self._keys if self._is_contested(one)]
            key = self._dice.choice(contested or self._keys)
        self.drawn[kind] += 1
        happenings[kind](self._bucket(key), key)

    def _put_deadly(self, bucket: str, key: str) -> None:
        """Store a photo that ends most processes which decode it; mostly everybody asks for it."""
        body = b""
        # What is no photo has the ETag of others, or is never decoded.
        while not any(body.startswith(magic) for magic, _ in _MAGIC):
            body = self._body()
        self._put(bucket, key, body)
        photo = self._store.current(bucket, key)
        assert photo is not None
        self._deadly.add(photo.etag)
        if self._dice.random() < 0.7:
            self._ask("job", bucket, key)
            self._request_all(bucket, key)

    def _put_back(self, bucket: str, key: str) -> None:
        if bodies := self._bodies[bucket, key]:
            self._put(bucket, key, self._dice.choice(bodies))

    def _put_same_picture(self, bucket: str, key: str) -> None:
        """Store other bytes of a picture that was there before: its renditions are the same."""
        if bodies := [one for one in self._bodies[bucket, key] if one.startswith(b"\xff\xd8")]:
            self._put(bucket, key, self._dice.choice(bodies) + b"\0")

    def _request_all(self, bucket: str, key: str) -> None:
        for name in dict.fromkeys(name for name, _ in self._given(key)):
            self._request("HTTP for all", bucket, key, name)

    def _request_and_end(self, bucket: str, key: str) -> None:
        """Somebody asks for a rendition of a new photo; the process ends somewhere on the way."""
        self._put(bucket, key, self._body())
        ends_after = self._dice.randrange(3, 12)
        name = self._settings.config.renditions[0].name
        self._request("HTTP that ends", bucket, key, name, ends_after=ends_after)
        self._put(bucket, key, self._body())

    def _put_in_both(self, bucket: str, key: str) -> None:
        """Two photos want one place; requests for both end somewhere on the way."""
        for one in (bucket, OTHER):
            self._request_and_end(one, key)

    def _ask_for_version(self, bucket: str, key: str) -> None:
        if ids := self._store.version_ids(bucket, key):
            self._ask("job of a version", bucket, key, self._dice.choice(ids))

    def _put_and_ask(self, bucket: str, key: str) -> None:
        """Store a photo, and let everybody ask for it while its event is on its way."""
        self._put(bucket, key, self._body())
        self._ask("job", bucket, key)
        self._request_all(bucket, key)
        self._ask("job", bucket, key)

    def _ask_and_change(self, bucket: str, key: str) -> None:
        """Let everybody ask for a photo, and replace or delete it when some have begun."""
        self._request_all(bucket, key)
        self._ask("job", bucket, key)
        for _ in range(self._dice.randrange(24)):
            self.advance()
        if self._dice.random() < 0.5:
            self._put(bucket, key, self._body())
        else:
            self._delete(bucket, key)

    def _move_away(self, bucket: str, key: str) -> None:
        """A lifecycle rule moves the photo into an archive, which no event tells."""
        if (photo := self._store.current(bucket, key)) is not None:
            self._moved.add(photo.tagging)
            self._store.archive(bucket, key, is_away=True)

    def _restore(self, bucket: str, key: str) -> None:
        away = [
            one
            for one in self._keys
            if (photo := self._store.current(self._bucket(one), one)) and photo.is_archived
        ]
        key = key if key in away or not away else self._dice.choice(away)
        bucket = self._bucket(key)
        photo = self._store.current(bucket, key)
        if photo is None or not photo.is_archived:
            return
        self._store.archive(bucket, key, is_away=False)
        event = ObjectEvent(
            bucket=bucket,
            key=key,
            name="ObjectRestore:Completed",
            etag=photo.etag,
            version_id=photo.version_id,
        )
        self._tell("event: restored", event)

    def _body(self) -> bytes:
        """Return a small photo unlike any other, or, now and then, something that is none."""
        self._number += 1
        number = self._number
        kind = self._dice.choice((".jpg", ".jpg", ".png", ".webp", "", "empty"))
        if kind == "empty":
            # Under a key that ends in a slash it is a folder.
            return b""
        if not kind:
            return f"photo {number}, which is none".encode()
        colour = [float(number >> shift & 255) for shift in (0, 8, 16)]
        image = pyvips.Image.black(32, 24, bands=3).linear([1.0, 1.0, 1.0], colour).cast("uchar")
        options: dict[str, Any] = {"lossless": True} if kind == ".webp" else {}
        image = image.copy(interpretation="srgb")
        data: bytes = image.write_to_buffer(kind, **options)
        return data + number.to_bytes(4, "big") if kind == ".jpg" else data

    def _put(self, bucket: str, key: str, body: bytes, **headers: str) -> None:
        self._bodies[bucket, key] = [*self._bodies[bucket, key][-2:], body]
        self._number += 1
        photo = self._store.put(bucket, key, body, Tagging=f"put={self._number}", **headers)
        self._tell(
            "event: created",
            ObjectEvent(
                bucket=bucket,
                key=key,
                etag=photo.etag,
                version_id=photo.version_id,
                sequencer=self._sequencer(),
                size=len(body),
            ),
        )

    def _delete(self, bucket: str, key: str) -> None:
        if self._store.current(bucket, key) is None:
            return
        marker = self._store.delete(bucket, key)
        self._gone.add((bucket, key))
        self._tell_deleted(bucket, key, marker)

    def _delete_version(self, bucket: str, key: str) -> None:
        if not (ids := self._store.version_ids(bucket, key)):
            return
        chosen = ids[-1] if self._dice.random() < 0.7 else self._dice.choice(ids)
        self._store.delete(bucket, key, chosen)
        self._gone.add((bucket, key))
        self._tell_deleted(bucket, key, chosen)

    def _tell_deleted(self, bucket: str, key: str, version_id: str | None) -> None:
        event = ObjectEvent(
            bucket=bucket,
            key=key,
            change=Change.DELETED,
            version_id=version_id,
            sequencer=self._sequencer(),
        )
        self._tell("event: deleted", event)

    def _put_foreign(self, bucket: str, key: str) -> None:
        """Somebody puts an object where a rendition could be, and none is."""
        template = self._settings.key_template
        extension = self._dice.choice(("avif", "gif"))
        place = template.destination(key, "own", extension, bucket=bucket)
        self._foreign[place] = b"somebody else's"
        self._store.put(DESTINATION, place, self._foreign[place])

    def _spoil(self, bucket: str, key: str) -> None:
        """Somebody writes over the manifest, and asks for the photo then."""
        place = self._manifest_place(bucket, key)
        body = self._dice.choice((b"", b"no JSON", b"[]", b"null", b'{"kept": 3}'))
        before = self._forget(bucket, key)
        # Its metadata may have been kept.
        metadata = before.metadata if before is not None and self._dice.random() < 0.5 else {}
        self._store.put(DESTINATION, place, body, Metadata=metadata)
        self._ask_again(key, before)

    def _copy(self, bucket: str, key: str) -> None:
        """Somebody copies another photo's manifest over this one's, and asks for the photo."""
        another = self._dice.choice(self._keys)
        other = self._manifest_place(self._bucket(another), another)
        copied = self._store.current(DESTINATION, other)
        if copied is None:
            return
        before = self._forget(bucket, key)
        place = self._manifest_place(bucket, key)
        self._store.put(DESTINATION, place, copied.body, Metadata=copied.metadata)
        self._ask_again(key, before)

    def _delete_manifest(self, bucket: str, key: str) -> None:
        """Somebody deletes the manifest, and asks for the photo.

        There is a rendition under a key that no format changes, by which the others are found.
        """
        template = self._settings.key_template
        fixed = [
            template.destination(key, name, extension, bucket=bucket)
            for name, extension in self._given(key)
            if extension is not None
        ]
        is_seen = any(self._store.current(DESTINATION, place) is not None for place in fixed)
        if is_seen and (before := self._forget(bucket, key)) is not None:
            self._store.delete(DESTINATION, self._manifest_place(bucket, key))
            self._ask_again(key, before)

    def _ask_again(self, key: str, before: Photo | None) -> None:
        """Ask for the photos whose place's manifest, ``before``, somebody destroyed.

        While one of them is being changed, or asked for over HTTP in its own format, or where the
        photo that had the place was `poison`, either takes it.
        """
        self._destroyed.add(key)
        if before is not None and before.metadata.get("rejected") == "poison":
            self._lost.add(key)
        under_way = [*self._due, *(trigger for _, trigger in self._running)]
        taking = ("event", "HTTP") if "own" in self._set else ("event",)
        if any(one.key == key and one.kind.startswith(taking) for one in under_way):
            self._lost.add(key)
        for bucket in self._buckets(key):
            self._note_lost(bucket, key)
            self._ask("job", bucket, key)

    def _note_lost(self, bucket: str, key: str) -> None:
        """Note that nothing has a photo's place: its manifest was destroyed, and it has no set."""
        photo = self._store.current(bucket, key)
        places = self._expected(bucket, key, photo)
        is_there = any(self._store.current(DESTINATION, place) is not None for place in places)
        # One that went into an archive before it was made has none.
        if not places or (photo is not None and photo.is_archived and not is_there):
            self._lost.add(key)

    def _archive_rendition(self, bucket: str, key: str) -> None:
        """A lifecycle rule moves a rendition into an archive; somebody asks for all of them."""
        places = self._expected(bucket, key, self._store.current(bucket, key))
        for place in places:
            if self._store.current(DESTINATION, place) is not None:
                self._store.archive(DESTINATION, place, is_away=True)
        self._request_all(bucket, key)

    def _archive_manifest(self, bucket: str, key: str) -> None:
        if self._forget(bucket, key) is not None:
            self._store.archive(DESTINATION, self._manifest_place(bucket, key), is_away=True)

    def _manifest_place(self, bucket: str, key: str) -> str:
        return self._settings.key_template.destination(key, "photo", "json", bucket=bucket)

    def _forget(self, bucket: str, key: str) -> Photo | None:
        """Return the manifest, whose list is about to be lost.

        What nothing but that list names stays: renditions that are no longer asked for.
        """
        manifest = self._store.current(DESTINATION, self._manifest_place(bucket, key))
        if manifest is not None and _is_of(manifest, key):
            self._forgotten.update(_kept(manifest) or (), _announced(manifest))
        return manifest

    def _reconfigure(
        self, sets: tuple[str, ...] | None = None, template: str | None = None
    ) -> None:
        """Deploy when all is done; then a backfill goes through all photos."""
        while self.backlog:
            self.advance()
        self._holders.clear()
        self._set = sets or self._set
        if template is not None:
            self._templates = [one for one in self._templates if one != template] + [template]
        self._settings = self._configured()
        self._note_overwritten()
        self._note_unknowable()
        for key in self._keys:
            for bucket in self._buckets(key):
                if self._store.current(bucket, key) is not None:
                    self._ask("job", bucket, key)

    def _note_overwritten(self) -> None:
        """Note the lists of manifests that stand where another photo's has its place by now."""
        for key in self._keys:
            for bucket in self._buckets(key):
                manifest = self._store.current(DESTINATION, self._manifest_place(bucket, key))
                if manifest is not None and not _is_of(manifest, key):
                    self._forgotten.update(_kept(manifest) or (), _announced(manifest))

    # Who asks

    def _tell(self, kind: str, event: ObjectEvent) -> None:
        if event.key in self._destroyed:
            self._note_lost(event.bucket, event.key)
        self._due.append(Trigger(kind=kind, work=self._handling(event), key=event.key))
        if self._dice.random() < 0.1:
            self.drawn["event twice"] += 1
            self._due.append(Trigger(kind=kind, work=self._handling(event), key=event.key))

    def _ask(self, kind: str, bucket: str, key: str, version_id: str | None = None) -> None:
        event = ObjectEvent(bucket=bucket, key=key, version_id=version_id)
        self._due.append(Trigger(kind=kind, work=self._handling(event), key=key))

    def _ask_in_batch(self, bucket: str, key: str) -> None:
        task = {"s3Bucket": bucket, "s3Key": quote(key), "taskId": "t"}
        task["s3VersionId"] = self._dice.choice(("null", ""))
        envelope = open_envelope(
            {"invocationSchemaVersion": "2.0", "invocationId": "i", "tasks": [task]}
        )
        (event,) = envelope.items[0].events
        assert isinstance(event, ObjectEvent)
        work = self._handling(event, is_counted=False)
        self._due.append(Trigger(kind="batch operation", work=work, key=key))

    def _handling(
        self, event: ObjectEvent, *, is_counted: bool = True
    ) -> Callable[[Any, Settings, int], bool]:
        """Return what handles the event; the queue says how often it came if it `is_counted`."""

        def work(client: Any, settings: Settings, count: int) -> bool:  # noqa: ANN401 - botocore's
            delivered = replace(event, receive_count=count if is_counted else 1)
            opening = self._opening(client)
            report = process(delivered, settings, Requests(client), AtOnce(), opening)
            self.came[str(report.disposition)] += 1
            self.came["poison"] += report.code == "poison"
            if report.code == "internal":
                raise AssertionError(report.message)
            if event.bucket == OUTSIDE and report.code != "outside-source":
                raise AssertionError(f"{OUTSIDE} was asked for: {report}")
            return report.disposition is Disposition.RETRY

        return work

    def _request(
        self, kind: str, bucket: str, key: str, name: str, ends_after: int | None = None
    ) -> None:
        event = {
            "requestContext": {"http": {"method": "GET"}, "domainName": "x.lambda-url.y.on.aws"},
            "rawPath": f"/{name}/{quote(key)}",
            "version": "2.0",
        }

        def work(client: Any, settings: Settings, _: int) -> bool:  # noqa: ANN401 - botocore's
            requests = Requests(client)

            def make(of: ObjectEvent, specs: Sequence[RenditionSpec]) -> JobReport:
                opening = self._opening(client)
                return process(of, settings, requests, AtOnce(), opening, specs)

            served = replace(settings, source_buckets=(bucket,))
            answer = respond(event, served, requests, make, lambda _: None)
            self.came[f"HTTP {answer['statusCode']}"] += 1
            # A browser that is told to try again does so, mostly.
            return answer["statusCode"] == 503 and self._dice.random() < 0.5

        # It looks under its own key alone, where the one that had the place may have nothing.
        if key in self._destroyed and name == "own":
            self._lost.add(key)
        self._due.append(Trigger(kind=kind, work=work, key=key, ends_after=ends_after))

    def _opening(self, client: StepClient) -> PhotoOpener:
        """Return what opens a photo in the process of `client`, and may be its end."""

        def opening(source: Any, asked: Asked) -> AbstractContextManager[OpenedPhoto]:  # noqa: ANN401 - an S3Source
            if source.version.etag in self._deadly and self._dice.random() < _DEADLY:
                self.drawn["a photo ends its process"] += 1
                client.end_after(self._dice.randrange(8))
            return open_photo(source, asked)

        return opening

    # Attempts

    def advance(self) -> None:
        """Let one of the attempts under way go on by a request, or begin one."""
        can_begin = self._due and len(self._running) < _MOST_AT_ONCE
        if can_begin and (not self._running or self._dice.random() < 0.3):
            self._begin()
        elif self._running:
            at = self._dice.randrange(len(self._running))
            run, _ = self._running[at]
            run.step()
            if run.is_over:
                del self._running[at]

    def _begin(self) -> None:
        at = self._dice.randrange(len(self._due))
        if self._running and self._dice.random() < 0.5:
            busy = {trigger.key for _, trigger in self._running}
            same = [number for number, one in enumerate(self._due) if one.key in busy]
            at = self._dice.choice(same) if same else at
        trigger = self._due.pop(at)
        dice, settings = random.Random(self._dice.random()), self._settings
        if self._tries[trigger]:
            self._store.tick(_COMES_AGAIN_AFTER_S)

        def work(run: Run) -> None:
            client = StepClient(
                self._store.client(),
                run,
                dice,
                self.drawn,
                has_faults=self._has_faults,
                ends_after=trigger.ends_after,
            )
            try:
                comes_again = trigger.work(client, settings, self._tries[trigger] + 1)
            except KilledError:
                # Nobody asks again for what an HTTP request asked for.
                comes_again = not trigger.kind.startswith("HTTP")
                self.came["killed"] += 1
            self._tries[trigger] += 1
            if self._tries[trigger] == _MOST_TRIES:
                self._stuck.append(f"comes again for ever: {trigger.kind} {trigger.key}")
            elif comes_again:
                self._due.append(trigger)

        self._running.append((Run(work), trigger))

    @property
    def backlog(self) -> int:
        """How much is to be done."""
        return len(self._due) + len(self._running)

    # The end

    def wrong(self) -> list[str]:
        """Return what the destination holds and should not, and the other way round."""
        found = dict(self._store.objects(DESTINATION))
        self._forgotten &= found.keys()
        self._unknowable &= found.keys()
        self._note_unknowable()
        wrong = list(self._stuck)
        for place, body in self._foreign.items():
            if place not in found:
                wrong.append(f"removed, and somebody else's: {place}")
            elif found[place].body == body:
                del found[place]
        for key in self._keys:
            buckets = self._buckets(key)
            if self._settings.key_template.has_bucket:
                for bucket in buckets:
                    wrong += self._wrong_of(bucket, key, found)
            else:
                wrong += self._wrong_of(buckets[0], key, found, is_contested=len(buckets) > 1)
        self._destroyed.clear()
        self._lost.clear()
        places = self._manifest_places()
        left = (
            place
            for place in found
            if not self._is_old_tombstone(places.get(place, []), found[place])
            and place not in self._unknowable
        )
        return wrong + [f"left over: {place}" for place in left]

    def _wrong_of(  # noqa: C901 - one for each reason why less is expected
        self, bucket: str, key: str, found: dict[str, Photo], *, is_contested: bool = False
    ) -> list[str]:
        """Take what is of the photo out of `found`; return what is wrong with it."""
        manifest = found.pop(self._manifest_place(bucket, key), None)
        if manifest is not None and not _is_of(manifest, key):
            # Spoilt or copied, and nobody has asked for a photo since that is there.
            manifest = None
        holder = bucket
        if manifest is not None and is_contested:
            holder = manifest.metadata.get("source-bucket", bucket)
        photo = self._store.current(holder, key)
        before = self._holders.pop(key, holder) if is_contested else holder
        wrong = []
        if holder != before and (before, key) not in self._gone and key not in self._lost:
            wrong.append(f"taken from {before} for {holder}: {key}")
        if is_contested and manifest is not None and photo is not None:
            self._holders[key] = holder
        self._gone.discard((holder, key))
        expected = self._expected(holder, key, photo)
        is_poison = photo is not None and manifest is not None and _is_poison(manifest, photo)
        named = _kept(manifest)
        kept = named or {}
        # Where somebody spoilt the list alone, a HEAD shows a set that is there.
        is_lost = manifest is not None and named is None
        if manifest is not None and not manifest.is_archived:
            self._forgotten.difference_update(kept)
            self._unknowable.difference_update(kept)
        if photo is not None and (photo.is_archived or is_poison):
            # What was made before stays, also what another configuration asked for, and what no
            # manifest names, since its attempt ended before.
            of_version = (
                place
                for place, one in found.items()
                if "spec" in one.metadata
                and one.metadata.get("source-key-digest") == key_digest(key)
                and one.metadata.get("source-etag") == photo.etag
            )
            is_lost = True
            expected = {place: photo.etag for place in (*kept, *of_version) if place in found}
        elif is_contested and (manifest is None or not manifest.metadata.get("set")):
            # The one that was refused has no event any more that would make it; HTTP makes some,
            # and what a request stored that ended then is announced.
            announced = () if manifest is None else _announced(manifest)
            is_lost = is_lost or any(place in found for place in announced)
            there = found if is_lost else kept
            expected = {place: etag for place, etag in expected.items() if place in there}
        for place, etag in expected.items():
            if place not in found:
                wrong.append(f"missing: {place}")
                continue
            stored = found.pop(place)
            if stored.metadata.get("source-etag") != etag:
                wrong.append(f"of another version: {place}")
            if photo is not None and not (photo.is_archived or is_poison):
                wrong += self._wrong_tags(place, stored, photo)
            # Torn or flipped bytes would not decode to their end.
            pyvips.Image.new_from_buffer(stored.body, "", fail_on="warning").avg()
        wrong += [f"named, and the photo is gone: {place}" for place in kept if photo is None]
        if expected.keys() - kept.keys() and not is_lost:
            wrong.append(f"not named: {sorted(expected.keys() - kept.keys())}")
        return wrong

    def _expected(self, bucket: str, key: str, photo: Photo | None) -> dict[str, str]:
        """Return the renditions that a photo should have: the ETag of the photo by their keys."""
        if photo is None or photo.is_locked:
            return {}
        own = next((name for magic, name in _MAGIC if photo.body.startswith(magic)), None)
        if own is None:
            return {}
        template = self._settings.key_template
        return {
            template.destination(key, name, extension or own, bucket=bucket): photo.etag
            for name, extension in self._given(key)
        }

    def _wrong_tags(self, place: str, stored: Photo, photo: Photo) -> list[str]:
        """Return what is wrong with the tags of a rendition: its spec's, or the photo's.

        Of a photo that was in an archive they may be of an ended attempt under another
        configuration, of which nothing else was different.
        """
        found = self._settings.key_template.source(place)
        assert found is not None
        key, name, _ = found
        of = [spec for spec in self._set if _GIVEN[spec][0] == name and _GIVEN[spec][2](key)]
        tagging = "".join(_TAGGING.get(spec, "").format(photo.tagging) for spec in of)
        others = {text.format(photo.tagging) for text in ("", *_TAGGING.values())}
        if tagging == stored.tagging or (photo.tagging in self._moved and stored.tagging in others):
            return []
        return [f"tagged {stored.tagging!r}, not {tagging!r}: {place}"]

    def _given(self, key: str) -> Iterator[tuple[str, str | None]]:
        """Give the name and the ending, None for the photo's own, of each rendition of a key."""
        for spec in self._set:
            name, extensions, is_for = _GIVEN[spec]
            if is_for(key):
                yield from ((name, extension) for extension in extensions)

    def _note_unknowable(self) -> None:
        """Note what nothing but a list that somebody destroyed named: no spec has its name now."""
        names = {spec.name for spec in self._settings.config.renditions}
        for place in self._forgotten:
            made = [_template(text).source(place) for text in self._templates]
            if not any(found is not None and found[1] in names for found in made):
                self._unknowable.add(place)

    def _manifest_places(self) -> Mapping[str, list[tuple[str, str]]]:
        """Return whose manifests could be where, by every template so far."""
        places = collections.defaultdict(list)
        for text in self._templates:
            template = _template(text)
            for key in self._keys:
                for bucket in self._buckets(key):
                    place = template.destination(key, "photo", "json", bucket=bucket)
                    places[place].append((bucket, key))
        return places

    @staticmethod
    def _is_old_tombstone(of: Sequence[tuple[str, str]], stored: Photo) -> bool:
        """Tell whether it is of a photo that was gone when the template changed, or a stranger's.

        A stranger's is spoilt, or a copy of another photo's.

        Args:
            of: Whose manifest it could be.
            stored: What is there.
        """
        is_own = any(_is_of(stored, key) for _, key in of)
        return bool(of) and (not is_own or stored.metadata.get("state") == "deleted")
