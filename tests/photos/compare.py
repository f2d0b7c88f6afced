"""Comparing pictures: by pixels and structure, never by bytes."""

from __future__ import annotations

import math

import pyvips


def psnr(a: pyvips.Image, b: pyvips.Image) -> float:
    """Peak signal-to-noise ratio in dB over all bands; infinite for equal pictures.

    Shape: two uchar pictures of equal dimensions and bands.
    """
    _require_same_shape(a, b)
    difference = a.cast("float") - b
    mean_square = (difference * difference).avg()
    return math.inf if mean_square == 0 else 10 * math.log10(255 * 255 / mean_square)


def ssim(a: pyvips.Image, b: pyvips.Image) -> float:
    """Structural similarity of the luminance, 1 for equal pictures.

    *Source*: Wang, Bovik, Sheikh, Simoncelli, 2004, with its Gaussian window of deviation 1.5.

    Shape: two uchar pictures of equal dimensions and bands.
    """
    _require_same_shape(a, b)
    x, y = (image.colourspace("b-w").extract_band(0).cast("float") for image in (a, b))

    def mean(image: pyvips.Image) -> pyvips.Image:
        return image.gaussblur(1.5, precision="float")

    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x * mean_x + mean(y * y) - mean_y * mean_y
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x * mean_x + mean_y * mean_y + c1) * (variances + c2)
    return float((numerator / denominator).avg())


def upright_reference(
    data: bytes, width: int, height: int, *, background: tuple[int, int, int] = (255, 255, 255)
) -> pyvips.Image:
    """What a rendition of exactly these dimensions should look like, made the long way.

    Independent of the project: the whole file decoded without shrink-on-load, turned upright,
    converted to sRGB by littlecms, flattened, and resized once, each to its end before the next.

    Shape: width x height x 3, uchar, sRGB, in memory.

    Args:
        data: The encoded photo, of any format that libvips or pillow-heif decodes.
        width: Width of the rendition; the whole picture is fitted, the ratio is not kept.
        height: Height of the rendition.
        background: Under transparent pixels.
    """
    image = _decoded(data)
    if image.hasalpha():
        # Resized first, so that what comes out is the mixture of what shows.
        image = image.premultiply()
        image = _resized(image, width, height).unpremultiply().cast("uchar")
        return image.flatten(background=list(background)).copy_memory()
    return _resized(image, width, height).copy_memory()


def _resized(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    return image.resize(width / image.width, vscale=height / image.height, kernel="lanczos3")


def _decoded(data: bytes) -> pyvips.Image:
    if data[4:8] == b"ftyp" and data[8:12] != b"avif":
        image = _decoded_heic(data)
    else:
        image = pyvips.Image.new_from_buffer(data, "").autorot()
    alpha = image.extract_band(image.bands - 1) if image.hasalpha() else None
    colour = image.extract_band(0, n=image.bands - 1) if alpha is not None else image
    if image.get_typeof("icc-profile-data"):
        colour = colour.icc_transform("srgb", embedded=True)
    elif image.interpretation == "cmyk":
        colour = colour.icc_transform("srgb", input_profile="cmyk")
    colour = colour.colourspace("srgb").cast("uchar")
    if alpha is not None:
        opaque = 65535 if alpha.format == "ushort" else 255
        colour = colour.bandjoin((alpha * (255 / opaque)).rint().cast("uchar"))
        colour = colour.copy(interpretation="srgb")
    return colour.copy_memory()


def _decoded_heic(data: bytes) -> pyvips.Image:
    import pillow_heif

    heif = pillow_heif.open_heif(data)
    if heif.mode != "RGB":
        message = f"only three bands are decoded here, not {heif.mode}"
        raise ValueError(message)
    picture = heif.to_pillow()
    image = pyvips.Image.new_from_memory(picture.tobytes(), *picture.size, 3, "uchar")
    image = image.copy(interpretation="srgb")
    profile = picture.info.get("icc_profile")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def _require_same_shape(a: pyvips.Image, b: pyvips.Image) -> None:
    shapes = [(image.width, image.height, image.bands, image.format) for image in (a, b)]
    if shapes[0] != shapes[1] or a.format != "uchar":
        message = f"Expected two uchar pictures of one shape but received {shapes}"
        raise ValueError(message)
