"""What an object's user metadata can hold, whatever its photo is called and was rejected for."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from handler.photo.manifest import Manifest, Suspect, manifest_from_head
from handler.s3.metadata import text_from_metadata, with_text
from handler.version import SourceVersion

_VERSIONS = st.builds(
    SourceVersion,
    bucket=st.none() | st.text("az09.-", min_size=1, max_size=255),
    etag=st.none() | st.text("0123456789abcdef-", min_size=1, max_size=256),
    version_id=st.none() | st.text("aZ09._-", min_size=1, max_size=1024),
    sequencer=st.none() | st.from_regex("[0-9A-F]{1,64}", fullmatch=True),
    modified=st.none() | st.integers(0, 1 << 33),
)


_SUSPECTS = st.builds(
    Suspect,
    version=st.text("0123456789abcdef", min_size=16, max_size=16),
    times=st.integers(1, 99),
    over_s=st.integers(0, 1 << 33),
    token=st.sampled_from(["", "0123456789abcdef"]),
)


def _size(metadata: dict[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())


@given(
    _VERSIONS,
    st.text(max_size=2000),
    st.none() | _SUSPECTS,
)
def test_a_manifest_s_metadata_is_ascii_and_fits(
    version: SourceVersion, reason: str, suspect: Suspect | None
) -> None:
    """S3 takes 2,048 bytes, names included, and no character that a header cannot have."""
    manifest = Manifest(version=version, rejected="corrupt", reason=reason, suspect=suspect)
    metadata = manifest.metadata()
    assert _size(metadata) <= 2048
    assert all(value.isascii() and value.isprintable() for value in metadata.values())
    assert all(value == " ".join(value.split()) for value in metadata.values())
    assert manifest_from_head(metadata).suspect == suspect
    # What fits can be read again; half of a surrogate pair cannot be written.
    kept = text_from_metadata(metadata, "reason")
    assert reason.encode(errors="replace").decode().startswith(kept)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=1024))
def test_a_text_comes_back_as_far_as_it_fits(text: str) -> None:
    """It ends with a whole character, and is whole where 512 bytes are enough."""
    written = with_text({}, "source-key", text)
    read = text_from_metadata(written, "source-key")
    assert text.startswith(read)
    assert unquote(written["source-key"], errors="strict") == read
    assert len(written["source-key"]) > 500 or read == text


def test_a_key_with_a_line_break_adds_no_header() -> None:
    """It is legal in a key, and would end a header's line."""
    written = with_text({}, "source-key", "a\r\nx-amz-acl: public-read.jpg")
    assert written["source-key"] == "a%0D%0Ax-amz-acl:%20public-read.jpg"


def test_where_no_room_is_left_there_is_no_text() -> None:
    """What says which version it is goes first."""
    written = with_text({"a": "b" * 2_035}, "source-key", "鳥" * 9)
    assert written["source-key"] == ""
    assert _size(written) <= 2048
