"""`StrictS3`: `MemoryS3` behind what botocore, HTTP and S3 refuse of any request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from handler.s3.client import make_client

from .memory import MemoryS3, client_error

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_KEY_BYTES: Final = 1024
_MAX_METADATA_BYTES: Final = 2048
_MAX_HEADER_BYTES: Final = 8192
_OTHER_HEADERS_BYTES: Final = 2048
"""Signature, session token, host, checksum and the like, which a request gets after this."""
_METADATA: Final = "x-amz-meta-"


class StrictS3:
    """A client of a `MemoryS3`, whose requests are as botocore would send them.

    Neither a memory of its own nor a server takes more than S3 does: user metadata of 2,048 bytes,
    keys of 1,024, headers of 8 KB, in ASCII and without a line break.

    Args:
        s3: What is asked; also for what no request is made.
    """

    def __init__(self, s3: MemoryS3) -> None:
        self.s3 = s3
        self._client = make_client()

    def close(self) -> None:
        """Close botocore's client."""
        self._client.close()

    def generate_presigned_url(self, *arguments: Any, **named: Any) -> str:  # noqa: ANN401 - botocore's
        url: str = self._client.generate_presigned_url(*arguments, **named)
        return url

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - a method of botocore's
        model = self._client.meta.service_model.operation_model(
            self._client.meta.method_to_api_mapping[operation]
        )

        def call(**arguments: Any) -> Any:  # noqa: ANN401 - as botocore's
            # Raises what botocore raises of an argument that cannot be sent.
            request = self._client._convert_to_request_dict(
                arguments, model, "https://s3.invalid", context={"client_region": "us-east-1"}
            )
            _check(model.name, arguments["Key"], request["headers"])
            return getattr(self.s3, operation)(**arguments)

        return call


def _check(operation: str, key: str, headers: Mapping[str, object]) -> None:
    texts = {
        name: value.decode() if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
    }
    for name, value in texts.items():
        if not (value.isascii() and value.isprintable()):
            # http.client sends no such header.
            raise ValueError(f"Invalid header value {value!r} of {name}")
    if len(key.encode()) > _MAX_KEY_BYTES:
        raise client_error(operation, 400, "KeyTooLongError")
    metadata = {name: value for name, value in texts.items() if name.lower().startswith(_METADATA)}
    if sum(len(name) - len(_METADATA) + len(value) for name, value in metadata.items()) > (
        _MAX_METADATA_BYTES
    ):
        raise client_error(operation, 400, "MetadataTooLarge")
    sent = sum(len(f"{name}: {value}\r\n") for name, value in texts.items())
    if sent > _MAX_HEADER_BYTES - _OTHER_HEADERS_BYTES:
        raise client_error(operation, 400, "RequestHeaderSectionTooLarge")
