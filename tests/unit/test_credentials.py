"""Content credentials are detected in every format that has a place for them, and never kept."""

import json
import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Disposition
from handler.objects import ObjectEvent
from handler.photo.journal import Journal
from handler.photo.manifest import Kept, Manifest
from handler.photo.rule import Addition, merged
from handler.settings import Function
from handler.told.metrics import photo_line
from handler.version import SourceVersion
from imaging.files import heif as heif_files
from imaging.files import jpeg as jpeg_files
from imaging.files.credentials import MAX_STORE_BYTES, Credentials, credentials_of
from imaging.files.gif import application
from imaging.files.webp import ChunkAhead
from imaging.formats import InputFormat
from imaging.planning import Asked
from imaging.provenance import provenance
from imaging.specs import Metadata, RenditionSpec
from imaging.worker.values import MisfitError, from_json, to_json
from tests.photos import jpeg, webp
from tests.photos.credentials import AI, SIGNED_FORMATS, manifest_store, signed
from tests.photos.metadata import segment
from tests.photos.raws import raf
from tests.rendering import header_of, plan_of, rendered
from tests.unit.test_rights import packet, with_xmp

SPEC = RenditionSpec(name="a", width=100)
STORE = manifest_store(AI)


def said(data: bytes) -> dict[str, Any]:
    """Return what an app is told of where ``data`` comes from."""
    return provenance(header_of(data))


def test_there_is_a_photo_with_credentials_of_every_format_but_raw() -> None:
    """A new input format wants its place for them looked up."""
    assert set(SIGNED_FORMATS) | {"raw"} == {each.value for each in InputFormat}


@pytest.mark.parametrize("photo_format", SIGNED_FORMATS)
def test_credentials_are_found_in_every_format(photo_format: str) -> None:
    """With how the photo was made; a photo without them has none, and no warning."""
    data = signed(photo_format, STORE)
    assert said(data)["credentials"] == "present"
    assert said(data)["source_types"] == ["trainedAlgorithmicMedia"]
    # A thumbnail makes several packets, sub-blocks and reads of them.
    large = manifest_store(AI, padding=300_000)
    assert said(signed(photo_format, large))["source_types"] == ["trainedAlgorithmicMedia"]
    for metadata in Metadata:
        spec = RenditionSpec(name="a", width=100, metadata=metadata)
        result = rendered(data, spec)
        assert [one.code for one in result.plan.warnings] == ["credentials-removed"]
        assert header_of(result.data[0]).credentials is None
        assert b"c2pa" not in result.data[0]
        # And where they are removed nothing is said of them.
        assert not plan_of(result.data[0], Asked(specs=(spec,))).warnings


def test_those_of_a_raw_s_preview_are_the_photo_s() -> None:
    """A camera signs the picture that it shows."""
    data = raf(signed("jpeg", STORE, jpeg(1200, 800)), sensor=(1200, 800))
    assert said(data)["credentials"] == "present"


def test_those_behind_a_webp_s_pixels_are_found_however_large_it_is() -> None:
    """Its header ends long before; what is not looked for is not held."""
    plain = webp(120, 80)
    filler = b"XXXX" + struct.pack("<I", 7_000_001) + bytes(7_000_002)
    data = signed("webp", STORE, plain + filler)
    assert said(data)["source_types"] == ["trainedAlgorithmicMedia"]


@given(st.integers(1, 40), st.integers(0, 30))
def test_a_chunk_is_found_in_whatever_pieces_it_comes(piece: int, length: int) -> None:
    """Heads, bodies and paddings are cut anywhere."""
    body = bytes(range(length))
    data = signed("webp", body, b"RIFF\0\0\0\0WEBPodd \3\0\0\0abc\0")
    ahead = ChunkAhead(b"C2PA", 25)
    for at in range(0, len(data), piece):
        ahead.feed(memoryview(data)[at : at + piece])
    assert (ahead.found or b"") == body[:25]


def test_credentials_elsewhere_are_told_and_nobody_asks_for_them() -> None:
    """The photo's XMP names an address; it goes nowhere."""
    space = 'xmlns:dcterms="http://purl.org/dc/terms/" '
    data = with_xmp(jpeg(120, 80), packet("", space + 'dcterms:provenance="https://a/b.c2pa"'))
    assert said(data) == {"credentials": "elsewhere", "source_types": [], "data_mining": None}
    result = rendered(data, SPEC)
    assert [one.code for one in result.plan.warnings] == ["credentials-removed"]
    assert b"https://a/b.c2pa" not in result.data[0]


def test_xmp_and_credentials_both_say_how_it_was_made() -> None:
    """Each term once, XMP's first."""
    xmp = "http://cv.iptc.org/newscodes/digitalsourcetype/composite"
    c2pa = "http://c2pa.org/digitalsourcetype/empty"
    plain = with_xmp(jpeg(120, 80), packet("", f'Iptc4xmpExt:DigitalSourceType="{xmp}"'))
    data = signed("jpeg", manifest_store(AI, c2pa, AI), plain)
    assert said(data)["source_types"] == ["composite", "trainedAlgorithmicMedia", "empty"]


def test_other_boxes_in_app11_are_no_credentials() -> None:
    """JPEG XT and JPEG 360 have boxes there too."""
    other = STORE.replace(b"jumb", b"jumc", 1)
    assert said(signed("jpeg", other))["credentials"] == "none"
    other = STORE.replace(b"c2pa\x00\x11", b"json\x00\x11", 1)
    assert said(signed("jpeg", other))["credentials"] == "none"


@given(st.binary(max_size=200))
def test_no_store_can_make_reading_fail(rubbish: bytes) -> None:
    """Whatever a store holds, the photo is rendered."""
    for store in (rubbish, STORE[:-30] + rubbish, b"\x78" + rubbish + b"\x78\xffhttp://c2pa.org/"):
        credentials_of(store)
        jpeg_files.manifest_store(signed("jpeg", STORE + store, b"\xff\xd8" + store))
    application(b"GIF89a" + rubbish, b"C2PA_GIF\1\0\0")
    heif_files.manifest_store(lambda at, length: rubbish[at : at + length], len(rubbish))
    ChunkAhead(b"C2PA", 10).feed(memoryview(rubbish))


def _jpeg_of(*packets: bytes) -> bytes:
    plain = jpeg(120, 80)
    return plain[:2] + b"".join(segment(0xEB, each) for each in packets) + plain[2:]


def test_packets_of_a_jpeg_are_put_in_order() -> None:
    """Among those of another box, some of them twice; and where the length has eight bytes."""
    store = manifest_store(AI, padding=100)
    for head in (store[:8], b"\0\0\0\1jumb" + struct.pack(">Q", len(store) + 8)):
        at = [8, 40, 90, len(store) - 60, len(store)]
        packets = [
            b"JP\0\1" + struct.pack(">I", number) + head + store[begin:end]
            for number, (begin, end) in enumerate(pairwise(at), start=1)
        ]
        other = [each.replace(b"jumb", b"jxrb") for each in packets]
        orders = (packets, packets[::-1], [*packets, packets[2]], [*other, *packets], packets * 2)
        for order in orders:
            data = _jpeg_of(*order)
            assert said(data)["source_types"] == ["trainedAlgorithmicMedia"]
            assert jpeg_files.manifest_store(data) == head + store[8:]
        # A gap hides what lies behind it, and no more.
        assert said(_jpeg_of(packets[0]))["credentials"] == "present"


@pytest.mark.parametrize("purpose", [b"manifest", b"original", b"update", b"merkle"])
def test_a_box_of_c2pa_is_a_store_by_what_it_is_for(purpose: bytes) -> None:
    """Of a picture that was given update manifests, the store has another word."""
    data = signed("avif", STORE).replace(b"\0\0\0\0manifest\0", b"\0\0\0\0" + purpose + b"\0")
    # The box became as much shorter.
    found = data.rindex(b"uuid") - 4
    data = data[:found] + struct.pack(">I", len(data) - found) + data[found + 4 :]
    is_store = purpose != b"merkle"
    assert said(data)["credentials"] == ("present" if is_store else "none")
    if is_store:
        assert said(data)["source_types"] == ["trainedAlgorithmicMedia"]


def test_what_is_looked_through_is_bounded() -> None:
    """Terms are counted, and so are a store's bytes, and a file's boxes."""
    many = (f"http://c2pa.org/digitalsourcetype/{chr(97 + at)}" for at in range(20))
    found = credentials_of(manifest_store(*many))
    assert found is not None
    assert len(found.source_types) == 8
    far = manifest_store(AI, padding=MAX_STORE_BYTES)
    assert credentials_of(far) == Credentials(is_too_large=True)
    boxes = struct.pack(">I4s", 8, b"free") * 2000
    data = boxes + signed("avif", STORE)
    reads = []

    def read(at: int, length: int) -> bytes:
        reads.append(at)
        return data[at : at + length]

    assert heif_files.manifest_store(read, len(data)) is None
    assert len(reads) <= 1000


def test_a_text_s_length_ends_the_term() -> None:
    """What follows it in CBOR may be a letter, too."""
    found = credentials_of(manifest_store("http://c2pa.org/digitalsourcetype/empty"))
    assert found == Credentials(source_types=("empty",))
    assert credentials_of(b'{"digitalSourceType":"' + AI.encode() + b'"}') == Credentials(
        source_types=("trainedAlgorithmicMedia",)
    )


def test_what_a_worker_says_of_credentials_has_its_form() -> None:
    """Terms, and few of them: they go into a log."""
    one = to_json(Credentials(source_types=("empty",)))
    with pytest.raises(MisfitError):
        from_json(Credentials, one.replace(b"empty", b"48.51N"))
    with pytest.raises(MisfitError):
        from_json(Credentials, one.replace(b'"empty"', b",".join([b'"a"'] * 9)))


def test_the_log_says_it() -> None:
    """The line has the word, the terms, and the warning's code; none of them without."""
    for data, expected in (
        (signed("jpeg", STORE), ("present", ["trainedAlgorithmicMedia"], ["credentials-removed"])),
        (jpeg(120, 80), (None, None, None)),
    ):
        journal = Journal(ObjectEvent(bucket="photos", key="a.jpg"))
        journal.add_header(header_of(data))
        journal.add_plan(plan_of(data, Asked(specs=(SPEC,))))
        line = photo_line(
            journal.succeeded(Disposition.WRITTEN, ()),
            function=Function(),
            request_id="",
            cold=False,
            peak_bytes=1,
            now_s=1.0,
        )
        assert (line.get("credentials"), line.get("sourceTypes"), line.get("warnings")) == expected


def test_a_manifest_says_it_however_its_renditions_came() -> None:
    """On demand too; the rest of a sidecar that is there already stays."""
    version = SourceVersion(bucket="b", etag="e")
    about = {"provenance": said(signed("jpeg", STORE))}
    kept = (Kept(key="k", etag="1"),)
    draft = Addition(version=version, names=("a",), kept=kept, about=about)
    for before in (None, Manifest(version=version), Manifest(version=version, rejected="corrupt")):
        assert merged(before, draft).about == about
        assert json.loads(merged(before, draft).body("k", "m"))["provenance"] == about["provenance"]
    sidecar = {"version": 1}
    assert merged(Manifest(version=version, about=sidecar), draft).about == sidecar | about
