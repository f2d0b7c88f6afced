"""A rendition that is too large to be held goes row by row from the decoder to its encoder."""

import pytest

from imaging import planning
from imaging.errors import CorruptPhotoError, SourceError
from imaging.formats import OutputFormat
from imaging.local import MemorySink, MemorySource
from imaging.plan import FromBase, OwnPass
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import Fit, RenditionSpec, Truncated
from tests.photos import jpeg, png, psnr, tiff, truncated, upright_reference
from tests.rendering import plan_of, rendered

FULL = RenditionSpec(name="full")
SMALL = RenditionSpec(name="small", width=160, height=160)


@pytest.fixture(autouse=True)
def little_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let photos of a megapixel stand for those of a hundred."""
    monkeypatch.setattr(planning, "_MAX_HELD_BYTES", 1_000_000)


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
    made = rendered(data, *specs)
    plan = made.plan
    assert (plan.base is None) == (len(specs) == 1)
    assert isinstance(plan.renditions[-1].way, OwnPass)
    full = made.images["full"]
    assert (full.width, full.height) == plan.header.upright
    assert psnr(full, upright_reference(data, full.width, full.height)) > 30
    assert len(made.data) == len(specs)


def test_what_is_cropped_and_resized_has_its_own_pass_too() -> None:
    """A crop of a large resize is made in one go."""
    data = jpeg(1600, 1000)
    spec = RenditionSpec(name="large", width=800, height=800, fit=Fit.COVER)
    made = rendered(data, spec)
    assert isinstance(made.plan.renditions[0].way, OwnPass)
    whole = upright_reference(data, 1280, 800)
    assert psnr(made.images["large"], whole.crop(240, 0, 800, 800)) > 30


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
    plan = rendered(jpeg(1200, 800), spec).plan
    assert isinstance(plan.renditions[0].way, FromBase)
    assert plan.base == (1200, 800)


def test_a_photo_that_lies_on_its_side_is_held() -> None:
    """The first row of what comes out is the last column of what comes in."""
    made = rendered(jpeg(1200, 800, orientation=6), FULL)
    assert isinstance(made.plan.renditions[0].way, FromBase)
    assert made.images["full"].width == 1200


def test_a_photo_that_may_break_off_is_held() -> None:
    """How much of it is there can only be told of pixels that are held."""
    plan = plan_of(jpeg(1200, 800), Asked(specs=(FULL,), truncated=Truncated.RENDER))
    assert isinstance(plan.renditions[0].way, FromBase)


def test_a_photo_that_breaks_off_leaves_no_rendition() -> None:
    """What was written until then is never committed."""
    sink = MemorySink()
    asked = Asked(specs=(FULL,))
    with open_photo(MemorySource(truncated(jpeg(1200, 800), 0.8)), asked) as photo:
        made = photo.render(make_plan(photo.header, asked), lambda _: sink)
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
    asked = Asked(specs=(SMALL, FULL))
    with open_photo(failing, asked) as photo:
        made = photo.render(
            make_plan(photo.header, asked),
            lambda planned: sinks.setdefault(planned.spec.name, MemorySink()),
        )
        with pytest.raises(SourceError, match="the connection broke"):
            list(made)
    assert sinks["small"].data is not None
    assert "full" not in sinks or sinks["full"].data is None
