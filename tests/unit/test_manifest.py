"""Which version is newer, and what the manifest of a photo means for an event."""

import http.client
import io
import json
import re
from dataclasses import replace
from itertools import accumulate, count, takewhile
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handler.objects import MAX_KEY_BYTES, ObjectEvent
from handler.photo.manifest import (
    MAX_BODY_BYTES,
    Announced,
    Kept,
    Manifest,
    Refused,
    Suspect,
    UnreadableManifestError,
    Verdict,
    judge,
    manifest_from_answer,
    manifest_from_head,
    manifest_from_object,
    set_digest,
)
from handler.photo.rule import Addition, GivenUp, Refusal, Rejection, Withheld, left_behind, merged
from handler.version import SourceVersion as Version
from handler.version import version_from_event, version_from_metadata
from imaging.config import parse_config
from imaging.formats import OutputFormat

ASKED = "set"
_DOCS: Final = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        # The shorter is padded on its right: lengths differ between events of one key.
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6"),
        ("0055AED6DC", "0055AED6DCD90281E5"),
        ("0055AED6DB", "0055AED6DC00"),
        ("00ff", "0100"),
        ("00ab", "00AC"),
    ],
)
def test_sequencers_order_the_versions_of_a_key(older: str, newer: str) -> None:
    """Hexadecimal text of any length and case; exactly one of two precedes the other."""
    assert Version(sequencer=older).precedes(Version(sequencer=newer))
    assert not Version(sequencer=newer).precedes(Version(sequencer=older))


def test_a_sequencer_padded_with_zeros_is_the_same() -> None:
    """Neither precedes the other."""
    one, other = Version(sequencer="00AB"), Version(sequencer="00ab00")
    assert not one.precedes(other)
    assert not other.precedes(one)


def test_without_two_sequencers_nothing_is_older() -> None:
    """No clock decides."""
    event, job = Version(sequencer="1", modified=5), Version(modified=6)
    assert not event.precedes(job)
    assert not job.precedes(event)


def test_a_record_survives_as_an_object() -> None:
    """A head shows all but the body; a get shows everything."""
    manifest = Manifest(
        version=Version(bucket="b", etag="e", version_id="v", sequencer="0A", modified=7),
        made=ASKED,
        kept=(Kept(key="ä/large.jpg", etag="1"),),
        announced=(Announced(key="ä/small.jpg", version="0123456789abcdef"),),
        refused=(Refused(name="large", made=ASKED, code="over-limit", reason="ä"),),
        about={"width": 3},
    )
    body = manifest.body("a.jpg", "1")
    assert manifest_from_object(manifest.metadata(), body) == manifest
    assert body != manifest.body("a.jpg", "2")
    head = manifest_from_head(manifest.metadata())
    assert (head.version, head.made, head.deleted) == (manifest.version, ASKED, False)
    assert head.kept is None
    assert version_from_metadata({}) == Version()


MADE = Manifest(version=Version(etag="e", sequencer="05", modified=100), made=ASKED)
SEEN = Manifest(version=Version(etag="e", modified=100), made=ASKED)
OF_VERSION = Manifest(version=Version(etag="e", version_id="v", sequencer="05"), made=ASKED)
OF_A = Manifest(version=Version(bucket="a", etag="e"), made=ASKED)
GONE = Manifest(version=Version(sequencer="05"), deleted=True)


@pytest.mark.parametrize(
    ("event", "manifest", "verdict"),
    [
        pytest.param(Version(etag="e", sequencer="05"), MADE, Verdict.UNCHANGED, id="replay"),
        pytest.param(Version(etag="d", sequencer="04"), MADE, Verdict.SUPERSEDED, id="late"),
        pytest.param(Version(etag="e", sequencer="04"), MADE, Verdict.UNCHANGED, id="late-twin"),
        pytest.param(Version(etag="f", sequencer="06"), MADE, Verdict.MAKE, id="replaced"),
        # The manifest has to follow, or a deletion between the two would take the newer one away.
        pytest.param(Version(etag="e", sequencer="06"), MADE, Verdict.MAKE, id="put-again"),
        pytest.param(Version(etag="e"), MADE, Verdict.UNCHANGED_IF_CURRENT, id="job-with-etag"),
        pytest.param(Version(etag="e", sequencer="04"), SEEN, Verdict.MAKE, id="first-event"),
        pytest.param(Version(), MADE, Verdict.UNCHANGED_IF_CURRENT, id="job"),
        pytest.param(Version(version_id="v"), OF_VERSION, Verdict.UNCHANGED, id="job-of-version"),
        pytest.param(Version(version_id="w"), OF_VERSION, Verdict.MAKE, id="job-of-other-version"),
        pytest.param(
            Version(etag="e", version_id="v", sequencer="07"),
            OF_VERSION,
            Verdict.UNCHANGED,
            id="a-version-is-itself-whatever-the-event",
        ),
        pytest.param(Version(etag="e", sequencer="04"), GONE, Verdict.SUPERSEDED, id="late-create"),
        pytest.param(Version(etag="e", sequencer="06"), GONE, Verdict.MAKE, id="created-anew"),
        pytest.param(Version(), GONE, Verdict.MAKE, id="job-asks-the-source"),
        pytest.param(
            Version(bucket="b", etag="e", sequencer="01"),
            Manifest(version=Version(bucket="a", sequencer="05"), deleted=True),
            Verdict.MAKE,
            id="place-of-another-that-is-gone",
        ),
    ],
)
def test_what_the_record_means(event: Version, manifest: Manifest, verdict: Verdict) -> None:
    """A replay is unchanged, what is older is superseded, and what is newer is made."""
    assert judge(event, manifest, ASKED) is verdict


@pytest.mark.parametrize("event", [Version(etag="e", sequencer="05"), Version(etag="e"), Version()])
def test_another_set_is_made_anew(event: Version) -> None:
    """A manifest of a set that is no longer asked for is stale, whichever event finds out."""
    assert judge(event, MADE, "another") is Verdict.MAKE


def test_the_set_s_digest_does_not_depend_on_order() -> None:
    """The same specs in another order ask for the same set."""
    assert set_digest("a", "b") == set_digest("b", "a") != set_digest("a", "c")


def test_a_rejected_version_is_known_until_the_limits_change() -> None:
    """The digest under which it was rejected holds the limits, which the set's does not."""
    manifest = Manifest(version=Version(version_id="v"), made="refused", rejected="over-limit")
    assert judge(Version(version_id="v"), manifest, "refused") is Verdict.UNCHANGED
    assert judge(Version(version_id="v"), manifest, "other limits") is Verdict.MAKE


@pytest.mark.parametrize("version_id", [None, "null"])
def test_null_is_no_version(version_id: str | None) -> None:
    """S3 gives the name to each object that is put while versioning is suspended."""
    event = ObjectEvent(bucket="b", key="k", etag="e", version_id=version_id)
    assert version_from_event(event).version_id is None
    assert version_from_metadata({"source-version": "null"}).version_id is None


@pytest.mark.parametrize(
    ("sequencer", "before", "covering"),
    [("05", "06", "06"), ("06", "05", "06"), (None, "05", "05"), ("05", None, "05")],
)
def test_what_was_seen_stays_seen(
    sequencer: str | None, before: str | None, covering: str | None
) -> None:
    """A job or an older event that writes the manifest does not take its sequencer back."""
    version = Version(bucket="b", etag="e", sequencer=sequencer)
    assert version.covering(Version(bucket="b", sequencer=before)).sequencer == covering
    # Sequencers of another bucket's key say nothing.
    assert version.covering(Version(bucket="a", sequencer=before)).sequencer == sequencer


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[]", b"null", b"{}", b'{"kept": 3}', b'{"kept": {"a": 1}}']
)
def test_what_is_no_manifest_is_said_to_be_none(body: bytes) -> None:
    """Never an error of another kind, whatever stands under the key."""
    with pytest.raises(UnreadableManifestError):
        manifest_from_object(MADE.metadata(), body)
    with pytest.raises(UnreadableManifestError):
        manifest_from_head({})


# Half of surrogate pairs among them, and what ends a header's line.
_TEXTS: Final = st.text(st.characters() | st.sampled_from('\ud800\udfff\r\n\0"\x7f/.'), max_size=40)
_LEAVES: Final = st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS
_JSON: Final = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner), max_leaves=8
)
_KEYS: Final = _TEXTS | st.sampled_from(["a/small.jpg", "..", "a/../../b", "é" * 513])
_ETAGS: Final = _TEXTS | st.sampled_from(["0123456789abcdef-2", "e" * 300])
_ROWS: Final = _JSON | st.lists(st.tuples(_KEYS, _TEXTS) | st.tuples(*[_TEXTS] * 4), max_size=3)
_DOCUMENTS: Final = _JSON | st.fixed_dictionaries(
    {"kept": st.dictionaries(_KEYS, _ETAGS, max_size=3) | _JSON},
    optional={
        "announced": _ROWS,
        "refused": _ROWS,
        "lost": _JSON,
        "key": _JSON,
        "mark": _JSON,
        "provenance": _JSON,
        "ä": _JSON,
    },
)
_VALUES: Final = (
    st.text(st.characters(max_codepoint=255), max_size=60)
    | st.integers(-9, 10**12).map(str)
    | st.just("9" * 5000)
    | st.from_regex("[0-9a-f]{16}( [0-9]{1,2} [0-9]{1,12})?", fullmatch=True)
)
_METADATA: Final = st.fixed_dictionaries(
    {"state": st.sampled_from(["made", "deleted"])},
    optional=dict.fromkeys(
        (
            *("set", "rejected", "reason", "suspect", "source-bucket", "source-key-digest"),
            *("source-etag", "source-version", "source-sequencer", "source-modified"),
        ),
        _VALUES,
    ),
)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _check_can_be_used(manifest: Manifest) -> None:
    """Check that it can be written again, be the same then, and that S3 can be asked for it."""
    body = manifest.body("a.jpg", "token")
    json.loads(body.decode(), parse_constant=_refuse)
    metadata = manifest.metadata()
    assert all(value.isascii() and value.isprintable() for value in metadata.values())
    assert sum(len(name) + len(value) for name, value in metadata.items()) <= 2048
    again = manifest_from_object(metadata, body)
    assert manifest_from_object(again.metadata(), again.body("a.jpg", "other")) == again
    connection = http.client.HTTPConnection("localhost")
    connection.putrequest("PUT", "/")
    for etag in (*(one.etag for one in manifest.kept or ()), manifest.version.etag or ""):
        assert '"' not in etag
        connection.putheader("If-Match", f'"{etag}"'.encode("ascii"))
    keys = [one.key for one in manifest.kept or ()] + [one.key for one in manifest.announced]
    for key in keys:
        assert 0 < len(key.encode()) <= MAX_KEY_BYTES
        assert not key.startswith("..")


@given(_DOCUMENTS)
@example({"kept": {"a": "b\r\nc"}})
@example({"kept": {"a": "\ud800"}})
@example({"kept": {}, "refused": [["n", "m", "c", "\ud800"]]})
@example({"kept": {}, "announced": [["k", "\ud800"]]})
@example({"kept": {}, "x": [{"\ud800": 1}]})
@example({"kept": {}, "x": float("inf")})
@example({"kept": {"../a": "e"}})
def test_whatever_a_manifest_is_read_from_it_can_be_written_again(document: Any) -> None:  # noqa: ANN401 - any JSON
    """Else each attempt at the photo would fail, for ever; what cannot be is no manifest."""
    try:
        manifest = manifest_from_object(MADE.metadata(), json.dumps(document).encode())
    except UnreadableManifestError:
        return
    _check_can_be_used(manifest)


@given(st.binary(max_size=60) | _JSON.map(lambda value: json.dumps(value).encode("utf-16")))
@example(b'{"kept":{},"x":1e999}')
@example(b'{"kept":{},"x":"\xed\xa0\x80"}')
@example(b'{"kept":{},"x":' + b"[" * 400 + b"]" * 400 + b"}")
@example(b'{"kept":{},"x":' + b"[" * 100_000)
@example(b'{"kept":{},"x":' + b"9" * 10_000 + b"}")
def test_so_it_is_whatever_the_bytes(body: bytes) -> None:
    """JSON or not, in UTF-8 or another encoding that Python reads, however deep or long."""
    try:
        manifest = manifest_from_object(MADE.metadata(), body)
    except UnreadableManifestError:
        return
    _check_can_be_used(manifest)


@given(_METADATA)
def test_so_are_metadata(metadata: dict[str, str]) -> None:
    """Of a store that gives others than ASCII, or more, and whoever wrote them."""
    try:
        manifest = manifest_from_object(metadata, b'{"kept":{}}')
    except UnreadableManifestError:
        return
    _check_can_be_used(manifest)


def _largest_manifest() -> Manifest:
    """Return that of the configuration of 64 KiB which asks for most, under the longest keys."""
    formats = [one.value for one in OutputFormat]
    tables = (f'[[renditions]]\nname="{at}"\nwidth=9\nformat={formats}\n' for at in count())
    texts = takewhile(lambda text: len(text) <= 64 << 10, accumulate(tables))
    *_, text = texts
    pairs = [
        (spec.name, output.extension)
        for spec in parse_config(text, file="largest").renditions
        for _, output in spec.outcomes()
    ]
    assert len(pairs) > 4_000
    keys = [f"/{name}.{extension}".rjust(MAX_KEY_BYTES, "k") for name, extension in pairs]
    listed = [
        {
            "name": name,
            "key": key,
            "width": 16_383,
            "height": 16_383,
            "bytes": 1 << 32,
            "content_type": "image/jpeg",
        }
        for key, (name, _) in zip(keys, pairs, strict=True)
    ]
    return Manifest(
        version=Version(etag="e"),
        kept=tuple(Kept(key=key, etag="0" * 32) for key in keys),
        announced=tuple(Announced(key=key, version="0" * 16) for key in keys),
        refused=tuple(
            Refused(name=name, made="0" * 16, code="needs-more-memory", reason="r" * 200)
            for name in {name for name, _ in pairs}
        ),
        about={"renditions": listed, "camera": ["c" * 4096] * 3},
    )


def test_the_largest_manifest_is_read() -> None:
    """A function may write it, so it must not be taken for none."""
    manifest = _largest_manifest()
    body = manifest.body("k" * MAX_KEY_BYTES, "token")
    assert MAX_BODY_BYTES / 2 < len(body) <= MAX_BODY_BYTES
    answer = {
        "ContentLength": len(body),
        "Metadata": manifest.metadata(),
        "Body": io.BytesIO(body),
    }
    assert manifest_from_answer(answer) == manifest


def test_a_larger_body_is_not_read() -> None:
    """To read it would take the memory that the photo has to have."""
    body = io.BytesIO(MADE.body("a.jpg", "token"))
    answer = {"ContentLength": MAX_BODY_BYTES + 1, "Metadata": MADE.metadata(), "Body": body}
    with pytest.raises(UnreadableManifestError):
        manifest_from_answer(answer)
    assert body.closed


def _documented(first: str) -> dict[str, tuple[bool, str]]:
    """Return what the table of docs/sidecar.md that begins with ``first`` names.

    By each name: whether it is there always, and the rest of its row.
    """
    page = (_DOCS / "sidecar.md").read_text("utf-8")
    _, rule, *rows = page[page.index(f"| {first} |") :].partition("\n\n")[0].splitlines()
    assert set(rule) == {"|", "-"}
    return {
        name: (row.endswith("| always |"), row)
        for row in rows
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }


def test_the_manifest_s_tables_are_what_is_written() -> None:
    """Each name in docs/sidecar.md is written, each that is written is there, and in the schema."""
    version = Version(
        bucket="b", key_digest="k", etag="e", version_id="v", sequencer="0A", modified=7
    )
    least = Manifest(version=Version(bucket="b", key_digest="k"), deleted=True)
    most = Manifest(
        version=version,
        made=ASKED,
        rejected="truncated",
        reason="why",
        suspect=Suspect(version="v", times=1, over_s=1),
        lost=True,
        kept=(Kept(key="a/small.jpg", etag="1"),),
        announced=(Announced(key="a/large.jpg", version="v"),),
        refused=(Refused(name="large", made="m", code="c", reason="r"),),
        about={"provenance": {}},
    )
    fields, names = _documented("field"), _documented("name")
    written = json.loads(most.body("a", "token", "config"))
    assert set(written) == set(fields)
    assert set(json.loads(least.body("a", "token"))) == {
        name for name, (is_always, _) in fields.items() if is_always
    }
    assert set(most.metadata()) == set(names)
    assert set(least.metadata()) == {name for name, (is_always, _) in names.items() if is_always}
    types = {str: "string", bool: "boolean", dict: "object", list: "array"}
    for name, value in written.items():
        expected = "`true`" if name == "lost" else types[type(value)]
        assert f"| {expected} |" in fields[name][1], name
    schema = json.loads((_DOCS / "sidecar.schema.json").read_text("utf-8"))
    assert set(written) <= set(schema["properties"])


@pytest.mark.parametrize("text", ["0123456789abcdef", "0123456789abcdef 2", "0123456789abcdef 2 x"])
def test_a_mark_that_says_no_time_is_one_that_is_over(text: str) -> None:
    """An earlier release wrote the version alone; one more attempt is made."""
    manifest = manifest_from_head({"state": "made", "suspect": text})
    assert manifest.suspect == Suspect(version="0123456789abcdef", times=1, over_s=0)


def test_a_photo_that_is_given_up_keeps_what_was_named_of_it() -> None:
    """What is not asked for any more stays, announced; what is of another version goes."""
    version = Version(bucket="b", etag="e")
    before = Manifest(
        version=version,
        made="before",
        kept=(Kept(key="old.jpg", etag="1"),),
        announced=(Announced(key="older.jpg", version="another"),),
    )
    rejection = Rejection(version=version, made="today", code="poison", reason="")
    draft = GivenUp(
        rejection=rejection, announced=(Announced(key="new.jpg", version=version.name),)
    )
    after = merged(before, draft)
    assert {one.key for one in after.announced} == {"old.jpg", "new.jpg"}
    assert [one.key for one in left_behind(before, after)] == ["older.jpg"]


def test_an_addition_beside_a_rejection_leaves_what_others_announce() -> None:
    """Others may be storing theirs, of the same version, still."""
    version = Version(bucket="b", etag="e")
    theirs = Announced(key="theirs.jpg", version=version.name)
    before = Manifest(version=version, made="today", rejected="poison", announced=(theirs,))
    after = merged(
        before, Addition(version=version, names=("ours",), kept=(Kept(key="ours.jpg", etag="1"),))
    )
    assert after.rejected == "poison"
    assert after.kept == ()
    ours = Announced(key="ours.jpg", version=version.name)
    assert set(after.announced) == {theirs, ours}


def test_an_addition_to_a_part_of_the_set_leaves_what_was_refused_and_said() -> None:
    """Neither has a whole set; the one is no rejection that the other would write over."""
    version = Version(bucket="b", etag="e")
    refused = Refused(name="large", made="today", code="over-limit", reason="r")
    kept = Kept(key="tiny.jpg", etag="1")
    before = Manifest(version=version, kept=(kept,), refused=(refused,), about={"width": 1})
    ours = Kept(key="small.jpg", etag="2")
    after = merged(before, Addition(version=version, names=("ours",), kept=(ours,)))
    assert after.refused == (refused,)
    assert after.about == {"width": 1}
    assert after.kept == (kept, ours)


@pytest.mark.parametrize("modified", [1, 2])
def test_what_was_made_of_an_older_upload_of_the_same_bytes_is_no_part_of_the_newer_set(
    modified: int,
) -> None:
    """It may have another focal point, or other tags; the time that S3 gives tells them apart."""
    kept = Kept(key="tiny.jpg", etag="1")
    older = Version(bucket="b", etag="e", modified=1, sequencer="1")
    before = Manifest(version=older, made="today", kept=(kept,))
    version = replace(older, modified=modified, sequencer="2")
    ours = Kept(key="small.jpg", etag="2")
    is_same = modified == 1
    added = merged(before, Addition(version=version, names=("small",), kept=(ours,)))
    assert (added.made, added.kept) == (("today", (kept, ours)) if is_same else ("", (ours,)))
    rejection = Rejection(version=version, made="today", code="over-limit", reason="r")
    refused = merged(before, Refusal(names=("large",), rejection=rejection))
    assert (refused.rejected, refused.kept) == ((None, (kept,)) if is_same else ("over-limit", ()))
    for is_robbed in (False, True):
        withheld = merged(
            before,
            Withheld(
                version=version, code="archived", reason="r", is_robbed=is_robbed, announced=()
            ),
        )
        is_kept = is_same and not is_robbed
        assert (withheld.rejected, withheld.kept) == (
            (None, (kept,)) if is_kept else ("archived", ())
        )
        # It is as right as before, or goes with its name.
        assert left_behind(before, withheld) == ()
        assert withheld.version.sequencer == "2"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ((None, 1), (None, 2), True),
        (("a", 1), ("a", 2), True),
        (("a", 1), ("b", 1), False),
        (("a", 1), (None, 1), True),
        (("a", 1), (None, 2), False),
        (("a", 1), (None, None), True),
    ],
)
def test_a_version_is_told_by_its_id_or_its_bytes_or_its_time(
    one: tuple[str | None, int], other: tuple[str | None, int | None], *, is_same: bool
) -> None:
    """Where one alone has an ID, the other may be of before the bucket had versions."""
    version = Version(bucket="b", etag="e")
    first = replace(version, version_id=one[0], modified=one[1])
    second = replace(version, version_id=other[0], modified=other[1])
    assert first.is_same(second) is second.is_same(first) is is_same
    assert not first.is_same(replace(second, version_id=None, etag="f"))
