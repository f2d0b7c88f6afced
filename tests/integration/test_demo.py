"""`make demo`: its contact sheet, in a real browser where there is one."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import pyvips

from tests.photos import jpeg

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
_TELL = """<script>addEventListener("load", () => {
  document.title = JSON.stringify([...document.images].map(
    one => [one.alt, one.naturalWidth, one.getBoundingClientRect()]));
})</script>"""


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """The contact sheet of a photo whose name wants escaping."""
    photo = tmp_path / "höhe & <tief> #1.jpg"
    photo.write_bytes(jpeg(3000, 2000))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "demo", "--photo", str(photo), "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return out / "index.html"


def test_the_sheet_has_each_rendition_with_size_bytes_and_time(sheet: Path) -> None:
    """The original stands beside its renditions, each with dimensions, bytes, and milliseconds."""
    page = sheet.read_text(encoding="utf-8")

    captions = re.findall(r"<figcaption><b>([^<]+)</b> (\d+ x \d+)<br>([^<]+)</figcaption>", page)
    assert captions[0][:2] == ("the original", "3000 x 2000")
    assert {name: size for name, size, _ in captions[1:]} == {
        "xlarge": "2048 x 1365",
        "large": "1280 x 853",
        "medium": "640 x 427",
        "small": "320 x 213",
        "square": "160 x 160",
    }
    assert all(re.fullmatch(r"[\d,]+ bytes, [\d.]+ ms", third) for *_, third in captions[1:])


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_shows_every_picture(sheet: Path, tmp_path: Path) -> None:
    """In a headless Chromium each picture loads, and what it draws is no blank page."""
    assert CHROMIUM is not None
    browser = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,2600"]
    browser += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000"]
    told = sheet.with_name("told.html")
    told.write_text(sheet.read_text(encoding="utf-8") + _TELL, encoding="utf-8")

    dumped = subprocess.run(
        [*browser, "--dump-dom", told.as_uri()], check=True, capture_output=True, text=True
    ).stdout
    picture = tmp_path / "sheet.png"
    subprocess.run(
        [*browser, f"--screenshot={picture}", sheet.as_uri()], check=True, capture_output=True
    )

    title = re.search(r"<title>(.*?)</title>", dumped, re.DOTALL)
    assert title is not None
    images = json.loads(html.unescape(title[1]))
    assert [(alt, width) for alt, width, _ in images if width == 0] == []
    assert {alt: width for alt, width, _ in images}["the original"] == 3000
    assert len(images) == 6
    (_, _, original), *renditions = images
    assert all(place["width"] > 0 for *_, place in images)
    assert all(place["left"] > original["right"] for *_, place in renditions), "not beside it"
    assert pyvips.Image.new_from_file(str(picture)).deviate() > 10


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    """A newcomer reads what was expected and what was received, and no traceback."""
    photo = tmp_path / "a.jpg"
    photo.write_bytes(jpeg(64, 48))
    command = [sys.executable, "-m", "demo", "--photo", str(photo), "--out", str(tmp_path / "out")]
    environ = os.environ | {"LIMIT_MAX_PIXELS": "many"}
    ended = subprocess.run(
        command, cwd=ROOT, env=environ, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "bad-settings: LIMIT_MAX_PIXELS: expected an integer of 1 or more but received 'many'\n"
    )
