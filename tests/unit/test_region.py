"""Tiles that no rendition shows are not decoded, and the renditions are the same."""

import random
from dataclasses import replace

import pytest
import pyvips

import imaging.planning
from imaging.formats import OutputFormat
from imaging.geometry import Box, Placement, as_stored, place
from imaging.header import ImageHeader
from imaging.planning import Asked
from imaging.region import region_of
from imaging.specs import Fit, Position, RenditionSpec
from imaging.steps import resize
from tests.photos import heic
from tests.photos.heif import grid_heic, prop
from tests.rendering import header_of, plan_of, rendered
from tests.tiles import watch_tiles

_FIXED = [
    position
    for position in Position
    if position not in {Position.ATTENTION, Position.ENTROPY, Position.FOCAL_POINT}
]


def squares(*positions: Position, side: int = 64) -> tuple[RenditionSpec, ...]:
    """Return a spec of a square for each position, and of a smaller one."""
    return tuple(
        RenditionSpec(
            name=f"{at}-{position.value}",
            width=side >> at,
            height=side >> at,
            fit=Fit.COVER,
            position=position,
            formats=(OutputFormat.PNG,),
        )
        for at, position in enumerate(positions)
    )


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Column and row of each tile that is decoded."""
    found: list[tuple[int, int]] = []
    watch_tiles(monkeypatch, lambda column, row: found.append((column, row)))
    return found


WIDE = (12, 3, 12 * 64, 3 * 64)
"""A panorama: tiles, and pixels."""


@pytest.mark.parametrize(
    ("positions", "columns"),
    [
        ((Position.CENTRE,), range(4, 8)),
        ((Position.WEST,), range(4)),
        ((Position.EAST,), range(8, 12)),
        # The smaller one of the two is resized once more.
        ((Position.WEST, Position.CENTRE), range(9)),
        ((Position.WEST, Position.EAST), range(12)),
        # Where they lie is for pixels to say.
        ((Position.ATTENTION,), range(12)),
        ((Position.CENTRE, Position.ENTROPY), range(12)),
    ],
)
def test_what_the_crops_show_together_is_decoded(
    positions: tuple[Position, ...], columns: range, decoded: list[tuple[int, int]]
) -> None:
    """Of 12 columns of tiles a square shows three, and a part of the next for the resize."""
    made = rendered(grid_heic(*WIDE), *squares(*positions))
    assert set(decoded) == {(column, row) for column in columns for row in range(3)}
    assert (made.plan.load.region is None) == (len(columns) == 12)


def test_what_is_of_the_whole_photo_needs_all(decoded: list[tuple[int, int]]) -> None:
    """A sidecar's appearance, a picture that is not cropped beside one that is."""
    data = grid_heic(*WIDE)
    rendered(data, *squares(Position.CENTRE), sidecar=True)
    assert len(set(decoded)) == 36
    decoded.clear()
    rendered(data, *squares(Position.CENTRE), RenditionSpec(name="whole", width=300))
    assert len(set(decoded)) == 36


def test_the_region_is_said_in_the_plan() -> None:
    """As the log has it."""
    plan = plan_of(grid_heic(*WIDE), Asked(specs=squares(Position.CENTRE)))
    assert plan.load.region is not None
    assert plan.summary().startswith("region 224x192+272+0, base 256x64")
    assert "region" not in plan_of(heic(64, 48), Asked(specs=squares(Position.CENTRE))).summary()


@pytest.mark.parametrize("seed", range(24))
def test_the_renditions_are_those_of_all_tiles(
    seed: int, monkeypatch: pytest.MonkeyPatch, decoded: list[tuple[int, int]]
) -> None:
    """Layouts, turns, crops by the file, alpha, depth, sharpening and linear light, at random."""
    draw = random.Random(seed)
    columns, rows = draw.choice(((12, 2), (2, 12), (9, 4), (4, 9)))
    width, height = 64 * columns - draw.randrange(64), 64 * rows - draw.randrange(64)
    turns = [prop(b"irot", draw.randrange(4)), prop(b"imir", draw.randrange(2))]
    # In whole pixels, around the centre.
    inner = (width - 2 * draw.randrange(30), 1, height - 2 * draw.randrange(30), 1)
    if draw.random() < 0.4:
        turns.insert(0, prop(b"clap", *inner, 0, 1, 0, 1))
    data = grid_heic(
        columns,
        rows,
        width,
        height,
        bits=draw.choice((8, 10)),
        alpha=draw.random() < 0.3,
        properties=tuple(turns) if draw.random() < 0.8 else (),
    )
    position = draw.choice(_FIXED)
    specs = [
        RenditionSpec(
            name=f"a{number}",
            width=draw.randrange(8, 200),
            height=draw.randrange(8, 200),
            fit=Fit.COVER,
            position=position,
            without_enlargement=draw.random() < 0.7,
            sharpen=draw.choice((None, None, 2.0)),
            linear=draw.random() < 0.3,
            formats=(OutputFormat.PNG,),
        )
        for number in range(draw.choice((1, 1, 2)))
    ]
    some = rendered(data, *specs)
    few = set(decoded)
    decoded.clear()
    monkeypatch.setattr(imaging.planning, "region_of", lambda *_: None)
    assert rendered(data, *specs).files == some.files
    assert few <= set(decoded)
    assert some.plan.load.region is not None or few == set(decoded)


@pytest.mark.parametrize("seed", range(60))
def test_no_resize_reaches_beyond_the_region(seed: int) -> None:
    """Noise, made smaller or larger in two steps: what lies beside the region has no say."""
    draw = random.Random(seed)
    width, height = draw.randrange(40, 1500), draw.randrange(40, 600)
    spec = RenditionSpec(
        name="a",
        width=draw.randrange(4, 300),
        height=draw.randrange(4, 300),
        fit=Fit.COVER,
        position=draw.choice(_FIXED),
        without_enlargement=draw.random() < 0.7,
    )
    placement = place(width, height, spec)
    base = (
        min(width, placement.width + draw.randrange(400)),
        min(height, placement.height + draw.randrange(300)),
    )
    header = grid_header(width, height)
    region = region_of(header, base, [placement])
    if region is None:
        return
    noise, other = (
        pyvips.Image.gaussnoise(width, height, mean=128, sigma=60, seed=number).cast("uchar")
        for number in (1, 2)
    )
    inside = noise.crop(region.left, region.top, region.width, region.height)
    mixed = other.insert(inside, region.left, region.top)
    assert made(noise, base, placement) == made(mixed, base, placement)


def made(image: pyvips.Image, base: tuple[int, int], placement: Placement) -> bytes:
    """Return the pixels of a crop."""
    resized = resize(resize(image.copy_memory(), *base), placement.width, placement.height)
    box = placement.crop
    assert box is not None
    return bytes(resized.crop(box.left, box.top, box.width, box.height).write_to_memory())


def grid_header(width: int, height: int) -> ImageHeader:
    """Return the header of a grid of such a size."""
    return replace(header_of(grid_heic(2, 2, 128, 128)), width=width, height=height)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_of_an_upright_picture_lies_where_libvips_has_it(orientation: int) -> None:
    """Every orientation: the stored part, turned upright, is the upright picture's part."""
    stored = pyvips.Image.gaussnoise(50, 30, seed=3).cast("uchar").copy_memory()

    def upright(image: pyvips.Image) -> pyvips.Image:
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
        return image.autorot()

    whole = upright(stored)
    draw = random.Random(orientation)
    for _ in range(20):
        left, top = draw.randrange(whole.width), draw.randrange(whole.height)
        columns = draw.randrange(1, whole.width - left + 1)
        rows = draw.randrange(1, whole.height - top + 1)
        box = Box(left=left, top=top, width=columns, height=rows)
        part = as_stored(box, (whole.width, whole.height), orientation)
        found = upright(stored.crop(part.left, part.top, part.width, part.height))
        expected = whole.crop(left, top, columns, rows)
        assert bytes(found.write_to_memory()) == bytes(expected.write_to_memory())
