"""Content credentials are carried on where that is asked: signed outside, valid, and redacted."""

import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest

from imaging.credentials import definition as definitions
from imaging.credentials.leftover import LeftoverError, check_redacted
from imaging.errors import CrashedError, PhotoWarning
from imaging.files.jpeg import manifest_store as manifest_store_of
from imaging.formats import InputFormat, OutputFormat
from imaging.in_memory import InMemory, render_in_memory
from imaging.local import MemorySource
from imaging.plan import PlannedRendition
from imaging.planning import Asked, make_plan
from imaging.provenance import provenance
from imaging.rendering import open_photo
from imaging.signatures import Carried, Signer, Signing
from imaging.specs import Colour, Fit, Hdr, Metadata, RenditionSpec
from imaging.worker.client import Workers
from imaging.worker.protocol import Readiness
from imaging.worker.spawning import Launch
from tests import photos
from tests.photos import ultra_hdr_jpeg
from tests.photos.credentials import SIGNED_FORMATS, box, manifest_store, signed, superbox
from tests.photos.raws import raf
from tests.photos.signing import GPS, by_camera, identity, read, signature
from tests.rendering import header_of

ME = identity()
SIGNED: list[bytes] = []


def sign(data: bytes) -> bytes:
    """Sign, and note what."""
    SIGNED.append(data)
    return signature(ME.key, data)


SIGNING = Signing(signer=Signer(certificates=ME.chain, release="1.2.3"), sign=sign)
EVERY = tuple(OutputFormat)


def spec(name: str = "a", side: int = 1, **options: Any) -> RenditionSpec:  # noqa: ANN401 - of every type
    """Return a spec that carries credentials from ``side`` on."""
    return RenditionSpec(name=name, **options).carrying(side)


def asked(*specs: RenditionSpec) -> Asked:
    """Return what asks for ``specs`` and that credentials are carried on."""
    return Asked(specs=specs, signing=SIGNING)


@pytest.fixture(scope="module")
def wall() -> Iterator[Workers]:
    """Workers."""
    workers = Workers(Launch(concurrency=1))
    yield workers
    workers.close()


def made(data: bytes, *specs: RenditionSpec) -> InMemory:
    """Render in this process."""
    return render_in_memory(open_photo, MemorySource(data), asked(*specs))


def actions_of(said: dict[str, Any]) -> list[str]:
    """Return what the active manifest says was done, without what was redacted."""
    manifest = said["manifests"][said["active_manifest"]]
    actions = manifest["assertion_store"]["c2pa.actions.v2"]["actions"]
    return [one["action"] for one in actions if one["action"] != "c2pa.redacted"]


def codes(warnings: tuple[PhotoWarning, ...]) -> list[str]:
    """Return the warnings' codes."""
    return [one.code for one in warnings]


@pytest.mark.parametrize("photo_format", SIGNED_FORMATS)
def test_every_format_carries_on_into_every_format(photo_format: str, wall: Workers) -> None:
    """Behind the wall; c2pa's own reader trusts it, and nothing of what is private is left."""
    photo = by_camera(getattr(photos, photo_format)(120, 80), f"image/{photo_format}")
    assert GPS in photo
    result = render_in_memory(wall.open_photo, MemorySource(photo), asked(spec(formats=EVERY)))
    assert not result.plan.warnings
    for rendition, data in zip(result.renditions, result.data, strict=True):
        assert rendition.size == len(data)
        assert rendition.carried is not None
        assert rendition.carried.faults == ()
        said = read(data, rendition.planned.format.content_type)
        assert said["validation_state"] == "Trusted"
        assert not said["validation_results"]["activeManifest"]["failure"]
        ingredient = said["manifests"][said["active_manifest"]]["assertion_store"][
            "c2pa.ingredient.v3"
        ]
        assert ingredient["relationship"] == "parentOf"
        assert ingredient["validationResults"]["activeManifest"]["failure"] == []
        # The camera's word that it was captured stays.
        assert b"digitalCapture" in data
        for private in (GPS, b"11,34.5678E", b"SERIAL-4711", b"the camera's own thumbnail"):
            assert private in photo
            assert private not in data


def test_what_is_signed_is_the_claim_of_a_manifest() -> None:
    """The parent signs nothing else, and no more than so many bytes."""
    SIGNED.clear()
    made(by_camera(photos.jpeg(120, 80)), spec())
    (said,) = SIGNED
    assert said.startswith(b"\x84\x6aSignature1")
    assert len(said) < 8_000


def test_only_from_a_side_on(wall: Workers) -> None:
    """A smaller rendition has none, and no digest of its own; nobody warns of it."""
    specs = (
        spec("small", side=100, width=60, height=60),
        spec("large", side=100, width=110, height=110),
    )
    result = render_in_memory(
        wall.open_photo, MemorySource(by_camera(photos.jpeg(120, 80))), asked(*specs)
    )
    assert [one.carried is not None for one in result.renditions] == [False, True]
    assert not result.plan.warnings
    said = provenance(result.plan.header, result.renditions)
    assert (said["credentials"], said["valid"], said["carried"]) == ("present", True, ["large"])
    bare = RenditionSpec(name="small", width=60, height=60)
    assert specs[0].digest(OutputFormat.JPEG) == bare.digest(OutputFormat.JPEG)
    large = RenditionSpec(name="large", width=110, height=110)
    assert specs[1].digest(OutputFormat.JPEG) != large.digest(OutputFormat.JPEG)


@pytest.mark.parametrize(
    ("photo", "options", "expected"),
    [
        (photos.jpeg(120, 80), {}, ["c2pa.opened", "c2pa.edited.metadata", "c2pa.transcoded"]),
        (
            photos.jpeg(120, 80),
            {"width": 60, "metadata": Metadata.ALL, "formats": (OutputFormat.PNG,)},
            ["c2pa.opened", "c2pa.resized", "c2pa.converted"],
        ),
        (
            photos.jpeg(120, 80),
            {"width": 60, "height": 60, "fit": Fit.COVER, "metadata": Metadata.ALL},
            ["c2pa.opened", "c2pa.cropped", "c2pa.resized", "c2pa.transcoded"],
        ),
        (
            photos.jpeg(120, 80),
            {"width": 90, "height": 90, "fit": Fit.CONTAIN, "sharpen": 0.5}
            | {"metadata": Metadata.ALL, "colour": Colour.DISPLAY_P3},
            [
                *("c2pa.opened", "c2pa.resized", "c2pa.color_adjustments", "c2pa.filtered"),
                *("c2pa.edited", "c2pa.transcoded"),
            ],
        ),
        (
            ultra_hdr_jpeg(300, 200),
            {"metadata": Metadata.ALL, "hdr": Hdr.SDR, "colour": Colour.SOURCE},
            ["c2pa.opened", "c2pa.color_adjustments", "c2pa.transcoded"],
        ),
        (
            ultra_hdr_jpeg(300, 200),
            {"metadata": Metadata.ALL, "hdr": Hdr.KEEP, "colour": Colour.SOURCE},
            ["c2pa.opened", "c2pa.transcoded"],
        ),
        (
            photos.png(120, 80, alpha=True),
            {"metadata": Metadata.ALL},
            ["c2pa.opened", "c2pa.edited", "c2pa.converted"],
        ),
    ],
    ids=["whole", "resized", "cropped", "much", "darker", "as bright", "flattened"],
)
def test_the_actions_are_what_happened(
    photo: bytes, options: dict[str, Any], expected: list[str]
) -> None:
    """Opened, and then each step in order; no more."""
    kind = header_of(photo).format.value
    result = made(by_camera(photo, f"image/{kind}"), spec(**options))
    data, output = result.data[0], result.renditions[0].planned.format
    assert actions_of(read(data, output.content_type)) == expected


def test_a_photo_without_credentials_gets_none(wall: Workers) -> None:
    """Nothing is signed, and the bytes are those that it has without the table."""
    SIGNED.clear()
    photo = photos.jpeg(120, 80)
    result = render_in_memory(wall.open_photo, MemorySource(photo), asked(spec()))
    without = render_in_memory(
        wall.open_photo, MemorySource(photo), Asked(specs=(RenditionSpec(name="a"),))
    )
    assert result.data == without.data
    assert not SIGNED
    assert result.plan.peak_bytes == without.plan.peak_bytes


def test_what_carries_them_on_is_loaded_for_the_first_photo_that_has_some() -> None:
    """A worker for other photos has it not, and stays; that one ends, and the next serves all."""
    workers = Workers(Launch(concurrency=1))
    try:
        plain, by = photos.jpeg(120, 80), by_camera(photos.jpeg(120, 80))
        for photo, readiness in (
            (plain, Readiness.MOST),
            (by, Readiness.CREDENTIALS),
            (plain, Readiness.CREDENTIALS),
            (by, Readiness.CREDENTIALS),
        ):
            render_in_memory(workers.open_photo, MemorySource(photo), asked(spec()))
            (kept,) = workers._pool._idle
            assert kept.readiness is readiness
    finally:
        workers.close()


def test_nothing_of_it_is_imported_without_such_a_photo() -> None:
    """Neither with the table, in the process that renders, nor for whatever else a photo needs."""
    code = """if True:
        import sys
        from imaging.in_memory import render_in_memory
        from imaging.local import MemorySource
        from imaging.planning import Asked
        from imaging.rendering import open_photo
        from imaging.signatures import Signer, Signing
        from imaging.specs import RenditionSpec
        from imaging.worker.zygote import preload
        from tests.photos import jpeg
        preload()
        signing = Signing(signer=Signer(certificates="", release=""), sign=lambda _: b"")
        asked = Asked(specs=(RenditionSpec(name="a").carrying(1),), signing=signing)
        render_in_memory(open_photo, MemorySource(jpeg(64, 48)), asked)
        found = [name for name in sys.modules if name.split(".")[0] in {"c2pa", "cryptography"}]
        print([*found, *(name for name in sys.modules if name.startswith("imaging.credentials."))])
    """
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("place", ["pixels", "claim"])
def test_a_photo_that_was_changed_is_said_to_be(place: str, wall: Workers) -> None:
    """In the warnings, in what an app is told, and in the new manifest, which itself holds."""
    photo = bytearray(by_camera(photos.jpeg(120, 80)))
    at = len(photo) - 200 if place == "pixels" else photo.index(b"digitalCapture")
    photo[at] ^= 1
    result = render_in_memory(wall.open_photo, MemorySource(bytes(photo)), asked(spec()))
    (rendition,) = result.renditions
    assert codes(rendition.warnings) == ["credentials-invalid"]
    expected = (
        "assertion.dataHash.mismatch" if place == "pixels" else "assertion.hashedURI.mismatch"
    )
    assert rendition.carried is not None
    assert expected in rendition.carried.faults
    assert provenance(result.plan.header, result.renditions)["valid"] is False
    said = read(result.data[0])
    assert said["validation_state"] in {"Valid", "Trusted"}
    store = said["manifests"][said["active_manifest"]]["assertion_store"]
    failures = store["c2pa.ingredient.v3"]["validationResults"]["activeManifest"]["failure"]
    assert expected in [one["code"] for one in failures]


@pytest.mark.parametrize(
    "assertion",
    [
        {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.edited"}]}},
        {"label": "com.example.unknown", "data": {"where": "GPS 48.1"}},
        *(
            {"label": "stds.schema-org.CreativeWork", "data": data}
            for data in (
                {"contentLocation": "Munich"},
                {"spatialCoverage": "Marienplatz"},
                {"author": [{"name": "A", "address": {"addressLocality": "Munich"}}]},
                {"thumbnailUrl": "data:image/jpeg;base64,/9j/"},
                {"anything": "else"},
            )
        ),
        {"label": "c2pa.training-mining", "data": {"entries": {}, "lat": 48.1}},
    ],
    ids=lambda one: str(one["data"]),
)
def test_what_nobody_here_knows_is_redacted(assertion: dict[str, Any]) -> None:
    """And what is known, where it names a position; what is left is not."""
    photo = by_camera(photos.jpeg(120, 80), assertions=[assertion])
    result = made(photo, spec())
    said = read(result.data[0])
    camera = next(one for name, one in said["manifests"].items() if name != said["active_manifest"])
    left = {label.partition("__")[0] for label in camera["assertion_store"]}
    assert left == {"c2pa.actions.v2", "c2pa.hash.data"}


def test_whose_it_is_stays() -> None:
    """A work that says nothing else."""
    author = {"@type": "Person", "name": "An author", "sameAs": "https://example.org/author"}
    work = {"@context": "https://schema.org", "@type": "CreativeWork", "author": [author]}
    photo = by_camera(
        photos.jpeg(120, 80),
        assertions=[{"label": "stds.schema-org.CreativeWork", "data": work, "kind": "Json"}],
    )
    assert b"An author" in made(photo, spec()).data[0]


@pytest.mark.parametrize(
    "parameters",
    [
        {"GPSLatitude": "48,8.1234N"},
        {"exif:gpsArea": "x"},
        {"coordinates": [48.1, 11.5]},
        {"com.example": {"city": "x"}},
        {"com.example": "GPS 48.1"},
    ],
    ids=str,
)
def test_a_position_that_cannot_be_redacted_is_not_carried_on(parameters: dict[str, Any]) -> None:
    """C2PA forbids to redact actions: then the rendition has no credentials, and says so."""
    action = {"action": "c2pa.edited", "parameters": parameters}
    photo = by_camera(
        photos.jpeg(120, 80),
        assertions=[{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    )
    (rendition,) = (result := made(photo, spec())).renditions
    assert rendition.carried is None
    assert codes(rendition.warnings) == ["credentials-removed"]
    assert b"c2pa" not in result.data[0]


def test_a_hash_is_no_position() -> None:
    """Three letters stand in every 700th of them, as Base64 has it."""
    hashed = {"hash": "xgpSB2gdUhdSuaOUMrnDhVklPXvButOdS8GpsT==", "gpsless": False}
    store = {"c2pa.hash.data": {"hash": hashed["hash"]}}
    report = {"manifests": {"urn:c2pa:1": {"claim": hashed, "assertion_store": store}}}
    with pytest.raises(definitions.UnredactableError):
        definitions.redactions(report)
    del hashed["gpsless"]
    assert definitions.redactions(report) == ()


def test_a_fault_of_a_form_that_nobody_knows_is_one() -> None:
    """What it is called is not repeated; that the photo does not hold is."""
    failure = [{"code": "an odd\ncode"}, {"code": "signingCredential.untrusted"}]
    report = {"validation_results": {"activeManifest": {"failure": failure}}}
    assert definitions.faults(report) == ("general.error",)


def _store(*manifests: bytes) -> bytes:
    return superbox(b"c2pa", "c2pa", *manifests, superbox(b"c2ma", "own"))


def test_a_box_that_no_report_shows_is_not_carried_on() -> None:
    """A claim need not name each box of its manifest: what is left is looked for in the bytes."""
    # A map of two: dc:format and data, which is bytes.
    content = b"\xa2\x69dc:format\x6aimage/jpeg\x64data\x4a" + GPS
    part = superbox(
        b"c2db", "c2pa.databoxes", superbox(b"cbor", "c2pa.data", box(b"cbor", content))
    )
    store = bytearray(manifest_store_of(by_camera(photos.jpeg(120, 80))) or b"")
    for at in (0, 38):
        (length,) = struct.unpack_from(">I", store, at)
        struct.pack_into(">I", store, at, length + len(part))
    photo = signed("jpeg", bytes(store) + part)
    result = made(photo, spec())
    (warning,) = result.renditions[0].warnings
    assert warning.code == "credentials-removed"
    assert "'c2pa.databoxes' is left" in warning.message
    assert GPS not in result.data[0]


def test_padding_of_zeros_is_all_that_is_carried_on() -> None:
    """A signature has room for a picture that it is not of: the photo holds, whatever is there."""
    photo = by_camera(photos.jpeg(120, 80))
    at = photo.index(b"cpad") + 2_000
    assert not any(photo[at : at + 100])
    result = made(photo[:at] + GPS + photo[at + len(GPS) :], spec())
    (warning,) = result.renditions[0].warnings
    assert warning.code == "credentials-removed"
    assert "padding of zeros" in warning.message
    assert GPS not in result.data[0]


LENGTHS = {
    24: b"\x58\x18",
    255: b"\x58\xff",
    256: b"\x59\1\0",
    70_000: b"\x5a\0\1\x11\x70",
}


@pytest.mark.parametrize("name", [b"\x63pad", b"\x64pad1", b"\x64pad2"])
@pytest.mark.parametrize("length", [1, 23, *LENGTHS])
def test_padding_is_found_by_whatever_length_it_has(name: bytes, length: int) -> None:
    """The bytes before and behind it are none of it."""
    head = bytes([0x40 + length]) if length < 24 else LENGTHS[length]

    def store(padding: bytes) -> bytes:
        return _store(
            superbox(
                b"c2ma",
                "a",
                superbox(b"c2cs", "c2pa.signature", box(b"cbor", b"x", name, head, padding, b"x")),
            )
        )

    check_redacted(store(bytes(length)), own="own")
    for at in {0, length - 1}:
        with pytest.raises(LeftoverError):
            check_redacted(store(bytes(at) + b"x" + bytes(length - at - 1)), own="own")


def test_a_compressed_manifest_is_not_carried_on() -> None:
    """Nothing here reads Brotli, and what cannot be looked at may hold anything."""
    settings = {"core": {"prefer_compress_manifests": True}}
    photo = by_camera(photos.jpeg(400, 300), settings=settings)
    assert b"brob" in photo
    result = made(photo, spec())
    (warning,) = result.renditions[0].warnings
    assert warning.code == "credentials-removed"
    assert "manifests that are not compressed" in warning.message
    assert b"c2pa" not in result.data[0]


def _manifest(*assertions: bytes) -> bytes:
    return superbox(b"c2ma", "a", superbox(b"c2as", "c2pa.assertions", *assertions))


LEFT = {
    "another's box": _manifest(superbox(b"cbor", "com.example.a", box(b"cbor"))),
    "a thumbnail": _manifest(superbox(b"cbor", "c2pa.actions", box(b"bidb", b"x"))),
    "a position": _manifest(superbox(b"cbor", "c2pa.actions", box(b"cbor", b"GPSLatitude"))),
    "no box": superbox(b"c2ma", "a", b"rubbish"),
    "no superbox": superbox(b"c2ma", "a", box(b"free", b"x")),
    "no description": superbox(b"c2ma", "a", box(b"jumb", box(b"cbor"))),
    "another standard's": superbox(b"c2ma", "a", box(b"jumb", box(b"jumd", bytes(20)))),
}


@pytest.mark.parametrize("kind", LEFT)
def test_what_is_left_of_a_photo_s_manifest_is_found(kind: str) -> None:
    """In bytes; what is kept is no leftover, nor is a part of which nothing is left."""
    empty = superbox(b"c2ma", "b", superbox(b"c2db", "c2pa.databoxes"))
    kept = _manifest(superbox(b"cbor", "c2pa.actions.v2__1", box(b"cbor", b"x")))
    check_redacted(_store(empty, kept), own="own")
    with pytest.raises(LeftoverError):
        check_redacted(_store(empty, LEFT[kind]), own="own")
    for broken in (b"", _store(kept)[:-9], _store(kept) * 2, _manifest()):
        with pytest.raises(LeftoverError):
            check_redacted(broken, own="own")


def _nested(depth: int) -> bytes:
    description = (
        b"\x00\x00\x00\x1djumdc2pa" + bytes.fromhex("00110010800000aa00389b71") + b"\x03c2p\0"
    )
    each = 8 + len(description)
    heads = (struct.pack(">I", (depth - at) * each) + b"jumb" for at in range(depth))
    return b"".join(head + description for head in heads)


HOSTILE = {
    "no claim": signed("jpeg", manifest_store()),
    "1,001 boxes": signed("jpeg", manifest_store() + b"jumb" * 1_001),
    "5 MB": signed("jpeg", manifest_store(padding=5_000_000)),
    "nested 1,000 deep": signed("jpeg", _nested(1_000)),
    "nested 100,000 deep": signed("jpeg", _nested(100_000)),
    "120 assertions": by_camera(
        photos.jpeg(120, 80),
        assertions=[{"label": f"com.example.a{at}", "data": {"a": at}} for at in range(120)],
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_store_takes_no_photo_with_it(kind: str, wall: Workers) -> None:
    """The rendition is made, without credentials, and says why; the worker stays."""
    result = render_in_memory(wall.open_photo, MemorySource(HOSTILE[kind]), asked(spec()))
    (rendition,) = result.renditions
    assert rendition.carried is None
    # What is too large is known before anything is read.
    assert codes((*result.plan.warnings, *rendition.warnings)) == ["credentials-removed"]
    is_large = kind in {"1,001 boxes", "5 MB", "nested 100,000 deep"}
    assert (result.plan.signer is None) is is_large
    assert len(wall._pool._idle) == 1


def test_a_long_chain_of_pictures_is_carried_on_whole() -> None:
    """Each generation was made from the one before; all of them are redacted."""
    photo = photos.jpeg(120, 80)
    for _ in range(3):
        photo = by_camera(photo)
    result = made(made(photo, spec()).data[0], spec())
    said = read(result.data[0])
    assert said["validation_state"] == "Trusted"
    assert GPS not in result.data[0]
    assert len(said["manifests"]) == 3


def test_a_broken_store_never_costs_the_photo(wall: Workers) -> None:
    """Whatever bits are flipped in it: a rendition comes out, valid where it has credentials."""
    drawn = random.Random(1)
    photo = by_camera(photos.jpeg(120, 80))
    start = photo.index(b"jumb") + 4
    (size,) = struct.unpack(">I", photo[start - 8 : start - 4])
    outcomes = set()
    for _ in range(60):
        data = bytearray(photo)
        for _ in range(drawn.choice((1, 2, 8))):
            data[drawn.randrange(start, start + size - 8)] ^= 1 << drawn.randrange(8)
        result = render_in_memory(wall.open_photo, MemorySource(bytes(data)), asked(spec()))
        (rendition,) = result.renditions
        outcomes.add(rendition.carried is not None)
        assert GPS not in result.data[0]
        if rendition.carried is not None:
            assert read(result.data[0])["validation_state"] in {"Valid", "Trusted"}
    assert outcomes == {True, False}


def test_a_gain_map_stays_beside_them() -> None:
    """What is written before it in the file moves it, and it is found all the same."""
    photo = by_camera(ultra_hdr_jpeg(1400, 1000))
    result = made(photo, spec(side=1024))
    assert result.renditions[0].gain_map_size
    assert header_of(result.data[0]).has_gain_map
    assert read(result.data[0])["validation_state"] == "Trusted"


def test_a_truncated_photo_is_refused_as_without_them(wall: Workers) -> None:
    """That it was read whole, for its credentials, hides nothing."""
    photo = by_camera(photos.jpeg(400, 300))
    for keeps in (Asked(specs=(RenditionSpec(name="a"),)), asked(spec())):
        with pytest.raises(Exception, match="end too soon"):
            render_in_memory(wall.open_photo, MemorySource(photo[:-3_000]), keeps)


class _Kept:
    """A sink, and what became of it."""

    def __init__(self, note: Callable[[], None]) -> None:
        self.note = note
        self.data = b""
        self.ending = ""

    def write(self, data: memoryview) -> None:
        """Note the first bytes before they are kept."""
        if not self.data:
            self.note()
        self.data += data

    def commit(self) -> None:
        """All of it is there."""
        assert not self.ending
        self.ending = "committed"

    def abort(self) -> None:
        """Nothing of it is wanted."""
        assert not self.ending
        self.ending = "aborted"


@pytest.mark.parametrize(
    "deaths", [{0}, {1}, {2}, {3}, {0, 1}, {1, 2}, {2, 3}, {3, 4}, {3, 5}, {3, 6}], ids=str
)
def test_a_worker_that_dies_while_it_signs_leaves_no_torn_rendition(deaths: set[int]) -> None:
    """Another makes the rest, once; a second death is the answer, and what is stored holds.

    Of two renditions it dies as each is signed, and as each is written: four places, and those
    of the second worker follow.
    """
    photo = by_camera(photos.jpeg(120, 80))
    passed: list[int] = []
    sinks: list[_Kept] = []
    workers = Workers(Launch(concurrency=1))

    def note() -> None:
        passed.append(len(passed))
        if passed[-1] in deaths:
            assert opened._worker is not None
            os.kill(opened._worker.process.pid, signal.SIGSEGV)

    def sign_and_note(data: bytes) -> bytes:
        note()
        return signature(ME.key, data)

    def open_sink(planned: PlannedRendition) -> _Kept:
        del planned
        sinks.append(_Kept(note))
        return sinks[-1]

    signing = Signing(signer=SIGNING.signer, sign=sign_and_note)
    wanted = Asked(specs=(spec("a"), spec("b", width=60)), signing=signing)
    try:
        with workers.open_photo(MemorySource(photo), wanted) as opened:
            plan = make_plan(opened.header, wanted)
            with suppress(CrashedError) if len(deaths) == 2 else nullcontext():
                made_of = list(opened.render(plan, open_sink))
                assert [one.carried for one in made_of] == [Carried(faults=())] * 2
        assert all(sink.ending for sink in sinks)
        whole = [sink.data for sink in sinks if sink.ending == "committed"]
        assert len(whole) == 2 or len(deaths) == 2
        for data in whole:
            assert read(data)["validation_state"] == "Trusted"
        # The next photo is none the worse.
        deaths = set()
        with workers.open_photo(MemorySource(photo), wanted) as opened:
            assert len(list(opened.render(plan, open_sink))) == 2
        assert len(workers._pool._idle) == 1
    finally:
        workers.close()


def test_a_label_says_what_it_is_of() -> None:
    """Versions and instances are of the same kind."""
    report = {
        "manifests": {
            "urn:c2pa:1": {
                "claim": {},
                "assertion_store": {
                    "c2pa.actions.v2__1": {},
                    "c2pa.ingredient.v3__12": {},
                    "c2pa.thumbnail.ingredient__1.jpeg": "",
                    "c2pa.actionsx": {},
                    "c2pa.ingredient": {"data": {"url": "self#jumbf=c2pa.databoxes/c2pa.data"}},
                },
            }
        }
    }
    with pytest.raises(definitions.UnredactableError):
        definitions.redactions(report)
    del report["manifests"]["urn:c2pa:1"]["assertion_store"]["c2pa.actionsx"]
    prefix = "self#jumbf=/c2pa/urn:c2pa:1"
    assert definitions.redactions(report) == (
        f"{prefix}/c2pa.assertions/c2pa.thumbnail.ingredient__1.jpeg",
        f"{prefix}/c2pa.databoxes/c2pa.data",
    )


def test_those_of_a_raw_and_those_elsewhere_are_not_carried_on() -> None:
    """There is a warning, as before, and nothing is read whole."""
    assert {each.value for each in InputFormat} - set(SIGNED_FORMATS) == {"raw"}
    photo = raf(by_camera(photos.jpeg(1200, 800)), sensor=(1200, 800))
    result = made(photo, spec())
    assert "credentials-removed" in codes(result.plan.warnings)
    assert result.plan.signer is None
