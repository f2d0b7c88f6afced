"""PNG, by libvips."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imaging.decoders.header import common_header
from imaging.errors import UnsupportedFormatError
from imaging.fields import set_blob
from imaging.files.credentials import credentials_of
from imaging.files.icc import gamma_profile
from imaging.files.png import LateOrientation, chunks, is_crushed, read_cicp_of_png, read_gamma

if TYPE_CHECKING:
    import pyvips

    from imaging.bridge.source import OpenPhoto
    from imaging.header import ImageHeader
    from imaging.plan import Load

__all__ = ["decode", "header", "peak_bytes"]

_INTERLACED: Final = 1.46
"""Times the whole picture's bytes: an interlaced PNG is decoded to memory, and read from there."""


def header(photo: "OpenPhoto") -> "ImageHeader":
    if is_crushed(photo.head):
        raise UnsupportedFormatError(
            "Expected a PNG but received one that Apple's tools made for iOS (CgBI)"
        )
    image = photo.load()
    found = dict(chunks(photo.header))
    read = common_header(photo, image, credentials=credentials_of(found.get(b"caBX")))
    if b"eXIf" not in found:
        photo.watch(LateOrientation())
    cicp = read_cicp_of_png(found)
    if cicp is not None:
        # It outranks a profile, which is there for readers that do not know it.
        return replace(read, cicp=cicp, has_profile=False, has_foreign_profile=False)
    gamma = read_gamma(found)
    has_curve_alone = gamma is not None and gamma.primaries is None
    has_profile = read.has_profile or (gamma is not None and not has_curve_alone)
    return replace(read, gamma=gamma, has_profile=has_profile)


def decode(photo: "OpenPhoto", header: "ImageHeader", load: "Load") -> "pyvips.Image":
    image = photo.load(access="sequential", fail_on=load.fail_on)
    gamma = header.gamma
    if gamma is None:
        return image
    if gamma.primaries is None:
        with photo.decoding():
            return _grey_in_srgb(image, gamma.exponent)
    image = image.copy()
    set_blob(image, "icc-profile-data", gamma_profile(gamma))
    return image


def _grey_in_srgb(image: "pyvips.Image", exponent: float) -> "pyvips.Image":
    """Return grey, with alpha or without, in sRGB's curve: IEC 61966-2-1.

    littlecms takes grey of a steep curve through a coarse table: the dark comes out 10 of 255 off.
    """
    import pyvips

    white = 65535 if image.format == "ushort" else 255
    light = (pyvips.Image.identity(ushort=white > 255, size=white + 1) / white) ** exponent
    bent = (light > 0.0031308).ifthenelse(1.055 * light ** (1 / 2.4) - 0.055, light * 12.92)
    lut = (bent * white).rint().cast(image.format)
    grey = image[0].maplut(lut)
    if image.bands > 1:
        grey = grey.bandjoin(image[1])
    return grey.copy(interpretation=image.interpretation)


def peak_bytes(header: "ImageHeader", load: "Load") -> float:
    del load
    return header.picture_bytes * _INTERLACED if header.interlaced else 0
