"""The image itself: its size, its files, its label, its kind of manifest."""

from __future__ import annotations

import base64
import datetime as dt
import json
import marshal
import re
import sys
import urllib.request
import zlib
from typing import TYPE_CHECKING

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from handler.aws.trim import trim_models
from handler.release import VERSION
from scripts import inventory, push, referrers
from scripts.imports import list_imports
from tests.container import engine
from tests.container.emulator import HERE, ROOT, ensure_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testcontainers.core.network import Network

    from tests.container.emulator import FunctionContainer

MEGABYTE = 1_000_000
ALLOWED = {
    "awslambdaric",
    "botocore",
    "dateutil",
    "handler",
    "imaging",
    "jmespath",
    "runtime_client",
    "simplejson",
    "six",
    "urllib3",
}
"""Packages, and modules that no package holds, which init loads beside the standard library. The
function decodes nothing: pyvips and libvips are in the zygote alone."""
INTERNALS = {
    "_colorize",
    "_opcode_metadata",
    "_wmi",
    "awscrt",
    "backports",
    "brotli",
    "brotlicffi",
    "certifi",
}
"""Parts of a later Python than this one may be, and packages that others would use if they were in
the image."""
WAITING = {
    "_bz2",
    "_lzma",
    "asyncio",
    "boto3",
    "html.parser",
    "importlib.metadata",
    "multiprocessing",
    "imaging.decoders.libheif",
    "PIL",
    "s3transfer",
    "zipfile",
}


@pytest.fixture(scope="module")
def inspected(image: str) -> dict[str, object]:
    """What the engine knows of the image."""
    with engine.connected() as client:
        return dict(client.images.get(image).attrs)


@pytest.fixture(scope="module")
def registry(network: Network) -> Iterator[str]:
    """The host of an empty registry of our own."""
    image = ensure_image("renditions-test-registry:trixie", HERE / "registry", pull=False)
    container = DockerContainer(image).with_exposed_ports(5000).with_network(network)
    with container.waiting_for(HttpWaitStrategy(5000, "/v2/").for_status_code(200)):
        # The engine pushes: it takes an address on its own loopback interface without TLS.
        published = container.get_wrapped_container()
        published.reload()
        bindings = published.ports["5000/tcp"]
        assert bindings
        yield f"127.0.0.1:{bindings[0]['HostPort']}"


def test_the_image_says_what_it_is(inspected: dict[str, object]) -> None:
    """Its labels name the release, the commit and its time, and the base."""
    config = inspected["Config"]
    assert isinstance(config, dict)
    prefix = "org.opencontainers.image."
    told = {
        name.removeprefix(prefix): value
        for name, value in config["Labels"].items()
        if name.startswith(prefix)
    }

    assert told["version"] == VERSION
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", told["revision"])
    assert dt.datetime.fromisoformat(told["created"]).tzinfo is not None
    assert told["base.name"]


def test_size(inspected: dict[str, object]) -> None:
    """The image has at most 190 MB."""
    size = inspected["Size"]

    assert isinstance(size, int)
    assert size <= 190 * MEGABYTE


def test_label(inspected: dict[str, object]) -> None:
    """The image tells Lambda that its snapshots are safe."""
    config = inspected["Config"]

    assert isinstance(config, dict)
    assert config["Labels"]["com.amazonaws.lambda.feature.snapstart"] == "Allow"


def test_readable_by_anybody(start_function: Callable[..., FunctionContainer]) -> None:
    """Every file of the function and its dependencies can be read by a user it does not know."""
    function = start_function()

    unreadable = function.run(
        "sh",
        "-c",
        "find /var/task /usr/local/lib/python3.13 ! -readable -o -type d ! -executable",
    )

    assert function.run("id", "-u").strip() == "1234"
    assert unreadable == ""


def test_only_tmp_is_writable(start_function: Callable[..., FunctionContainer]) -> None:
    """The container is as tight as Lambda's: writing works in /tmp and nowhere else."""
    function = start_function()

    function.run("touch", "/tmp/there")  # noqa: S108 - Lambda's one writable folder
    with pytest.raises(RuntimeError, match="Read-only file system"):
        function.run("touch", "/var/task/here")


def test_bytecode_is_there_for_every_module(
    start_function: Callable[..., FunctionContainer],
) -> None:
    """No module is compiled at start: each has bytecode that needs no look at its source."""
    program = (
        "import glob, importlib.util as u\n"
        "for root in ('/var/task', '/usr/local/lib/python3.13/dist-packages'):\n"
        "    for path in glob.glob(root + '/**/*.py', recursive=True):\n"
        "        flags = open(u.cache_from_source(path), 'rb').read(8)[4:]\n"
        "        assert flags == b'\\1\\0\\0\\0', path\n"
    )

    assert start_function().run("python3", "-c", program) == ""


def test_init_imports_no_package_that_is_not_on_the_list(image: str) -> None:
    """What the image imports until its first poll: one more is a decision, not an accident."""
    imported = {one.name.partition(".")[0] for one in list_imports(image)}

    assert imported - sys.stdlib_module_names - INTERNALS == ALLOWED


def test_init_imports_none_of_what_the_first_jpeg_can_do_without(image: str) -> None:
    """Whole packages, and modules of the standard library, that come when something needs them."""
    imported = {one.name for one in list_imports(image)}

    assert imported & WAITING == set()


def test_init_compiles_nothing(start_function: Callable[..., FunctionContainer]) -> None:
    """No source and no pattern is compiled until the handler is loaded: the build has done it.

    But for a line of six, which runs it by a name of its own.
    """
    program = (
        "import marshal, sys\n"
        "sys.path.insert(0, '/var/runtime')\n"
        "import start\n"
        "sys.path[:0] = start.FOLDERS\n"
        "compiled = []\n"
        "sys.addaudithook(lambda name, args: compiled.append(args) if name == 'compile' else 0)\n"
        "bundle = start._put_bundle(last='handler.app')\n"
        "bundle.extend(*start._read('function'))\n"
        "import re\n"
        "parse = re._parser.parse\n"
        "re._parser.parse = lambda *what: compiled.append([repr(what).encode()]) or parse(*what)\n"
        "import handler.app\n"
        "print([what for what in compiled if b'def raise_from' not in what[0]])\n"
    )

    assert start_function().run("python3", "-ISB", "-c", program) == "[]\n"


def test_the_blocks_are_of_libraries_in_the_image(
    start_function: Callable[..., FunctionContainer],
) -> None:
    """What is read ahead exists, and of libvips it is less than half: the rest waits for a need."""
    program = (
        "import json, marshal, os\n"
        "blocks = marshal.load(open('/var/runtime/blocks', 'rb'))\n"
        "print(json.dumps([[path, os.path.getsize(path), of] for path, of in blocks]))\n"
    )

    listed = json.loads(start_function().run("python3", "-ISB", "-c", program))

    ((size, ranges),) = [(size, ranges) for path, size, ranges in listed if "/libvips-" in path]
    assert 0 < sum(length for _, length in ranges) < size / 2
    assert all(0 <= offset < size and length > 0 for offset, length in ranges)
    assert any("libcrypto" in path for path, _, _ in listed)


def test_the_models_are_those_of_the_locked_botocore(
    start_function: Callable[..., FunctionContainer],
) -> None:
    """The image serves the very models that the tests compare with botocore's own."""
    stored = start_function().run("base64", "-w0", "/var/task/handler/aws/models")

    models = marshal.loads(zlib.decompress(base64.b64decode(stored)))  # noqa: S302 - our own file
    assert models == trim_models()


def test_push_makes_a_single_platform_manifest(
    image: str, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `make push` leaves in a registry is a manifest, and its digest is printed."""
    status = push.main([image, f"{registry}/team/renditions:1"])

    assert status == 0
    digest = re.search(r"team/renditions@(sha256:[0-9a-f]{64})", capsys.readouterr().out)
    assert digest is not None
    with urllib.request.urlopen(
        urllib.request.Request(
            f"http://{registry}/v2/team/renditions/manifests/{digest[1]}",
            headers={"Accept": ", ".join(push.MANIFESTS)},
        )
    ) as answer:
        manifest = json.load(answer)
    assert "layers" in manifest
    assert "manifests" not in manifest


def test_push_refuses_an_index(image: str, registry: str) -> None:
    """A tag that names an index, as attestations make it, is reported as what Lambda refuses."""
    target = push.parse_target(f"{registry}/team/indexed:1")
    digest = push.push(image, target)
    index = {
        "schemaVersion": 2,
        "mediaType": push.INDEXES[0],
        "manifests": [
            {
                "mediaType": push.MANIFESTS[0],
                "digest": digest,
                "size": 1,
                "platform": {"architecture": "amd64", "os": "linux"},
            }
        ],
    }
    request = urllib.request.Request(
        f"http://{registry}/v2/team/indexed/manifests/1",
        data=json.dumps(index).encode(),
        headers={"Content-Type": push.INDEXES[0]},
        method="PUT",
    )
    urllib.request.urlopen(request).close()  # noqa: S310 - our own registry, on the loopback interface

    with pytest.raises(push.PushError, match=r"manifest\.list"):
        push.check_manifest(target)


def test_the_bill_of_materials_is_a_referrer(image: str, registry: str) -> None:
    """What `make push` attaches refers to the image, and is found by the image's digest."""
    target = push.parse_target(f"{registry}/team/described:1")

    digest = push.push(image, target)
    again = push.push(image, target)

    repository = push.repository_of(target)
    assert again == digest
    listed = repository.manifest(digest.replace(":", "-"), referrers.INDEX)
    assert listed is not None
    (entry,) = json.loads(listed[1])["manifests"]
    assert entry["artifactType"] == referrers.CYCLONEDX
    found = repository.manifest(entry["digest"], referrers.MANIFEST)
    assert found is not None
    referrer = json.loads(found[1])
    assert referrer["subject"]["digest"] == digest
    (layer,) = referrer["layers"]
    with urllib.request.urlopen(
        f"http://{registry}/v2/team/described/blobs/{layer['digest']}"
    ) as answer:
        document = json.load(answer)
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == str(target)


def test_the_bill_of_materials(image: str) -> None:
    """It is of CycloneDX's schema, and names what was locked, what is in wheels, and Debian's.

    Of the libraries that decode photos it names the versions, where they tell them.
    """
    made = inventory.components(inventory.look(image))

    document = inventory.bill_of_materials(image, made)

    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    assert errors is None
    named = {(one.kind, one.name): one for one in made}
    locked = dict(
        re.findall(
            r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements/image.lock").read_text(), re.MULTILINE
        )
    )
    # The Dockerfile takes out again what c2pa-python's own Python would import.
    for unused in ("certifi", "charset-normalizer", "idna", "requests", "toml"):
        del locked[unused]
        assert ("python", unused) not in named
    assert {name: named["python", name].version for name in locked} == locked
    assert ("debian", "libc6") in named
    told = {name for (kind, name), one in named.items() if kind == "library" and one.version}
    assert "libvips" in told
    # What decodes HEIC and AVIF has Debian's names and versions, which advisories are about.
    assert {("debian", name) for name in ("libheif1", "libde265-0", "libdav1d7")} <= set(named)


def test_the_licences_page_is_that_of_the_image(image: str) -> None:
    """docs/licences.md is what `make licences` would write."""
    made = inventory.components(inventory.look(image))

    assert inventory.licences_page(made) == (ROOT / "docs/licences.md").read_text()
