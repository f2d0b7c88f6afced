"""A spec's digest says whether a stored rendition is what would be made today."""

from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from imaging.formats import OutputFormat
from imaging.specs import (
    Colour,
    Fit,
    Hdr,
    Metadata,
    Position,
    RenditionSpec,
    StorageClass,
    Watermark,
)

JPEG, WEBP, GIF = OutputFormat.JPEG, OutputFormat.WEBP, OutputFormat.GIF

OTHER: dict[str, dict[str, Any]] = {
    "name": {"name": "b"},
    "width": {"width": 99},
    "height": {"height": 99},
    "fit": {"fit": Fit.COVER},
    "position": {"fit": Fit.COVER, "position": Position.NORTH},
    "sharpen": {"sharpen": 0.5},
    "linear": {"linear": True},
    "quality": {"quality": 50},
    "max_bytes": {"max_bytes": 1000},
    "without_enlargement": {"without_enlargement": False},
    "background": {"background": (0, 0, 0)},
    "progressive": {"progressive": True},
    "metadata": {"metadata": Metadata.NONE},
    "colour": {"colour": Colour.SOURCE},
    "hdr": {"hdr": Hdr.SDR},
    "storage_class": {"storage_class": StorageClass.GLACIER_IR},
    "tags": {"tags": (("team", "photos"),)},
    "copy_tags": {"copy_tags": True},
    "content_disposition": {"content_disposition": "attachment"},
    "watermark": {"watermark": Watermark(image="logo.png")},
    "credentials": {"credentials": 1024},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecOfTomorrow(RenditionSpec):
    """A spec with one more option."""

    grain: bool = False


def test_the_digest_of_a_spec_is_pinned() -> None:
    """Another value makes every stored rendition stale: raise the pipeline's version instead."""
    spec = RenditionSpec(name="small", width=320, height=240, fit=Fit.COVER, quality=70)
    assert spec.digest(JPEG) == "2b8290c1b85f2e87"


def test_a_new_option_makes_nothing_stale() -> None:
    """A field that has its default is not in the digest; one that is set is."""
    for output in OutputFormat:
        today = RenditionSpec(name="a", width=320, formats=(output,))
        tomorrow = SpecOfTomorrow(name="a", width=320, formats=(output,))
        assert tomorrow.digest(output) == today.digest(output)
        assert replace(tomorrow, grain=True).digest(output) != today.digest(output)


def test_every_option_is_in_the_digest() -> None:
    """Each field that changes pixels changes it, and no two changes give the same."""
    spec = RenditionSpec(name="a")
    changed = {name: replace(spec, **other).digest(JPEG) for name, other in OTHER.items()}
    assert len({spec.digest(JPEG), *changed.values()}) == len(OTHER) + 1
    # The formats are the argument, JPEG is not animated, and which photos it is for is no pixel.
    left_out = {"formats", "animated", "keys", "exclude"}
    assert set(OTHER) == {field.name for field in fields(spec)} - left_out
    assert replace(spec, keys=("a/**",), exclude=("b",)).digest(JPEG) == spec.digest(JPEG)
    moving = RenditionSpec(name="a", formats=(GIF,), animated=True)
    assert moving.digest(GIF) != replace(moving, animated=False).digest(GIF)


@pytest.mark.parametrize("other", OutputFormat)
def test_another_format_makes_nothing_stale(other: OutputFormat) -> None:
    """What a spec says of WebP is not in the digest of its JPEG."""
    alone = RenditionSpec(name="a", width=320)
    both = replace(alone, formats=tuple(dict.fromkeys((JPEG, other))))
    assert both.digest(JPEG) == alone.digest(JPEG)
    told = replace(alone, formats=(JPEG, WEBP), quality={WEBP: 30})
    assert told.digest(JPEG) == alone.digest(JPEG)
    assert told.digest(WEBP) != replace(told, quality=None).digest(WEBP)
