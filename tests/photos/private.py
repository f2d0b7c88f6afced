"""Photos full of what nobody should publish unawares, with the bytes to search the output for."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Final, Literal, get_args

from tests.photos.files import gif, heic, jpeg, png, webp
from tests.photos.landscape import scene
from tests.photos.metadata import (
    Fields,
    exif,
    iptc,
    photoshop_resources,
    segment,
    tiff_with,
    with_exif,
)
from tests.photos.raws import raf

if TYPE_CHECKING:
    from collections.abc import Callable

PhotoFormat = Literal["jpeg", "png", "webp", "gif", "tiff", "avif", "heic", "raw"]
PHOTO_FORMATS: Final[tuple[PhotoFormat, ...]] = get_args(PhotoFormat)

COPYRIGHT: Final = "Copyright-Keeper 2026"
"""The copyright notice of every private photo: metadata = "copyright" keeps it."""

SAFE: Final = {
    "make": b"Marker-Make",
    "model": b"Marker-Model",
    "lens": b"Marker-Lens-Model",
    "captured": b"2026:05:04 03:02:01",
}
"""What metadata = "safe" keeps besides the copyright; GIF cannot carry it."""

RIGHTS: Final = {
    "source-type": b"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    "credit": b"Credit-Keeper",
    "notice": b"Notice-Keeper",
    "statement": b"https://example.com/statement-keeper",
    "licensor": b"https://example.com/licensor-keeper",
    "data-mining": b"http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED",
}
"""What the XMP of every private photo says of whose it is; GIF's is not read."""

_WIDTH: Final = 320
_HEIGHT: Final = 240

# Seconds of the latitude, as no other field of a photo would hold them.
_SECONDS: Final = (30123457, 1000003)
_LATITUDE: Final = "48,51.502051N"
_LONGITUDE: Final = "2,17.402051E"
_DATE: Final = "2019:09:17"


def private_photo(photo_format: PhotoFormat) -> tuple[bytes, dict[str, bytes]]:
    """A photo of 320 x 240 with everything private that its format can carry.

    Position (binary and text), serial numbers, the owner's name, maker notes, a comment, an
    embedded thumbnail, and the location fields of XMP and IPTC. Each is a byte string that occurs
    nowhere else, so an output that contains one has leaked it.

    Returns:
        The photo, and what is in it: a name for the failure message -> the bytes to search for.
    """
    data = _WRITERS[photo_format]()
    markers = {name: marker for name, marker in _MARKERS.items() if marker in data}
    if "gps-seconds-little-endian" in markers:
        # A saver may write the other byte order than the photo had.
        markers["gps-seconds-big-endian"] = struct.pack(">II", *_SECONDS)
    return data, markers


def _text(name: str) -> bytes:
    return f"Marker-{name}-7f3a".encode()


_MARKERS: Final = {
    **{
        name: _text(name)
        for name in (
            "comment",
            "exif-body-serial",
            "exif-lens-serial",
            "exif-camera-serial",
            "exif-owner",
            "exif-maker-note",
            "exif-user-comment",
            "exif-image-id",
            "exif-thumbnail",
            "gps-method",
            "gps-area",
            "xmp-city",
            "xmp-state",
            "xmp-country",
            "xmp-sublocation",
            "xmp-created-city",
            "xmp-shown-sublocation",
            "xmp-body-serial",
            "xmp-lens-serial",
            "xmp-thumbnail",
            "xmp-creator",
            "xmp-licensor-name",
            "xmp-licensor-email",
            "xmp-ingredient-credit",
            "xmp-ingredient-rights",
            "xmp-usage-terms",
            "iptc-city",
            "iptc-sublocation",
            "iptc-state",
            "iptc-country",
            "iptc-content-location",
        )
    },
    "gps-date": _DATE.encode(),
    "gps-seconds-little-endian": struct.pack("<II", *_SECONDS),
    "xmp-gps-latitude": _LATITUDE.encode(),
    "xmp-gps-longitude": _LONGITUDE.encode(),
}


def _exif() -> bytes:
    # A JPEG reader skips the comment, so the thumbnail is a whole picture.
    small = jpeg(160, 120)
    thumbnail = small[:2] + segment(0xFE, _text("exif-thumbnail")) + small[2:]
    return exif(
        copyright_text=COPYRIGHT,
        fields=_first(),
        camera=_camera(),
        gps=_gps(),
        thumbnail=thumbnail,
    )


def _first() -> Fields:
    return {
        0x010F: SAFE["make"].decode(),
        0x0110: SAFE["model"].decode(),
        0xC62F: _text("exif-camera-serial").decode(),
    }


def _camera() -> Fields:
    return {
        0x829A: [(1, 125)],
        0x829D: [(28, 10)],
        0x8827: [400],
        0x9003: SAFE["captured"].decode(),
        0x927C: b"MakerNote\0" + _text("exif-maker-note"),
        0x9286: b"ASCII\0\0\0" + _text("exif-user-comment"),
        0xA420: _text("exif-image-id").decode(),
        0xA430: _text("exif-owner").decode(),
        0xA431: _text("exif-body-serial").decode(),
        0xA434: SAFE["lens"].decode(),
        0xA435: _text("exif-lens-serial").decode(),
    }


def _gps() -> Fields:
    return {
        1: "N",
        2: [(48, 1), (51, 1), _SECONDS],
        3: "E",
        4: [(2, 1), (17, 1), _SECONDS],
        0x1B: b"ASCII\0\0\0" + _text("gps-method"),
        0x1C: b"ASCII\0\0\0" + _text("gps-area"),
        0x1D: _DATE,
    }


def _xmp() -> bytes:
    def text(name: str) -> str:
        return _text(f"xmp-{name}").decode()

    # The base64 of a thumbnail is opaque here; what matters is that its bytes are gone.
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
  xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
  xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmlns:exifEX="http://cipa.jp/exif/1.0/"
  xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
  xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
  xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"
  xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/"
  xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
  Iptc4xmpExt:DigitalSourceType="{RIGHTS["source-type"].decode()}"
  photoshop:Credit="{RIGHTS["credit"].decode()}"
  exif:GPSLatitude="{_LATITUDE}" exif:GPSLongitude="{_LONGITUDE}"
  photoshop:City="{text("city")}" photoshop:State="{text("state")}"
  photoshop:Country="{text("country")}" Iptc4xmpCore:Location="{text("sublocation")}"
  exifEX:BodySerialNumber="{text("body-serial")}" aux:LensSerialNumber="{text("lens-serial")}">
 <Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li rdf:parseType="Resource">
  <Iptc4xmpExt:City>{text("created-city")}</Iptc4xmpExt:City>
 </rdf:li></rdf:Bag></Iptc4xmpExt:LocationCreated>
 <Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li rdf:parseType="Resource">
  <Iptc4xmpExt:Sublocation>{text("shown-sublocation")}</Iptc4xmpExt:Sublocation>
 </rdf:li></rdf:Bag></Iptc4xmpExt:LocationShown>
 <xmpMM:Ingredients><rdf:Bag><rdf:li rdf:parseType="Resource">
  <photoshop:Credit>{text("ingredient-credit")}</photoshop:Credit>
  <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{text("ingredient-rights")}</rdf:li></rdf:Alt>
  </dc:rights>
 </rdf:li></rdf:Bag></xmpMM:Ingredients>
 <dc:creator><rdf:Seq><rdf:li>{text("creator")}</rdf:li></rdf:Seq></dc:creator>
 <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{RIGHTS["notice"].decode()}</rdf:li></rdf:Alt>
 </dc:rights>
 <xmpRights:WebStatement>{RIGHTS["statement"].decode()}</xmpRights:WebStatement>
 <xmpRights:UsageTerms><rdf:Alt>
  <rdf:li xml:lang="x-default">{text("usage-terms")}</rdf:li></rdf:Alt></xmpRights:UsageTerms>
 <plus:Licensor><rdf:Seq><rdf:li rdf:parseType="Resource">
  <plus:LicensorName>{text("licensor-name")}</plus:LicensorName>
  <plus:LicensorEmail>{text("licensor-email")}</plus:LicensorEmail>
  <plus:LicensorURL>{RIGHTS["licensor"].decode()}</plus:LicensorURL>
 </rdf:li></rdf:Seq></plus:Licensor>
 <plus:DataMining rdf:resource="{RIGHTS["data-mining"].decode()}"/>
 <xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource">
  <xmpGImg:image>{text("thumbnail")}</xmpGImg:image>
 </rdf:li></rdf:Alt></xmp:Thumbnails>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()


def _iptc() -> bytes:
    return iptc(
        {
            27: _text("iptc-content-location").decode(),
            90: _text("iptc-city").decode(),
            92: _text("iptc-sublocation").decode(),
            95: _text("iptc-state").decode(),
            101: _text("iptc-country").decode(),
            116: COPYRIGHT,
        }
    )


def _private_jpeg() -> bytes:
    plain = jpeg(_WIDTH, _HEIGHT)
    blocks = (
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + _xmp())
        + segment(0xED, b"Photoshop 3.0\0" + photoshop_resources(_iptc()))
        + segment(0xFE, _text("comment"))
    )
    return with_exif(plain[:2] + blocks + plain[2:], _exif())


def _private_png() -> bytes:
    plain = png(_WIDTH, _HEIGHT)
    header_end = 8 + 12 + 13
    chunks = (
        _png_chunk(b"eXIf", _exif())
        + _png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _xmp())
        + _png_chunk(b"tEXt", b"Comment\0" + _text("comment"))
    )
    return plain[:header_end] + chunks + plain[header_end:]


def _png_chunk(kind: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(kind + payload)
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)


def _private_webp() -> bytes:
    plain = webp(_WIDTH, _HEIGHT)
    # libvips writes the extended layout because of the page fields; its pixels are one chunk.
    pixels = plain[plain.index(b"VP8 ") :]
    exif_and_xmp = 0x08 | 0x04
    canvas = (_WIDTH - 1).to_bytes(3, "little") + (_HEIGHT - 1).to_bytes(3, "little")
    chunks = (
        _riff_chunk(b"VP8X", bytes([exif_and_xmp, 0, 0, 0]) + canvas)
        + pixels[: 8 + int.from_bytes(pixels[4:8], "little")]
        + _riff_chunk(b"EXIF", _exif())
        + _riff_chunk(b"XMP ", _xmp())
    )
    return _riff_chunk(b"RIFF", b"WEBP" + chunks)


def _riff_chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def _private_gif() -> bytes:
    plain = gif(_WIDTH, _HEIGHT)
    colour_table = 3 << ((plain[10] & 7) + 1) if plain[10] & 0x80 else 0
    at = 13 + colour_table
    comment = _text("comment")
    # XMP is not split into sub-blocks: a trailer of descending lengths lets decoders skip it.
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    blocks = b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0"
    blocks += b"\x21\xff\x0bXMP DataXMP" + _xmp() + trailer
    # Extensions need version 89a.
    return b"GIF89a" + plain[6:at] + blocks + plain[at:]


def _private_tiff() -> bytes:
    image = scene(_WIDTH, _HEIGHT)
    first: Fields = {
        **_first(),
        0x0100: [_WIDTH],
        0x0101: [_HEIGHT],
        0x0102: [8, 8, 8],
        0x0103: [1],
        0x0106: [2],
        0x0115: [3],
        0x0116: [_HEIGHT],
        0x02BC: _xmp(),
        0x010E: _text("comment").decode(),
        0x8298: COPYRIGHT,
        0x83BB: _iptc(),
        0x8649: photoshop_resources(_iptc()),
    }
    return tiff_with(first, _camera(), _gps(), image.write_to_memory())


def _private_avif() -> bytes:
    from PIL import Image

    picture = Image.frombytes("RGB", (_WIDTH, _HEIGHT), scene(_WIDTH, _HEIGHT).write_to_memory())
    buffer = io.BytesIO()
    picture.save(buffer, "AVIF", quality=75, speed=10, exif=_exif(), xmp=_xmp())
    return buffer.getvalue()


def _private_heic() -> bytes:
    return heic(_WIDTH, _HEIGHT, exif_data=_exif(), xmp=_xmp())


def _private_raw() -> bytes:
    return raf(_private_jpeg(), sensor=(2 * _WIDTH, 2 * _HEIGHT))


_WRITERS: Final[dict[PhotoFormat, Callable[[], bytes]]] = {
    "jpeg": _private_jpeg,
    "png": _private_png,
    "webp": _private_webp,
    "gif": _private_gif,
    "tiff": _private_tiff,
    "avif": _private_avif,
    "heic": _private_heic,
    "raw": _private_raw,
}
