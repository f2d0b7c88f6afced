"""Alpha and light: what is averaged is what is seen."""

import pytest
import pyvips

from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos import jpeg, psnr, scene
from tests.rendering import parent_of, rendered

PNG = (OutputFormat.PNG,)


def stripes(width: int, height: int) -> pyvips.Image:
    """Return black and white columns by turns: half of the light of white."""
    columns = (pyvips.Image.xyz(width, height).extract_band(0) % 2) * 255
    return columns.bandjoin(columns).bandjoin(columns).cast("uchar").copy(interpretation="srgb")


@pytest.mark.parametrize("photo", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("alpha", [False, True])
def test_half_the_light_is_188_and_not_128(photo: str, *, alpha: bool) -> None:
    """Also beside renditions that are not linear, and in those made of linear ones."""
    if alpha and photo == "jpeg":
        pytest.skip("JPEG has no alpha")
    image = stripes(800, 640)
    if alpha:
        image = image.bandjoin(255).copy(interpretation="srgb")
    suffix = {"png": ".png", "jpeg": ".jpg[Q=98]", "webp": ".webp[lossless]"}[photo]
    made = rendered(
        bytes(image.write_to_buffer(suffix)),
        RenditionSpec(name="large", width=200, linear=True, formats=PNG),
        RenditionSpec(name="small", width=50, linear=True, formats=PNG),
        RenditionSpec(name="plain", width=200, formats=PNG),
    )
    parents = {each.planned.spec.name: parent_of(each.planned) for each in made.renditions}
    assert parents == {"large": None, "small": "large", "plain": None}
    levels = {name: image.extract_band(0, n=3).avg() for name, image in made.images.items()}
    assert levels["large"] == pytest.approx(188, abs=2)
    assert levels["small"] == pytest.approx(188, abs=2)
    assert levels["plain"] == pytest.approx(128, abs=2)


def test_linear_light_holds_the_photo_whole_and_nothing_else_does() -> None:
    """A decoder's own shrinking averages stored values; so would a base of another size."""
    data = jpeg(800, 640)
    linear = RenditionSpec(name="a", width=100, linear=True)
    plan = rendered(data, linear).plan
    assert (plan.base, plan.load.shrink) == ((800, 640), 1)
    plan = rendered(data, RenditionSpec(name="a", width=100)).plan
    assert (plan.base, plan.load.shrink) == ((100, 80), 4)


def test_a_photo_in_linear_light_is_the_same_photo() -> None:
    """Where there is little contrast from pixel to pixel the two ways agree."""
    data = bytes(scene(600, 400).gaussblur(4).cast("uchar").pngsave_buffer())
    linear, plain = (
        rendered(data, RenditionSpec(name="a", width=150, formats=PNG, linear=linear)).images["a"]
        for linear in (True, False)
    )
    assert psnr(linear, plain) >= 38


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("output", [OutputFormat.JPEG, OutputFormat.PNG, OutputFormat.WEBP])
def test_what_transparent_pixels_hide_never_shows(output: OutputFormat, *, linear: bool) -> None:
    """A red disc on transparent black, laid on red, is red all over: there is no dark halo."""
    red = pyvips.Image.black(400, 400, bands=3).linear([1.0], [220.0, 30.0, 20.0])
    plane = pyvips.Image.xyz(400, 400)
    x, y = plane.extract_band(0) - 200, plane.extract_band(1) - 200
    inside = (x * x + y * y) < 150 * 150
    image = inside.ifthenelse(red, 0).bandjoin(inside).cast("uchar").copy(interpretation="srgb")
    spec = RenditionSpec(
        name="a",
        width=90,
        formats=(output,),
        quality=98,
        background=(220, 30, 20),
        linear=linear,
    )
    shown = rendered(bytes(image.pngsave_buffer()), spec).images["a"]
    if shown.hasalpha():
        assert shown.extract_band(3).avg() == pytest.approx(255 * 0.4418, abs=3)
        shown = shown.flatten(background=[220.0, 30.0, 20.0])
    statistics = (shown - [220.0, 30.0, 20.0]).abs().stats()
    assert statistics.getpoint(1, 0)[0] <= (2 if output is OutputFormat.PNG else 12)
