"""Who signs: what is wrong with a signer is an init error that says so, and a right one signs."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from moto import mock_aws

from handler import signer as signing
from handler.cli import main
from handler.errors import SettingsError, SigningError
from handler.runtime import ending
from handler.settings import SignerSettings, read_settings, signer_settings
from imaging.config import load_config, parse_config
from imaging.errors import ConfigError
from imaging.signatures import SIGNATURE_BYTES, Signing
from tests.photos import jpeg
from tests.photos.signing import Identity, by_camera, identity, read
from tests.rendering import header_of

RENDITION = '[[renditions]]\nname = "a"\n'
KEEP = "[credentials]\nkeep = true\n"
ARN = "arn:aws:kms:us-east-1:000000000000:key/1234"


def no_text(place: str) -> str:
    """Read nothing from S3."""
    raise SettingsError(f"CREDENTIALS_CERTIFICATES: expected no {place}")


def settings_of(environ: Mapping[str, str]) -> SignerSettings:
    """Return what an environment says of a signer."""
    return SignerSettings(
        key=environ.get("CREDENTIALS_KEY", ""),
        certificates=environ.get("CREDENTIALS_CERTIFICATES", ""),
        region=environ.get("AWS_REGION"),
        wanted_by="mine.toml:2: credentials.keep",
    )


def made(environ: Mapping[str, str]) -> Signing:
    """Return the signer of an environment."""
    return signing.make_signing(settings_of(environ), no_text)


@pytest.fixture
def key_file(tmp_path: Path) -> Callable[[str], str]:
    """Write a key; return where it is."""

    def write(text: str) -> str:
        path = tmp_path / "key.pem"
        path.write_text(text, "ascii")
        return str(path)

    return write


def test_a_key_in_a_file_signs(key_file: Callable[[str], str]) -> None:
    """With certificates as text and as a file; the key's text is in no representation."""
    me = identity()
    place = key_file(me.pem)
    signer = made({"CREDENTIALS_KEY": place, "CREDENTIALS_CERTIFICATES": me.chain})
    signature = signer.sign(b"text")
    assert len(signature) == SIGNATURE_BYTES
    numbers = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    der = utils.encode_dss_signature(*numbers)
    me.key.public_key().verify(der, b"text", ec.ECDSA(hashes.SHA256()))
    assert "PRIVATE" not in repr(signer)
    ends = x509.load_pem_x509_certificates(me.chain.encode())[0].not_valid_after_utc
    assert signer.ends_s == ends.timestamp()


def test_certificates_may_be_an_object_of_s3(key_file: Callable[[str], str]) -> None:
    """It is read once, at init."""
    me = identity()
    read: list[str] = []

    def text(place: str) -> str:
        read.append(place)
        return me.chain

    environ = {"CREDENTIALS_KEY": key_file(me.pem), "CREDENTIALS_CERTIFICATES": "s3://a/b.pem"}
    assert signing.make_signing(settings_of(environ), text).signer.certificates == me.chain
    assert read == ["s3://a/b.pem"]


def _p384() -> str:
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


ME = identity()
EXPIRED = identity("Expired", days=(-300, -1))
LATER = identity("Later", days=(1, 300))
SERVER = identity("Server", usage=ExtendedKeyUsageOID.SERVER_AUTH)
_LEAF, _ROOT = (
    f"{one}-----END CERTIFICATE-----\n" for one in ME.chain.split("-----END CERTIFICATE-----\n")[:2]
)

KEY, CHAIN = "CREDENTIALS_KEY: expected ", "CREDENTIALS_CERTIFICATES: expected "
WRONG: dict[str, tuple[str | None, str | None, str]] = {
    "no key": (None, ME.chain, KEY + ".* for mine.toml:2: credentials.keep but received nothing"),
    "no certificates": (ME.pem, None, CHAIN + "certificates in PEM.* but received nothing"),
    "no certificate": (ME.pem, "-----BEGIN CERTIFICATE-----\nx", CHAIN + ".* but received none"),
    "no such file": (ME.pem, "nowhere.pem", CHAIN + ".* but received 'nowhere.pem': No such file"),
    "expired": (EXPIRED.pem, EXPIRED.chain, CHAIN + ".*valid today but received .*CN=Expired'"),
    "not valid yet": (LATER.pem, LATER.chain, CHAIN + ".*valid today but received .*CN=Later'"),
    "for other things": (SERVER.pem, SERVER.chain, CHAIN + ".*for signing content .*CN=Server'"),
    "its own issuer": (ME.pem, _ROOT, CHAIN + ".*another one issued but received .*anchor"),
    "the wrong way round": (ME.pem, _ROOT + _LEAF, CHAIN + ".*another one issued but .*anchor"),
    "another's issuer": (ME.pem, _LEAF + SERVER.anchor, CHAIN + "each certificate to be issued by"),
    "another's key": (SERVER.pem, ME.chain, KEY + "the key of the first certificate .* another"),
    "no private key": ("-----BEGIN PRIVATE KEY-----\nx", ME.chain, KEY + "a private key in PEM"),
    "another curve": (_p384(), ME.chain, KEY + "a key of P-256"),
    "too many certificates": (ME.pem, _LEAF + _ROOT * 8, CHAIN + "at most 8 certificates, not 9"),
    "too long": (ME.pem, ME.chain + "#" * 20_000, CHAIN + "certificates of at most 16384 bytes"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_a_signer_is_an_init_error(
    kind: str, key_file: Callable[[str], str]
) -> None:
    """It names the variable, what was expected and what was received, and repeats no key."""
    key, certificates, message = WRONG[kind]
    environ = {
        "CREDENTIALS_KEY": "" if key is None else key_file(key),
        "CREDENTIALS_CERTIFICATES": certificates or "",
    }
    with pytest.raises(SettingsError, match=message) as caught:
        made(environ)
    assert not key or key[30:90] not in str(caught.value) or len(key) < 90


def said_by_check(
    key: str | None,
    certificates: str | None,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> int:
    """Return the status of `renditions check` of what keeps credentials, where a signer is set."""
    for variable, value in (("KEY", key), ("CERTIFICATES", certificates)):
        if value is None:
            monkeypatch.delenv(f"CREDENTIALS_{variable}", raising=False)
        else:
            monkeypatch.setenv(f"CREDENTIALS_{variable}", value)
    file = folder / "mine.toml"
    file.write_text(KEEP + RENDITION, "utf-8")
    return main(["check", str(file)])


@pytest.mark.parametrize("kind", WRONG)
def test_check_says_of_a_signer_what_init_would(
    kind: str,
    key_file: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Word by word, and before anything is said to be right."""
    key, certificates, _ = WRONG[kind]
    place = None if key is None else key_file(key)
    assert said_by_check(place, certificates, tmp_path, monkeypatch) == 2
    asked = signer_settings(os.environ, load_config(tmp_path / "mine.toml"))
    assert asked is not None
    with pytest.raises(SettingsError) as caught:
        signing.make_signing(asked, no_text)
    assert capsys.readouterr() == ("", f"bad-settings: {caught.value}\n")


def test_check_says_who_signs(
    key_file: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And until when; of a key in KMS nothing is asked, and where none is named it says so.

    That a signer is well-formed is no promise that anybody trusts it.
    """
    monkeypatch.setattr(signing, "_client", lambda _: pytest.fail("KMS was asked"))
    ends = x509.load_pem_x509_certificates(ME.chain.encode())[0].not_valid_after_utc
    own = ME.chain[: -len(ME.anchor)]
    assert len(x509.load_pem_x509_certificates(own.encode())) == 1
    anchor = x509.load_pem_x509_certificates(ME.anchor.encode())[0].subject.rfc4514_string()
    whose = (
        f"signed by 'O=Test,CN=Renditions', until {ends:%Y-%m-%d}; trusted only by readers whose "
        f"list has {anchor!r}, which is not checked"
    )
    for key, certificates, expected in (
        (key_file(ME.pem), ME.chain, whose),
        # Whoever issued it, it does not say so: that is whom a reader has to know.
        (key_file(ME.pem), own, whose),
        (ARN, ME.chain, whose + "; whether the key in KMS is its own is seen at init"),
        (None, None, "not checked who signs"),
    ):
        assert said_by_check(key, certificates, tmp_path, monkeypatch) == 0
        said = capsys.readouterr().out.splitlines()[1]
        assert said.startswith(f"{tmp_path / 'mine.toml'}:2: credentials.keep: {expected}")


def test_check_of_a_stack_takes_its_signer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stack without one, or with a key elsewhere, would not start; this environment's is not."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("CREDENTIALS_KEY", "nowhere.pem")
    names = ("RenditionsToml", "CredentialsKeyArn", "CredentialsCertificates")
    template = {
        "Parameters": {name: {"Type": "String", "Default": ""} for name in names},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    }
    file = tmp_path / "mine.toml"
    file.write_text(KEEP + RENDITION, "utf-8")
    with mock_aws():
        client = boto3.client("cloudformation")
        for name, key, status, expected in (
            ("without", "", 2, "bad-settings: CREDENTIALS_KEY: expected .* but received nothing"),
            ("elsewhere", ARN.replace("us-east-1", "eu-west-1"), 2, "function's region, us-east-1"),
            ("right", ARN, 0, "signed by 'O=Test,CN=Renditions'"),
        ):
            given = (RENDITION, key, ME.chain if key else "")
            client.create_stack(
                StackName=name,
                TemplateBody=json.dumps(template),
                Parameters=[
                    {"ParameterKey": one, "ParameterValue": value}
                    for one, value in zip(names, given, strict=True)
                ],
            )
            assert main(["check", str(file), "--stack", name]) == status
            assert re.search(expected, "".join(capsys.readouterr()))


def test_local_files_are_carried_on_by_a_key_at_hand(
    key_file: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`renditions render` and `plan` sign as the function does, or say that nobody does."""
    config, photo = tmp_path / "mine.toml", tmp_path / "a.jpg"
    config.write_text(f"{KEEP}side = 1\n{RENDITION}", "utf-8")
    photo.write_bytes(by_camera(jpeg(120, 80)))

    def render(out: str) -> int:
        return main(["render", str(photo), "--out", str(tmp_path / out), "--config", str(config)])

    monkeypatch.delenv("CREDENTIALS_KEY", raising=False)
    monkeypatch.delenv("CREDENTIALS_CERTIFICATES", raising=False)
    assert render("bare") == 0
    assert f"{config}:2: credentials.keep: renditions have no" in capsys.readouterr().err
    assert header_of((tmp_path / "bare/a.jpg/a.jpg").read_bytes()).credentials is None
    monkeypatch.setenv("CREDENTIALS_CERTIFICATES", ME.chain)
    assert render("wrong") == 2
    assert "bad-settings: CREDENTIALS_KEY: expected" in capsys.readouterr().err
    monkeypatch.setenv("CREDENTIALS_KEY", key_file(ME.pem))
    assert render("signed") == 0
    assert read((tmp_path / "signed/a.jpg/a.jpg").read_bytes())["validation_state"] == "Trusted"
    capsys.readouterr()
    assert main(["plan", str(photo), "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert json.loads(said)["renditions"][0]["keeps_credentials"]
    assert "PRIVATE" not in said


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:kms:eu-west-1:000000000000:key/1234",
        "arn:aws:s3:us-east-1:000000000000:key/1234",
        "arn:aws:kms:us-east-1:000000000000:alias/mine",
    ],
)
def test_another_arn_is_refused(arn: str) -> None:
    """Of another region or service, or an alias, for which the role has no permission."""
    environ = {"CREDENTIALS_KEY": arn, "CREDENTIALS_CERTIFICATES": ME.chain}
    with pytest.raises(SettingsError, match=r"ARN of a KMS key in this function's region, us-east"):
        made(environ | {"AWS_REGION": "us-east-1"})


class Kms:
    """KMS, as far as it signs; or what it fails with."""

    def __init__(self, me: Identity, error: Exception | None = None) -> None:
        self.me = me
        self.error = error
        self.asked: list[dict[str, Any]] = []

    def sign(self, **asked: Any) -> dict[str, bytes]:  # noqa: ANN401 - as botocore's
        """Sign a digest, in DER."""
        self.asked.append(asked)
        if self.error is not None:
            raise self.error
        algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
        return {"Signature": self.me.key.sign(asked["Message"], algorithm)}


class Garbage(NamedTuple):
    """KMS, as it answers something else."""

    answer: dict[str, bytes]

    def sign(self, **asked: Any) -> dict[str, bytes]:  # noqa: ANN401 - as botocore's
        """Return it."""
        del asked
        return self.answer


_HUGE = utils.encode_dss_signature(1 << 300, 1)


def test_kms_signs_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is sent; the signature comes as COSE has it."""
    kms = Kms(ME)
    monkeypatch.setattr(signing, "_client", lambda _: kms)
    signer = made({"CREDENTIALS_KEY": ARN, "CREDENTIALS_CERTIFICATES": ME.chain})
    assert len(signer.sign(b"text")) == SIGNATURE_BYTES
    assert kms.asked[-1] == {
        "KeyId": ARN,
        "Message": hashlib.sha256(b"text").digest(),
        "MessageType": "DIGEST",
        "SigningAlgorithm": "ECDSA_SHA_256",
    }
    for answer in ({}, {"Signature": b""}, {"Signature": b"0"}, {"Signature": _HUGE}):
        monkeypatch.setattr(signing, "_client", lambda _, it=answer: Garbage(it))
        with pytest.raises(SigningError, match="Expected a signature of KMS") as caught:
            signer.sign(b"text")
        assert caught.value.retryable
        with pytest.raises(SettingsError, match=r"CREDENTIALS_KEY: expected a key that signs: "):
            made({"CREDENTIALS_KEY": ARN, "CREDENTIALS_CERTIFICATES": ME.chain})
    monkeypatch.setattr(signing, "_client", lambda _: Kms(SERVER))
    with pytest.raises(SigningError, match="by the key of the first certificate") as caught:
        signer.sign(b"text")
    assert caught.value.retryable
    monkeypatch.setattr(signing, "_client", lambda _: kms)
    kms.error = OSError("no route")
    with pytest.raises(SigningError, match="no route") as caught:
        signer.sign(b"text")
    assert caught.value.retryable
    with pytest.raises(SettingsError, match=r"CREDENTIALS_KEY: expected a key that signs: .*route"):
        made({"CREDENTIALS_KEY": ARN, "CREDENTIALS_CERTIFICATES": ME.chain})


def test_kms_that_never_answers_is_given_up_before_lambda_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The work stops so many seconds before; what is being signed then knows no deadline."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    signing._client.cache_clear()
    config = signing._client(0).meta.config
    signing._client.cache_clear()
    attempts = config.retries["total_max_attempts"]
    # botocore's standard mode waits up to a second before the second attempt, then twice as long.
    pauses_s = 2 ** (attempts - 1) - 1
    assert attempts * (config.connect_timeout + config.read_timeout) + pauses_s < ending._MARGIN_S


SWITCH, SIDE = "credentials: keep: expected true or false but received", "credentials: side:"


def test_the_function_s_own_client_has_kms_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the trimmed models, against moto's KMS: the key never leaves it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    signing._client.cache_clear()
    with mock_aws():
        kms = boto3.client("kms")
        made_key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        public = load_der_public_key(kms.get_public_key(KeyId=made_key["KeyId"])["PublicKey"])
        assert isinstance(public, ec.EllipticCurvePublicKey)
        signature = signing._ByKms(made_key["Arn"])(b"text")
        assert len(signature) == SIGNATURE_BYTES
        numbers = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        # moto does not know MessageType, and hashes the digest.
        digest = hashlib.sha256(b"text").digest()
        public.verify(utils.encode_dss_signature(*numbers), digest, ec.ECDSA(hashes.SHA256()))
        with pytest.raises(SigningError, match="answered NotFoundException"):
            signing._ByKms(made_key["Arn"][:-4] + "0000")(b"text")
    signing._client.cache_clear()


CONFIGS: dict[str, str] = {
    "[credentials]\n": f"1: {SWITCH} nothing",
    '[credentials]\nkeep = "yes"\n': f"2: {SWITCH} 'yes'",
    "[credentials]\nkeep = 1\n": f"2: {SWITCH} 1",
    "[credentials]\nside = 1024\n": f"1: {SWITCH} nothing",
    f"{KEEP}side = 0\n": f"3: {SIDE} expected an integer of 1 or more but received 0",
    f'{KEEP}side = "1024"\n': f"3: {SIDE} expected an integer but received '1024'",
    f"{KEEP}side = 1.5\n": f"3: {SIDE} expected an integer but received 1.5",
    "[credentials]\nkeep = false\nside = 1\n": f"3: {SIDE} expected keep to be true but received",
    f"{KEEP}key = 1\n": "3: credentials: key: expected one of the keys keep, side but received",
    "credentials = true\n": "1: credentials: expected a table but received True",
    "[[credentials]]\nkeep = true\n": "1: credentials: expected a table but received [{'keep'",
}


@pytest.mark.parametrize("text", CONFIGS)
def test_a_wrong_table_is_an_error_with_its_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`renditions check` says file, line, key, what was expected and what was received."""
    file = tmp_path / "mine.toml"
    file.write_text(text + RENDITION, "utf-8")
    assert main(["check", str(file)]) == 2
    assert f"{file}:{CONFIGS[text]}" in capsys.readouterr().err


def test_a_right_table_is_of_the_renditions_that_can_be_so_large() -> None:
    """Those that are always smaller keep their digest."""
    text = (
        KEEP
        + '[[renditions]]\nname = "a"\nwidth = 100\nheight = 100\n'
        + RENDITION.replace('"a"', '"b"')
    )
    config = parse_config(text, file="mine.toml")
    assert [one.credentials for one in config.renditions] == [None, 1024]
    assert config.credentials == "mine.toml:2: credentials.keep"
    off = parse_config("[credentials]\nkeep = false\n" + RENDITION, file="mine.toml")
    assert off == parse_config(RENDITION, file="mine.toml")
    with pytest.raises(ConfigError, match="expected one of the keys"):
        parse_config('[[renditions]]\nname = "a"\ncredentials = 5\n', file="mine.toml")


def test_a_signer_is_made_where_the_configuration_asks_for_one() -> None:
    """And nowhere else: its variables alone are no error, and cost nothing."""
    environ = {"DESTINATION_BUCKET": "b", "RENDITIONS_TOML": RENDITION, "CREDENTIALS_KEY": "x"}
    asked: list[SignerSettings] = []

    def make(settings: SignerSettings) -> Signing:
        asked.append(settings)
        raise SettingsError("refused")

    assert read_settings(environ, make_signing=make).signing is None
    assert not asked
    with pytest.raises(SettingsError, match="refused"):
        read_settings(environ | {"RENDITIONS_TOML": KEEP + RENDITION}, make_signing=make)
    (one,) = asked
    assert (one.key, one.wanted_by) == ("x", "RENDITIONS_TOML:2: credentials.keep")


def test_a_chain_is_what_readers_take() -> None:
    """The test's own signer is of the profile that C2PA wants: what is refused, is for a reason."""
    leaf = x509.load_pem_x509_certificates(ME.chain.encode())[0]
    assert json.dumps(leaf.subject.rfc4514_string()) == '"O=Test,CN=Renditions"'
