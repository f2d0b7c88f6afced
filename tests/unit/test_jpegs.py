"""Every layout of a JPEG is shown rightly: against the numbers that were written, not a decoder."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from imaging.errors import TruncatedPhotoError, UnsupportedFormatError
from imaging.formats import OutputFormat
from imaging.specs import RenditionSpec
from tests.photos import icc_profile
from tests.photos.jpegs import Plane, adobe, jfif, jpeg_of
from tests.photos.tiffs import Samples
from tests.rendering import rendered

PNG = RenditionSpec(name="a", width=4000, formats=(OutputFormat.PNG,))
NOISE = np.random.default_rng(4)


def shown(data: bytes) -> Samples:
    """Render ``data`` at its size, as height x width x bands."""
    (made,) = rendered(data, PNG).data
    samples = np.asarray(Image.open(io.BytesIO(made)))
    return samples.reshape(*samples.shape[:2], -1)


def levels(rows: int, columns: int) -> Samples:
    """Return levels of so many blocks; chroma of them stays within RGB."""
    return NOISE.integers(96, 160, (rows, columns))


def rgb_of(light: Samples, blue: Samples, red: Samples) -> Samples:
    """Return YCbCr in RGB: ITU-T T.871, 7."""
    return np.dstack(
        [
            light + 1.402 * (red - 128),
            light - 0.344136 * (blue - 128) - 0.714136 * (red - 128),
            light + 1.772 * (blue - 128),
        ]
    )


def pixels(blocks: Samples, width: int, height: int) -> Samples:
    """Return what flat blocks show at full size."""
    return np.kron(blocks, np.ones((8, 8), int))[:height, :width].astype(float)


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    sampling=st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4), (3, 1), (4, 2)]),
    interleaved=st.booleans(),
    restart=st.sampled_from([0, 1, 5]),
    markers=st.sampled_from([(), (jfif(),), (adobe(1),), (jfif(), adobe(0)), (adobe(0), jfif())]),
)
def test_every_sampling_shows_the_levels(
    *,
    size: tuple[int, int],
    sampling: tuple[int, int],
    interleaved: bool,
    restart: int,
    markers: tuple[bytes, ...],
) -> None:
    """Within 2 of 255; JFIF's marker says YCbCr whatever Adobe's says beside it."""
    width, height = size
    light = levels(40, 40)
    # One chroma everywhere: how it is scaled up does not count.
    blue, red = (np.full((40, 40), int(NOISE.integers(100, 156))) for _ in range(2))
    across, down = sampling
    planes = [
        Plane(levels=light, across=across, down=down),
        Plane(levels=blue),
        Plane(levels=red),
    ]
    data = jpeg_of(width, height, planes, *markers, interleaved=interleaved, restart=restart)
    expected = rgb_of(*(pixels(each, width, height) for each in (light, blue, red)))
    made = shown(data)
    assert made.shape == (height, width, 3)
    assert np.abs(made - expected).max() <= 2


@pytest.mark.parametrize(
    ("markers", "ids", "is_rgb"),
    [
        ((adobe(0),), (None, None, None), True),
        ((), tuple(b"RGB"), True),
        ((jfif(),), tuple(b"RGB"), False),
        ((), (None, None, None), False),
        ((), (0, 1, 2), False),
    ],
)
def test_what_three_components_mean(
    markers: tuple[bytes, ...], ids: tuple[int | None, ...], *, is_rgb: bool
) -> None:
    """As libjpeg, and so every viewer, decides: by JFIF, else by Adobe, else by their names."""
    blocks = [levels(4, 4) for _ in range(3)]
    data = jpeg_of(
        32,
        32,
        [Plane(levels=each, id=id_) for each, id_ in zip(blocks, ids, strict=True)],
        *markers,
    )
    held = [pixels(each, 32, 32) for each in blocks]
    expected = np.dstack(held) if is_rgb else rgb_of(*held)
    assert np.abs(shown(data) - expected).max() <= 2


@pytest.mark.parametrize("markers", [(), (jfif(),), (adobe(0),), (adobe(2),)])
def test_four_components_are_inverted_inks(markers: tuple[bytes, ...]) -> None:
    """With transform 2 the first three are YCbCr of what is left of the light."""
    blocks = [levels(4, 4) for _ in range(4)]
    held = [pixels(each, 32, 32) for each in blocks]
    inks = 255 - np.dstack(held)
    if markers == (adobe(2),):
        inks[:, :, :3] = rgb_of(*held[:3]).round()
    expected = ImageCms.profileToProfile(
        Image.fromarray(inks.astype(np.uint8), "CMYK"),
        ImageCms.ImageCmsProfile(io.BytesIO(icc_profile("cmyk"))),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.PERCEPTUAL,
        outputMode="RGB",
    )
    assert expected is not None
    made = shown(jpeg_of(32, 32, [Plane(levels=each) for each in blocks], *markers))
    assert np.abs(made.astype(int) - np.asarray(expected)).max() <= 3


@pytest.mark.parametrize("interleaved", [False, True])
def test_grey_may_be_sampled_in_any_way(*, interleaved: bool) -> None:
    """A single component has no others to be sampled against."""
    blocks = levels(8, 8)
    data = jpeg_of(40, 30, [Plane(levels=blocks, across=2, down=2)], interleaved=interleaved)
    assert np.abs(shown(data)[:, :, 0] - pixels(blocks, 40, 30)).max() <= 1


@pytest.mark.parametrize("count", [2, 5, 9])
@pytest.mark.parametrize("interleaved", [False, True])
def test_other_numbers_of_components_are_named(count: int, *, interleaved: bool) -> None:
    """Libvips takes the second of two for alpha: the photo would be seen through."""
    planes = [Plane(levels=levels(4, 4)) for _ in range(count)]
    with pytest.raises(UnsupportedFormatError, match=f"JPEG of {count} components"):
        shown(jpeg_of(32, 32, planes, jfif(), interleaved=interleaved))


def test_a_jpeg_without_its_end_is_truncated() -> None:
    """All its blocks are there, and nothing says that they are all."""
    with pytest.raises(TruncatedPhotoError):
        shown(jpeg_of(32, 32, [Plane(levels=levels(4, 4))], end=False))
