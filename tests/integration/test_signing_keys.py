"""Signing keys in Parameter Store and in Secrets Manager: the function reads them at init."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest

from handler.errors import SettingsError
from handler.http.signing import signature
from tests.photos import jpeg
from tests.servers import REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import FaultProxy

_SECRETS: Final = (bytes(range(32)), bytes(range(32, 64)))
_TOML: Final = '[[renditions]]\nname = "one"\nwidth = 16\n'


class Store:
    """One of the two services, and one text in it."""

    def __init__(self, service: str, endpoint_url: str) -> None:
        self._service = service
        self._client: Any = boto3.client(
            service,  # type: ignore[call-overload]  # one of two
            endpoint_url=endpoint_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def keep(self, text: str) -> str:
        """Store a text; returns its ARN."""
        if self._service == "ssm":
            self._client.put_parameter(
                Name="/app/keys", Value=text, Type="SecureString", Overwrite=True
            )
            return str(self._client.get_parameter(Name="/app/keys")["Parameter"]["ARN"])
        try:
            return str(self._client.create_secret(Name="keys", SecretString=text)["ARN"])
        except self._client.exceptions.ResourceExistsException:
            return str(self._client.put_secret_value(SecretId="keys", SecretString=text)["ARN"])

    def missing(self) -> str:
        """Return an ARN under which there is nothing."""
        kind = "parameter/none" if self._service == "ssm" else "secret:none-a1b2c3"
        return f"arn:aws:{self._service}:{REGION}:123456789012:{kind}"


@pytest.fixture(params=["ssm", "secretsmanager"])
def keys(request: pytest.FixtureRequest, store: FaultProxy) -> Store:
    """Each of the two services, on the server that has the photos."""
    return Store(request.param, store.endpoint_url)


def _status(handle: Callable[..., Any], secret: bytes) -> int:
    query = {"signature": signature(secret, "one", "a.jpg")}
    event = {
        "version": "2.0",
        "rawPath": "/one/a.jpg",
        "rawQueryString": f"signature={query['signature']}",
        "queryStringParameters": query,
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": "/one/a.jpg"}},
    }
    return int(handle(event, None)["statusCode"])


def test_a_new_key_counts_at_the_next_cold_start(
    store: FaultProxy, start: Callable[..., Any], keys: Store
) -> None:
    """What one of the keys that are kept has signed is answered, and nothing else is."""
    store.client().put_object(Bucket="photos", Key="a.jpg", Body=jpeg(64, 48))
    settings = {"SOURCE_BUCKET": "photos", "RENDITIONS_TOML": _TOML}
    arn = keys.keep(_SECRETS[0].hex())

    handle = start(**settings, URL_SIGNING_KEYS_ARN=arn)
    assert [_status(handle, one) for one in _SECRETS] == [200, 403]

    keys.keep(", ".join(one.hex() for one in _SECRETS))
    assert _status(handle, _SECRETS[1]) == 403
    handle = start(**settings, URL_SIGNING_KEYS_ARN=arn)
    assert [_status(handle, one) for one in _SECRETS] == [200, 200]


def test_a_new_key_counts_once_a_snapshot_is_restored(
    store: FaultProxy, start: Callable[..., Any], keys: Store
) -> None:
    """A snapshot has the keys of the day on which it was made."""
    store.client().put_object(Bucket="photos", Key="a.jpg", Body=jpeg(64, 48))
    arn = keys.keep(_SECRETS[0].hex())
    handle = start(SOURCE_BUCKET="photos", RENDITIONS_TOML=_TOML, URL_SIGNING_KEYS_ARN=arn)
    keys.keep(_SECRETS[1].hex())

    app = sys.modules["handler.app"]
    app._drop_client()
    app._renew()

    assert [_status(handle, one) for one in _SECRETS] == [403, 200]


@pytest.mark.parametrize("text", [" , ", "0011", json.dumps({"keys": "00" * 16})])
def test_a_text_without_a_key_is_an_init_error(
    start: Callable[..., Any], keys: Store, text: str
) -> None:
    """Signing is never turned off by it, and the message does not repeat the text."""
    arn = keys.keep(text)

    with pytest.raises(SettingsError) as caught:
        start(URL_SIGNING_KEYS_ARN=arn)

    said = str(caught.value)
    assert said.startswith(f"URL_SIGNING_KEYS_ARN: {arn}: expected keys of 16 bytes or more")
    assert f"received {len(text)} characters" in said
    assert text.strip(" ,") == "" or text not in said


def test_what_cannot_be_read_is_an_init_error(start: Callable[..., Any], keys: Store) -> None:
    """The service's own words say why."""
    with pytest.raises(SettingsError, match=r"^URL_SIGNING_KEYS_ARN: .* arn:aws:.*NotFound"):
        start(URL_SIGNING_KEYS_ARN=keys.missing())


def test_keys_come_from_one_place(start: Callable[..., Any], keys: Store) -> None:
    """With both variables nobody could say which keys count."""
    arn = keys.keep("00" * 16)

    with pytest.raises(SettingsError, match="URL_SIGNING_KEYS_ARN: expected it or"):
        start(URL_SIGNING_KEYS_ARN=arn, URL_SIGNING_KEYS="00" * 16)


def test_a_secret_of_bytes_is_an_init_error(store: FaultProxy, start: Callable[..., Any]) -> None:
    """Secrets Manager keeps bytes as well; keys are text."""
    client = boto3.client(
        "secretsmanager",
        endpoint_url=store.endpoint_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    arn = client.create_secret(Name="bytes", SecretBinary=b"\x00" * 16)["ARN"]

    with pytest.raises(SettingsError, match=r"expected a text at .* but received bytes"):
        start(URL_SIGNING_KEYS_ARN=arn)
