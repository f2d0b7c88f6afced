"""Which part of a photo is kept, seen in its pixels."""

import pytest
import pyvips

from imaging.formats import OutputFormat
from imaging.specs import Fit, Position, RenditionSpec
from tests.photos import Orientation, jpeg, psnr, upright_reference
from tests.rendering import parent_of, rendered

PNG = (OutputFormat.PNG,)


def with_patch(patch: pyvips.Image, left: int, top: int) -> bytes:
    """Return a PNG of 600 x 200, flat and grey but for ``patch``."""
    flat = (pyvips.Image.black(600, 200, bands=3) + 128).cast("uchar").copy(interpretation="srgb")
    return bytes(flat.insert(patch, left, top).pngsave_buffer())


def disc() -> pyvips.Image:
    """Return a saturated patch: what draws the eye."""
    return pyvips.Image.black(40, 40, bands=3).linear([1.0], [230.0, 40.0, 30.0]).cast("uchar")


def noise() -> pyvips.Image:
    """Return a grey patch of detail."""
    field = pyvips.Image.gaussnoise(60, 60, mean=128, sigma=50, seed=1).cast("uchar")
    return field.bandjoin(field).bandjoin(field)


def extremes(image: pyvips.Image) -> tuple[float, float]:
    """Return the least and the greatest value."""
    statistics = image.stats()
    return statistics.getpoint(0, 0)[0], statistics.getpoint(1, 0)[0]


def square(position: Position) -> RenditionSpec:
    """Return the spec of a square that a photo covers."""
    return RenditionSpec(
        name="a", width=200, height=200, fit=Fit.COVER, position=position, formats=PNG
    )


@pytest.mark.parametrize("bands", ["colour", "alpha", "grey"])
@pytest.mark.parametrize(
    ("position", "patch"), [(Position.ATTENTION, disc()), (Position.ENTROPY, noise())]
)
@pytest.mark.parametrize("left", [20, 520])
def test_the_part_that_is_searched_for_is_found(
    position: Position, patch: pyvips.Image, left: int, bands: str
) -> None:
    """The patch is in the square that is kept, at whichever end of the photo it lies."""
    image = pyvips.Image.new_from_buffer(with_patch(patch, left, 80), "")
    if bands == "alpha":
        image = image.bandjoin(255).copy(interpretation="srgb")
    if bands == "grey":
        image = image.colourspace("b-w")
    found = rendered(image.pngsave_buffer(), square(position)).images["a"]
    kept = found.extract_band(0, n=3 if found.bands > 2 else 1)
    assert (found.width, found.height) == (200, 200)
    # Nothing but the patch differs from the grey.
    differs = ((kept - 128).abs() > 4).bandor()
    assert differs.avg() * 200 * 200 / 255 >= 0.6 * patch.width * patch.height


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_focal_point_is_of_the_upright_photo(orientation: Orientation) -> None:
    """However the pixels are stored, 0.2,0.5 is near the left edge of what a viewer shows."""
    data = jpeg(600, 200, orientation=orientation)
    spec = square(Position.FOCAL_POINT)
    shown = rendered(data, spec, focal_point="0.2,0.5").images["a"]
    whole = pyvips.Image.new_from_buffer(jpeg(600, 200), "")
    assert psnr(shown, whole.crop(20, 0, 200, 200)) >= 30


def test_a_text_that_names_no_point_is_a_warning_and_the_centre() -> None:
    """The photo is not lost for it; the warning says what was received."""
    data = jpeg(600, 200)
    made = rendered(data, square(Position.FOCAL_POINT), focal_point="middle")
    (warning,) = made.plan.warnings
    assert warning.code == "bad-focal-point"
    assert "'middle'" in warning.message
    assert made.data == rendered(data, square(Position.CENTRE)).data


def test_nobody_warns_of_a_focal_point_that_no_spec_asks_for() -> None:
    """The object's metadata is its owner's."""
    made = rendered(jpeg(60, 40), square(Position.CENTRE), focal_point="middle")
    assert made.plan.warnings == ()


@pytest.mark.parametrize("name", ["inside", "cover", "contain", "fill"])
@pytest.mark.parametrize("enlarge", [False, True])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 40), (30_000, 500), (3, 20_000)])
def test_extreme_shapes_come_out_in_the_dimensions_that_were_planned(
    width: int, height: int, name: str, *, enlarge: bool
) -> None:
    """A panorama, a line and a single pixel: every fit has an answer, and the right colour."""
    colour = [200.0, 90.0, 40.0]
    flat = (pyvips.Image.black(width, height, bands=3) + colour).cast("uchar")
    data = flat.copy(interpretation="srgb").pngsave_buffer(compression=1)
    specs = tuple(
        RenditionSpec(
            name=f"w{side}",
            width=side,
            height=side,
            fit=Fit(name),
            formats=PNG,
            background=(200, 90, 40),
            without_enlargement=not enlarge,
        )
        for side in (320, 160)
    )
    made = rendered(data, *specs)
    for planned in made.plan.renditions:
        image = made.images[planned.spec.name]
        assert (image.width, image.height) == planned.placement.output
        assert extremes(image)[0] >= 39
        assert abs(image.extract_band(0).avg() - 200) <= 1


def test_a_panorama_is_shrunk_on_load_and_shows_what_it_shows() -> None:
    """A JPEG of 30000 x 500 becomes 2048 x 34, decoded at a quarter: 8 does not divide 500."""
    data = jpeg(30_000, 500)
    spec = RenditionSpec(name="a", width=2048, height=2048, formats=PNG)
    made = rendered(data, spec)
    assert made.plan.load.shrink == 4
    assert psnr(made.images["a"], upright_reference(data, 2048, 34)) >= 38
    assert (made.images["a"].width, made.images["a"].height) == (2048, 34)


@pytest.mark.parametrize("alpha", [False, True])
def test_sharpening_steepens_edges_and_leaves_the_rest(*, alpha: bool) -> None:
    """An edge overshoots on both sides; flat parts and the alpha stay as they are."""
    ramp = pyvips.Image.black(200, 100, bands=3) + 80
    bright = pyvips.Image.black(100, 100, bands=3) + 170
    image = ramp.insert(bright, 100, 0).cast("uchar").copy(interpretation="srgb")
    if alpha:
        image = image.bandjoin(200).copy(interpretation="srgb")
    data = image.gaussblur(1.5).cast("uchar").pngsave_buffer()
    plain = RenditionSpec(name="plain", formats=PNG)
    crisp = RenditionSpec(name="crisp", formats=PNG, sharpen=1.5)
    images = rendered(data, plain, crisp).images
    soft, hard = (extremes(images[name].extract_band(0)) for name in ("plain", "crisp"))
    assert hard[0] < soft[0] - 3
    assert hard[1] > soft[1] + 3
    flat = [image.crop(10, 10, 60, 80) for image in images.values()]
    assert extremes((flat[0] - flat[1]).abs())[1] <= 1
    if alpha:
        assert extremes(images["crisp"].extract_band(3))[0] >= 199


def test_a_smaller_rendition_is_not_made_from_a_sharpened_one() -> None:
    """Sharpening is of one rendition: its children come from what it was before."""
    data = jpeg(800, 600)
    small = RenditionSpec(name="small", width=100, formats=PNG)
    large = RenditionSpec(name="large", width=400, formats=PNG)
    crisp = RenditionSpec(name="large", width=400, formats=PNG, sharpen=2)
    made = rendered(data, crisp, small)
    assert parent_of(made.plan.renditions[0]) == "large"
    plain = rendered(data, large, small)
    assert made.data[0] == plain.data[0]
    assert made.data[1] != plain.data[1]


def test_a_format_that_cannot_be_as_long_as_the_photo_is_made_smaller() -> None:
    """WebP ends at 16,383 pixels: a panorama of its own size becomes that wide, in WebP alone."""
    flat = (pyvips.Image.black(30_000, 500, bands=3) + 128).cast("uchar")
    data = flat.copy(interpretation="srgb").pngsave_buffer(compression=1)
    spec = RenditionSpec(name="a", formats=(OutputFormat.WEBP, OutputFormat.PNG))
    made = rendered(data, spec).formats
    sizes = {name: (image.width, image.height) for name, image in made.items()}
    assert sizes == {"webp": (16_383, 273), "png": (30_000, 500)}


def test_a_line_blown_up_to_a_square_is_not_searched() -> None:
    """100,000 x 1 resized to cover 320 rows would be 29 GB to look at: the centre is kept."""
    data = pyvips.Image.black(100_000, 1, bands=3).copy(interpretation="srgb").pngsave_buffer()
    spec = RenditionSpec(
        name="a",
        width=320,
        height=320,
        fit=Fit.COVER,
        position=Position.ATTENTION,
        without_enlargement=False,
        formats=PNG,
    )
    made = rendered(bytes(data), spec)
    assert made.plan.renditions[0].placement.search is None
    assert (made.images["a"].width, made.images["a"].height) == (320, 320)
