"""The trimmed S3 client against botocore's own in every region: the endpoints and signatures."""

import itertools
from collections.abc import Callable
from typing import Any, Final

import pytest
from botocore.exceptions import BotoCoreError, EndpointVariantError

from tests.exchange import WHOLE, exchange, fix_environment, trimmed_client, whole_client

_ACCOUNT: Final = "123456789012"
_PARTITIONS: Final = {
    partition["id"]: list(partition["regions"])
    for partition in WHOLE.load_data("partitions")["partitions"]
}
_USUAL: Final = (
    "photos",
    f"arn:{{partition}}:s3:{{region}}:{_ACCOUNT}:accesspoint/photos",
)
_RARE: Final = (
    "photos.example.com",
    "photos--use1-az4--x-s3",
    f"arn:{{partition}}:s3:eu-west-1:{_ACCOUNT}:accesspoint/photos",
    f"arn:{{partition}}:s3-outposts:{{region}}:{_ACCOUNT}:outpost/op-1/accesspoint/ap",
    f"arn:{{partition}}:s3-object-lambda:{{region}}:{_ACCOUNT}:accesspoint/ap",
    f"arn:{{partition}}:s3::{_ACCOUNT}:accesspoint/mfzwi23gnjvgw.mrap",
)
_VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "dual-stack": {"use_dualstack_endpoint": True},
    "fips": {"use_fips_endpoint": True},
    "fips-dual-stack": {"use_dualstack_endpoint": True, "use_fips_endpoint": True},
}
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "accelerate": {"s3": {"use_accelerate_endpoint": True}},
    "path": {"s3": {"addressing_style": "path"}},
    "arn-region": {"s3": {"use_arn_region": True}},
    "s3v4": {"signature_version": "s3v4"},
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same credentials, moment and invocation ID for both clients."""
    fix_environment(monkeypatch)


def _presign(client: Any, arguments: dict[str, Any]) -> object:  # noqa: ANN401 - botocore's
    try:
        return client.generate_presigned_url("get_object", Params=arguments, ExpiresIn=60)
    except BotoCoreError as error:
        return type(error), str(error)


def _made(make: Callable[..., Any], region: str, options: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return a client, or botocore's words where it refuses: a partition lacks some endpoints."""
    try:
        return make("s3", region, **options)
    except EndpointVariantError as error:
        return str(error)


def _compare(partition: str, region: str, options: dict[str, Any], buckets: tuple[str, ...]) -> int:
    """Check that both clients do the same with each bucket; return how many requests they made."""
    whole, trimmed = _made(whole_client, region, options), _made(trimmed_client, region, options)
    if isinstance(whole, str):
        assert trimmed == whole
        return 0
    sent = 0
    for bucket in buckets:
        name = bucket.format(partition=partition, region=region)
        arguments = {"Bucket": name, "Key": "a b/ü.jpg"}
        for operation, extra in (("GetObject", {}), ("PutObject", {"Body": b"body"})):
            actual = exchange(trimmed, operation, arguments | extra)
            assert actual == exchange(whole, operation, arguments | extra)
            sent += len(actual["requests"])
        assert _presign(trimmed, arguments) == _presign(whole, arguments)
    return sent


@pytest.mark.parametrize("variant", _VARIANTS)
@pytest.mark.parametrize("partition", _PARTITIONS)
def test_every_region(partition: str, variant: str) -> None:
    """A bucket and an access point of each region: the same signed request, the same refusal."""
    options = _VARIANTS[variant]
    sent = sum(_compare(partition, region, options, _USUAL) for region in _PARTITIONS[partition])

    assert sent or variant != "plain"


@pytest.mark.parametrize("options", _VARIANTS | _OPTIONS)
@pytest.mark.parametrize("partition", _PARTITIONS)
def test_every_kind_of_bucket(partition: str, options: str) -> None:
    """Directory buckets, outposts and foreign ARNs too, under each setting that moves endpoints."""
    region = _PARTITIONS[partition][0]

    _compare(partition, region, (_VARIANTS | _OPTIONS)[options], _USUAL + _RARE)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:9000", "https://storage.example.com/base", "https://[::1]:9000"]
)
def test_a_custom_endpoint(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_ENDPOINT_URL_S3 leads both clients to the same place, in each style of address."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)

    sent = [
        _compare("aws", region, {"s3": {"addressing_style": style}}, _USUAL)
        for region, style in itertools.product(
            ("us-east-1", "eu-central-1"), ("auto", "path", "virtual")
        )
        # No bucket's name can stand before an address in brackets; Pythons with the checks of 2024
        # say so.
        if not (style == "virtual" and "[" in endpoint)
    ]

    assert any(sent)
