"""Pushes an image to a registry and checks that Lambda will take it.

`python -m scripts.push IMAGE HOST/REPOSITORY[:TAG]`: where the host is an Amazon ECR one, the
repository is created if it is missing and Docker is logged in, with the credentials that the AWS
tools use. The image's bill of materials is attached as a referrer: the tag stays one manifest. Ends
with the reference by digest that a deployment should name.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3

from scripts.inventory import InventoryError, bill_of_materials, components, look
from scripts.referrers import CYCLONEDX, Descriptor, RegistryError, Repository, attach

if TYPE_CHECKING:
    from collections.abc import Sequence

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
ECR_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
)
LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")


class PushError(Exception):
    """What was asked for cannot be pushed, or Lambda would refuse what was pushed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place in a registry.

    Attributes:
        host: The registry's name, with a port if it has one.
        repository: The repository's path on that host.
        tag: The tag to push to.
    """

    host: str
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}:{self.tag}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are to a registry."""

    user: str
    password: str = dataclasses.field(repr=False)


def parse_target(text: str) -> Target:
    """Reads `HOST/REPOSITORY[:TAG]`; without a tag it is `latest`, as with docker.

    Raises:
        PushError: It is not of that form.
    """
    found = re.fullmatch(
        r"(?P<host>[^/]+[.:][^/]+|localhost)/(?P<path>[^:@]+)(:(?P<tag>.+))?", text
    )
    if found is None:
        message = f"Expected HOST/REPOSITORY[:TAG] for ECR but received {text!r}"
        raise PushError(message)
    return Target(host=found["host"], repository=found["path"], tag=found["tag"] or "latest")


def ensure_ecr_repository(target: Target, ecr: Any) -> None:  # noqa: ANN401 - boto3 makes the class
    """Creates the repository if it is missing."""
    try:
        ecr.describe_repositories(repositoryNames=[target.repository])
    except ecr.exceptions.RepositoryNotFoundException:
        ecr.create_repository(
            repositoryName=target.repository,
            imageScanningConfiguration={"scanOnPush": True},
        )
        print(f"created the repository {target.repository}")


def ecr_credentials(ecr: Any) -> Credentials:  # noqa: ANN401 - boto3 makes the class
    """Returns the user and password, good for twelve hours, that ECR gives the caller."""
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, password = base64.b64decode(token).decode().split(":", 1)
    return Credentials(user=user, password=password)


def repository_of(target: Target, credentials: Credentials | None = None) -> Repository:
    """Returns the target's repository."""
    scheme = "http" if LOOPBACK.fullmatch(target.host) else "https"
    headers = {}
    if credentials is not None:
        pair = f"{credentials.user}:{credentials.password}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return Repository(f"{scheme}://{target.host}", target.repository, headers)


def architecture(uri: str) -> str:
    """Returns what the image `HOST/REPOSITORY@sha256:...` was built for, in Lambda's words.

    Raises:
        PushError: There is no such image, or the registry refused.
    """
    name, _, digest = uri.partition("@")
    target = parse_target(name)
    credentials = None
    if found := ECR_HOST.fullmatch(target.host):
        credentials = ecr_credentials(boto3.client("ecr", region_name=found["region"]))
    repository = repository_of(target, credentials)
    try:
        manifest = repository.manifest(digest, *MANIFESTS)
        if manifest is None:
            message = f"Expected an image at {uri} but the registry has none"
            raise PushError(message)
        config = json.loads(repository.blob(json.loads(manifest[1])["config"]["digest"]))
    except RegistryError as error:
        message = f"{uri}: {error}"
        raise PushError(message) from error
    built_for = str(config["architecture"])
    return {"amd64": "x86_64"}.get(built_for, built_for)


def check_manifest(target: Target, credentials: Credentials | None = None) -> Descriptor:
    """Reads from the registry what the tag names and returns its descriptor.

    Raises:
        PushError: It is not the manifest of one image for one platform, the only kind that Lambda
            takes.
    """
    try:
        found = repository_of(target, credentials).manifest(target.tag, *MANIFESTS, *INDEXES)
    except RegistryError as error:
        message = f"{target}: {error}"
        raise PushError(message) from error
    if found is None:
        message = f"{target}: there is no such manifest in the registry"
        raise PushError(message)
    descriptor, body = found
    kind = json.loads(body).get("mediaType") or descriptor.media_type
    if kind not in MANIFESTS:
        message = (
            f"Expected a single-platform manifest at {target} but received {kind}, which Lambda "
            "refuses: build without attestations (make image does)"
        )
        raise PushError(message)
    return descriptor


def push(image: str, target: Target) -> str:
    """Pushes a local image with its bill of materials, and returns the digest of the image.

    Raises:
        PushError: Lambda would refuse what is there now, or the document could not be attached.
        InventoryError: Something in the image has a licence that is not accepted.
        subprocess.CalledProcessError: Docker could not tag, log in or push; it has said why.
    """
    docker = os.environ.get("DOCKER", "docker")
    made = components(look(image))
    credentials = None
    if found := ECR_HOST.fullmatch(target.host):
        ecr = boto3.client("ecr", region_name=found["region"])
        ensure_ecr_repository(target, ecr)
        credentials = ecr_credentials(ecr)
        subprocess.run(
            [docker, "login", "--username", credentials.user, "--password-stdin", target.host],
            input=credentials.password.encode(),
            check=True,
        )
    subprocess.run([docker, "tag", image, str(target)], check=True)
    subprocess.run([docker, "push", "--quiet", str(target)], check=True)
    descriptor = check_manifest(target, credentials)
    document = json.dumps(bill_of_materials(str(target), made)).encode()
    try:
        attach(repository_of(target, credentials), descriptor, document, CYCLONEDX)
    except RegistryError as error:
        message = f"The image is there, its bill of materials is not: {error}"
        raise PushError(message) from error
    # Still one manifest under the tag, with the document beside it.
    return check_manifest(target, credentials).digest


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.push", description=__doc__)
    parser.add_argument("image", help="the local image")
    parser.add_argument("target", help="HOST/REPOSITORY[:TAG]")
    options = parser.parse_args(arguments)
    try:
        target = parse_target(options.target)
        digest = push(options.image, target)
    except (PushError, InventoryError) as error:
        print(f"push: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    print(f"pushed one image for one platform: {target.host}/{target.repository}@{digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
