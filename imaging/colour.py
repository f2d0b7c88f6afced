"""Colour: from the photo's own to what a spec asks for, 8 bits each.

littlecms converts ICC profiles, through libvips, with relative colorimetric intent and black point
compensation. It comes after the resize, which leaves fewer pixels to convert.
"""

from functools import cache
from itertools import pairwise
from typing import Final, assert_never

import pyvips

from imaging.fields import blob_of, set_blob
from imaging.files.cicp import Cicp
from imaging.header import ImageHeader
from imaging.specs import Colour

__all__ = [
    "background_in",
    "convert",
    "in_colours_of",
    "keeps_values",
    "needs_depth",
    "to_rgb",
    "untagged_grey",
]

_PROFILE: Final = "icc-profile-data"

# Names of profiles that libvips has built in: sRGB and Display P3 are saucecontrol's compact ones
# (CC0, 480 bytes each), CMYK is Graeme Gill's "Chemical proof" (public domain).
_SRGB: Final = "srgb"
_DISPLAY_P3: Final = "p3"
_CMYK: Final = "cmyk"

# ITU-T H.273, tables 2 and 3.
_BT2020: Final = 9
_P3_D65: Final = 12
_LINEAR: Final = 8
_PQ: Final = 16
_HLG: Final = 18

# Linear light of BT.2020 and of Display P3 in that of sRGB: ITU-R BT.2087 and its method.
_BT2020_IN_SRGB: Final = [
    [1.660491, -0.587641, -0.072850],
    [-0.124550, 1.132900, -0.008349],
    [-0.018151, -0.100579, 1.118730],
]
_P3_IN_SRGB: Final = [
    [1.224940, -0.224940, 0.0],
    [-0.042057, 1.042057, 0.0],
    [-0.019638, -0.078636, 1.098274],
]

_MAX_STEP: Final = 4
"""Of 255, between neighbours of 8 bits in the dark: a curve of 1.8 has 3, light has 13."""

_Pixel = tuple[int, int, int]


def convert(image: pyvips.Image, header: ImageHeader, colour: Colour) -> pyvips.Image:
    """Convert to 8 bits of what ``colour`` asks for, or of grey where the photo is grey.

    The result has a profile exactly if that is to be stored with the rendition.

    *Shape*: any in; uchar, 1 to 4 bands, ``b-w`` or ``srgb`` out.
    """
    image = _tagged(image, header)
    if colour in header.own_colours:
        return image
    image = _in_8_bits(image, colour)
    match colour:
        case Colour.SRGB:
            conversion = _to_srgb
        case Colour.DISPLAY_P3:
            conversion = _to_display_p3
        case Colour.SOURCE:
            conversion = _as_it_is
        case _:
            assert_never(colour)
    try:
        return conversion(image)
    except pyvips.Error:
        if not image.get_typeof(_PROFILE):
            raise
        # littlecms cannot use the profile: viewers ignore it, and so do we.
        return conversion(_untagged(image))


def needs_depth(image: pyvips.Image, header: ImageHeader) -> bool:
    """Tell whether :func:`convert` makes more of 16 bits of ``image`` than of their upper 8.

    It does where it converts light, or by a curve that is near it, or to other primaries by itself.
    """
    if header.has_profile:
        return _is_coarse(image)
    cicp = header.cicp
    return cicp is not None and (cicp.transfer in {_PQ, _HLG, _LINEAR} or cicp.primaries == _BT2020)


def untagged_grey(image: pyvips.Image) -> pyvips.Image:
    """Convert a grey image with a profile to sRGB; return any other image as it is."""
    return _to_srgb(image) if _is_grey(image) else image


def keeps_values(image: pyvips.Image, header: ImageHeader, colour: Colour) -> bool:
    """Tell whether :func:`convert` leaves the numbers of an RGB ``image`` of 8 bits as they are."""
    if colour is Colour.SOURCE:
        return True
    if not header.has_profile:
        return colour is Colour.SRGB
    return _equals(image, _SRGB if colour is Colour.SRGB else _DISPLAY_P3)


def to_rgb(image: pyvips.Image) -> pyvips.Image:
    """Return a grey image in three bands of sRGB, without a profile; alpha stays."""
    if image.get_typeof(_PROFILE):
        return _transform(image, _SRGB)
    return image.colourspace("srgb")


def background_in(image: pyvips.Image, colour: _Pixel) -> list[float]:
    """Return the sRGB ``colour`` in the colours of ``image``, which has three bands of colour."""
    profile = _profile(image)
    if profile is None:
        return list(colour)
    pixel = pyvips.Image.new_from_memory(bytes(colour), 1, 1, 3, "uchar")
    pixel = pixel.copy(interpretation="srgb").icc_import(input_profile=_SRGB)
    set_blob(pixel, _PROFILE, profile)
    try:
        return [float(value) for value in pixel.icc_export(depth=8)(0, 0)]
    except pyvips.Error:
        # A scanner's profile may lead from its colours to others, and not back.
        return list(colour)


def in_colours_of(image: pyvips.Image, picture: pyvips.Image) -> pyvips.Image:
    """Return ``picture``, uchar and sRGB without alpha, in the colours of ``image``: in grey if so.

    *Shape*: uchar, one band or three, without a profile.
    """
    profile = _profile(image)
    if profile is not None:
        picture = picture.icc_import(input_profile=_SRGB)
        picture = picture.copy()
        set_blob(picture, _PROFILE, profile)
        try:
            # Evaluated here, where it can fail: it is a small picture.
            return _untagged(picture.icc_export(depth=8)).copy_memory()
        except pyvips.Error:
            # As a background: the profile leads one way only.
            pass
    return picture.colourspace("b-w") if _is_grey(image) else picture


def _profile(image: pyvips.Image) -> bytes | None:
    return blob_of(image, _PROFILE)


def _untagged(image: pyvips.Image) -> pyvips.Image:
    if not image.get_typeof(_PROFILE):
        return image
    image = image.copy()
    image.remove(_PROFILE)
    return image


@cache
def _built_in(name: str) -> bytes:
    return bytes(pyvips.Operation.call("profile_load", name))


def _with_profile(image: pyvips.Image, name: str) -> pyvips.Image:
    image = image.copy()
    set_blob(image, _PROFILE, _built_in(name))
    return image


def _tagged(image: pyvips.Image, header: ImageHeader) -> pyvips.Image:
    """Return the image with the profile that counts; without one where it counts as sRGB."""
    if header.has_profile:
        return image
    image = _untagged(image)
    return image if header.cicp is None else _from_cicp(image, header.cicp)


def _in_8_bits(image: pyvips.Image, colour: Colour) -> pyvips.Image:
    """Halve 16 bits; in sRGB's curve, where those of the profile are too few in the dark.

    littlecms converts 8 bits to within 2 of 255 of the exact value; 16 bits go through a coarse
    table there, and dark, saturated colours come out 6 off.
    """
    if image.format != "ushort":
        return image
    if image.get_typeof(_PROFILE) and image.interpretation != "cmyk" and _is_coarse(image):
        return _converted_exactly(image, colour)
    space = {"rgb16": "srgb", "grey16": "b-w"}.get(str(image.interpretation), image.interpretation)
    return (image >> 8).cast("uchar").copy(interpretation=space)


def _is_coarse(image: pyvips.Image) -> bool:
    """Tell whether 8 bits of the embedded profile's colours leave gaps in the dark, as light does.

    *Cost*: 32 pixels.
    """
    bands = image.bands - image.hasalpha()
    ramp = bytes(value for value in range(32) for _ in range(bands))
    probe = pyvips.Image.new_from_memory(ramp, 32, 1, bands, "uchar")
    probe = probe.copy(interpretation="srgb" if bands > 1 else "b-w")
    set_blob(probe, _PROFILE, _profile(image) or b"")
    try:
        shown = bytes(_transform(probe, _SRGB)[1].write_to_memory())
    except pyvips.Error:
        return False
    return any(second - first > _MAX_STEP for first, second in pairwise(shown))


def _converted_exactly(image: pyvips.Image, colour: Colour) -> pyvips.Image:
    """Return the image in 8 bits of sRGB, of Display P3 with its profile, or of grey.

    Through floating point, where littlecms is exact.
    """
    wide = colour is not Colour.SRGB and not _is_grey(image)
    alpha = None
    colours = image
    if image.hasalpha():
        alpha = image[image.bands - 1]
        if alpha.format == "ushort":
            alpha = (alpha >> 8).cast("uchar")
        colours = image.extract_band(0, n=image.bands - 1).copy(interpretation=image.interpretation)
    colours = colours.icc_import(embedded=True, black_point_compensation=True)
    target = _DISPLAY_P3 if wide else _SRGB
    colours = colours.icc_export(output_profile=target, depth=8, black_point_compensation=True)
    colours = _as_grey_if(image, _untagged(colours))
    if alpha is not None:
        space = colours.interpretation
        # Alpha brings the profile of the photo along.
        colours = _untagged(colours.bandjoin(alpha).copy(interpretation=space))
    return _with_profile(colours, _DISPLAY_P3) if wide else colours


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    if image.get_typeof(_PROFILE):
        if _is_shown(image) and image.bands >= 3 and _equals(image, _SRGB):
            return _untagged(image)
        return _as_grey_if(image, _transform(image, _SRGB))
    match str(image.interpretation):
        case "cmyk":
            return _transform(image, _SRGB, source=_CMYK)
        case "lab" | "labs" | "labq":
            return _from_lab(image, _SRGB)
        case _ if _is_shown(image):
            return image
    return image.colourspace("b-w" if _is_grey(image) else "srgb").cast("uchar")


def _to_display_p3(image: pyvips.Image) -> pyvips.Image:
    if _is_grey(image):
        # sRGB and Display P3 have the same white and the same curve, and so the same greys.
        return _to_srgb(image)
    if image.get_typeof(_PROFILE):
        if not (_is_shown(image) and _equals(image, _DISPLAY_P3)):
            image = _transform(image, _DISPLAY_P3)
        return _with_profile(image, _DISPLAY_P3)
    match str(image.interpretation):
        case "cmyk":
            image = _transform(image, _DISPLAY_P3, source=_CMYK)
        case "lab" | "labs" | "labq":
            image = _from_lab(image, _DISPLAY_P3)
        case _:
            image = _transform(_to_srgb(image), _DISPLAY_P3, source=_SRGB)
    return _with_profile(image, _DISPLAY_P3)


def _as_it_is(image: pyvips.Image) -> pyvips.Image:
    """Keep profile and colours of RGB and grey; what browsers do not show becomes sRGB."""
    if not image.get_typeof(_PROFILE):
        return _to_srgb(image)
    return image if _is_shown(image) else _to_srgb(image)


def _is_shown(image: pyvips.Image) -> bool:
    """Tell whether a browser shows such samples as they are."""
    return image.format == "uchar" and image.interpretation in {"srgb", "b-w"}


def _is_grey(image: pyvips.Image) -> bool:
    return image.interpretation in {"b-w", "grey16"} or image.bands < 3


def _transform(image: pyvips.Image, target: str, *, source: str | None = None) -> pyvips.Image:
    """Convert from the embedded profile, or the built-in ``source``; the result has no profile."""
    if source is None:
        image = image.icc_transform(target, embedded=True, depth=8, black_point_compensation=True)
    else:
        # Of a profile that is a guess, perceptually: the darkest ink is then black.
        intent = "perceptual" if source == _CMYK else "relative"
        image = image.icc_transform(
            target, input_profile=source, depth=8, black_point_compensation=True, intent=intent
        )
    return _untagged(image)


def _from_lab(image: pyvips.Image, target: str) -> pyvips.Image:
    # TIFF's Lab is that of ICC, under D50; libvips' own conversion takes it to be under D65.
    image = image.colourspace("lab")
    image = image.icc_export(output_profile=target, depth=8, black_point_compensation=True)
    return _untagged(image)


def _as_grey_if(source: pyvips.Image, image: pyvips.Image) -> pyvips.Image:
    """Return ``image`` in grey where ``source``, from which it was made, is grey."""
    if not _is_grey(source):
        return image
    grey = image.extract_band(1)
    if image.hasalpha():
        grey = grey.bandjoin(image.extract_band(image.bands - 1))
    return grey.copy(interpretation="b-w")


def _equals(image: pyvips.Image, name: str) -> bool:
    """Tell whether the embedded profile is in effect that built-in one: it changes no patch.

    Most photos carry sRGB under one of its many profiles; this costs 64 pixels, the conversion
    that it saves would cost the whole base.
    """
    levels = (0, 85, 170, 255)
    patches = bytes(value for r in levels for g in levels for b in levels for value in (r, g, b))
    probe = pyvips.Image.new_from_memory(patches, 64, 1, 3, "uchar").copy(interpretation="srgb")
    set_blob(probe, _PROFILE, _profile(image) or b"")
    try:
        moved = (probe.icc_transform(name, embedded=True).cast("short") - probe).abs()
    except pyvips.Error:
        return False
    # At most 1 of 255 in any band.
    return not float((moved > 1).avg())


def _from_cicp(image: pyvips.Image, cicp: Cicp) -> pyvips.Image:
    """Return an image that is tagged by numbers in sRGB, or in Display P3 with its profile."""
    bright = cicp.transfer in {_PQ, _HLG}
    tagged = bright or cicp.transfer == _LINEAR or cicp.primaries in {_BT2020, _P3_D65}
    if _is_grey(image) or not tagged:
        return image
    if cicp.primaries == _P3_D65 and not bright and cicp.transfer != _LINEAR:
        return _with_profile(image, _DISPLAY_P3)
    colour = image.extract_band(0, n=3)
    white = 255 if image.format == "uchar" else 65535
    match cicp.transfer:
        case 16:
            light = _light_of_pq(colour / white)
        case 18:
            light = _light_of_hlg(colour / white)
        case 8:
            light = colour / white
        case _:
            # BT.709, BT.2020 and sRGB: stills are shown with sRGB's curve.
            light = colour.colourspace("scrgb")
    matrix = {_BT2020: _BT2020_IN_SRGB, _P3_D65: _P3_IN_SRGB}.get(cicp.primaries)
    if matrix is not None:
        light = _mixed(light, matrix)
    if bright:
        light = _with_highlights_rolled_off(light)
    shown = light.copy(interpretation="scrgb").colourspace("srgb").cast("uchar")
    if image.hasalpha():
        alpha = image.extract_band(3) * (255 / white)
        shown = shown.bandjoin(alpha.rint().cast("uchar")).copy(interpretation="srgb")
    return shown


def _mixed(image: pyvips.Image, matrix: list[list[float]]) -> pyvips.Image:
    return image.recomb(pyvips.Image.new_from_array(matrix))


def _light_of_pq(signal: pyvips.Image) -> pyvips.Image:
    """SMPTE ST 2084; 1 is the white of ITU-R BT.2408, 203 cd/m2."""
    root = signal ** (1 / 78.84375)
    ratio = root - 0.8359375
    ratio = (ratio > 0).ifthenelse(ratio, 0) / (18.8515625 - root * 18.6875)
    return ratio ** (1 / 0.1593017578125) * (10_000 / 203)


def _light_of_hlg(signal: pyvips.Image) -> pyvips.Image:
    """ITU-R BT.2100 on its display of 1,000 cd/m2; 1 is 203 cd/m2."""
    scene = (signal <= 0.5).ifthenelse(
        signal * signal / 3, (((signal - 0.55991073) / 0.17883277).exp() + 0.28466892) / 12
    )
    luminance = _mixed(scene, [[0.2627, 0.6780, 0.0593]])
    return scene * luminance**0.2 * (1_000 / 203)


def _with_highlights_rolled_off(light: pyvips.Image) -> pyvips.Image:
    """Leave what is below half of white; bend what is above so that nothing exceeds white.

    A bright sky is 300 to 1,000 cd/m2: bent from 80 % on, it has 250 to 254 of 255, and no clouds.
    """
    knee, room = 0.5, 0.5
    luminance = _mixed(light, [[0.2126, 0.7152, 0.0722]])
    above = luminance - knee
    bent = above / (above + room) * room + knee
    return light * (above > 0).ifthenelse(bent / luminance, 1)
