"""Which version is newer, and what the record of a photo means for an event."""

import pytest

from handler.photo.lineage import Lineage, lineage_from_metadata
from handler.photo.manifest import Kept, Record, Verdict, judge, record_from_object, set_digest

ASKED = "set"


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
    assert Lineage(sequencer=older).precedes(Lineage(sequencer=newer))
    assert not Lineage(sequencer=newer).precedes(Lineage(sequencer=older))


def test_a_sequencer_padded_with_zeros_is_the_same() -> None:
    """Neither precedes the other."""
    one, other = Lineage(sequencer="00AB"), Lineage(sequencer="00ab00")
    assert not one.precedes(other)
    assert not other.precedes(one)


def test_last_modified_decides_where_a_sequencer_is_missing() -> None:
    """To the second; of the same second, or with nothing to go by, nothing is older."""
    event, job = Lineage(sequencer="1", modified=5), Lineage(modified=6)
    assert event.precedes(job)
    assert not job.precedes(event)
    assert not job.precedes(Lineage(sequencer="1", modified=6))
    assert not Lineage(sequencer="1").precedes(Lineage(modified=6))


def test_a_record_survives_as_an_object() -> None:
    """A head shows all but the body; a get shows everything."""
    record = Record(
        lineage=Lineage(etag="e", version_id="v", sequencer="0A", modified=7),
        made=ASKED,
        kept=(Kept(key="ä/large.jpg", etag="1"),),
        about={"width": 3},
    )
    assert record_from_object(record.metadata(), record.body()) == record
    head = record_from_object(record.metadata(), None)
    assert (head.lineage, head.made, head.deleted) == (record.lineage, ASKED, False)
    assert lineage_from_metadata({}) == Lineage()


MADE = Record(lineage=Lineage(etag="e", sequencer="05", modified=100), made=ASKED)
OF_VERSION = Record(lineage=Lineage(etag="e", version_id="v", sequencer="05"), made=ASKED)
GONE = Record(lineage=Lineage(sequencer="05"), deleted=True)


@pytest.mark.parametrize(
    ("event", "record", "verdict"),
    [
        pytest.param(Lineage(etag="e", sequencer="05"), None, Verdict.MAKE, id="nothing-there"),
        pytest.param(Lineage(etag="e", sequencer="05"), MADE, Verdict.UNCHANGED, id="replay"),
        pytest.param(Lineage(etag="d", sequencer="04"), MADE, Verdict.SUPERSEDED, id="late"),
        pytest.param(Lineage(etag="e", sequencer="04"), MADE, Verdict.SUPERSEDED, id="late-twin"),
        pytest.param(Lineage(etag="f", sequencer="06"), MADE, Verdict.MAKE, id="replaced"),
        # The record has to follow, or a deletion between the two would take the newer one away.
        pytest.param(Lineage(etag="e", sequencer="06"), MADE, Verdict.MAKE, id="put-again"),
        pytest.param(Lineage(etag="e"), MADE, Verdict.UNCHANGED, id="job-with-etag"),
        pytest.param(Lineage(), MADE, Verdict.UNCHANGED_IF_CURRENT, id="job"),
        pytest.param(Lineage(version_id="v"), OF_VERSION, Verdict.UNCHANGED, id="job-of-version"),
        pytest.param(Lineage(version_id="w"), OF_VERSION, Verdict.MAKE, id="job-of-other-version"),
        pytest.param(
            Lineage(etag="e", version_id="v", sequencer="07"),
            OF_VERSION,
            Verdict.UNCHANGED,
            id="a-version-is-itself-whatever-the-event",
        ),
        pytest.param(Lineage(etag="e", sequencer="04"), GONE, Verdict.SUPERSEDED, id="late-create"),
        pytest.param(Lineage(etag="e", sequencer="06"), GONE, Verdict.MAKE, id="created-anew"),
        pytest.param(Lineage(), GONE, Verdict.MAKE, id="job-asks-the-source"),
    ],
)
def test_what_the_record_means(event: Lineage, record: Record | None, verdict: Verdict) -> None:
    """A replay is unchanged, what is older is superseded, and what is newer is made."""
    assert judge(event, record, ASKED, "refused") is verdict


@pytest.mark.parametrize("event", [Lineage(etag="e", sequencer="05"), Lineage(etag="e"), Lineage()])
def test_another_set_is_made_anew(event: Lineage) -> None:
    """A record of a set that is no longer asked for is stale, whichever event finds out."""
    assert judge(event, MADE, "another", "refused") is Verdict.MAKE


def test_the_set_s_digest_does_not_depend_on_order() -> None:
    """The same specs in another order ask for the same set."""
    assert set_digest("a", "b") == set_digest("b", "a") != set_digest("a", "c")


def test_a_rejected_version_is_known_until_the_limits_change() -> None:
    """The digest under which it was rejected holds the limits, which the set's does not."""
    record = Record(lineage=Lineage(etag="e"), made="refused", rejected="over-limit")
    assert judge(Lineage(etag="e"), record, ASKED, "refused") is Verdict.UNCHANGED
    assert judge(Lineage(etag="e"), record, ASKED, "other limits") is Verdict.MAKE
