"""Of a camera raw its largest preview is rendered, upright and with metadata; little is read."""

import os

import pytest
import pyvips

from imaging.errors import RawWithoutPreviewError
from imaging.formats import OutputFormat
from imaging.local import MemorySink, MemorySource
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import Metadata, RenditionSpec
from tests.photos import psnr, scene
from tests.photos.raws import HEIGHT, ORIENTATION, RAWS, SENSOR, WIDTH, nef, preview, rw2
from tests.rendering import rendered

SPEC = RenditionSpec(
    name="a",
    width=400,
    height=400,
    formats=(OutputFormat.JPEG,),
    metadata=Metadata.SAFE,
)
_PICTURE = preview()


class CountingSource(MemorySource):
    """Counts the blocks of 64 KiB that are read, as a source that fetches ranges does."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.blocks: set[int] = set()

    def readinto(self, buffer: memoryview) -> int:
        at = self.seek(0, os.SEEK_CUR)
        count = super().readinto(buffer)
        self.blocks.update(range(at >> 16, (at + max(1, count) - 1 >> 16) + 1))
        return count


@pytest.mark.parametrize("kind", RAWS)
def test_the_preview_is_rendered_upright(kind: str) -> None:
    """With the raw's orientation and EXIF, and a warning that names both sizes."""
    result = rendered(RAWS[kind](_PICTURE), SPEC)
    expected = scene(WIDTH, HEIGHT).resize(400 / WIDTH)
    sideways = kind != "Fujifilm RAF"
    if sideways:
        expected = expected.rot90()
    image = result.images["a"]
    assert (image.width, image.height) == (expected.width, expected.height)
    assert psnr(image, expected) > 28
    (warning,) = result.plan.warnings
    assert warning.code == "raw-preview"
    assert f"{kind} of {SENSOR[0]} x {SENSOR[1]}" in warning.message
    assert f"{WIDTH} x {HEIGHT}" in warning.message
    if sideways:
        assert ORIENTATION == 6
        assert image.get_typeof("exif-ifd0-Make")


@pytest.mark.parametrize("kind", RAWS)
def test_only_the_preview_is_read(kind: str) -> None:
    """And at most 256 KiB around it: the sensor's samples stay where they are."""
    source = CountingSource(RAWS[kind](_PICTURE))
    asked = Asked(specs=(SPEC,))
    with open_photo(source, asked) as photo:
        list(photo.render(make_plan(photo.header, asked), lambda _: MemorySink()))
    assert len(source.blocks) << 16 <= len(_PICTURE) + (256 << 10)


@pytest.mark.parametrize("kind", RAWS)
def test_a_raw_with_a_thumbnail_alone_is_refused(kind: str) -> None:
    """A picture of 160 x 120 is not what the photographer took."""
    small = preview(160, 120)
    with pytest.raises(RawWithoutPreviewError, match=kind):
        rendered(RAWS[kind](small), SPEC)


def test_a_small_raw_may_have_a_small_preview() -> None:
    """Shorter than 1,000 pixels, but a quarter of the raw's: an old camera's own picture."""
    assert rendered(nef(preview(640, 427)), SPEC).images["a"].height == 400


def test_the_orientation_of_the_preview_itself_counts() -> None:
    """Panasonic's has EXIF of its own; the raw's is not applied on top."""
    image = pyvips.Image.new_from_buffer(_PICTURE, "")
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 3)
    data = rw2(image.jpegsave_buffer(Q=85))
    assert (
        psnr(rendered(data, SPEC).images["a"], scene(WIDTH, HEIGHT).rot180().resize(400 / WIDTH))
        > 28
    )
