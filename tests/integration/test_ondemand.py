"""``GET /{rendition}/{key}`` through the real handler, against an S3 over HTTP."""

import base64
import json
import logging
import time
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import pyvips

from handler.http.messages import MAX_BALANCED_BYTES, MAX_BODY_BYTES, http_answer
from handler.http.signing import signature
from tests.photos import jpeg, png, text, truncated
from tests.servers import ACCESS_DENIED, Answer, Fault, FaultProxy

Start = Callable[..., Any]

_EVENTS: Final = Path(__file__).parent.parent / "events"
_KEY: Final = "2026/summer holiday/zürich + see.jpg"
_CONFIG: Final = """
[[renditions]]
name = "many"
width = 100
format = ["avif", "webp", "jpeg"]

[[renditions]]
name = "one"
width = 120

[[renditions]]
name = "own"
width = 80
format = "source"

[[renditions]]
name = "huge"
format = "png"
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """What the function is started with."""
    path = tmp_path / "renditions.toml"
    path.write_text(_CONFIG)
    return {"RENDITIONS_CONFIG": str(path), "SOURCE_BUCKET": "photos"}


def _request(
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] = {},
    query: Mapping[str, str] = {},
) -> dict[str, Any]:
    """Return a request through a Function URL."""
    event: dict[str, Any] = json.loads((_EVENTS / "function-url.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = quote(path)
    event["requestContext"]["http"]["method"] = method
    event["headers"] = {"accept": "*/*"} | dict(headers)
    event["queryStringParameters"] = dict(query)
    return event


def _put(store: FaultProxy, key: str, body: bytes) -> None:
    store.client().put_object(Bucket="photos", Key=key, Body=body)


def _stored(store: FaultProxy) -> set[str]:
    """Return the renditions' keys; the records stand beside them."""
    listed = store.client().list_objects_v2(Bucket="renditions").get("Contents", [])
    return {item["Key"] for item in listed if not item["Key"].endswith("/photo.json")}


def _operations(store: FaultProxy, before: int) -> list[str]:
    return [f"{call.operation} {call.bucket}" for call in store.requests[before:]]


def _image(answer: Mapping[str, Any]) -> pyvips.Image:
    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"] is True
    return pyvips.Image.new_from_buffer(base64.b64decode(answer["body"]), "")


def _code(answer: Mapping[str, Any]) -> tuple[int, str]:
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Cache-Control"] == "no-store"
    body = json.loads(answer["body"])
    assert body["message"]
    return answer["statusCode"], body["code"]


@pytest.mark.parametrize(
    "name", ["function-url.json", "http-api-2.0.json", "http-api-1.0.json", "rest-api.json"]
)
def test_a_missing_rendition_is_made_stored_and_returned(
    store: FaultProxy, start: Start, name: str
) -> None:
    """Only the one that was asked for is made, whichever way the request came."""
    _put(store, _KEY, jpeg(1600, 1200))
    event = json.loads((_EVENTS / name).read_text())
    answer = start(SOURCE_BUCKET="photos")(event, None)
    image = _image(answer)
    assert (image.width, image.height) == (1280, 960)
    assert _stored(store) == {f"{_KEY}/large.jpg"}
    stored = store.client().head_object(Bucket="renditions", Key=f"{_KEY}/large.jpg")
    assert answer["headers"] == {
        "Content-Type": "image/jpeg",
        "ETag": stored["ETag"],
        "Cache-Control": "public, max-age=86400",
        "X-Content-Type-Options": "nosniff",
    }


def test_a_stored_rendition_costs_one_request(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """Nothing is read of the photo, nothing decoded, nothing written."""
    _put(store, "a.jpg", jpeg(400, 300))
    handler = start(**settings)
    first = handler(_request("/one/a.jpg"), None)
    before = len(store.requests)
    assert handler(_request("/one/a.jpg"), None) == first
    assert _operations(store, before) == ["GetObject renditions"]


def test_a_missing_rendition_costs_its_photo_and_its_record(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """The manifest names the key before it is stored, and its ETag after that."""
    _put(store, "a.jpg", jpeg(400, 300))
    handler = start(**settings)
    before = len(store.requests)
    handler(_request("/one/a.jpg"), None)
    assert _operations(store, before) == [
        "GetObject renditions",
        "GetObject renditions",
        "GetObject photos",
        *["PutObject renditions"] * 3,
        "GetObject renditions",
    ]


def test_what_an_event_made_is_not_made_again(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """Both agree on the key and on what the rendition looks like, in each format."""
    _put(store, "a.png", png(400, 300))
    handler = start(**settings)
    handler({"bucket": "photos", "key": "a.png"}, None)
    for path, accept, content_type in [
        ("/one/a.png", "*/*", "image/jpeg"),
        ("/own/a.png", "*/*", "image/png"),
        ("/many/a.png", "*/*", "image/jpeg"),
        ("/many/a.png", "image/avif,*/*", "image/avif"),
    ]:
        before = len(store.requests)
        answer = handler(_request(path, headers={"accept": accept}), None)
        assert answer["headers"]["Content-Type"] == content_type
        assert _operations(store, before) == ["GetObject renditions"]


@pytest.mark.parametrize(
    ("method", "tag", "status"),
    [
        ("GET", "{etag}", 304),
        ("HEAD", "{etag}", 304),
        ("GET", '"other", W/{etag}', 304),
        ("GET", "*", 304),
        ("GET", '"other"', 200),
        ("HEAD", '"other"', 200),
    ],
)
def test_a_client_that_has_it_already_is_told_so(
    store: FaultProxy, start: Start, settings: dict[str, str], method: str, tag: str, status: int
) -> None:
    """304 costs one HeadObject, and has no body."""
    _put(store, "a.jpg", jpeg(400, 300))
    handler = start(**settings)
    first = handler(_request("/one/a.jpg"), None)
    etag = first["headers"]["ETag"]
    before = len(store.requests)
    headers = {"if-none-match": tag.format(etag=etag)}
    answer = handler(_request("/one/a.jpg", method=method, headers=headers), None)
    assert answer["statusCode"] == status
    assert answer["headers"] == first["headers"]
    assert answer["body"] == (first["body"] if (method, status) == ("GET", 200) else "")
    operations = ["HeadObject renditions"]
    if (method, status) == ("GET", 200):
        operations.append("GetObject renditions")
    assert _operations(store, before) == operations


def test_head_makes_what_is_missing_and_sends_no_body(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """Its headers are those of the GET that follows."""
    _put(store, "a.jpg", jpeg(400, 300))
    handler = start(**settings)
    head = handler(_request("/one/a.jpg", method="HEAD"), None)
    assert (head["statusCode"], head["body"]) == (200, "")
    assert _stored(store) == {"a.jpg/one.jpg"}
    assert handler(_request("/one/a.jpg"), None)["headers"] == head["headers"]


def test_accept_picks_the_format_and_only_that_is_made(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """Caches are told that the answer varies."""
    _put(store, "a.jpg", jpeg(400, 300))
    handler = start(**settings)
    for accept, made in [
        ("image/webp,*/*;q=0.8", {"a.jpg/many.webp"}),
        ("image/jpeg", {"a.jpg/many.webp", "a.jpg/many.jpg"}),
    ]:
        answer = handler(_request("/many/a.jpg", headers={"accept": accept}), None)
        assert answer["headers"]["Vary"] == "Accept"
        assert answer["headers"]["Content-Type"] == accept.split(",", maxsplit=1)[0]
        assert _stored(store) == made


def test_the_photo_s_own_format_is_found_whatever_its_extension(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """A PNG that is called a JPEG gives a PNG, at first and the second time."""
    _put(store, "a.jpg", png(400, 300))
    handler = start(**settings)
    assert handler(_request("/own/a.jpg"), None)["headers"]["Content-Type"] == "image/png"
    before = len(store.requests)
    assert handler(_request("/own/a.jpg"), None)["headers"]["Content-Type"] == "image/png"
    assert set(_operations(store, before)) == {"GetObject renditions"}


def test_a_changed_spec_makes_it_anew(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """What is stored of an older config is stale, and is replaced."""
    _put(store, "a.jpg", jpeg(400, 300))
    assert _image(start(**settings)(_request("/one/a.jpg"), None)).width == 120
    Path(settings["RENDITIONS_CONFIG"]).write_text(_CONFIG.replace("width = 120", "width = 60"))
    assert _image(start(**settings)(_request("/one/a.jpg"), None)).width == 60


def test_a_rendition_too_large_for_lambda_is_redirected_to(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """The presigned URL gives the whole picture; a smaller one would come in the answer."""
    red, green, blue = (
        pyvips.Image.gaussnoise(1400, 1300, mean=128, sigma=99, seed=seed) for seed in range(3)
    )
    noise = red.bandjoin(green).bandjoin(blue).cast("uchar").copy(interpretation="srgb")
    _put(store, "noise.png", noise.pngsave_buffer())
    answer = start(**settings)(_request("/huge/noise.png"), None)
    assert answer["statusCode"] == 302
    assert answer["headers"]["Cache-Control"] == "no-store"
    with urllib.request.urlopen(answer["headers"]["Location"]) as response:  # noqa: S310 - ours
        data = response.read()
    assert len(data) > MAX_BODY_BYTES
    assert pyvips.Image.new_from_buffer(data, "").width == 1400


def test_a_redirect_holds_no_longer_than_the_url_that_led_to_it(
    store: FaultProxy, start: Start, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 30 seconds left, the presigned URL is good for 30, not for five minutes."""
    monkeypatch.setattr("handler.http.messages.MAX_BODY_BYTES", 100)
    _put(store, "a.jpg", jpeg(400, 300))
    secret = bytes(range(32))
    handler = start(**settings, URL_SIGNING_KEYS=secret.hex())
    expires = str(int(time.time()) + 30)
    query = {"expires": expires, "signature": signature(secret, "one", "a.jpg", expires)}
    answer = handler(_request("/one/a.jpg", query=query), None)
    assert answer["statusCode"] == 302
    parameters = parse_qs(urlsplit(answer["headers"]["Location"]).query)
    lifetime = parameters.get("X-Amz-Expires")
    left = int(lifetime[0]) if lifetime else int(parameters["Expires"][0]) - int(time.time())
    assert 0 < left <= 30


def test_no_log_has_a_signed_url_in_it(
    store: FaultProxy,
    start: Start,
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At DEBUG, neither the URL that the asker has, nor the one that the answer has."""
    monkeypatch.setattr("handler.http.messages.MAX_BODY_BYTES", 100)
    _put(store, "a.jpg", jpeg(400, 300))
    caplog.set_level("DEBUG")
    for library in ("botocore", "urllib3"):
        logging.getLogger(library).setLevel(logging.NOTSET)
    secret = bytes(range(32))
    handler = start(**settings, URL_SIGNING_KEYS=secret.hex(), LOG_LEVEL="DEBUG")
    expires = str(int(time.time()) + 300)
    signed = signature(secret, "one", "a.jpg", expires)
    answer = handler(_request("/one/a.jpg", query={"expires": expires, "signature": signed}), None)
    location = urlsplit(answer["headers"]["Location"])
    assert answer["statusCode"] == 302
    assert caplog.records
    parameters = parse_qs(location.query)
    theirs = parameters.get("X-Amz-Signature") or parameters["Signature"]
    for hidden in (secret.hex(), signed, location.query, *theirs, "AWS4-HMAC-SHA256"):
        assert hidden not in caplog.text


_SECRET_WORDS: Final = "User: arn:aws:sts::123456789012:assumed-role/r/f may not read s3://photos/x"


@pytest.mark.parametrize("bucket", ["photos", "renditions"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AccessDenied"),
        (403, "InvalidObjectState"),
        (400, "InvalidRequest"),
        (503, "SlowDown"),
    ],
)
def test_no_answer_has_s3_s_words_in_it(
    store: FaultProxy,
    start: Start,
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    bucket: str,
    status: int,
    code: str,
) -> None:
    """They name accounts, roles and keys, which are for the log."""
    monkeypatch.setattr("handler.s3.requests._FIRST_PAUSE_S", 0.0)
    _put(store, "a.jpg", jpeg(400, 300))
    handler = start(**settings)
    action = Answer(status=status, code=code, message=_SECRET_WORDS)
    for operation in ("GetObject", "PutObject"):
        store.add(Fault(action=action, operation=operation, bucket=bucket, times=None))
    answer = handler(_request("/one/a.jpg"), None)
    assert answer["statusCode"] in {422, 503}
    for word in ("arn:", "123456789012", "s3://", "photos/"):
        assert word not in answer["body"]


def test_the_largest_body_fits_into_a_lambda_response() -> None:
    """With the longest headers that there can be, it is below the 6 MB that Lambda takes."""
    answer = http_answer(200, {"Cache-Control": "x" * 32_000}, bytes(MAX_BODY_BYTES))
    assert len(json.dumps(answer)) < 6 << 20


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/one/missing.jpg", 404, "no-such-photo"),
        ("/one/notes.jpg", 422, "not-a-photo"),
        ("/none/a.jpg", 404, "unknown-rendition"),
        ("/one/../a.jpg", 400, "bad-request"),
    ],
)
def test_a_refusal_says_why_in_json(
    store: FaultProxy, start: Start, settings: dict[str, str], path: str, status: int, code: str
) -> None:
    """A program reads the code, a person the message; no cache keeps it."""
    _put(store, "notes.jpg", text())
    assert _code(start(**settings)(_request(path), None)) == (status, code)
    assert _stored(store) == set()


def test_what_an_event_found_corrupt_is_not_decoded_for_who_asks(
    store: FaultProxy, start: Start, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record knows; another version of the photo is looked at anew."""
    _put(store, "a.jpg", truncated(jpeg(400, 300), 0.5))
    handler = start(**settings)
    assert handler({"bucket": "photos", "key": "a.jpg"}, None)["records"][0]["code"] == "truncated"
    decodes: list[None] = []
    monkeypatch.setattr("imaging.pipeline.OpenPhoto.load", lambda *_, **__: decodes.append(None))
    assert _code(handler(_request("/one/a.jpg"), None)) == (422, "truncated")
    assert not decodes
    monkeypatch.undo()
    _put(store, "a.jpg", jpeg(400, 300))
    assert _image(handler(_request("/one/a.jpg"), None)).width == 120


def test_trouble_is_answered_with_a_time_to_come_back(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """Neither a photo nor a rendition that cannot be read is taken for one that is not there."""
    _put(store, "a.jpg", jpeg(400, 300))
    handler = start(**settings)
    for bucket, code in [
        ("photos", "source-access-denied"),
        ("renditions", "destination-access-denied"),
    ]:
        store.add(Fault(action=ACCESS_DENIED, operation="GetObject", bucket=bucket))
        answer = handler(_request("/one/a.jpg"), None)
        assert _code(answer) == (503, code)
        assert answer["headers"]["Retry-After"] == "1"
    assert not store.unused


def test_without_a_source_bucket_http_is_off(store: FaultProxy, start: Start) -> None:
    """Nothing says where the photos are."""
    assert store.client().list_buckets()["Buckets"]
    assert _code(start()(_request("/large/a.jpg"), None)) == (501, "http-not-set-up")


def test_a_signed_url_is_answered_until_it_expires(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """No cache may keep it for longer; without a signature there is nothing."""
    _put(store, _KEY, jpeg(400, 300))
    secret = bytes(range(32))
    handler = start(**settings, URL_SIGNING_KEYS=secret.hex())
    assert _code(handler(_request(f"/one/{_KEY}"), None)) == (403, "bad-signature")
    assert _stored(store) == set()
    expires = str(int(time.time()) + 1000)
    query = {"expires": expires, "signature": signature(secret, "one", _KEY, expires)}
    answer = handler(_request(f"/one/{_KEY}", query=query), None)
    assert _image(answer).width == 120
    scope, _, age = answer["headers"]["Cache-Control"].partition(", max-age=")
    assert scope == "private"
    assert 0 < int(age) <= 1000


def test_requests_for_one_rendition_at_once_are_one_decode(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """In one process the others wait for the first, and find what it has stored."""
    _put(store, "a.jpg", jpeg(96, 64))
    lambda_handler = start(**settings)
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: lambda_handler(_request("/one/a.jpg"), None), range(8)))
    assert {answer["statusCode"] for answer in answers} == {200}
    read = [call for call in store.requests if (call.bucket, call.method) == ("photos", "GET")]
    assert [call.operation for call in read] == ["GetObject"]


def test_of_several_source_buckets_the_path_names_one(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """Before the key; what names none of them is not found."""
    _put(store, "a.jpg", jpeg(96, 64))
    several = {
        "SOURCE_BUCKET": "photos,other",
        "DESTINATION_KEY_TEMPLATE": "{bucket}/{key}/{name}.{ext}",
    }
    lambda_handler = start(**settings | several)
    assert lambda_handler(_request("/one/photos/a.jpg"), None)["statusCode"] == 200
    assert _code(lambda_handler(_request("/one/a.jpg"), None)) == (404, "outside-prefix")


_PAGE: Final = {"origin": "https://example.org"}


@pytest.mark.parametrize(
    ("origins", "page", "allowed", "vary"),
    [
        ("", "https://example.org", None, None),
        ("*", "https://example.org", "*", None),
        (
            "https://example.org,https://b.org",
            "https://example.org",
            "https://example.org",
            "Origin",
        ),
        ("https://b.org", "https://example.org", None, "Origin"),
        ("https://b.org", None, None, "Origin"),
    ],
)
def test_a_page_of_another_origin_may_read_what_is_configured(
    store: FaultProxy,
    start: Start,
    settings: dict[str, str],
    origins: str,
    page: str | None,
    allowed: str | None,
    vary: str | None,
) -> None:
    """Pictures, refusals and 304 alike; where it depends on the origin, every answer says so."""
    _put(store, "a.jpg", jpeg(96, 64))
    lambda_handler = start(**settings, CORS_ORIGINS=origins)
    headers = {} if page is None else {"origin": page}
    answers = [
        lambda_handler(_request(path, headers=headers | more), None)
        for path, more in [("/one/a.jpg", {}), ("/one/a.jpg", {"if-none-match": "*"}), ("/x/a", {})]
    ]
    assert [answer["statusCode"] for answer in answers] == [200, 304, 404]
    for answer in answers:
        assert answer["headers"].get("Access-Control-Allow-Origin") == allowed
        assert answer["headers"].get("Vary") == vary
    many = lambda_handler(_request("/many/a.jpg", headers=headers), None)
    assert many["headers"]["Vary"] == ("Accept" if vary is None else "Accept, Origin")
    asking = headers | {"access-control-request-headers": "if-none-match"}
    preflight = lambda_handler(_request("/one/a.jpg", method="OPTIONS", headers=asking), None)
    assert preflight["statusCode"] == (204 if origins else 405)
    told = preflight["headers"]
    assert told.get("Access-Control-Allow-Methods") == ("GET, HEAD" if allowed else None)
    assert told.get("Access-Control-Allow-Headers") == ("if-none-match" if allowed else None)


def test_a_preflight_wants_no_signature_and_no_photo(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """A browser cannot sign it; it asks S3 for nothing."""
    lambda_handler = start(**settings, CORS_ORIGINS="*", URL_SIGNING_KEYS="00" * 16)
    before = len(store.requests)
    asked = _request("/one/none.jpg", method="OPTIONS", headers=_PAGE)
    assert lambda_handler(asked, None)["statusCode"] == 204
    assert lambda_handler(_request("/one/none.jpg", headers=_PAGE), None)["statusCode"] == 403
    assert len(store.requests) == before


def test_a_photo_that_is_missing_is_shown_by_another(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """404 with the same rendition of the fallback, in the client's format, for a minute."""
    _put(store, "missing.png", png(300, 200))
    lambda_handler = start(**settings, HTTP_FALLBACK_KEY="missing.png")
    for accept, kind in (("image/webp,*/*", "image/webp"), ("*/*", "image/jpeg")):
        headers = {"accept": accept, "if-none-match": "*"}
        answer = lambda_handler(_request("/many/gone.jpg", headers=headers), None)
        assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (404, kind)
        assert answer["headers"]["Cache-Control"] == "public, max-age=60"
        assert answer["headers"]["Vary"] == "Accept"
        assert "ETag" not in answer["headers"]
        assert _image(answer | {"statusCode": 200}).width == 100
    # What nobody serves, and the fallback itself, are refused as ever.
    assert _code(lambda_handler(_request("/none/gone.jpg"), None)) == (404, "unknown-rendition")
    store.client().delete_object(Bucket="photos", Key="missing.png")
    lambda_handler({"bucket": "photos", "key": "missing.png"}, None)
    for key in ("missing.png", "gone.jpg"):
        assert _code(lambda_handler(_request(f"/own/{key}"), None)) == (404, "no-such-photo")


def test_a_fallback_is_shown_as_its_own_rendition(
    store: FaultProxy, start: Start, settings: dict[str, str]
) -> None:
    """Renditions of one name for other keys: the fallback's set holds what is for its own key."""
    card = '[[renditions]]\nname = "card"\nwidth = {}\nkeys = "{}/**"\n'
    config = "".join(card.format(*one) for one in ((16, "avatars"), (32, "products")))
    config += '[[renditions]]\nname = "round"\nwidth = 8\nkeys = "avatars/**"\n'
    settings = {name: value for name, value in settings.items() if name != "RENDITIONS_CONFIG"}
    _put(store, "products/none.jpg", jpeg(300, 200))
    lambda_handler = start(
        **settings, RENDITIONS_TOML=config, HTTP_FALLBACK_KEY="products/none.jpg"
    )
    job = {"bucket": "photos", "key": "products/none.jpg"}
    lambda_handler(job, None)
    answer = lambda_handler(_request("/card/avatars/gone.jpg"), None)
    assert answer["statusCode"] == 404
    assert _image(answer | {"statusCode": 200}).width == 32
    answer = lambda_handler(_request("/round/avatars/gone.jpg"), None)
    assert _code(answer) == (404, "no-such-photo")
    stored = store.client().list_objects_v2(Bucket="renditions")["Contents"]
    made = {f"products/none.jpg/{name}" for name in ("card.jpg", "photo.json")}
    assert {item["Key"] for item in stored} == made


@pytest.mark.parametrize("name", ["alb.json", "alb-multi-value.json"])
def test_a_load_balancer_is_answered_in_its_way(
    store: FaultProxy, start: Start, settings: dict[str, str], name: str
) -> None:
    """The status in words, headers as it sends them, and no more than it takes."""
    _put(store, "2026/summer holiday/zürich + see.jpg", png(900, 700))
    lambda_handler = start(**settings)

    def ask(rendition: str) -> tuple[int, str, dict[str, str], str]:
        event = json.loads((_EVENTS / name).read_text())
        event["path"] = event["path"].replace("/large/", f"/{rendition}/")
        for headers in (event.get("headers", {}), event.get("multiValueHeaders", {})):
            headers.pop("if-none-match", None)
        answer = lambda_handler(event, None)
        headers = answer.get("headers") or {
            name: value for name, (value,) in answer["multiValueHeaders"].items()
        }
        assert ("multiValueHeaders" in answer) is ("multi" in name)
        return answer["statusCode"], answer["statusDescription"], headers, answer["body"]

    status, words, headers, body = ask("one")
    assert (status, words, headers["Content-Type"]) == (200, "200 OK", "image/jpeg")
    assert len(body) < MAX_BALANCED_BYTES
    assert ask("none")[:2] == (404, "404 Not Found")
    # Its PNG would fit into the answer to a Function URL.
    size = store.client().head_object
    assert ask("huge")[:2] == (302, "302 Found")
    key = f"{_KEY}/huge.png"
    assert MAX_BALANCED_BYTES < size(Bucket="renditions", Key=key)["ContentLength"] < MAX_BODY_BYTES
