"""Several formats at one size: one resize, each format in its turn."""

from dataclasses import replace

import pytest
import pyvips

from imaging import steps
from imaging.errors import SinkError
from imaging.fitting import LOWEST_QUALITY, fit
from imaging.formats import OutputFormat
from imaging.local import MemorySink, MemorySource
from imaging.plan import FromBase
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.rendition import Rendition
from imaging.specs import RenditionSpec
from tests.photos import avif, gif, jpeg, png, psnr, tiff, webp
from tests.rendering import rendered

AVIF, JPEG, PNG, WEBP = OutputFormat.AVIF, OutputFormat.JPEG, OutputFormat.PNG, OutputFormat.WEBP


def made(data: bytes, *specs: RenditionSpec) -> list[tuple[Rendition, pyvips.Image]]:
    """Return each rendition in the order of writing, and what it looks like."""
    result = rendered(data, *specs)
    images = (pyvips.Image.new_from_buffer(each, "") for each in result.data)
    return list(zip(result.renditions, images, strict=True))


def test_avif_comes_last_and_of_the_rest_the_largest() -> None:
    """Whoever waits for the photo has something to show before the slow and the large are done."""
    specs = (
        RenditionSpec(name="large", width=200, formats=(AVIF, JPEG)),
        RenditionSpec(name="small", width=100, formats=(AVIF, WEBP, PNG)),
    )
    order = [
        (rendition.planned.spec.name, rendition.planned.format.value)
        for rendition, _ in made(jpeg(600, 400), *specs)
    ]
    assert order == [
        ("small", "webp"),
        ("small", "png"),
        ("large", "jpeg"),
        ("small", "avif"),
        ("large", "avif"),
    ]


def test_all_formats_of_a_size_come_from_one_resize(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base is resized to each size once, whatever the number of formats."""
    sizes: list[tuple[int, int]] = []
    resize = steps.resize

    def counting(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
        sizes.append((width, height))
        return resize(image, width, height)

    monkeypatch.setattr(steps, "resize", counting)
    specs = (
        RenditionSpec(name="large", width=400, formats=(AVIF, JPEG, WEBP)),
        RenditionSpec(name="small", width=100, formats=(PNG, JPEG)),
    )
    assert len(made(jpeg(800, 600), *specs)) == 5
    # The first is the decode's, from the photo to the base.
    assert sizes == [(400, 300), (400, 300), (100, 75)]


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        (jpeg, [JPEG, AVIF]),
        (webp, [WEBP, AVIF]),
        (png, [PNG, AVIF]),
        (gif, [PNG, AVIF]),
        (tiff, [JPEG, AVIF]),
        (avif, [AVIF]),
    ],
)
def test_the_photos_own_format_is_made_once(photo: object, expected: list[OutputFormat]) -> None:
    """Where ``source`` is a format that is named too, there is one rendition of it, not two."""
    assert callable(photo)
    spec = RenditionSpec(name="a", width=80, formats=(AVIF, None))
    formats = [rendition.planned.format for rendition, _ in made(photo(160, 120), spec)]
    assert formats == expected


def test_every_format_shows_the_same_picture() -> None:
    """Of a photo with alpha, JPEG is laid on the background and the others keep the alpha."""
    spec = RenditionSpec(name="a", width=300, formats=(JPEG, WEBP, PNG, AVIF), quality=90)
    images = {
        rendition.planned.format: image
        for rendition, image in made(png(600, 400, alpha=True), spec)
    }
    assert {output: image.bands for output, image in images.items()} == {
        JPEG: 3,
        WEBP: 4,
        PNG: 4,
        AVIF: 4,
    }
    white = [255.0, 255.0, 255.0]
    exact = images[PNG].flatten(background=white)
    assert psnr(images[JPEG], exact) >= 32
    assert psnr(images[WEBP].flatten(background=white), exact) >= 32
    assert psnr(images[AVIF].flatten(background=white), exact) >= 32


def test_a_rendition_is_encoded_again_until_it_fits() -> None:
    """The quality is the best that fits: one more would be too large; the report states it."""
    data = jpeg(400, 300)
    for output in (JPEG, WEBP, AVIF):
        free = RenditionSpec(name="a", width=200, formats=(output,))
        ((before, _),) = made(data, free)
        maximum = before.size // 2
        ((after, image),) = made(data, replace(free, max_bytes=maximum))
        assert (after.size <= maximum, image.width) == (True, 200)
        assert after.quality is not None
        assert before.quality is not None
        assert after.quality < before.quality
        ((better, _),) = made(data, replace(free, quality=after.quality + 1))
        assert better.size > maximum
        assert after.warnings == ()


def test_what_fits_is_encoded_once_and_what_does_not_at_most_eight_times() -> None:
    """The search halves the qualities: each of the 90 is found within 7 encodes."""
    for bound in range(9, 101):
        tried: list[int] = []

        def encode(quality: int, tried: list[int] = tried) -> bytearray:
            tried.append(quality)
            return bytearray(quality)

        fitted = fit(encode, quality=100, max_bytes=bound)
        assert fitted.quality == max(bound, LOWEST_QUALITY)
        assert fitted.fits == (bound >= LOWEST_QUALITY)
        assert len(fitted.data) == fitted.quality
        assert len(tried) <= (1 if bound == 100 else 8)


def test_what_cannot_be_made_to_fit_is_stored_at_the_lowest_quality_with_a_warning() -> None:
    """A photo is not lost because a rendition is larger than hoped for."""
    spec = RenditionSpec(name="a", width=400, max_bytes=100)
    ((rendition, image),) = made(jpeg(800, 600), spec)
    assert (rendition.quality, image.width) == (LOWEST_QUALITY, 400)
    assert rendition.size > 100
    (warning,) = rendition.warnings
    assert warning.code == "over-max-bytes"
    assert "a.jpg of at most 100 bytes" in warning.message


def test_a_sink_that_fails_is_aborted_whatever_led_to_the_bytes() -> None:
    """Also when the bytes were encoded several times, a foreign exception becomes a SinkError."""

    class Failing(MemorySink):
        aborted = False

        def write(self, data: memoryview) -> None:
            raise OSError(f"no room for {len(data)} bytes")

        def abort(self) -> None:
            self.aborted = True

    sink = Failing()
    asked = Asked(specs=(RenditionSpec(name="a", width=200, max_bytes=4000),))
    with open_photo(MemorySource(jpeg(400, 300)), asked) as photo:
        plan = make_plan(photo.header, asked)
        with pytest.raises(SinkError, match="no room for"):
            list(photo.render(plan, lambda _: sink))
    assert sink.aborted


def scans(data: bytes) -> int:
    """Return how many scans a JPEG has: one, or several where it is progressive."""
    return data.count(b"\xff\xda")


def has_own_tables(data: bytes) -> bool:
    """Tell whether a JPEG's Huffman tables are others than those of the standard's annex K."""
    standard = bytes(pyvips.Image.black(8, 8, bands=3).jpegsave_buffer())
    tables = [each[each.index(b"\xff\xc4") : each.index(b"\xff\xda")] for each in (data, standard)]
    return tables[0] != tables[1]


def test_a_jpeg_is_progressive_only_where_the_spec_says_so() -> None:
    """It is one scan by default; the choice changes the bytes and not the picture."""
    plain, progressive = (
        rendered(jpeg(400, 300), RenditionSpec(name="a", progressive=each))
        for each in (False, True)
    )
    assert scans(plain.data[0]) == 1
    assert scans(progressive.data[0]) > 1
    assert psnr(plain.images["a"], progressive.images["a"]) == float("inf")


def test_small_jpegs_have_tables_of_their_own_and_large_ones_stream() -> None:
    """Up to 2 ** 17 pixels: there the tables are worth what they cost."""
    small = RenditionSpec(name="small", width=362)
    large = RenditionSpec(name="large", width=363)
    made = rendered(jpeg(800, 800), small, large)
    assert [has_own_tables(data) for data in made.data] == [True, False]


def test_each_format_has_its_own_largest_side() -> None:
    """A WebP that has to be smaller does not make the JPEG beside it smaller."""
    photo = png(17_000, 40)
    alone = made(photo, RenditionSpec(name="a", formats=(JPEG,)))
    both = made(photo, RenditionSpec(name="a", formats=(JPEG, WEBP)))
    sizes = {one.planned.format: (image.width, image.height) for one, image in both}
    assert sizes == {JPEG: (17_000, 40), WEBP: (16_383, 39)}
    images = {one.planned.format: image for one, image in both}
    assert psnr(images[JPEG], alone[0][1]) == float("inf")


def test_formats_of_one_size_share_one_picture() -> None:
    """Only what a format's largest side changes is made apart."""
    spec = RenditionSpec(name="a", formats=(JPEG, WEBP, PNG))
    shared = {
        one.planned.format: one.planned.way
        for one, _ in made(png(17_000, 40), spec, RenditionSpec(name="b", width=100))
        if one.planned.spec.name == "a"
    }
    assert shared[JPEG] == shared[PNG] == FromBase(picture="a", keeps_finished=False)
    assert shared[WEBP] == FromBase(picture="a.webp", keeps_resized=True)
