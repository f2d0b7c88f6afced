"""The scene as a file of each format, bit depth, colour space and layout that people upload."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, Literal

import pyvips

from tests.photos.landscape import scene
from tests.photos.metadata import exif, with_exif

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Orientation = Literal[1, 2, 3, 4, 5, 6, 7, 8]
Subsample = Literal["on", "off"]
Profile = Literal["srgb", "display-p3", "cmyk"]
TiffPixels = Literal["srgb", "rgb16", "grey", "cmyk", "lab", "labs", "float"]
TiffLayout = Literal["strips", "one strip", "tiles", "pages", "subifds"]

_KEEP_NOTHING: Final = pyvips.enums.ForeignKeep.NONE
_KEEP_PROFILE: Final = pyvips.enums.ForeignKeep.ICC
_KEEP_ORIENTATION: Final = pyvips.enums.ForeignKeep.ICC | pyvips.enums.ForeignKeep.EXIF
# libvips' own names for the profiles that it has built in.
_BUILT_IN: Final[dict[Profile, str]] = {"srgb": "srgb", "display-p3": "p3", "cmyk": "cmyk"}

# The inverse of what each EXIF orientation asks a viewer to do.
_STORED: Final[dict[Orientation, Callable[[pyvips.Image], pyvips.Image]]] = {
    1: lambda image: image,
    2: lambda image: image.fliphor(),
    3: lambda image: image.rot180(),
    4: lambda image: image.flipver(),
    5: lambda image: image.rot90().fliphor(),
    6: lambda image: image.rot270(),
    7: lambda image: image.rot270().fliphor(),
    8: lambda image: image.rot90(),
}


def icc_profile(name: Profile) -> bytes:
    """An ICC profile that libvips has built in: 480 bytes each for RGB, 0.96 MB for CMYK."""
    data = pyvips.Operation.call("profile_load", _BUILT_IN[name])
    return bytes(data)


def with_profile(image: pyvips.Image, name: Profile) -> pyvips.Image:
    """The same colours in the space of the profile, which is attached.

    Shape: 3 bands of sRGB -> 3 bands, or 4 for CMYK; uchar.
    """
    return image.icc_transform(_BUILT_IN[name], input_profile="srgb")


def stored(image: pyvips.Image, orientation: Orientation) -> pyvips.Image:
    """The pixels as a camera stores them, so that applying the tag turns them upright."""
    return _STORED[orientation](image)


def _tagged(image: pyvips.Image, orientation: Orientation | None) -> pyvips.Image:
    """The stored pixels with the tag that turns them upright, in memory.

    In memory because writers of several passes would turn a lazy picture once for each.
    """
    if orientation is None:
        return image
    image = stored(image, orientation).copy_memory()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image


def with_alpha(image: pyvips.Image) -> pyvips.Image:
    """Cut a soft-edged hole in the middle; what lies under it is black.

    A resize that is not premultiplied drags that black into a dark halo around the hole. The
    corners stay opaque. Shape: one band more.
    """
    centre_x, centre_y = image.width / 2, image.height / 2
    radius = min(image.width, image.height) / 4
    plane = pyvips.Image.xyz(image.width, image.height)
    x, y = plane.extract_band(0) - centre_x, plane.extract_band(1) - centre_y
    distance = (x * x + y * y) ** 0.5
    opaque = ((distance - radius) * (255 / max(4, radius / 8))).cast("uchar")
    image = (opaque > 0).ifthenelse(image, 0)
    return image.bandjoin(opaque).copy(interpretation=image.interpretation)


def jpeg(  # noqa: PLR0913 - each is one thing that real photos differ in
    width: int,
    height: int,
    *,
    quality: int = 90,
    progressive: bool = False,
    orientation: Orientation | None = None,
    icc: Profile | None = None,
    copyright_text: str | None = None,
    exif_data: bytes | None = None,
    subsample: Subsample = "on",
    seed: int = 1,
) -> bytes:
    """A JPEG as cameras write it: baseline, 4:2:0, the standard's own Huffman tables.

    Args:
        width: Width of the upright scene; with orientation 5 to 8 the file's height.
        height: Height of the upright scene.
        quality: libvips' Q.
        progressive: Several scans instead of one.
        orientation: The EXIF tag; the pixels are stored so that applying it turns them upright.
        icc: The colour space that the pixels are converted to and tagged with; None: no profile.
        copyright_text: The EXIF copyright.
        exif_data: A whole EXIF block instead of the one made from orientation and copyright.
        subsample: "on" is 4:2:0, "off" is 4:4:4.
        seed: Another seed gives another landscape.
    """
    image = scene(width, height, seed=seed)
    if icc is not None:
        image = with_profile(image, icc)
    if orientation is not None:
        image = stored(image, orientation)
    data = image.jpegsave_buffer(
        Q=quality, interlace=progressive, subsample_mode=subsample, keep=_KEEP_PROFILE
    )
    if exif_data is None and (orientation is not None or copyright_text is not None):
        exif_data = exif(orientation=orientation, copyright_text=copyright_text)
    return data if exif_data is None else with_exif(data, exif_data)


def write_jpeg(
    path: Path,
    width: int,
    height: int,
    *,
    progressive: bool = False,
    subsample: Subsample = "on",
    seed: int = 1,
) -> Path:
    """Write a large JPEG to `path`, unless it is there already, and return the path.

    *Cost*: 0.06 s of CPU per megapixel; memory of a few strips when baseline, of the whole picture
    when progressive. The file appears under its name only when it is whole, so the folder of a test
    session may be shared.
    """
    if not path.exists():
        partial = path.with_name(f"{path.name}.partial")
        scene(width, height, seed=seed).jpegsave(
            str(partial),
            Q=90,
            interlace=progressive,
            subsample_mode=subsample,
            keep=_KEEP_NOTHING,
        )
        partial.rename(path)
    return path


def jpeg_24mp(path: Path) -> Path:
    """Write a baseline JPEG of 6000 x 4000 (8.7 MB) to `path`, unless it is there already."""
    return write_jpeg(path, 6000, 4000)


def jpeg_200mp(path: Path) -> Path:
    """Write a baseline JPEG of 16320 x 12240 (62 MB) to `path`, unless it is there already."""
    return write_jpeg(path, 16320, 12240)


def grey_jpeg(width: int, height: int) -> bytes:
    """A JPEG of one component."""
    return scene(width, height).colourspace("b-w").jpegsave_buffer(Q=90, keep=_KEEP_NOTHING)


def cmyk_jpeg(
    width: int,
    height: int,
    *,
    profile: Literal["cmyk"] | None = "cmyk",
    adobe: bool = True,
    inverted: bool = True,
) -> bytes:
    """A JPEG of four inks.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        profile: "cmyk" embeds the profile that the colours were separated with; None embeds none.
        adobe: With the APP14 segment that Adobe's programs write.
        inverted: 0 is full ink, as Adobe's programs write it. libvips and Pillow take every CMYK
            JPEG so, with the segment or without; not inverted, it comes out as a negative.
    """
    inks = with_profile(scene(width, height), "cmyk")
    if not inverted:
        # libvips inverts what it saves: inverting first leaves 255 as full ink.
        inks = inks.invert().copy(interpretation="cmyk")
    keep = _KEEP_NOTHING if profile is None else _KEEP_PROFILE
    data = inks.jpegsave_buffer(Q=90, keep=keep)
    return data if adobe else _without_adobe_segment(data)


def _without_adobe_segment(data: bytes) -> bytes:
    at = data.index(b"\xff\xee\x00\x0eAdobe")
    return data[:at] + data[at + 16 :]


def ultra_hdr_jpeg(
    width: int, height: int, *, stops: float = 2.0, orientation: Orientation | None = None
) -> bytes:
    """A JPEG with a gain map, as Pixels and Galaxies write it: highlights brighter than white.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        stops: How much brighter the light parts of the scene are than in the SDR picture.
        orientation: As for `jpeg`; the gain map lies as the picture does.
    """
    sdr = scene(width, height)
    light = sdr.colourspace("b-w") / 255
    # Shadows and midtones stay; from there on the gain rises to 2 ** stops at white.
    bright = light * 2 - 1
    gain = 2 ** ((bright > 0).ifthenelse(bright, 0) * stops)
    hdr = (sdr.colourspace("scrgb") * gain).copy(interpretation="scrgb")
    return _tagged(hdr, orientation).uhdrsave_buffer(Q=90)


def png(  # noqa: PLR0913 - as for `jpeg`
    width: int,
    height: int,
    *,
    bits: Literal[8, 16] = 8,
    alpha: bool = False,
    palette: bool = False,
    interlaced: bool = False,
    grey: bool = False,
    icc: Profile | None = None,
    orientation: Orientation | None = None,
) -> bytes:
    """A PNG, such as a screenshot or an export of an editor.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        bits: Bits of each sample; 16 uses the full range, white being 65535.
        alpha: With the hole of `with_alpha`.
        palette: At most 256 colours.
        interlaced: Adam7, which needs the whole picture in memory to decode.
        grey: One band (two with alpha) instead of three.
        icc: The colour space that the pixels are converted to and tagged with.
        orientation: As for `jpeg`.
    """
    image = scene(width, height)
    if grey:
        image = image.colourspace("b-w")
    if icc is not None:
        image = with_profile(image, icc)
    if alpha:
        image = with_alpha(image)
    if bits == 16:
        image = _sixteen_bits(image)
    return _tagged(image, orientation).pngsave_buffer(
        compression=2,
        interlace=interlaced,
        palette=palette,
        keep=_KEEP_PROFILE if orientation is None else _KEEP_ORIENTATION,
    )


def _sixteen_bits(image: pyvips.Image) -> pyvips.Image:
    wide = (image * 257).cast("ushort")
    return wide.copy(interpretation="grey16" if image.bands < 3 else "rgb16")


def webp(
    width: int,
    height: int,
    *,
    alpha: bool = False,
    lossless: bool = False,
    frames: int = 1,
    icc: Profile | None = None,
    orientation: Orientation | None = None,
) -> bytes:
    """A WebP; with more than one frame an animated one, as `animation` describes."""
    image = scene(width, height) if frames == 1 else animation(width, height, frames)
    if icc is not None:
        image = with_profile(image, icc)
    if alpha:
        image = with_alpha(image)
    return _tagged(image, orientation).webpsave_buffer(
        Q=90, lossless=lossless, effort=1, keep=pyvips.enums.ForeignKeep.ALL
    )


def gif(width: int, height: int, *, frames: int = 1) -> bytes:
    """A GIF; with more than one frame an animated one, as `animation` describes."""
    image = scene(width, height) if frames == 1 else animation(width, height, frames)
    return image.gifsave_buffer(effort=1)


def animation(width: int, height: int, frames: int) -> pyvips.Image:
    """Frames below each other: a white square walks over the scene, and the light goes.

    Frame `i` lasts 40 + 10 * i ms; it loops three times.
    """
    base = scene(width, height).copy_memory()
    side = max(2, min(width, height) // 6)
    square = (pyvips.Image.black(side, side, bands=3) + 255).cast("uchar")
    pages = []
    for frame in range(frames):
        x = (width - side) * frame // max(1, frames - 1)
        pages.append(base.insert(square, x, (height - side) // 2))
    image = pyvips.Image.arrayjoin(pages, across=1).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "page-height", height)
    image.set_type(pyvips.GValue.array_int_type, "delay", [40 + 10 * i for i in range(frames)])
    image.set_type(pyvips.GValue.gint_type, "loop", 3)
    return image


def tiff(
    width: int,
    height: int,
    *,
    pixels: TiffPixels = "srgb",
    layout: TiffLayout = "strips",
    compression: Literal["none", "jpeg", "deflate", "lzw", "packbits"] = "lzw",
    alpha: bool = False,
    pages: int = 1,
    orientation: Orientation | None = None,
) -> bytes:
    """A TIFF, such as a scan or an export of an editor.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        pixels: Colour space and bit depth; "labs" is Lab in 16-bit integers, "float" linear light
            (scRGB), "cmyk" carries its profile.
        layout: "strips" of 256 rows, or "one strip" of all; "tiles" of 256 x 256; those with a
            pyramid in further "pages" or in "subifds" of the first.
        compression: "jpeg" for 8-bit pixels only.
        alpha: With the hole of `with_alpha`; for "srgb", "rgb16" and "grey".
        pages: Pages of a document; the scene is the first, the others are darker.
        orientation: As for `jpeg`; not together with pages.
    """
    image = _tagged(_tiff_pixels(scene(width, height), pixels, alpha=alpha), orientation)
    if pages > 1:
        rest = [(image * (1 - page / pages)).cast(image.format) for page in range(1, pages)]
        image = pyvips.Image.arrayjoin([image, *rest], across=1)
        image = image.copy(interpretation=rest[0].interpretation)
    return image.tiffsave_buffer(
        compression=compression,
        Q=90,
        tile=layout not in {"strips", "one strip"},
        tile_width=256,
        # Of strips, the rows.
        tile_height=image.height if layout == "one strip" else 256,
        pyramid=layout in {"pages", "subifds"},
        subifd=layout == "subifds",
        page_height=image.height // pages,
        keep=_KEEP_PROFILE,
    )


def _tiff_pixels(image: pyvips.Image, pixels: TiffPixels, *, alpha: bool) -> pyvips.Image:
    if pixels == "cmyk":
        return with_profile(image, "cmyk")
    if pixels == "grey":
        image = image.colourspace("b-w")
    if alpha:
        image = with_alpha(image)
    match pixels:
        case "srgb" | "grey":
            return image
        case "rgb16":
            return _sixteen_bits(image)
        case "lab" | "labs":
            return image.colourspace(pixels)
        case "float":
            return image.colourspace("scrgb")


def pyramid_tiff(
    path: Path,
    *,
    megapixels: int = 100,
    layout: Literal["pages", "subifds"] = "pages",
    repeat: int = 1,
) -> Path:
    """Write a tiled pyramidal TIFF of about 4:3 to `path`, unless it is there already.

    Tiles of 256 x 256, JPEG inside; each level half the size of the one before, down to one tile.
    The scene fills it, `repeat` times across and down. *Cost*: 0.08 s of CPU per megapixel of the
    scene, and 0.013 s per megapixel.
    """
    if not path.exists():
        width = round((megapixels * 1e6 * 4 / 3) ** 0.5 / 16) * 16
        height = round(width * 3 / 4)
        partial = path.with_name(f"{path.name}.partial")
        one = scene(width // repeat, height // repeat)
        image = one if repeat == 1 else one.copy_memory().replicate(repeat, repeat)
        image.tiffsave(
            str(partial),
            compression="jpeg",
            Q=90,
            tile=True,
            tile_width=256,
            tile_height=256,
            pyramid=True,
            subifd=layout == "subifds",
            keep=_KEEP_NOTHING,
        )
        partial.rename(path)
    return path


def avif(
    width: int,
    height: int,
    *,
    bits: Literal[8, 10, 12] = 8,
    alpha: bool = False,
    lossless: bool = False,
    subsample: Literal["auto", "on", "off"] = "auto",
    icc: Profile | None = None,
    orientation: Orientation | None = None,
) -> bytes:
    """An AVIF of one image; the orientation is a property of the container.

    *Cost*: 1 s of CPU per megapixel at the lowest effort.
    """
    image = scene(width, height)
    if icc is not None:
        image = with_profile(image, icc)
    if alpha:
        image = with_alpha(image)
    if bits > 8:
        image = _sixteen_bits(image)
    return _tagged(image, orientation).heifsave_buffer(
        compression="av1",
        Q=75,
        bitdepth=bits,
        lossless=lossless,
        effort=0,
        subsample_mode=subsample,
        keep=_KEEP_PROFILE if orientation is None else _KEEP_ORIENTATION,
    )


def heic(  # noqa: PLR0913 - as for `jpeg`
    width: int,
    height: int,
    *,
    bits: Literal[8, 10] = 8,
    alpha: bool = False,
    tile: int | None = None,
    orientation: Orientation | None = None,
    icc: Profile | None = "display-p3",
    exif_data: bytes | None = None,
    xmp: bytes | None = None,
    thumbnail: bool = False,
    others: int = 0,
    quality: int = 70,
) -> bytes:
    """A HEIC as iPhones write it: HEVC, Display P3, EXIF, rotated by a property of the container.

    *Cost*: 0.3 s of CPU per megapixel.

    Args:
        width: Width of the upright scene.
        height: Height of the upright scene.
        bits: Bits of each sample.
        alpha: With the hole of `with_alpha`.
        tile: Side of the tiles of a grid (an iPhone's is 512); None for a single image.
        orientation: Written as `irot` and `imir` and, as iPhones do, in the EXIF too: it must be
            applied once.
        icc: The colour space that the pixels are converted to and tagged with.
        exif_data: A whole EXIF block instead of the one made from the orientation.
        xmp: An XMP packet.
        thumbnail: With an embedded thumbnail of 160 pixels.
        others: Images of another scene that stand before the primary one in the file.
        quality: Of the encoder; at 35 a pixel has as many bytes as an iPhone's, 0.06 to 0.22.
    """
    import pillow_heif

    image = stored(scene(width, height), orientation or 1)
    if icc is not None:
        image = with_profile(image, icc)
    if exif_data is None:
        exif_data = exif(orientation=orientation or 1)
    if alpha:
        image = with_alpha(image)
    wide = bits > 8
    mode = ("RGBA" if alpha else "RGB") + (";16" if wide else "")
    file = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    for seed in range(2, others + 2):
        other = scene(320, 240, seed=seed)
        file.add_frombytes("RGB", (320, 240), other.write_to_memory())
    pixels = _sixteen_bits(image) if wide else image
    file.add_frombytes(mode, (image.width, image.height), pixels.write_to_memory())
    buffer = io.BytesIO()
    file.save(
        buffer,
        quality=quality,
        primary_index=others,
        exif=exif_data,
        xmp=xmp,
        icc_profile=None if icc is None else icc_profile(icc),
        thumbnails=[160] if thumbnail else [],
        tile_size=tile or 0,
        save_nclx_profile=icc is None,
        enc_params={"preset": "ultrafast"},
    )
    return buffer.getvalue()
