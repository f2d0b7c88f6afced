"""Where every pixel goes, for any photo and any spec."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import FocalPoint, Placement, focal_point_from_text, place
from imaging.specs import Fit, Position, RenditionSpec

SIDES = st.integers(1, 40_000)


@st.composite
def specs(draw: st.DrawFn) -> RenditionSpec:
    """Any box, fit and position that go together."""
    fit = draw(st.sampled_from(Fit))
    both = fit in {Fit.CONTAIN, Fit.FILL}
    sides = st.integers(1, 4_000) if both else st.none() | st.integers(1, 4_000)
    return RenditionSpec(
        name="a",
        width=draw(sides),
        height=draw(sides),
        fit=fit,
        position=draw(st.sampled_from(Position)) if fit is Fit.COVER else Position.CENTRE,
        without_enlargement=draw(st.booleans()),
    )


FOCAL_POINTS = st.none() | st.builds(FocalPoint, x=st.floats(0, 1), y=st.floats(0, 1))


@given(SIDES, SIDES, specs(), FOCAL_POINTS)
def test_every_crop_lies_within_the_photo_and_every_photo_within_its_canvas(
    width: int, height: int, spec: RenditionSpec, focal: FocalPoint | None
) -> None:
    """No side is ever 0, and no pixel is asked for that is not there."""
    placement = place(width, height, spec, focal)
    assert min(placement.width, placement.height, *placement.output) >= 1
    if placement.crop is not None:
        crop = placement.crop
        assert 0 <= crop.left <= placement.width - crop.width
        assert 0 <= crop.top <= placement.height - crop.height
    if placement.canvas is not None:
        canvas = placement.canvas
        assert 0 <= canvas.left <= canvas.width - placement.width
        assert 0 <= canvas.top <= canvas.height - placement.height
    if spec.without_enlargement:
        assert (placement.width, placement.height) <= (width, height)


def cover(position: Position, focal: FocalPoint | None = None) -> Placement:
    """Return where a photo of 300 x 200 lies in a square of 100 that it covers."""
    spec = RenditionSpec(name="a", width=100, height=100, fit=Fit.COVER, position=position)
    return place(300, 200, spec, focal)


@pytest.mark.parametrize(
    ("position", "left"),
    [
        ("centre", 25),
        ("north", 25),
        ("south", 25),
        ("west", 0),
        ("northwest", 0),
        ("southwest", 0),
        ("east", 50),
        ("northeast", 50),
        ("southeast", 50),
    ],
)
def test_a_gravity_keeps_the_side_that_it_names(position: str, left: int) -> None:
    """Of 50 columns too many, west drops those on the right; upright photos do so with rows."""
    placement = cover(Position(position))
    assert placement.crop is not None
    assert (placement.crop.left, placement.crop.top) == (left, 0)
    spec = RenditionSpec(
        name="a", width=100, height=100, fit=Fit.COVER, position=Position(position)
    )
    portrait = place(200, 300, spec)
    assert portrait.crop is not None
    top = 0 if "north" in position else 50 if "south" in position else 25
    assert (portrait.crop.left, portrait.crop.top) == (0, top)


@pytest.mark.parametrize(
    ("x", "left"), [(0.0, 0), (0.3, 0), (0.4, 10), (0.5, 25), (0.6, 40), (0.7, 50), (1.0, 50)]
)
def test_a_focal_point_lies_as_near_to_the_middle_as_the_edges_allow(x: float, left: int) -> None:
    """At 0.4 of 150 columns, 60, the 100 columns around it begin at 10; before 50 they cannot."""
    placement = cover(Position.FOCAL_POINT, FocalPoint(x=x, y=0.9))
    assert placement.crop is not None
    assert (placement.crop.left, placement.crop.top) == (left, 0)


def test_without_a_focal_point_the_centre_is_kept() -> None:
    """And with one, a position that does not ask for it takes no notice."""
    assert cover(Position.FOCAL_POINT) == cover(Position.CENTRE)
    assert cover(Position.CENTRE, FocalPoint(x=0, y=0)) == cover(Position.CENTRE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.3,0.7", (0.3, 0.7)),
        (" .5 , 1 ", (0.5, 1.0)),
        ("0,1.0", (0.0, 1.0)),
        ("1.01,0", None),
        ("-0.1,0.5", None),
        ("0.5", None),
        ("0.5,0.5,0.5", None),
        ("nan,0.5", None),
        ("1e-1,0.5", None),
        ("\u0660.\u0665,0.5", None),
        ("", None),
    ],
)
def test_a_focal_point_is_two_fractions(text: str, expected: tuple[float, float] | None) -> None:
    """Whatever else a person writes names no point."""
    point = focal_point_from_text(text)
    assert (None if point is None else (point.x, point.y)) == expected
