"""The trimmed models against botocore's own, and the list that they are made from."""

import json
import marshal
import subprocess
import sys
import zlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import botocore
import pytest
from botocore.config import Config
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from handler.aws.clients import UntrimmedOperationError, create_client
from handler.aws.loader import ModelLoader, UntrimmedServiceError, read_models
from handler.aws.operations import OPERATIONS
from handler.aws.trim import main, trim_models
from tests.called import called_operations
from tests.exchange import (
    NOW,
    WHOLE,
    Answer,
    exchange,
    fix_environment,
    trimmed_client,
    whole_client,
)

_ROOT: Final = Path(__file__).parents[2]
_EVERY_OPERATION: Final = [
    (service, operation) for service, operations in OPERATIONS.items() for operation in operations
]
_SCALARS: Final = {
    "blob": b"bytes",
    "boolean": True,
    "integer": 3,
    "long": 3,
    "string": "text",
    "timestamp": NOW,
}
_BY_BOTOCORE: Final = {"CreateSession", "HeadBucket"}
"""What no code here calls, and botocore does."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same credentials, moment and invocation ID for both clients."""
    fix_environment(monkeypatch)


def _sample(shape: Shape) -> Any:  # noqa: ANN401 - as JSON
    """Return a value of ``shape`` with every member that it may have."""
    match shape:
        case StructureShape():
            return {name: _sample(member) for name, member in shape.members.items()}
        case ListShape():
            return [_sample(shape.member)]
        case MapShape():
            return {"key": _sample(shape.value)}
    return _SCALARS[shape.type_name]


def _arguments(shape: StructureShape) -> dict[str, Any]:
    """Return every argument that an operation takes, with values that the client's checks pass."""
    valid: dict[str, Any] = {
        "Bucket": "photos",
        "Key": "a photo/ü+%.jpg",
        "ChecksumAlgorithm": "CRC32",
        # Secrets Manager's have 32 characters at least.
        "VersionId": "0" * 32,
        # Of the global endpoints of EventBridge; signing for one takes a library that is not here.
        "EndpointId": None,
    }
    arguments: dict[str, Any] = _sample(shape)
    arguments |= {name: value for name, value in valid.items() if name in arguments}
    return {name: value for name, value in arguments.items() if value is not None}


def _xml(name: str, shape: Shape, value: Any) -> str:  # noqa: ANN401 - what _sample makes
    """Return ``value`` as the XML that AWS answers."""
    match shape:
        case StructureShape():
            inner = "".join(
                _xml(member.serialization.get("name", key), member, value[key])
                for key, member in shape.members.items()
                if "location" not in member.serialization
            )
        case ListShape():
            flat = shape.serialization.get("flattened")
            element = name if flat else shape.member.serialization.get("name", "member")
            inner = "".join(_xml(element, shape.member, item) for item in value)
            if flat:
                return inner
        case _ if value is NOW:
            inner = NOW.isoformat()
        case _:
            inner = escape(str(value)).replace("True", "true")
    return f"<{name}>{inner}</{name}>"


def _json(value: bytes | datetime) -> str | float:
    """Return what JSON has no type for as AWS answers it."""
    return b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


def _headers(shape: StructureShape) -> Iterator[tuple[str, str]]:
    """Yield a header for each member of an answer that travels in one."""
    for member in shape.members.values():
        name = member.serialization.get("name", "")
        match member.serialization.get("location"), member.type_name:
            case "headers", _:
                yield f"{name}key", "text"
            case "header", "timestamp":
                yield name, NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")
            case "header", _:
                yield name, str(_sample(member)).lower()


def _answer(model: OperationModel, protocol: str) -> Answer:
    """Return an answer with every member of the operation's output."""
    shape = model.output_shape
    if shape is None:
        return Answer(status=204)
    match protocol:
        case "json":
            return Answer(body=json.dumps(_sample(shape), default=_json).encode())
        case "query":
            result = _xml(shape.serialization["resultWrapper"], shape, _sample(shape))
            return Answer(body=f"<{model.name}Response>{result}</{model.name}Response>".encode())
    headers = dict(_headers(shape))
    if not shape.serialization.get("payload"):
        body = _xml(shape.name, shape, _sample(shape)).encode()
        return Answer(headers=tuple(headers.items()), body=body)
    # A streamed body: its length is checked, and its checksums, of which it has none here.
    body = b"body"
    headers = {name: text for name, text in headers.items() if "checksum" not in name}
    headers["Content-Length"] = str(len(body))
    return Answer(headers=tuple(headers.items()), body=body)


@pytest.mark.parametrize(("service", "operation"), _EVERY_OPERATION)
def test_each_operation_sends_and_parses_what_the_whole_client_does(
    service: str, operation: str
) -> None:
    """With every argument and every member of the answer, requests and results are the same."""
    whole, trimmed = whole_client(service), trimmed_client(service)
    model = whole.meta.service_model.operation_model(operation)
    arguments = _arguments(model.input_shape)
    answer = _answer(model, whole.meta.service_model.resolved_protocol)

    expected = exchange(whole, operation, arguments, answer)
    actual = exchange(trimmed, operation, arguments, answer)

    assert actual == expected
    (_, _, headers, _) = actual["requests"][-1]
    assert "Authorization" in headers
    missing = set(model.output_shape.members if model.output_shape else ()) - set(actual["result"])
    assert {name for name in missing if not name.startswith("Checksum")} == set()


@pytest.mark.parametrize("service", OPERATIONS)
def test_each_error_becomes_the_class_that_the_whole_client_has(service: str) -> None:
    """Whatever error a service knows or does not know, the exception is the same."""
    whole, trimmed = whole_client(service), trimmed_client(service)
    operation = OPERATIONS[service][-1]
    model = whole.meta.service_model
    arguments = _arguments(model.operation_model(operation).input_shape)
    codes = {shape.error_code for shape in model.error_shapes} | {"SlowDown", "NoSuchUpload"}
    for code in sorted(codes):
        body = (
            json.dumps({"__type": code, "message": "m"})
            if model.resolved_protocol == "json"
            else f"<Error><Code>{code}</Code><Message>m</Message><BucketName>b</BucketName></Error>"
        )
        answer = Answer(status=400, body=body.encode())

        assert exchange(trimmed, operation, arguments, answer) == exchange(
            whole, operation, arguments, answer
        )


def test_an_operation_in_pages_keeps_its_paginator(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in the list answers in pages; one that does would be turned as the whole client does."""
    monkeypatch.setattr("handler.aws.trim.OPERATIONS", {"s3": ("GetObject", "ListObjectsV2")})

    loader = ModelLoader(trim_models())

    pages = loader.load_service_model("s3", "paginators-1")["pagination"]
    whole = WHOLE.load_service_model("s3", "paginators-1")["pagination"]
    assert pages == {"ListObjectsV2": whole["ListObjectsV2"]}
    assert not trimmed_client("s3").can_paginate("get_object")


def test_an_operation_left_out_says_how_to_add_it() -> None:
    """A call, a presigned URL: both name the list that the operation is missing in."""
    client = trimmed_client("s3")

    missing = pytest.raises(UntrimmedOperationError, match=r"'copy_object' of 's3'.*OPERATIONS")

    with missing:
        client.copy_object(Bucket="b", Key="k", CopySource="b/k")
    with missing:
        client.generate_presigned_url("copy_object")
    # What Python itself looks for is simply not there.
    assert not hasattr(client, "__deepcopy__")


def test_a_service_left_out_says_how_to_add_it() -> None:
    """A client of another service cannot be made, and the message names the list."""
    with pytest.raises(UntrimmedServiceError, match=r"'kinesis'.*OPERATIONS"):
        create_client("kinesis", Config(region_name="us-east-1"))


def test_a_persons_credentials_may_need_models_that_are_not_trimmed() -> None:
    """What botocore calls to assume a role comes from its own models, where they are installed."""
    loader = ModelLoader(read_models())

    assert loader.load_service_model("sts", "service-2") == WHOLE.load_service_model(
        "sts", "service-2"
    )


def test_the_stored_models_are_the_ones_trimmed_here(tmp_path: Path) -> None:
    """The file that an image is built with holds what a checkout serves."""
    file = tmp_path / "models"

    assert main([str(file)]) == 0

    assert read_models(file) == trim_models() == read_models()
    # Interned strings and no documentation: what init reads stays small.
    assert file.stat().st_size < 40_000


@pytest.mark.parametrize("change", [{"botocore": "1.0.0"}, {"operations": {"s3": ("GetObject",)}}])
def test_models_of_another_botocore_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """After an upgrade, or an operation more, old models are an error at init and never used."""
    file = tmp_path / "models"
    file.write_bytes(zlib.compress(marshal.dumps(trim_models() | change)))

    with pytest.raises(RuntimeError, match=rf"expected models of botocore {botocore.__version__}"):
        read_models(file)


def test_the_list_holds_what_is_called_and_nothing_else() -> None:
    """Each operation that the code names is in the list, and each in the list is called."""
    listed = {operation for operations in OPERATIONS.values() for operation in operations}

    assert listed == called_operations("sqs", *OPERATIONS) | _BY_BOTOCORE


def test_a_client_is_made_without_botocores_data(tmp_path: Path) -> None:
    """With the stored models, and botocore's folder of data out of reach, a client still works."""
    file = tmp_path / "models"
    main([str(file)])
    program = (
        "import builtins, io, sys, pathlib\n"
        "from handler.aws import clients, loader\n"
        "opened = []\n"
        "sys.addaudithook(lambda name, args: opened.append(args[0]) if name == 'open' else None)\n"
        f"models = loader.ModelLoader(loader.read_models(pathlib.Path({str(file)!r})))\n"
        "session = clients.botocore.session.Session()\n"
        "session.register_component('data_loader', models)\n"
        "client = session.create_client('s3', region_name='us-east-1')\n"
        "client.generate_presigned_url('get_object', Params={'Bucket': 'b', 'Key': 'k'})\n"
        "print(*opened, sep='\\n')\n"
    )

    opened = subprocess.run(
        [sys.executable, "-c", program], cwd=_ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()

    assert str(file) in opened
    assert [path for path in opened if "/botocore/data/" in path] == []
