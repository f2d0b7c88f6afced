"""A rendition that is too large to be held goes row by row from the decoder to its encoder."""

import pytest
import pyvips

from imaging import plan as planning
from imaging.bridge import OpenPhoto
from imaging.errors import CorruptPhotoError, SourceError
from imaging.formats import OutputFormat
from imaging.limits import Limits
from imaging.local import MemorySink, MemorySource
from imaging.pipeline import render
from imaging.plan import RenditionPlan, make_plan
from imaging.reading import read_header
from imaging.specs import Fit, RenditionSpec, Truncated
from imaging.streams import ByteSource
from tests.photos import jpeg, png, psnr, tiff, truncated, upright_reference

FULL = RenditionSpec(name="full")
SMALL = RenditionSpec(name="small", width=160, height=160)


@pytest.fixture(autouse=True)
def little_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let photos of a megapixel stand for those of a hundred."""
    monkeypatch.setattr(planning, "_MAX_HELD_BYTES", 1_000_000)


def rendered(
    source: ByteSource, *specs: RenditionSpec
) -> tuple[RenditionPlan, dict[str, MemorySink]]:
    """Return the plan, and each sink by the name of its rendition, whatever became of it."""
    sinks: dict[str, MemorySink] = {}
    with OpenPhoto(source) as photo:
        plan = make_plan(read_header(photo), specs, Limits())
        for _ in render(
            plan, photo, lambda planned: sinks.setdefault(planned.spec.name, MemorySink())
        ):
            pass
    return plan, sinks


def picture(sink: MemorySink) -> pyvips.Image:
    """Return what the sink received, decoded."""
    assert sink.data is not None
    return pyvips.Image.new_from_buffer(sink.data, "")


PHOTOS = {
    "jpeg": lambda: jpeg(1203, 801),
    "progressive": lambda: jpeg(1200, 800, progressive=True),
    "png": lambda: png(1200, 800),
    "tiff": lambda: tiff(1200, 800),
}


@pytest.mark.parametrize("kind", PHOTOS)
@pytest.mark.parametrize("specs", [(FULL,), (SMALL, FULL)], ids=["alone", "with-a-small-one"])
def test_a_pass_of_its_own_makes_the_same_picture(
    kind: str, specs: tuple[RenditionSpec, ...]
) -> None:
    """The full-size rendition is the photo, whether a base was decoded before it or not."""
    data = PHOTOS[kind]()
    plan, sinks = rendered(MemorySource(data), *specs)
    assert (plan.base is None) == (len(specs) == 1)
    assert plan.renditions[-1].own_pass is not None
    made = picture(sinks["full"])
    assert (made.width, made.height) == plan.header.upright
    assert psnr(made, upright_reference(data, made.width, made.height)) > 30
    assert len(sinks) == len(specs)


def test_what_is_cropped_and_resized_has_its_own_pass_too() -> None:
    """A crop of a large resize is made in one go."""
    data = jpeg(1600, 1000)
    spec = RenditionSpec(name="large", width=800, height=800, fit=Fit.COVER)
    plan, sinks = rendered(MemorySource(data), spec)
    assert plan.renditions[0].own_pass is not None
    whole = upright_reference(data, 1280, 800)
    assert psnr(picture(sinks["large"]), whole.crop(240, 0, 800, 800)) > 30


@pytest.mark.parametrize(
    "spec",
    [
        RenditionSpec(name="whole-encoder", formats=(OutputFormat.WEBP,)),
        RenditionSpec(name="several-tries", max_bytes=200_000),
        RenditionSpec(name="held-coefficients", progressive=True),
    ],
    ids=lambda spec: spec.name,
)
def test_what_must_be_held_is_made_from_the_base(spec: RenditionSpec) -> None:
    """Where an encoder wants the whole picture, or wants it again, there is nothing to save."""
    plan, _ = rendered(MemorySource(jpeg(1200, 800)), spec)
    assert plan.renditions[0].own_pass is None
    assert plan.base == (1200, 800)


def test_a_photo_that_lies_on_its_side_is_held() -> None:
    """The first row of what comes out is the last column of what comes in."""
    plan, sinks = rendered(MemorySource(jpeg(1200, 800, orientation=6)), FULL)
    assert plan.renditions[0].own_pass is None
    assert picture(sinks["full"]).width == 1200


def test_a_photo_that_may_break_off_is_held() -> None:
    """How much of it is there can only be told of pixels that are held."""
    with OpenPhoto(MemorySource(jpeg(1200, 800))) as photo:
        plan = make_plan(read_header(photo), [FULL], Limits(), truncated=Truncated.RENDER)
    assert plan.renditions[0].own_pass is None


def test_a_photo_that_breaks_off_leaves_no_rendition() -> None:
    """What was written until then is never committed."""
    sink = MemorySink()
    with OpenPhoto(MemorySource(truncated(jpeg(1200, 800), 0.8))) as photo:
        plan = make_plan(read_header(photo), [FULL], Limits())
        made = render(plan, photo, lambda _: sink)
        with pytest.raises(CorruptPhotoError):
            list(made)
    assert sink.data is None


class Failing(MemorySource):
    """Breaks at the given byte of its second reading."""

    def __init__(self, data: bytes, at: int) -> None:
        super().__init__(data)
        self._bad = at
        self.readings = 1

    def seek(self, offset: int, whence: int = 0) -> int:
        self.readings += offset == whence == 0
        return super().seek(offset, whence)

    def readinto(self, buffer: memoryview) -> int:
        if self.readings > 1 and self._at + len(buffer) > self._bad:
            raise SourceError("the connection broke")
        return super().readinto(buffer)


@pytest.fixture(params=["first", "middle", "last"])
def failing(request: pytest.FixtureRequest) -> Failing:
    """A source that fails in the pass after the base's."""
    data = jpeg(1200, 800)
    at = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[request.param]
    return Failing(data, at)


def test_a_source_that_fails_in_the_pass_is_the_error(failing: Failing) -> None:
    """The small one stands, the full-size one is aborted, and the source is what is blamed."""
    sinks: dict[str, MemorySink] = {}
    with OpenPhoto(failing) as photo:
        plan = make_plan(read_header(photo), [SMALL, FULL], Limits())
        made = render(
            plan, photo, lambda planned: sinks.setdefault(planned.spec.name, MemorySink())
        )
        with pytest.raises(SourceError, match="the connection broke"):
            list(made)
    assert sinks["small"].data is not None
    assert "full" not in sinks or sinks["full"].data is None
