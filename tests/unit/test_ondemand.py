"""What an HTTP request asks for, and what it may have."""

import json
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import RequestError, SettingsError
from handler.events.shapes import is_http
from handler.http.choice import Choice, choice_from_request
from handler.http.messages import Request, read_request
from handler.http.signing import signature
from handler.settings import Settings, read_settings
from imaging.formats import OutputFormat

_EVENTS: Final = Path(__file__).parent.parent / "events"
_SECRETS: Final = (bytes(range(16)), b"another secret of ours")
_NOW: Final = 1_784_021_213
_CONFIG: Final = """
[[renditions]]
name = "many"
width = 100
format = ["avif", "webp", "jpeg"]

[[renditions]]
name = "modern"
width = 100
format = ["webp", "avif"]

[[renditions]]
name = "one"
width = 100

[[renditions]]
name = "own"
width = 100
format = "source"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with renditions of many formats, of one, and of the photo's own."""
    path = tmp_path_factory.mktemp("config") / "renditions.toml"
    path.write_text(_CONFIG)
    return str(path)


def _settings(config: str, **variables: str) -> Settings:
    environ = {"DESTINATION_BUCKET": "renditions", "SOURCE_BUCKET": "photos"}
    return read_settings(environ | {"RENDITIONS_CONFIG": config} | variables)


def _ask(
    settings: Settings,
    path: str,
    *,
    method: str = "GET",
    accept: str = "*/*",
    query: dict[str, str] | None = None,
) -> Choice:
    request = Request(method=method, path=path, query=query or {}, headers={"accept": accept})
    return choice_from_request(request, settings, _NOW)


@pytest.mark.parametrize(
    "name",
    [
        "function-url.json",
        "http-api-2.0.json",
        "http-api-1.0.json",
        "rest-api.json",
        "alb.json",
        "alb-multi-value.json",
    ],
)
def test_every_way_in_says_the_same(name: str) -> None:
    """Encoded or decoded, with the stage or without: path, query and headers come out alike."""
    event = json.loads((_EVENTS / name).read_text())
    assert is_http(event)
    request = read_request(event)
    assert request.method == "GET"
    assert request.path == "/large/2026/summer holiday/zürich + see.jpg"
    assert request.query == {"expires": str(_NOW), "signature": "abc-_"}
    assert request.headers["accept"] == "image/avif,image/webp,image/apng,*/*;q=0.8"
    assert request.headers["if-none-match"] == '"e1"'


def test_a_path_is_decoded_once() -> None:
    """What decodes to a percent sign stays one, and a plus is a plus."""
    event = json.loads((_EVENTS / "function-url.json").read_text())
    event["rawPath"] = "/one/100%2525+.jpg"
    assert read_request(event).path == "/one/100%25+.jpg"


def test_a_path_that_is_not_utf_8_is_refused() -> None:
    """No object has such a key."""
    event = json.loads((_EVENTS / "rest-api.json").read_text())
    event["path"] = "/one/%ff.jpg"
    with pytest.raises(RequestError, match="UTF-8"):
        read_request(event)


@pytest.mark.parametrize(
    ("path", "method", "code", "status"),
    [
        ("/", "GET", "bad-request", 400),
        ("/one", "GET", "bad-request", 400),
        ("/one/", "GET", "bad-request", 400),
        ("/one/in/../out.jpg", "GET", "bad-request", 400),
        ("/one/./a.jpg", "GET", "bad-request", 400),
        ("/one/in/a.jpg", "POST", "method-not-allowed", 405),
        ("/none/in/a.jpg", "GET", "unknown-rendition", 404),
        ("/one/out/a.jpg", "GET", "outside-prefix", 404),
    ],
)
def test_what_is_not_to_be_had_is_refused(
    config: str, path: str, method: str, code: str, status: int
) -> None:
    """Each refusal has a code and a status of its own."""
    with pytest.raises(RequestError) as caught:
        _ask(_settings(config, SOURCE_PREFIX="in/"), path, method=method)
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/photos/v1/one/a.jpg", "a.jpg"),
        ("/photos/v1/one/photos/v1/a.jpg", "photos/v1/a.jpg"),
        ("/one/a.jpg", None),
        ("/photos/v12/one/a.jpg", None),
        ("/photos/v1", None),
    ],
)
def test_a_base_path_is_taken_off_once(config: str, path: str, key: str | None) -> None:
    """What a custom domain puts before every path is no part of it; without it there is nothing."""
    settings = _settings(config, HTTP_BASE_PATH="/photos/v1")
    if key is not None:
        assert _ask(settings, path).key == key
        return
    with pytest.raises(RequestError) as caught:
        _ask(settings, path)
    assert (caught.value.code, caught.value.status) == ("outside-base-path", 404)


@pytest.mark.parametrize("key", ["a" * 1025, "é" * 509])
def test_a_key_that_is_too_long_is_the_client_s_fault(config: str, key: str) -> None:
    """Whether S3 would not take the photo's, or its rendition's."""
    with pytest.raises(RequestError) as caught:
        _ask(_settings(config), f"/one/{key}")
    assert (caught.value.code, caught.value.status) == ("key-too-long", 414)


def test_half_a_surrogate_pair_is_no_signature(config: str) -> None:
    """In a signature it is a bad one, in a path no UTF-8; neither is this function's error."""
    event = json.loads((_EVENTS / "function-url.json").read_text())
    event["rawPath"] = "/one/a.jpg"
    event["queryStringParameters"] = {"signature": "\ud800", "expires": "\udfff"}
    with pytest.raises(RequestError) as caught:
        choice_from_request(read_request(event), _signed(config), _NOW)
    assert caught.value.code == "bad-signature"
    event["rawPath"] = "/one/\ud800.jpg"
    with pytest.raises(RequestError, match="UTF-8"):
        read_request(event)


def test_an_expiry_of_thousands_of_digits_is_refused(config: str) -> None:
    """Python reads no such number; a signature of ours over it does not make it one."""
    expires = "9" * 5_000
    query = {"expires": expires, "signature": signature(_SECRETS[0], "one", "a.jpg", expires)}
    with pytest.raises(RequestError) as caught:
        _ask(_signed(config), "/one/a.jpg", query=query)
    assert caught.value.code == "bad-request"
    assert len(caught.value.message) < 100


@given(st.text(min_size=1, max_size=20).filter(lambda key: not {".", ".."} & set(key.split("/"))))
def test_any_other_key_arrives_as_it_is(key: str) -> None:
    """A key may begin with a slash, hold two in a row, or look like a rendition."""
    settings = read_settings({"DESTINATION_BUCKET": "renditions", "SOURCE_BUCKET": "photos"})
    assert _ask(settings, f"/large/{key}").key == key


@pytest.mark.parametrize(
    ("rendition", "accept", "chosen"),
    [
        ("many", "*/*", "jpeg"),
        ("many", "image/*", "jpeg"),
        ("many", "image/avif,image/webp,image/apng,*/*;q=0.8", "avif"),
        ("many", "image/webp,image/apng,*/*", "webp"),
        ("modern", "*/*", "webp"),
        ("many", "image/webp", "webp"),
        ("many", "image/webp,image/*;q=0.8", "webp"),
        ("many", "image/avif;q=0,image/*", "jpeg"),
        ("many", "image/avif;q=0,image/webp,image/*", "webp"),
        ("many", "IMAGE/JPEG ; Q=0.9 , */*;q=0.1", "jpeg"),
        ("many", "image/jpeg,image/webp", "webp"),
        ("many", "image/jpeg;q=oops,image/webp;q=0.2", "webp"),
        ("one", "text/html,*/*;q=0.1", "jpeg"),
        ("own", "image/png", None),
        ("own", "*/*", None),
        ("one", "", "jpeg"),
    ],
)
def test_accept_picks_among_the_formats_listed(
    config: str, rendition: str, accept: str, chosen: str | None
) -> None:
    """The client's weights decide, and among equals the order of the config.

    AVIF and WebP are for those who name them, unless there is nothing else.
    """
    asked = _ask(_settings(config), f"/{rendition}/a.png", accept=accept)
    assert asked.spec.formats == (chosen and OutputFormat(chosen),)
    assert asked.varies is (rendition in {"many", "modern"})


@pytest.mark.parametrize("accept", ["text/html", "image/gif", "image/jpeg;q=0"])
def test_a_client_that_takes_no_format_is_told_which_there_are(config: str, accept: str) -> None:
    """406, with the content types."""
    with pytest.raises(RequestError, match="image/jpeg") as caught:
        _ask(_settings(config), "/one/a.jpg", accept=accept)
    assert caught.value.status == 406


def test_one_format_of_many_looks_as_it_did_among_them(config: str) -> None:
    """Its digest is the same, so that what an event made is not made again on demand."""
    settings = _settings(config)
    spec = settings.config.renditions[0]
    for output in spec.formats:
        assert output is not None
        asked = _ask(settings, "/many/a.jpg", accept=output.content_type)
        assert asked.formats == (output,)
        assert asked.spec.digest(output) == spec.digest(output)


def test_the_photo_s_own_format_is_looked_for_by_its_extension_first(config: str) -> None:
    """It may be any, since an extension proves nothing."""
    formats = _ask(_settings(config), "/own/a.WebP").formats
    assert formats[0] is OutputFormat.WEBP
    assert set(formats) == set(OutputFormat)


def _signed(config: str) -> Settings:
    return _settings(config, URL_SIGNING_KEYS=",".join(secret.hex() for secret in _SECRETS))


@pytest.mark.parametrize("secret", _SECRETS)
def test_a_signature_of_either_key_is_good(config: str, secret: bytes) -> None:
    """While keys are rotated, the old one goes on; the rest of the URL's life is told."""
    key = "in/zürich + see.jpg"
    query = {"signature": signature(secret, "one", key)}
    assert _ask(_signed(config), f"/one/{key}", query=query).expires_at_s is None
    expires = str(_NOW + 60)
    query = {"signature": signature(secret, "one", key, expires), "expires": expires}
    choice = _ask(_signed(config), f"/one/{key}", query=query)
    assert choice.left_s(_NOW + 0.5) == 59
    with pytest.raises(RequestError, match="good until"):
        choice.left_s(_NOW + 59.5)


def test_a_signature_stays_what_it_is() -> None:
    """URLs that were handed out stay good; openssl computed this one."""
    assert (
        signature(_SECRETS[0], "one", "a.jpg", str(_NOW))
        == "TkFj4T2X2UQaHjZ53EIi-w-2-G74ywbwlir8mc2RYso"
    )


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "bad-signature"),
        ({"signature": "é"}, "bad-signature"),
        ({"signature": signature(b"not one of ours!", "one", "a.jpg")}, "bad-signature"),
        ({"signature": signature(_SECRETS[0], "many", "a.jpg")}, "bad-signature"),
        ({"signature": signature(_SECRETS[0], "one", "b.jpg")}, "bad-signature"),
        (
            {"signature": signature(_SECRETS[0], "one", "a.jpg"), "expires": str(_NOW + 9)},
            "bad-signature",
        ),
        (
            {"signature": signature(_SECRETS[0], "one", "a.jpg", str(_NOW)), "expires": str(_NOW)},
            "expired",
        ),
        (
            {"signature": signature(_SECRETS[0], "one", "a.jpg", "soon"), "expires": "soon"},
            "bad-request",
        ),
    ],
)
def test_a_url_that_is_not_signed_for_this_and_now_is_refused(
    config: str, query: dict[str, str], code: str
) -> None:
    """Neither another rendition nor another photo nor a longer life can be had with it."""
    with pytest.raises(RequestError) as caught:
        _ask(_signed(config), "/one/a.jpg", query=query)
    assert caught.value.code == code


def test_without_a_signature_nothing_is_told(config: str) -> None:
    """Not even whether a rendition of that name exists."""
    with pytest.raises(RequestError) as caught:
        _ask(_signed(config), "/none/a.jpg")
    assert caught.value.code == "bad-signature"


@pytest.mark.parametrize("keys", ["0011", "not hexadecimal, at all", "00" * 16 + ",00"])
def test_a_weak_signing_key_is_an_init_error(config: str, keys: str) -> None:
    """The message says what is expected, and never repeats a secret."""
    with pytest.raises(SettingsError, match="16 bytes") as caught:
        _settings(config, URL_SIGNING_KEYS=keys)
    assert keys not in str(caught.value)


def test_the_settings_never_show_a_secret(config: str) -> None:
    """Their repr may end up in a log."""
    assert repr(_SECRETS[1]) not in repr(_signed(config))


def test_a_rendition_of_other_keys_is_unknown(tmp_path: Path) -> None:
    """Of two of one name the photo's key says which is meant; elsewhere there is none."""
    file = tmp_path / "sets.toml"
    file.write_text(
        '[[renditions]]\nname = "a"\nwidth = 1\nkeys = "one/**"\n'
        '[[renditions]]\nname = "a"\nwidth = 2\nkeys = "two/**"\n'
    )
    settings = _settings(str(file))
    assert _ask(settings, "/a/one/x.jpg").spec.width == 1
    assert _ask(settings, "/a/two/x.jpg").spec.width == 2
    with pytest.raises(RequestError, match="Expected one of no renditions but received 'a'"):
        _ask(settings, "/a/three/x.jpg")
