"""Whatever the photo and whatever is asked, there is a plan, or a refusal that has a code."""

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from imaging.errors import ConfigError, RejectedPhotoError
from imaging.formats import InputFormat, OutputFormat
from imaging.header import ImageHeader, Level
from imaging.limits import Limits
from imaging.plan import OwnPass
from imaging.planning import Asked, make_plan
from imaging.specs import MAX_DIMENSION, Colour, Fit, Hdr, Position, RenditionSpec, Truncated
from tests.photos import jpeg
from tests.rendering import rendered

SIDES = st.one_of(st.integers(1, 20), st.integers(1, 40_000))
ASKED = st.one_of(st.none(), st.integers(1, 20), st.integers(1, MAX_DIMENSION))


@st.composite
def headers(draw: st.DrawFn) -> ImageHeader:
    """Draw a header of any format."""
    width, height = draw(SIDES), draw(SIDES)
    format_ = draw(st.sampled_from(InputFormat))
    bands = draw(st.integers(1, 5))
    halvings = draw(st.integers(0, 6)) if format_ is InputFormat.TIFF else 0
    return ImageHeader(
        format=format_,
        loader=f"{format_.row.loader}_source",
        width=width,
        height=height,
        bands=bands,
        band_format=draw(st.sampled_from(["uchar", "ushort", "float"])),
        interpretation=draw(st.sampled_from(["srgb", "b-w", "cmyk", "rgb16", "scrgb", "lab"])),
        has_alpha=bands in {2, 4},
        has_profile=draw(st.booleans()),
        orientation=draw(st.integers(1, 8)),
        n_pages=draw(st.sampled_from([1, 2, 50])),
        interlaced=draw(st.booleans()),
        size=draw(st.integers(1, 1 << 29)),
        chroma=draw(st.sampled_from(["", "4:2:0", "4:4:4"])),
        tile=(256, 256) if halvings else None,
        levels=tuple(
            Level(width=max(1, width >> n), height=max(1, height >> n), at=8 * n)
            for n in range(1, halvings + 1)
        ),
        has_gain_map=format_ is InputFormat.JPEG and draw(st.booleans()),
    )


@st.composite
def specs(draw: st.DrawFn, name: str) -> RenditionSpec:
    """Draw what may be asked for."""
    width, height = draw(ASKED), draw(ASKED)
    fit = draw(st.sampled_from(Fit))
    if width is None and height is None:
        width = 100
    try:
        return RenditionSpec(
            name=name,
            width=width,
            height=height,
            fit=fit,
            position=draw(st.sampled_from(Position)),
            formats=tuple(
                draw(st.lists(st.sampled_from([*OutputFormat, None]), min_size=1, unique=True))
            ),
            without_enlargement=draw(st.booleans()),
            colour=draw(st.sampled_from(Colour)),
            linear=draw(st.booleans()),
            animated=draw(st.booleans()),
            progressive=draw(st.booleans()),
            max_bytes=draw(st.sampled_from([None, 1000, 1 << 20])),
            hdr=draw(st.sampled_from([None, *Hdr])),
        )
    except ConfigError:
        # Not everything goes together.
        reject()


@settings(max_examples=200)
@given(
    header=headers(),
    asked=st.builds(
        Asked,
        specs=st.tuples(specs("a"), specs("b"), specs("c")),
        limits=st.just(Limits(max_pixels=1_600_000_000)),
        truncated=st.sampled_from(Truncated),
        sidecar=st.booleans(),
        focal_point=st.sampled_from([None, "0.1,0.9", "nonsense"]),
    ),
)
def test_there_is_a_plan_for_every_photo(header: ImageHeader, asked: Asked) -> None:
    """Its sides are those that the formats allow, and nothing is decoded smaller than it is used.

    At least one pixel of the photo is left by whatever the decoder shrinks.
    """
    try:
        plan = make_plan(header, asked)
    except RejectedPhotoError:
        return
    assert plan.peak_bytes > 0
    for rendition in plan.renditions:
        width, height = rendition.placement.output
        assert 1 <= width <= max(rendition.format.row.max_side, rendition.spec.width or 0)
        assert 1 <= height <= max(rendition.format.row.max_side, rendition.spec.height or 0)
    loads = [plan.load] + [
        rendition.way.load for rendition in plan.renditions if isinstance(rendition.way, OwnPass)
    ]
    for load in loads:
        assert header.width // load.shrink >= 1
        assert header.height // load.shrink >= 1
    if plan.base is not None:
        decoded = plan.load.decoded(header)
        stored = plan.base if header.orientation < 5 else plan.base[::-1]
        assert decoded[0] + 1 >= stored[0]
        assert decoded[1] + 1 >= stored[1]


def test_jpegs_of_a_few_pixels_are_rendered() -> None:
    """Shrinking on load by 8 would leave nothing of a side of 3."""
    spec = RenditionSpec(name="a", width=320, height=320)
    small = RenditionSpec(name="b", width=1)
    for width in (1, 3, 4, 300):
        for height in (1, 3, 4, 300):
            for progressive in (False, True):
                data = jpeg(width, height, progressive=progressive)
                images = rendered(data, spec, small).images
                assert images["a"].width == max(
                    1, min(width, round(320 * width / max(width, height, 320)))
                )
