"""`make image HEVC=0`: an image that has no decoder of HEVC, and says so of a HEIC."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import photos
from tests.container import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TAG = "renditions-test:no-hevc"

# In the image, which has neither tests nor a command.
RENDER = """
import sys
sys.path.insert(0, "/var/task")
from imaging.config import parse_config
from imaging.errors import RenditionsError
from imaging.in_memory import render_in_memory
from imaging.local import MemorySource
from imaging.rendering import open_photo
asked = parse_config('[[renditions]]\\nname = "a"\\nwidth = 32\\n', file="test").asked()
try:
    print(len(render_in_memory(open_photo, MemorySource(sys.stdin.buffer.read()), asked).data))
except RenditionsError as error:
    print(error.code, error)
"""


@pytest.fixture(scope="module")
def without_hevc() -> Iterator[str]:
    """The tag of an image that was built so; all but its last stage is that of the image."""
    docker = os.environ.get("DOCKER", "docker")
    arguments = ["make", "image", "HEVC=0", f"IMAGE={TAG}", f"DOCKER={docker}"]
    subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True)
    yield TAG
    with engine.connected() as client:
        client.images.remove(TAG, force=True)


def said(image: str, command: str, *arguments: str, photo: bytes = b"") -> str:
    """Return what a command in the image prints."""
    docker = os.environ.get("DOCKER", "docker")
    run = [docker, "run", "--rm", "--interactive", "--network", "none", "--entrypoint", command]
    return subprocess.run(
        [*run, image, *arguments], input=photo, capture_output=True, check=True
    ).stdout.decode()


def test_a_heic_is_refused_by_its_name_and_an_avif_is_decoded(without_hevc: str) -> None:
    """Nothing of libde265 is in the image; libheif works without the plug-in."""
    packages = said(without_hevc, "/usr/bin/dpkg-query", "--show")
    assert "libheif1" in packages
    assert "265" not in packages
    heic = said(without_hevc, "/usr/bin/python3", "-c", RENDER, photo=photos.heic(64, 48))
    assert heic.startswith("unsupported-format ")
    assert "heic is left out" in heic
    assert said(without_hevc, "/usr/bin/python3", "-c", RENDER, photo=photos.avif(64, 48)) == "1\n"
