"""What comes out looks like an independent resize of what went in."""

import pytest
import pyvips

from imaging.errors import OverLimitError
from imaging.formats import OutputFormat
from imaging.limits import Limits
from imaging.planning import Asked, make_plan
from imaging.specs import Fit, RenditionSpec
from tests.photos import avif, corner_colours, gif, jpeg, png, psnr, tiff, upright_reference, webp
from tests.rendering import header_of, parent_of, rendered

INSIDE = tuple(
    RenditionSpec(name=f"w{side}", width=side, height=side, formats=(OutputFormat.PNG,))
    for side in (512, 320, 160, 80)
)


PHOTOS = {
    "jpeg": lambda: jpeg(1203, 801),
    "progressive": lambda: jpeg(1200, 800, progressive=True),
    "png": lambda: png(900, 600),
    "png-alpha": lambda: png(900, 600, alpha=True),
    "webp": lambda: webp(900, 600),
    "gif": lambda: gif(900, 600),
    "tiff": lambda: tiff(900, 600),
    "avif": lambda: avif(600, 400),
    "display-p3": lambda: jpeg(900, 600, icc="display-p3"),
}


@pytest.mark.parametrize("kind", PHOTOS)
def test_renditions_agree_with_an_independent_resize(kind: str) -> None:
    """Each rendition is within 38 dB of the whole original resized once, and sRGB."""
    data = PHOTOS[kind]()
    images = rendered(data, *INSIDE).images
    for image in images.values():
        assert image.interpretation == "srgb"
        shown = image.flatten(background=[255.0, 255.0, 255.0]) if image.hasalpha() else image
        assert psnr(shown, upright_reference(data, image.width, image.height)) >= 38


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright_at_every_fit(orientation: int, fit: Fit) -> None:
    """The corners of the scene are where they belong, and the tag is gone."""
    data = jpeg(600, 400, orientation=orientation)  # type: ignore[arg-type]
    spec = RenditionSpec(name="a", width=300, height=200, fit=fit)
    images = rendered(data, spec).images
    assert (images["a"].width, images["a"].height) == (300, 200)
    assert corner_colours(images["a"]) == corner_colours(
        pyvips.Image.new_from_buffer(jpeg(600, 400), "")
    )
    assert not images["a"].get_typeof("exif-data")


def test_one_base_serves_all_and_large_parents_serve_small_children() -> None:
    """The plan decodes once, shrunk on load, and computes sizes from the original.

    Shrunk by 4 it would be 600 wide: enough for 512, and too soft.
    """
    plan = rendered(jpeg(2400, 1600), *INSIDE).plan
    assert plan.load.shrink == 2
    assert plan.base == (512, 341)
    assert [parent_of(planned) for planned in plan.renditions] == ["w160", "w320", None, None]


def test_only_the_copyright_stays_of_the_metadata() -> None:
    """EXIF Copyright comes through; the profile and everything else does not."""
    data = jpeg(600, 400, icc="display-p3", copyright_text="(c) A. Photographer")
    images = rendered(data, RenditionSpec(name="a", width=300)).images
    assert str(images["a"].get("exif-ifd0-Copyright")).startswith("(c) A. Photographer")
    assert not images["a"].get_typeof("icc-profile-data")


def test_a_small_photo_is_not_enlarged_unless_asked() -> None:
    """Without_enlargement keeps the photo's size; switched off, the box is filled."""
    specs = (
        RenditionSpec(name="kept", width=600),
        RenditionSpec(name="grown", width=600, without_enlargement=False),
    )
    images = rendered(jpeg(300, 200), *specs).images
    assert (images["kept"].width, images["kept"].height) == (300, 200)
    assert (images["grown"].width, images["grown"].height) == (600, 400)


def test_transparency_is_laid_on_the_background_where_the_format_has_none() -> None:
    """A JPEG of a picture with alpha has three bands."""
    images = rendered(png(300, 200, alpha=True), RenditionSpec(name="a", width=100)).images
    assert images["a"].bands == 3


def test_a_limit_is_checked_before_a_pixel_is_decoded() -> None:
    """The error states the limit, what was received, and the maximum."""
    header = header_of(jpeg(600, 400))
    with pytest.raises(OverLimitError, match="max_pixels of at most 1,000 but received 240,000"):
        make_plan(header, Asked(specs=INSIDE, limits=Limits(max_pixels=1000)))
