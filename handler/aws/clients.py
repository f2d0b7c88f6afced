"""botocore's clients, made from the trimmed models."""

import functools
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.hooks import HierarchicalEmitter

from handler.aws.loader import HOW_TO_ADD, ModelLoader, read_models
from handler.errors import SettingsError

__all__ = ["UntrimmedOperationError", "create_client"]


class UntrimmedOperationError(AttributeError):
    """An operation that the trimmed models do not hold."""

    def __init__(self, service: str, operation: str) -> None:
        super().__init__(f"{operation!r} of {service!r} is not in this function: {HOW_TO_ADD}")


class _OperationNames(dict[str, str]):
    """A client's methods and their operations; where botocore misses one, it says how to add it."""

    def __init__(self, service: str, names: dict[str, str]) -> None:
        super().__init__(names)
        self._service = service

    def __missing__(self, name: str) -> str:
        raise UntrimmedOperationError(self._service, name)


class _Emitter(HierarchicalEmitter):
    """botocore's events, without a look at the signature of each of its own 140 handlers.

    To look takes 2 ms of the 14 that making a client takes.
    """

    def _verify_accept_kwargs(self, func: object) -> None:
        """Take it for granted: a handler that does not fails when it is called."""


def create_client(service: str, config: Config) -> Any:  # noqa: ANN401 - botocore makes its clients' classes at run time
    """Return a client of ``service`` that knows the operations listed for it, and no others.

    The rest is botocore's own: credentials and settings from the environment, endpoints,
    signatures, retries.

    Raises:
        UntrimmedServiceError: The service is not listed in ``OPERATIONS``.
        SettingsError: The environment's endpoint is none.

    *Thread*: the client is safe to share.
    """

    def name_missing(**event: Any) -> None:  # noqa: ANN401 - botocore's handlers take anything
        attributes = event["class_attributes"]
        attributes["_PY_TO_OP_NAME"] = _OperationNames(service, attributes["_PY_TO_OP_NAME"])

    def refuse_missing(**event: Any) -> None:  # noqa: ANN401 - botocore's handlers take anything
        name = event["event_name"].rpartition(".")[2]
        if not name.startswith("_"):
            raise UntrimmedOperationError(service, name)

    session = botocore.session.Session(event_hooks=_Emitter())
    session.register_component("data_loader", ModelLoader(read_models()))
    session.register("creating-client-class", name_missing)
    session.register("getattr", refuse_missing)
    try:
        client = session.create_client(service, config=config)
    except ValueError as error:
        raise SettingsError(
            f"AWS_ENDPOINT_URL, AWS_REGION: expected those of an endpoint but received {error}"
        ) from error
    _read_authorities_once(client)
    return client


def _read_authorities_once(client: Any) -> None:  # noqa: ANN401 - as above
    """Have the authorities that ``client`` trusts read by its first connection alone.

    urllib3 reads the file again for each connection, into the one context that all of them share.
    To read it takes 20 ms of CPU, and a first photo makes a connection for each rendition.
    """
    manager = client._endpoint.http_session._manager  # noqa: SLF001 - botocore shows no other way
    context = manager.connection_pool_kw["ssl_context"]
    context.load_verify_locations = functools.cache(context.load_verify_locations)
