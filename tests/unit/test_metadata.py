"""What a rendition tells about its photo is what its spec lets through, to the byte."""

import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from imaging.bridge.source import OpenPhoto
from imaging.decoders import tiff as decoder
from imaging.files.exif import SAFE_FIELDS, read_exif, write_exif
from imaging.files.xmp import upright_xmp
from imaging.formats import InputFormat, OutputFormat
from imaging.local import MemorySource
from imaging.specs import Metadata, RenditionSpec
from tests.photos import (
    COPYRIGHT,
    PHOTO_FORMATS,
    SAFE,
    PhotoFormat,
    exif,
    jpeg,
    private_photo,
    tiff,
    with_exif,
)
from tests.photos.files import TiffLayout
from tests.rendering import header_of, rendered

FORMATS: list[PhotoFormat] = [name for name in PHOTO_FORMATS if name in list(InputFormat)]
CARRIES_EXIF = [name for name in FORMATS if name != "gif"]


def inflated(png: bytes) -> bytes:
    """Return what a PNG's text chunks hold, without their compression."""
    text = b""
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, payload = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind in {b"iTXt", b"zTXt"}:
            # The compressed part is the last; wherever it begins, only there does it inflate.
            for start in range(len(payload)):
                with suppress(zlib.error):
                    text += zlib.decompress(payload[start:])
        at += 12 + length
    return text


# GIF holds no metadata.
HOLDING = [output for output in OutputFormat if output is not OutputFormat.GIF]


def encoded(
    data: bytes, metadata: Metadata, outputs: Sequence[OutputFormat] = HOLDING
) -> dict[OutputFormat, bytes]:
    """Return the bytes of one rendition of each output format, and a PNG's texts inflated."""
    specs = (
        RenditionSpec(name=output.value, width=100, formats=(output,), metadata=metadata)
        for output in outputs
    )
    result = rendered(data, *specs)
    formats = (rendition.planned.format for rendition in result.renditions)
    made = dict(zip(formats, result.data, strict=True))
    made[OutputFormat.PNG] += inflated(made[OutputFormat.PNG])
    return made


@pytest.mark.parametrize("metadata", [Metadata.NONE, Metadata.COPYRIGHT, Metadata.SAFE])
@pytest.mark.parametrize("photo_format", FORMATS)
def test_nothing_private_is_in_the_bytes_of_any_output(
    photo_format: PhotoFormat, metadata: Metadata
) -> None:
    """Position, serial numbers, maker notes, thumbnails and places are nowhere in the output."""
    data, private = private_photo(photo_format)
    for output, made in encoded(data, metadata, list(OutputFormat)).items():
        leaked = [name for name, marker in private.items() if marker in made]
        assert not leaked, output
        assert len(made) > 100


@pytest.mark.parametrize("photo_format", CARRIES_EXIF)
def test_the_copyright_comes_through_and_the_camera_only_if_asked(
    photo_format: PhotoFormat,
) -> None:
    """Copyright by default; ``safe`` adds camera, lens and time; ``none`` keeps nothing."""
    data, _ = private_photo(photo_format)
    for made in encoded(data, Metadata.COPYRIGHT).values():
        assert COPYRIGHT.encode() in made
        assert not [name for name, marker in SAFE.items() if marker in made]
    for made in encoded(data, Metadata.SAFE).values():
        assert COPYRIGHT.encode() in made
        assert all(marker in made for marker in SAFE.values())
    for made in encoded(data, Metadata.NONE).values():
        assert COPYRIGHT.encode() not in made
        assert not [name for name, marker in SAFE.items() if marker in made]


def test_all_keeps_even_the_position_but_not_the_old_thumbnail() -> None:
    """The block comes through, less the thumbnail, which shows the photo as it was."""
    data, private = private_photo("jpeg")
    for made in encoded(data, Metadata.ALL).values():
        assert private["exif-body-serial"] in made
        assert private["gps-seconds-little-endian"] in made or (
            private["gps-seconds-big-endian"] in made
        )
        assert private["xmp-city"] in made
        assert private["exif-thumbnail"] not in made


@pytest.mark.parametrize("metadata", Metadata)
@pytest.mark.parametrize("big_endian_camera", [False, True])
def test_no_output_asks_to_be_turned(metadata: Metadata, big_endian_camera: bool) -> None:  # noqa: FBT001
    """The pixels are upright; EXIF and XMP say so in every mode."""
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    block = exif(orientation=6, copyright_text="A")
    if big_endian_camera:
        block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    data = jpeg(120, 80, orientation=6, exif_data=block)
    payload = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    data = data[:2] + b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload + data[2:]
    for made in encoded(data, metadata).values():
        image = pyvips.Image.new_from_buffer(made, "")
        assert (image.width, image.height) == (100, 67)
        assert not image.get_typeof("orientation") or image.get("orientation") == 1
        assert b'Orientation="6"' not in made
        assert metadata is not Metadata.ALL or b'Orientation="1"' in made


@pytest.mark.parametrize(
    "text", ["© 写真家 (Studio) Söhne", "Jane (Doe)", "A" * 300, "((", "a, ASCII, 1 components)"]
)
def test_a_copyright_comes_through_in_every_script(text: str) -> None:
    """Libvips by itself writes ASCII and cuts at parentheses."""
    data = with_exif(jpeg(120, 80), exif(copyright_text=text))
    for made in encoded(data, Metadata.COPYRIGHT).values():
        assert text.encode() + b"\0" in made


def test_a_copyright_of_photographer_and_editor_stays_whole() -> None:
    """EXIF parts the two by a NUL; an old encoding becomes UTF-8."""
    data = with_exif(jpeg(120, 80), exif(copyright_text="Ann\0Ben XX").replace(b"XX", b"\xe9\xe8"))
    for made in encoded(data, Metadata.COPYRIGHT).values():
        assert "Ann; Ben éè".encode() in made


def test_a_tiff_with_its_fields_at_the_end_of_the_file_is_read_too() -> None:
    """The directory of a TIFF may stand anywhere."""
    data = tiff(120, 80)
    photo = OpenPhoto(MemorySource(data))
    with photo:
        assert photo.read_at(0, 4) == data[:4]
        assert photo.read_at(len(data) - 2, 10) == data[-2:]
        assert decoder.header(photo).exif == {}


def test_xmp_that_describes_other_parts_of_the_file_does_not_survive_them() -> None:
    """A gain map or a video that is gone must not be announced."""
    assert upright_xmp(b'<x tiff:Orientation = "8"/>') == b'<x tiff:Orientation = "1"/>'
    assert upright_xmp(b"<tiff:Orientation>3</tiff:Orientation>") == (
        b"<tiff:Orientation>1</tiff:Orientation>"
    )
    assert upright_xmp(b'<x xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>') is None


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=40)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(["Make", "Model", "Copyright", "Artist", "LensModel"], WORDS),
            "FNumber": st.tuples(*[st.integers(0, 2**32 - 1)] * 2),
            "ExposureBiasValue": st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 2),
            "ISOSpeedRatings": st.tuples(st.integers(0, 0xFFFF)),
        },
    )
)
def test_what_is_written_is_read_again(fields: dict[str, str | tuple[int, ...]]) -> None:
    """Every field comes back as it went in."""
    block = write_exif(fields)
    assert read_exif(lambda at, length: block[at : at + length]) == fields


@given(st.binary(max_size=300), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_no_block_can_make_reading_fail(rubbish: bytes, head: bytes) -> None:
    """What is malformed is left out, and only known fields come back."""
    block = head + rubbish
    assert set(read_exif(lambda at, length: block[at : at + length])) <= SAFE_FIELDS


def test_a_value_of_another_type_than_its_field_has_is_not_taken() -> None:
    """Text in the place of a number could carry anything."""
    data = with_exif(jpeg(16, 16), exif(camera={0x8827: "secret", 0x829D: [28]}))
    assert header_of(data).exif == {}


@pytest.mark.parametrize(("layout", "rows"), [("strips", 256), ("one strip", 300), ("tiles", None)])
def test_a_tiff_s_header_says_how_many_rows_a_strip_has(
    layout: TiffLayout, rows: int | None
) -> None:
    """A strip is held whole while it is decoded: it counts for the memory that a photo takes."""
    assert header_of(tiff(400, 300, layout=layout)).strip_rows == rows
