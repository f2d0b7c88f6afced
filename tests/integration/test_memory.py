"""What a process really holds at its peak, against what the plan said."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import group
from benchmarks.invoking import running
from benchmarks.s3 import credentials, serving
from imaging.config import load_config
from imaging.local import FileSource
from imaging.planning import make_plan
from imaging.rendering import open_photo
from tests.photos import jpeg, png, tiff, webp

_ROOT = Path(__file__).parents[2]

PHOTOS: dict[str, Callable[[], bytes]] = {
    "baseline.jpg": lambda: jpeg(4000, 3000),
    "progressive.jpg": lambda: jpeg(4000, 3000, progressive=True),
    "alpha.png": lambda: png(2000, 1500, alpha=True),
    "strips.tif": lambda: tiff(3000, 2000),
    "lossy.webp": lambda: webp(2000, 1500),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_the_peak_is_as_planned(name: str, tmp_path: Path) -> None:
    """The real handler, in a process of its own, takes no more than planned, and not much less."""
    photo = tmp_path / name
    photo.write_bytes(PHOTOS[name]())
    asked = load_config(_ROOT / "renditions.toml").asked()
    with open_photo(FileSource(photo), asked) as opened:
        plan = make_plan(opened.header, asked)
    environment = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3538", "MALLOC_ARENA_MAX": "2"}
    with (
        serving([photo]) as url,
        running(_ROOT, credentials(url) | environment) as function,
    ):
        (record,) = function.invoke(tmp_path.name, [name]).records
        found_mb = group.peak_mb(function.pid)
    assert record["disposition"] == "written"
    estimate_mb = plan.peak_bytes / (1 << 20)
    assert found_mb <= estimate_mb <= max(1.3 * found_mb, found_mb + 24)
