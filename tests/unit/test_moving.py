"""GIF and WebP that move stay so where the spec asks for it, frame by frame."""

import pytest
import pyvips

from imaging.bridge.source import OpenPhoto
from imaging.errors import CorruptPhotoError, OverLimitError
from imaging.formats import OutputFormat
from imaging.limits import Limits
from imaging.local import MemorySink, MemorySource
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import Fit, Position, RenditionSpec
from tests.photos import gif, gif_frames, psnr, webp
from tests.rendering import rendered

JPEG, WEBP, GIF = OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.GIF
DELAYS = [40, 50, 60, 70, 80]


def opaque(image: pyvips.Image) -> pyvips.Image:
    """Return the picture on white."""
    return image.flatten(background=[255.0, 255.0, 255.0]) if image.hasalpha() else image


def moving(data: bytes) -> tuple[list[pyvips.Image], list[int], int]:
    """Return the frames of an encoded picture, on white, their delays, and the loop count."""
    strip = pyvips.Image.new_from_buffer(data, "", n=-1)
    height = strip.get("page-height")
    assert isinstance(height, int)
    frames = [
        opaque(strip.crop(0, top, strip.width, height)) for top in range(0, strip.height, height)
    ]
    delays, loop = strip.get("delay"), strip.get("loop")
    assert isinstance(delays, list)
    assert isinstance(loop, int)
    return frames, [int(delay) for delay in delays], loop


@pytest.mark.parametrize("output", [WEBP, GIF])
@pytest.mark.parametrize("photo", [webp, gif])
def test_every_frame_its_delay_and_the_loop_are_kept(photo: object, output: OutputFormat) -> None:
    """Five frames of 200 x 150 come out as five of 100 x 75, each like its own."""
    assert callable(photo)
    data = photo(200, 150, frames=5)
    made = rendered(data, RenditionSpec(name="a", width=100, animated=True, formats=(output,)))
    (rendition,) = made.renditions
    assert (rendition.width, rendition.height, rendition.planned.frames) == (100, 75, 5)
    frames, delays, loop = moving(made.data[0])
    assert (delays, loop) == (DELAYS, 3)
    for frame, original in zip(frames, moving(data)[0], strict=True):
        assert psnr(frame, original.resize(0.5)) >= (24 if output is GIF else 27)


@pytest.mark.parametrize(
    ("photo", "outputs"), [(webp, ["webp"]), (gif, ["gif"])], ids=["webp", "gif"]
)
def test_the_photos_own_format_moves(photo: object, outputs: list[str]) -> None:
    """``source`` of a GIF that moves is a GIF; of one that does not it is a PNG."""
    assert callable(photo)
    spec = RenditionSpec(name="a", width=50, animated=True, formats=(None,))
    assert list(rendered(photo(100, 80, frames=3), spec).formats) == outputs
    still = rendered(photo(100, 80), spec)
    assert list(still.formats) == ["png" if outputs == ["gif"] else "webp"]
    assert still.renditions[0].planned.frames == 1


def test_the_first_frame_otherwise() -> None:
    """Without ``animated``, and in a format that cannot move, there is the first frame."""
    data = webp(200, 150, frames=5)
    specs = (
        RenditionSpec(name="both", width=100, animated=True, formats=(JPEG, WEBP)),
        RenditionSpec(name="small", width=50),
        RenditionSpec(name="still", width=100, formats=(WEBP,)),
    )
    made = rendered(data, *specs)
    frames = {
        (each.planned.spec.name, each.planned.format): each.planned.frames
        for each in made.renditions
    }
    assert frames == {
        ("small", JPEG): 1,
        ("both", JPEG): 1,
        ("still", WEBP): 1,
        ("both", WEBP): 5,
    }
    first = moving(data)[0][0]
    for image in (pyvips.Image.new_from_buffer(each, "") for each in made.data):
        assert psnr(opaque(image), first.resize(image.width / 200)) >= 27


def test_a_frame_does_not_bleed_into_its_neighbours() -> None:
    """Of black and white frames by turns, each stays black or white up to its edges."""
    frames = [
        (pyvips.Image.black(100, 60, bands=3) + (255 if at % 2 else 0)).cast("uchar")
        for at in range(4)
    ]
    strip = pyvips.Image.arrayjoin(frames, across=1).copy(interpretation="srgb")
    strip.set_type(pyvips.GValue.gint_type, "page-height", 60)
    data = strip.webpsave_buffer(lossless=True)
    spec = RenditionSpec(name="a", width=37, animated=True, formats=(WEBP,), quality=100)
    shown, _, _ = moving(rendered(data, spec).data[0])
    for at, frame in enumerate(shown):
        statistics = frame.extract_band(0, n=3).stats()
        least, greatest = statistics.getpoint(0, 0)[0], statistics.getpoint(1, 0)[0]
        assert (least >= 253) if at % 2 else (greatest <= 2)


@pytest.mark.parametrize("fit", Fit)
def test_every_frame_is_cropped_and_padded_as_a_photo_would_be(fit: Fit) -> None:
    """Each frame has the dimensions that a still has, and shows the same part."""
    data = webp(200, 150, frames=3)
    moved, still = (
        RenditionSpec(name="a", width=80, height=80, fit=fit, animated=animated, formats=(WEBP,))
        for animated in (True, False)
    )
    frames, _, _ = moving(rendered(data, moved).data[0])
    single = rendered(data, still).images["a"]
    assert [(frame.width, frame.height) for frame in frames] == [(single.width, single.height)] * 3
    assert psnr(frames[0], opaque(single)) >= 30


def test_what_is_searched_for_in_the_first_frame_is_kept_of_all() -> None:
    """A spot that moves does not drag the picture after it: every frame shows the same ground."""
    ground = (pyvips.Image.black(300, 100, bands=3) + 128).cast("uchar")
    post = (pyvips.Image.black(6, 100, bands=3)).cast("uchar")
    spot = pyvips.Image.black(30, 30, bands=3).linear([1.0], [230.0, 40.0, 30.0]).cast("uchar")
    frames = [ground.insert(post, 40, 0).insert(spot, left, 35) for left in (10, 130, 260)]
    strip = pyvips.Image.arrayjoin(frames, across=1).copy(interpretation="srgb")
    strip.set_type(pyvips.GValue.gint_type, "page-height", 100)
    spec = RenditionSpec(
        name="a",
        width=100,
        height=100,
        fit=Fit.COVER,
        position=Position.ATTENTION,
        animated=True,
        formats=(WEBP,),
    )
    shown, _, _ = moving(rendered(strip.webpsave_buffer(lossless=True), spec).data[0])
    # The dark post: the column of the least mean.
    columns = [frame.extract_band(2).project()[0].rot90() for frame in shown]
    posts = [column.minpos()[1] for column in columns]
    assert len(set(posts)) == 1


def test_an_orientation_is_applied_to_every_frame() -> None:
    """A WebP that moves and lies on its side comes out upright."""
    strip = pyvips.Image.new_from_buffer(webp(120, 80, frames=3), "", n=-1).copy_memory()
    strip.set_type(pyvips.GValue.gint_type, "orientation", 6)
    data = strip.webpsave_buffer(lossless=True)
    spec = RenditionSpec(name="a", width=40, animated=True, formats=(WEBP,))
    frames, _, _ = moving(rendered(data, spec).data[0])
    upright = moving(data)[0][0].copy()
    assert [(frame.width, frame.height) for frame in frames] == [(40, 60)] * 3
    assert psnr(frames[0], upright.rot90().resize(0.5)) >= 26


def test_frames_count_together_against_the_limit_where_they_are_decoded() -> None:
    """Before a pixel is decoded; the first frame alone is within it."""
    data = gif(100, 80, frames=5)
    limits = Limits(max_pixels=39_999)
    spec = RenditionSpec(name="a", width=50, animated=True, formats=(GIF,))
    with pytest.raises(OverLimitError, match="max_pixels of at most 39,999 but received 40,000"):
        rendered(data, spec, limits=limits)
    assert rendered(data, RenditionSpec(name="a", width=50), limits=limits).data[0]


def test_more_frames_than_allowed_are_refused_from_the_header() -> None:
    """A GIF of 2,001 frames is refused whether it is to move or not."""
    with pytest.raises(OverLimitError, match="max_frames of at most 2,000 but received 2,001"):
        rendered(gif_frames(2_001), RenditionSpec(name="a", width=50))


def test_a_broken_last_frame_commits_nothing() -> None:
    """Not the first frame either: a photo that is rejected has no renditions."""
    whole = webp(200, 150, frames=5, lossless=True)
    last = whole.rindex(b"VP8L") + 40
    data = whole[:last] + bytes(800) + whole[last + 800 :]
    specs = (RenditionSpec(name="a", width=50, animated=True, formats=(JPEG, WEBP)),)
    sinks: list[MemorySink] = []

    def open_sink(_: object) -> MemorySink:
        sinks.append(MemorySink())
        return sinks[-1]

    asked = Asked(specs=specs)
    with open_photo(MemorySource(data), asked) as opened:
        plan = make_plan(opened.header, asked)
        assert plan.frames > 1
        with pytest.raises(CorruptPhotoError):
            list(opened.render(plan, open_sink))
    assert sinks == []


def test_one_decode_serves_every_rendition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that move and two that do not: the frames are loaded once."""
    loads: list[dict[str, object]] = []
    load = OpenPhoto.load

    def counting(self: OpenPhoto, **options: object) -> pyvips.Image:
        loads.append(options)
        return load(self, **options)

    monkeypatch.setattr(OpenPhoto, "load", counting)
    specs = (
        RenditionSpec(name="large", width=100, animated=True, formats=(JPEG, WEBP)),
        RenditionSpec(name="small", width=50, animated=True, formats=(GIF, JPEG)),
    )
    assert len(rendered(webp(200, 150, frames=4), *specs).data) == 4
    # The first reads the header.
    assert len(loads) == 2
