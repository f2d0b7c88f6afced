"""Attaches a document to an image in a registry: beside it, so that its tag stays one manifest.

Lambda refuses an index, which is what an image with attestations in it would be. A referrer is a
manifest of its own that names the image as its subject.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
CYCLONEDX = "application/vnd.cyclonedx+json"


class RegistryError(Exception):
    """The registry did not do what it was asked; the message says what, and what it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a manifest says of a blob or of another manifest."""

    media_type: str
    digest: str
    size: int

    def as_dict(self) -> dict[str, Any]:
        """Returns it as it stands in a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def describe(data: bytes, media_type: str) -> Descriptor:
    """Returns the descriptor of some bytes."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Descriptor(media_type=media_type, digest=digest, size=len(data))


class Repository:
    """One repository of a registry, over its HTTP API."""

    def __init__(self, base_url: str, name: str, headers: Mapping[str, str] | None = None) -> None:
        """Prepares it; nothing is asked yet.

        Args:
            base_url: Scheme and host.
            name: The repository's path.
            headers: Sent with each request; credentials.
        """
        self._url = f"{base_url}/v2/{name}"
        self._headers = dict(headers or {})

    def _ask(
        self, method: str, url: str, data: bytes | None = None, **headers: str
    ) -> tuple[int, Message, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(  # noqa: S310 - the scheme is the caller's, http or https
            url, data=data, method=method, headers=named
        )
        # Not where a registry sends the asker on to: a store of its own takes no two credentials.
        for name, value in self._headers.items():
            request.add_unredirected_header(name, value)
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()
        except OSError as error:
            message = f"Expected an answer from {url} but received {error}"
            raise RegistryError(message) from error

    def manifest(self, reference: str, *accepted: str) -> tuple[Descriptor, bytes] | None:
        """Returns what a tag or digest names; None if there is nothing.

        Raises:
            RegistryError: The registry refused.
        """
        url = f"{self._url}/manifests/{reference}"
        status, headers, body = self._ask("GET", url, Accept=", ".join(accepted))
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            message = f"Expected the manifest {reference} but the registry answered {status}"
            raise RegistryError(message)
        return describe(body, headers["Content-Type"]), body

    def blob(self, digest: str) -> bytes:
        """Returns the bytes of a digest.

        Raises:
            RegistryError: The registry has none, or refused.
        """
        status, _, body = self._ask("GET", f"{self._url}/blobs/{digest}")
        if status != HTTPStatus.OK:
            message = f"Expected the blob {digest} but the registry answered {status}"
            raise RegistryError(message)
        return body

    def put_blob(self, data: bytes, media_type: str) -> Descriptor:
        """Stores some bytes, unless they are there.

        Raises:
            RegistryError: The registry refused.
        """
        made = describe(data, media_type)
        if self._ask("HEAD", f"{self._url}/blobs/{made.digest}")[0] == HTTPStatus.OK:
            return made
        status, headers, _ = self._ask("POST", f"{self._url}/blobs/uploads/", b"")
        if status == HTTPStatus.ACCEPTED:
            place = urllib.parse.urljoin(self._url, headers["Location"])
            place += ("&" if "?" in place else "?") + urllib.parse.urlencode(
                {"digest": made.digest}
            )
            kind = "application/octet-stream"
            status, _, _ = self._ask("PUT", place, data, Content_Type=kind)
        if status != HTTPStatus.CREATED:
            message = f"Expected to store {made.size} bytes but the registry answered {status}"
            raise RegistryError(message)
        return made

    def put_manifest(self, reference: str, document: Mapping[str, Any]) -> Message:
        """Stores a manifest or an index, and returns the answer's headers.

        Raises:
            RegistryError: The registry refused.
        """
        url = f"{self._url}/manifests/{reference}"
        status, headers, body = self._ask(
            "PUT", url, _encoded(document), Content_Type=document["mediaType"]
        )
        if status != HTTPStatus.CREATED:
            message = f"Expected to store {reference} but the registry answered {status}: {body!r}"
            raise RegistryError(message)
        return headers


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def attach(repository: Repository, subject: Descriptor, data: bytes, artifact_type: str) -> str:
    """Stores a document as a referrer of `subject`, and returns the referrer's digest.

    A registry that does not keep the list of referrers itself says so by leaving a header out; the
    list is then an index under a tag made of the subject's digest.

    Raises:
        RegistryError: The registry refused.
    """
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": repository.put_blob(b"{}", EMPTY).as_dict(),
        "layers": [repository.put_blob(data, artifact_type).as_dict()],
        "subject": subject.as_dict(),
    }
    made = describe(_encoded(manifest), MANIFEST)
    answer = repository.put_manifest(made.digest, manifest)
    if answer.get("OCI-Subject") is None:
        _list_by_tag(repository, subject, made, artifact_type)
    return made.digest


def _list_by_tag(
    repository: Repository, subject: Descriptor, made: Descriptor, artifact_type: str
) -> None:
    tag = subject.digest.replace(":", "-")
    found = repository.manifest(tag, INDEX)
    listed = [] if found is None else json.loads(found[1])["manifests"]
    entry = made.as_dict() | {"artifactType": artifact_type}
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [*(one for one in listed if one["digest"] != made.digest), entry],
    }
    repository.put_manifest(tag, index)
