"""Real content credentials: a signer, whom a test may trust, and photos that another one signed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "GPS",
    "THUMBNAIL",
    "Identity",
    "by_camera",
    "identity",
    "read",
    "signature",
]

GPS: Final = b"48,8.1234N"
THUMBNAIL: Final = b"\xff\xd8\xff the camera's own thumbnail" * 200
_CAPTURED: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
_OFFLINE: Final = {"remote_manifest_fetch": False, "ocsp_fetch": False}


class Identity(NamedTuple):
    """A signer.

    Attributes:
        chain: Its certificates in PEM, its own first.
        anchor: The last of them, whom to trust.
        key: Its key.
    """

    chain: str
    anchor: str
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The key, in PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"),
        ]
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signs,
        crl_sign=not signs,
        encipher_only=False,
        decipher_only=False,
    )


@cache
def identity(
    name: str = "Renditions",
    *,
    days: tuple[int, int] = (-30, 300),
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> Identity:
    """Return a signer whose certificate is valid from and to so many days from now."""
    anchor_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.now(UTC).replace(microsecond=0)
    issuer = _name(f"{name}'s anchor")

    def certificate(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, span: tuple[int, int], *, signs: bool
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=span[0]))
            .not_valid_after(now + timedelta(days=span[1]))
            .add_extension(x509.BasicConstraints(ca=not signs, path_length=None), critical=True)
            .add_extension(_usage(signs=signs), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    root = certificate(issuer, anchor_key.public_key(), (-400, 4000), signs=False)
    leaf = (
        certificate(_name(name), key.public_key(), days, signs=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(anchor_key.public_key()),
            critical=False,
        )
    )
    pems = [
        one.sign(anchor_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        for one in (leaf, root)
    ]
    return Identity(chain="".join(pems), anchor=pems[1], key=key)


def signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Return the signature of ``data`` by ES256, as COSE has it."""
    numbers = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return b"".join(number.to_bytes(32, "big") for number in numbers)


_METADATA: Final = {"@context": {"exif": "http://ns.adobe.com/exif/1.0/"}}
_ASSERTIONS: Final = (
    {
        "label": "stds.exif",
        "data": _METADATA | {"exif:GPSLatitude": GPS.decode(), "exif:Make": "A camera"},
        "kind": "Json",
    },
    {
        "label": "c2pa.metadata",
        "data": _METADATA | {"exif:GPSLongitude": "11,34.5678E"},
        "kind": "Json",
    },
    {"label": "com.example.secret", "data": {"serial": "SERIAL-4711"}},
)


def by_camera(
    photo: bytes,
    media_type: str = "image/jpeg",
    assertions: Sequence[Mapping[str, Any]] = _ASSERTIONS,
    settings: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a photo as a camera has signed it: with position, serial number and a thumbnail."""
    camera = identity("Camera")
    created = {"action": "c2pa.created", "digitalSourceType": _CAPTURED}
    definition = {
        "claim_generator_info": [{"name": "Camera", "version": "1"}],
        "format": media_type,
        "thumbnail": {"format": "image/jpeg", "identifier": "thumbnail"},
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            *assertions,
        ],
    }
    chosen = {"version": 1, "verify": _OFFLINE, "builder": {"thumbnail": {"enabled": False}}}
    with c2pa.Context(settings=c2pa.Settings.from_dict(chosen | dict(settings or {}))) as context:
        builder = c2pa.Builder(definition, context=context)
        builder.add_resource("thumbnail", BytesIO(THUMBNAIL))
        signer = c2pa.Signer.from_callback(
            lambda data: signature(camera.key, data), c2pa.C2paSigningAlg.ES256, camera.chain
        )
        out = BytesIO()
        builder.sign(signer, media_type, BytesIO(photo), out)
    return out.getvalue()


def read(picture: bytes, media_type: str = "image/jpeg") -> dict[str, Any]:
    """Return what c2pa's own reader says of a picture, trusting both test anchors."""
    anchors = identity().anchor + identity("Camera").anchor
    settings = {
        "version": 1,
        "verify": _OFFLINE | {"verify_trust": True},
        "trust": {"trust_anchors": anchors},
    }
    with c2pa.Context(settings=c2pa.Settings.from_dict(settings)) as context:
        said: dict[str, Any] = json.loads(
            c2pa.Reader(media_type, BytesIO(picture), context=context).detailed_json()
        )
    return said
