"""Camera raw is recognised by its bytes, and its largest JPEG is found."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.errors import RejectedPhotoError, TruncatedPhotoError
from imaging.files.previews import Raw
from imaging.files.raw import read_raw
from tests.photos import jpeg, tiff
from tests.photos.raws import HEIGHT, ORIENTATION, RAWS, SENSOR, WIDTH, preview

_PICTURE = preview()


def read(data: bytes) -> Raw | None:
    """Read ``data`` as a camera raw."""
    return read_raw(lambda at, length: data[at : at + length], len(data))


@pytest.mark.parametrize("kind", RAWS)
def test_each_makers_structure_is_recognised(kind: str) -> None:
    """Its kind, the size and orientation of its raw, the EXIF fields, and the whole preview."""
    data = RAWS[kind](_PICTURE)
    raw = read(data)
    assert raw is not None
    assert (raw.kind, raw.width, raw.height) == (kind, *SENSOR)
    assert raw.preview is not None
    assert (raw.preview.width, raw.preview.height) == (WIDTH, HEIGHT)
    assert data[raw.preview.at : raw.preview.at + raw.preview.length] == _PICTURE
    if kind != "Fujifilm RAF":
        # Its preview has them.
        assert raw.orientation == ORIENTATION
        assert raw.exif["Make"]


@pytest.mark.parametrize("kind", RAWS)
def test_a_raw_that_ends_within_its_preview_is_truncated(kind: str) -> None:
    """A smaller preview is not taken for the one that the upload lost."""
    data = RAWS[kind](_PICTURE)
    end = data.index(_PICTURE) + len(_PICTURE) - 1
    with pytest.raises(TruncatedPhotoError):
        read(data[:end])


@pytest.mark.parametrize("kind", RAWS)
def test_a_raw_without_a_jpeg_has_no_preview(kind: str) -> None:
    """Bytes that are no JPEG in the preview's place: at most the thumbnail is left."""
    raw = read(RAWS[kind](bytes(len(_PICTURE))))
    assert raw is not None
    assert raw.preview is None or raw.preview.width == 160


def test_a_tiff_is_no_raw() -> None:
    """Nor is anything else that can be decoded."""
    assert read(tiff(64, 48)) is None
    assert read(jpeg(64, 48)) is None
    assert read(b"II*\0") is None


@pytest.mark.parametrize("kind", RAWS)
def test_few_bytes_are_read_to_find_the_preview(kind: str) -> None:
    """Blocks of 64 KiB, as S3 is asked for: at most four of them beside the preview's own."""
    data = RAWS[kind](_PICTURE)
    blocks: set[int] = set()

    def read_at(at: int, length: int) -> bytes:
        blocks.update(range(at >> 16, (at + max(1, length) - 1 >> 16) + 1))
        return data[at : at + length]

    raw = read_raw(read_at, len(data))
    assert raw is not None
    assert raw.preview is not None
    last = raw.preview.at + raw.preview.length - 1
    assert len(blocks - set(range(raw.preview.at >> 16, (last >> 16) + 1))) <= 4


@given(
    kind=st.sampled_from(sorted(RAWS)),
    change=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=4),
    percent=st.integers(1, 100),
)
def test_whatever_the_bytes_they_are_read_or_rejected(
    kind: str, change: list[tuple[int, int]], percent: int
) -> None:
    """No other exception, and no endless chain."""
    data = bytearray(RAWS[kind](_PICTURE))
    for at, value in change:
        data[at] = value
    with suppress(RejectedPhotoError):
        read(bytes(data[: len(data) * percent // 100]))
