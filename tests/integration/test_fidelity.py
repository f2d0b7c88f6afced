"""Every default rendition of every input format is what a full decode and one resize would give."""

from dataclasses import replace
from pathlib import Path

import pytest
import pyvips

from imaging.config import load_config
from imaging.formats import OutputFormat
from imaging.rendition import Rendition
from imaging.specs import RenditionSpec
from tests.photos import avif, gif, heic, jpeg, png, psnr, ssim, tiff, upright_reference, webp
from tests.rendering import rendered

CONFIG = load_config(Path(__file__).parent.parent.parent / "renditions.toml")

# Large enough that the largest default rendition is made smaller, and that a decoder that can scale
# does; the slow encoders of AVIF and HEIC get what makes the second largest smaller.
PHOTOS = {
    "jpeg": lambda: jpeg(2800, 1866),
    # Twice the largest rendition, and as near above it as the decoder's own scaling is taken.
    "jpeg-twice": lambda: jpeg(4096, 512),
    "jpeg-shrunk": lambda: jpeg(5600, 700),
    "jpeg-progressive": lambda: jpeg(2300, 1533, progressive=True),
    "jpeg-odd": lambda: jpeg(2411, 1607, orientation=6),
    "png": lambda: png(2300, 1533),
    "webp": lambda: webp(2400, 1600),
    "gif": lambda: gif(1500, 1000),
    "tiff": lambda: tiff(2300, 1533),
    "tiff-pyramid": lambda: tiff(2800, 1866, layout="pages", compression="jpeg"),
    "avif": lambda: avif(1500, 1000),
    "heic": lambda: heic(1500, 1000, tile=512, icc="srgb"),
}


def made(data: bytes, specs: list[RenditionSpec]) -> list[tuple[Rendition, pyvips.Image]]:
    """Return what was made of ``data``, each with its decoded pixels."""
    result = rendered(data, *specs, limits=CONFIG.limits)
    return [(each, result.images[each.planned.spec.name]) for each in result.renditions]


def expected(data: bytes, rendition: Rendition) -> pyvips.Image:
    """Return the rendition made the long way, by none of the project's code."""
    placement = rendition.planned.placement
    image = upright_reference(data, placement.width, placement.height)
    if placement.crop is not None:
        crop = placement.crop
        image = image.crop(crop.left, crop.top, crop.width, crop.height)
    return image


@pytest.mark.parametrize("kind", PHOTOS)
def test_default_renditions_are_what_one_resize_would_give(kind: str) -> None:
    """38 dB and SSIM 0.985 at least, before the encoder takes what it takes of any picture.

    The scene has the noise of a camera in every pixel, which JPEG at quality 85 does not keep: any
    picture of it comes out at 31 to 34 dB, however it was made. So the two losses are told apart.
    """
    data = PHOTOS[kind]()
    lossless = [replace(spec, formats=(OutputFormat.PNG,)) for spec in CONFIG.renditions]
    references = {}
    for rendition, image in made(data, lossless):
        reference = references[rendition.planned.placement] = expected(data, rendition)
        assert psnr(image, reference) >= 38, rendition.planned.spec.name
        assert ssim(image, reference) >= 0.985, rendition.planned.spec.name
    for rendition, image in made(data, list(CONFIG.renditions)):
        reference = references[rendition.planned.placement]
        encoded = pyvips.Image.new_from_buffer(
            reference.jpegsave_buffer(Q=rendition.quality or 0, keep=pyvips.enums.ForeignKeep.NONE),
            "",
        )
        assert psnr(image, reference) >= psnr(encoded, reference) - 0.5
        assert ssim(image, reference) >= ssim(encoded, reference) - 0.01
