"""Whose photo it is, and how it was made, comes through to renditions; nothing comes with it."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.files.iptc import read_iptc_values
from imaging.files.rights import Rights, rights_from_values, write_rights
from imaging.files.xmp_values import read_xmp_values
from imaging.formats import OutputFormat
from imaging.specs import Hdr, Metadata, RenditionSpec
from imaging.worker.values import MisfitError, from_json, to_json
from tests.photos import PHOTO_FORMATS, RIGHTS, PhotoFormat, jpeg, private_photo, ultra_hdr_jpeg
from tests.photos.metadata import iptc, photoshop_resources, segment
from tests.rendering import header_of, rendered

SPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" '
)
AI = RIGHTS["source-type"].decode()


def packet(inside: str, attributes: str = "") -> bytes:
    """Return an XMP packet of one description."""
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {SPACES}><rdf:Description rdf:about="" '
        f"{attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def with_xmp(data: bytes, xmp: bytes) -> bytes:
    """Return a JPEG with an XMP packet."""
    return data[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp) + data[2:]


@pytest.mark.parametrize("photo_format", [name for name in PHOTO_FORMATS if name != "gif"])
def test_whose_it_is_comes_through_from_every_format_to_every_other(
    photo_format: PhotoFormat,
) -> None:
    """Source type, credit, notice, statement, licensor and data mining; with ``none`` nothing."""
    data, private = private_photo(photo_format)
    said = header_of(data).rights
    assert said is not None
    outputs = [output for output in OutputFormat if output is not OutputFormat.GIF]
    for metadata in (Metadata.NONE, Metadata.COPYRIGHT, Metadata.SAFE):
        spec = RenditionSpec(name="a", width=100, formats=tuple(outputs), metadata=metadata)
        for made in rendered(data, spec).data:
            # Read again: a PNG's text is compressed.
            assert header_of(made).rights == (None if metadata is Metadata.NONE else said)
            assert not [name for name, marker in private.items() if marker in made]


def test_what_is_written_is_nothing_but_the_fields() -> None:
    """An independent reader finds the six values in the packet, and no other text."""
    data, _ = private_photo("jpeg")
    said = header_of(data).rights
    assert said is not None
    root = ET.fromstring(write_rights(said))  # noqa: S314 - written here
    texts = {text.strip() for each in root.iter() if (text := each.text)}
    values = {value for each in root.iter() for value in each.attrib.values()}
    assert (texts | values) - {"", "x-default", "Resource"} == {
        value.decode() for value in RIGHTS.values()
    }


@pytest.mark.parametrize(
    ("xmp", "expected"),
    [
        (packet("", f'Iptc4xmpExt:DigitalSourceType="{AI}"'), {"digital_source_type": AI}),
        (
            packet(f"<Iptc4xmpExt:DigitalSourceType>\n {AI}\n</Iptc4xmpExt:DigitalSourceType>"),
            {"digital_source_type": AI},
        ),
        (
            packet(f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{AI}"/>'),
            {"digital_source_type": AI},
        ),
        (
            packet(
                '<dc:rights><rdf:Alt><rdf:li xml:lang="de">Nein</rdf:li>'
                '<rdf:li xml:lang="x-default">Yes</rdf:li><rdf:li>No</rdf:li></rdf:Alt></dc:rights>'
            ),
            {"copyright_notice": "Yes"},
        ),
        (
            packet("<dc:rights><rdf:Bag><rdf:li>First</rdf:li><rdf:li>No</rdf:li></rdf:Bag></dc:rights>"),
            {"copyright_notice": "First"},
        ),
        (
            packet('<plus:Licensor><rdf:Seq><rdf:li plus:LicensorURL="https://a/b"/></rdf:Seq></plus:Licensor>'),
            {"licensor_url": "https://a/b"},
        ),
        (
            packet(
                "<plus:Licensor><rdf:Seq><rdf:li><rdf:Description><plus:LicensorURL>https://a/b"
                "</plus:LicensorURL></rdf:Description></rdf:li></rdf:Seq></plus:Licensor>"
            ),
            {"licensor_url": "https://a/b"},
        ),
        (packet("", 'photoshop:Credit="A &amp; B"') + b"\0" * 2000, {"credit": "A & B"}),
        (packet("", 'photoshop:Credit="cut"')[:-30], {"credit": "cut"}),
        (
            # Not the photo's own: a part's, an ingredient's, a struct's.
            packet("<photoshop:Other><rdf:li><photoshop:Credit>no</photoshop:Credit></rdf:li></photoshop:Other>"),
            {},
        ),
        (packet("<photoshop:Credit><dc:rights>no</dc:rights></photoshop:Credit>"), {}),
        (b'<p:Credit xmlns:p="http://ns.adobe.com/photoshop/1.0/">no</p:Credit>', {}),
        (b'<a xmlns:rdf="x"><rdf:RDF><Credit>no</Credit></rdf:RDF></a>', {}),
    ],
)  # fmt: skip
def test_a_value_is_read_in_every_form_that_rdf_has_for_it(
    xmp: bytes, expected: dict[str, str]
) -> None:
    """As an attribute, an element, a resource, an item; where it stands for the photo itself."""
    assert read_xmp_values(xmp) == expected


def test_no_entity_is_expanded() -> None:
    """A document type ends the reading, before anything it declares is used."""
    laughs = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'.encode()
    inside = packet("<photoshop:Credit>&l9;</photoshop:Credit>")
    assert read_xmp_values(bomb + inside) == {}
    outside = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    assert read_xmp_values(outside + packet("<photoshop:Credit>&e;</photoshop:Credit>")) == {}
    assert read_xmp_values(packet("<photoshop:Credit>&e;</photoshop:Credit>")) == {}


def test_reading_is_bounded() -> None:
    """Depth, elements, bytes and text: more than a photo has is not read."""
    deep = packet("<dc:a>" * 100_000)
    assert read_xmp_values(deep + b"Credit") == {}
    many = packet("<dc:a/>" * 100_000, 'photoshop:Credit="a"')
    assert read_xmp_values(many) == {}
    long = packet("x" * (2 << 20) + "<photoshop:Credit>far</photoshop:Credit>")
    assert read_xmp_values(long) == {}
    wide = read_xmp_values(packet(f"<photoshop:Credit>{'a' * 100_000}</photoshop:Credit>"))
    assert len(wide["credit"]) <= 16_384


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("space", ["", ":p", " ", ":" + "p" * 300, ":p" + " " * 300])
def test_no_namespace_is_copied_without_end(space: str, encoding: str) -> None:
    """A long name of a namespace would be copied for each of thousands of attributes."""
    prefix = space.strip()[1:]
    attributes = " ".join(f"{prefix}:a{at}='1'" if prefix else f"a{at}='1'" for at in range(9000))
    inside = f"<a xmlns{space}='{'u' * 400_000}' {attributes}>{'<b/>' * 9000}</a>"
    whole = packet("<!--Credit-->" + inside, 'photoshop:Credit="a"').decode()
    # The bytes that are looked for, as letters of another script.
    hint = b"Credit".decode("utf-16-le")
    data = whole.replace("Credit-->", hint + "-->").encode(encoding)
    assert read_xmp_values(data if encoding == "utf-16" else whole.encode()) == {}


def test_padding_behind_a_packet_says_nothing() -> None:
    """Zeros behind a packet are no UTF-16."""
    assert read_xmp_values(packet("", 'photoshop:Credit="a"') + bytes(9)) == {"credit": "a"}


@pytest.mark.parametrize(
    "text", ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f468\u200d\U0001f467"]
)
def test_joiners_stay_and_turns_of_direction_go(text: str) -> None:
    """Persian and emoji are spelled with joiners; an override would show another text."""
    rights = rights_from_values({"credit": f"\u202e{text}\u2066"})
    assert rights is not None
    assert rights.credit == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("digital_source_type", "http://example.com/secret"),
        ("digital_source_type", f"{AI} 48.51N"),
        ("data_mining", "http://ns.useplus.org/ldf/vocab/DMI-48.51N"),
        ("web_statement", "javascript:alert(1)"),
        ("web_statement", "see the office"),
        ("licensor_url", 'https://a/"onclick='),
        ("licensor_url", "https://a/" + "b" * 2000),
        ("web_statement", "https://a/\u202egpj.exe"),
    ],
)
def test_a_value_that_is_not_of_its_form_is_left_out(field: str, value: str) -> None:
    """A term of its vocabulary, a URL of the web: no other text gets out by them."""
    assert rights_from_values({field: value}) is None


@given(
    st.dictionaries(
        st.sampled_from(["credit", "copyright_notice"]),
        st.one_of(st.text(max_size=100), st.sampled_from("&<>\"'é写").map(lambda one: one * 9000)),
    )
)
def test_what_is_written_is_read_again(values: dict[str, str]) -> None:
    """Every text, escaped, on one line, within what a JPEG's segment holds."""
    rights = rights_from_values(values)
    if rights is None:
        return
    written = write_rights(rights)
    assert len(written) < 40_000
    assert rights_from_values(read_xmp_values(written)) == rights
    assert from_json(Rights, to_json(rights)) == rights


@given(st.binary(max_size=300), st.sampled_from([b"", b"Credit", packet("")[:300]]))
def test_no_packet_and_no_record_can_make_reading_fail(rubbish: bytes, head: bytes) -> None:
    """What is malformed is left out."""
    rights_from_values(read_xmp_values(head + rubbish), read_xmp_values(rubbish + b"Credit"))
    read_iptc_values(rubbish)
    read_iptc_values(b"Photoshop 3.0\x008BIM" + rubbish)
    read_iptc_values(b"\x1c\x02" + rubbish)


def test_a_credit_that_stands_in_iptc_alone_comes_through_as_xmp() -> None:
    """So does a copyright: older agencies write nothing else."""
    block = photoshop_resources(iptc({110: "Agence é", 116: "© Söhne", 90: "Paris"}))
    plain = jpeg(120, 80)
    data = plain[:2] + segment(0xED, b"Photoshop 3.0\0" + block) + plain[2:]
    (made,) = rendered(data, RenditionSpec(name="a", width=100)).data
    assert header_of(made).rights == Rights(credit="Agence é", copyright_notice="© Söhne")
    assert b"Paris" not in made


def test_what_a_worker_says_of_rights_has_its_form() -> None:
    """A process that was taken over cannot say what no photo could."""
    said = to_json(Rights(credit="A")).replace(b'"credit":"A"', b'"web_statement":"javascript:x"')
    with pytest.raises(MisfitError):
        from_json(Rights, said)
    bad = to_json(Rights(web_statement="https://a/b")).replace(b"https", b"jscript")
    with pytest.raises(MisfitError):
        from_json(Rights, bad)


def test_all_keeps_the_rights_where_it_cannot_keep_the_packet() -> None:
    """A packet that announces a gain map goes with it; the photo's owner stays."""
    gain_map = 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
    data = with_xmp(jpeg(120, 80), packet("", gain_map + 'photoshop:Credit="Keeper"'))
    (made,) = rendered(data, RenditionSpec(name="a", width=100, metadata=Metadata.ALL)).data
    assert header_of(made).rights == Rights(credit="Keeper")


def test_a_rendition_with_a_gain_map_says_whose_it_is() -> None:
    """The packet of the rights and that of the gain map become one."""
    data = ultra_hdr_jpeg(320, 240)
    block = photoshop_resources(iptc({110: "Keeper"}))
    data = data[:2] + segment(0xED, b"Photoshop 3.0\0" + block) + data[2:]
    spec = RenditionSpec(name="a", width=200, hdr=Hdr.KEEP)
    result = rendered(data, spec)
    header = header_of(result.data[0])
    assert result.renditions[0].gain_map_size
    assert header.has_gain_map
    assert header.rights == Rights(credit="Keeper")


@pytest.mark.parametrize("wrong", ["javascript:alert(1)", "no address", "http://a b"])
def test_a_value_that_is_none_hides_no_other(wrong: str) -> None:
    """As an attribute, as an element, and marked as the default among several."""
    right = "https://example.org/licence"
    attribute = f'xmpRights:WebStatement="{wrong}"'
    element = f"<xmpRights:WebStatement>{right}</xmpRights:WebStatement>"
    assert read_xmp_values(packet(element, attribute))["web_statement"] == right
    listed = (
        "<xmpRights:WebStatement><rdf:Alt>"
        f'<rdf:li>{right}</rdf:li><rdf:li xml:lang="x-default">{wrong}</rdf:li>'
        "</rdf:Alt></xmpRights:WebStatement>"
    )
    assert read_xmp_values(packet(listed))["web_statement"] == right


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("Agence é".encode(), "Agence é"),
        ("Agence é".encode("latin-1"), "Agence é"),
        ("写真家".encode("shift-jis"), None),
        ("Фотограф".encode("mac-cyrillic"), None),
    ],
    ids=["utf-8", "latin-1", "shift-jis", "mac-cyrillic"],
)
def test_an_encoding_that_nobody_declares_makes_no_wrong_name(
    stored: bytes, expected: str | None
) -> None:
    """What would be control characters in Latin-1 is of another one, and is left out."""
    record = b"\x1c\x02\x6e" + len(stored).to_bytes(2, "big") + stored
    assert read_iptc_values(record).get("credit") == expected


def test_no_more_resources_are_looked_at_than_there_can_be() -> None:
    """Empty ones are passed over up to a number, and what is behind more of them is not read."""
    empty = b"8BIM\x04\x00\0\0\0\0\0\0"
    found = photoshop_resources(iptc({110: "Keeper"}))
    assert read_iptc_values(
        b"Photoshop 3.0\0" + empty * 900 + found.removeprefix(b"Photoshop 3.0\0")
    )
    assert not read_iptc_values(
        b"Photoshop 3.0\0" + empty * 1_100 + found.removeprefix(b"Photoshop 3.0\0")
    )
