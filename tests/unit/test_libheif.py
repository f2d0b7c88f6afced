"""libheif is called as it is declared, and needs no file once it is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from imaging.decoders import libheif
from imaging.decoders._libheif import ffi
from imaging.errors import UnsupportedFormatError
from scripts.declare_libheif import PATH, write
from tests.photos import avif, heic


def test_the_module_is_that_of_the_declarations(tmp_path: Path) -> None:
    """`python -m scripts.declare_libheif` would change nothing."""
    write(tmp_path / "declared.py")
    assert (tmp_path / "declared.py").read_text("utf-8") == PATH.read_text("utf-8")


def test_the_structs_are_those_of_the_library() -> None:
    """Fields that are read or set lie where the library has them: its defaults are what it says."""
    library = libheif.preload()
    context = ffi.gc(library.heif_context_alloc(), library.heif_context_free)
    limits = library.heif_context_get_security_limits(context)
    assert limits.version >= 1
    # Source: ``MAX_IMAGE_SIZE_...`` and so on, in libheif's ``security_limits.cc``.
    assert limits.max_image_size_pixels == 32_768**2
    assert limits.max_iloc_extents_per_item == 32
    options = ffi.gc(library.heif_decoding_options_alloc(), library.heif_decoding_options_free)
    assert options.version >= 6
    assert options.color_conversion_options.version == 1
    assert options.strict_decoding == options.ignore_transformations == 0


def test_hevc_and_av1_are_decoded_here() -> None:
    """Whatever library it is."""
    assert libheif.can_decode(libheif.HEVC)
    assert libheif.can_decode(libheif.AV1)
    assert tuple(map(int, libheif.library_version().split(".")[:2])) >= (1, 19)


def test_a_library_that_is_too_old_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The photo is refused by a word, not by a missing function."""
    monkeypatch.setattr(libheif, "_OLDEST", 99 << 24)
    libheif.preload.cache_clear()
    try:
        with pytest.raises(UnsupportedFormatError, match=r"libheif 1\.19 or later"):
            libheif.preload()
    finally:
        libheif.preload.cache_clear()


_NO_FILE = """
import sys, resource
from pathlib import Path
photos = [Path(name).read_bytes() for name in sys.argv[1:]]
from imaging.config import parse_config
from imaging.local import MemorySource
from imaging.in_memory import render_in_memory
from imaging.rendering import open_photo
from imaging.worker.zygote import preload, preload_common
import pyvips

asked = parse_config('[[renditions]]\\nname = "a"\\nwidth = 32\\n', file="test").asked()
grey = pyvips.Image.black(64, 48, bands=3).copy(interpretation="srgb")
render_in_memory(open_photo, MemorySource(grey.jpegsave_buffer()), asked)
# What a process has that is ready for every format.
preload_common(())
preload()
opened = []
sys.addaudithook(lambda event, arguments: event == "open" and opened.append(arguments[0]))
# No descriptor is to be had: whatever opens a file fails.
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
for photo in photos:
    render_in_memory(open_photo, MemorySource(photo), asked)
assert not opened, opened
"""


def test_no_file_is_opened_once_it_is_loaded(tmp_path: Path) -> None:
    """HEIC and AVIF, whole and in tiles: what decodes them in a sandbox cannot open one."""
    photos = {
        "one.heic": heic(64, 48),
        "tiles.heic": heic(256, 192, tile=64),
        "one.avif": avif(64, 48),
        "deep.avif": avif(64, 48, bits=10),
    }
    for name, data in photos.items():
        (tmp_path / name).write_bytes(data)
    subprocess.run(
        [sys.executable, "-c", _NO_FILE, *(str(tmp_path / name) for name in photos)], check=True
    )
