"""Every environment variable that this function reads, named and checked here, at init."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, cast

from handler.errors import SettingsError
from handler.keys import PART_OF_KEY, KeyTemplate, has_relative_segment, is_part_of_key
from handler.memory_limit import lambda_memory, memory_limit
from handler.objects import BUCKET_PATTERN
from handler.variables import check_names
from imaging.config import (
    DEFAULT_CONFIG,
    Config,
    MarkReader,
    load_config,
    parse_config,
    refuse_mark,
)
from imaging.limits import Limits, Memory
from imaging.signatures import Signing

__all__ = [
    "CompletionTarget",
    "ConfigReader",
    "Function",
    "JobAttributes",
    "SecretReader",
    "Settings",
    "SignerSettings",
    "SigningMaker",
    "StoredConfig",
    "parse_stored",
    "read_settings",
    "signer_settings",
]

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_MB_PER_VCPU: Final = 1769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
_MIN_KEY_BYTES: Final = 16
_MAX_CACHE_CONTROL_BYTES: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What Lambda says of the function; empty or None outside Lambda.

    Attributes:
        name: ``AWS_LAMBDA_FUNCTION_NAME``.
        version: ``AWS_LAMBDA_FUNCTION_VERSION``.
        memory_mb: This process's share of the memory: :func:`handler.memory_limit.lambda_memory`.
        initialization: ``AWS_LAMBDA_INITIALIZATION_TYPE``: ``on-demand``,
            ``provisioned-concurrency`` or ``snap-start``.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """

    name: str = ""
    version: str = ""
    memory_mb: int | None = None
    initialization: str = ""


def _function(environ: Mapping[str, str]) -> Function:
    memory = lambda_memory(environ)
    return Function(
        name=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        version=environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        memory_mb=memory.bytes >> 20 if memory is not None else None,
        initialization=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", ""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAttributes:
    """What the fields of a job are called in the items of a DynamoDB table.

    Attributes:
        bucket: ``DYNAMODB_BUCKET_ATTRIBUTE``.
        key: ``DYNAMODB_KEY_ATTRIBUTE``.
        version_id: ``DYNAMODB_VERSION_ATTRIBUTE``.
    """

    bucket: str = "bucket"
    key: str = "key"
    version_id: str = "versionId"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionTarget:
    """Who is told when a photo is done: ``COMPLETION_TARGET``.

    Attributes:
        service: What it is: an EventBridge bus or an SNS topic.
        arn: Which one.
    """

    service: Literal["events", "sns"]
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says.

    Attributes:
        destination_bucket: ``DESTINATION_BUCKET``, required.
        key_template: ``DESTINATION_KEY_TEMPLATE``.
        former_key_templates: ``FORMER_KEY_TEMPLATES``, separated by white space: what is found
            under them is removed once it is made under ``key_template``.
        source_buckets: ``SOURCE_BUCKET``, separated by commas: the only ones whose photos are
            taken, from every kind of event; none for any bucket, and no HTTP.
        source_prefix: ``SOURCE_PREFIX``: what the keys of photos begin with; a destination key in
            the source's own bucket must not. With ``SOURCE_BUCKET`` init checks that already.
        source_requester_pays: ``SOURCE_REQUESTER_PAYS``: the photos' buckets are Requester Pays.
        http_base_path: ``HTTP_BASE_PATH``: what a custom domain puts before every path; or empty.
        http_fallback_key: ``HTTP_FALLBACK_KEY``: the photo that is shown where there is none; or
            None.
        cors_origins: ``CORS_ORIGINS``, separated by commas: whose pages may read renditions; ``*``
            for all.
        url_signing_keys: ``URL_SIGNING_KEYS``, or what lies under ``URL_SIGNING_KEYS_ARN``; where
            there is one, HTTP requests must be signed.
        cache_control: ``CACHE_CONTROL`` of every rendition.
        rejected_prefix: ``REJECTED_PREFIX`` in the destination, where rejections are kept; or None.
        completion_target: ``COMPLETION_TARGET``, or None.
        job_attributes: ``DYNAMODB_*_ATTRIBUTE``.
        conditional_writes: ``CONDITIONAL_WRITES``: the destination's store has If-Match and
            If-None-Match for PutObject, as S3 has.
        config: What ``RENDITIONS_CONFIG`` names or ``RENDITIONS_TOML`` says, with ``LIMIT_*``
            variables applied.
        config_version: Which one that is, where it comes from outside the image: the object's
            version ID or ETag, or a digest of the variable; None for a file.
        signing: Who signs by ``CREDENTIALS_KEY`` and ``CREDENTIALS_CERTIFICATES`` where the
            configuration keeps content credentials; else None.
        log_level: ``LOG_LEVEL``.
        concurrency: libvips threads: one per vCPU that ``AWS_LAMBDA_FUNCTION_MEMORY_SIZE`` buys.
        function: What Lambda says of the function itself.
        worker_per_photo: ``WORKER_PER_PHOTO``: no worker decodes a second photo.
        memory: What the process may hold while it makes one photo; None for no limit.
    """

    destination_bucket: str
    key_template: KeyTemplate
    former_key_templates: tuple[KeyTemplate, ...]
    source_buckets: tuple[str, ...]
    source_prefix: str
    source_requester_pays: bool
    http_base_path: str
    http_fallback_key: str | None
    cors_origins: tuple[str, ...]
    url_signing_keys: tuple[bytes, ...] = field(repr=False)
    cache_control: str
    rejected_prefix: str | None
    completion_target: CompletionTarget | None
    job_attributes: JobAttributes
    conditional_writes: bool
    config: Config
    config_version: str | None
    signing: Signing | None
    log_level: str
    concurrency: int
    worker_per_photo: bool
    function: Function
    memory: Memory | None

    def is_source(self, bucket: str, key: str) -> bool:
        """Tell whether an object is a photo to be taken, going by where it is."""
        is_taken = not self.source_buckets or bucket in self.source_buckets
        return is_taken and key.startswith(self.source_prefix)


def _limits(environ: Mapping[str, str], limits: Limits) -> Limits:
    changes = {}
    for name in Limits.names():
        variable = f"LIMIT_{name.upper()}"
        if (text := environ.get(variable)) is None:
            continue
        if re.fullmatch("[0-9]{1,18}", text) is None or int(text) < 1:
            raise SettingsError(
                f"{variable}: expected an integer of 1 or more but received {text[:80]!r}"
            )
        changes[name] = int(text)
    return replace(limits, **changes)


def _job_attributes(environ: Mapping[str, str]) -> JobAttributes:
    names = {
        "bucket": "DYNAMODB_BUCKET_ATTRIBUTE",
        "key": "DYNAMODB_KEY_ATTRIBUTE",
        "version_id": "DYNAMODB_VERSION_ATTRIBUTE",
    }
    for variable in names.values():
        if environ.get(variable) == "":
            raise SettingsError(f"{variable}: expected an attribute's name but received nothing")
    return JobAttributes(
        **{field: environ[variable] for field, variable in names.items() if variable in environ}
    )


def _overlap(one: str, other: str) -> bool:
    """Tell whether a key can begin with both prefixes."""
    return one.startswith(other) or other.startswith(one)


def _bucket(variable: str, name: str) -> str:
    """Return a bucket's ``name``: with that of an access point, no loop would be noticed."""
    if re.fullmatch(BUCKET_PATTERN, name) is None:
        raise SettingsError(f"{variable}: expected a bucket's name but received {name[:80]!r}")
    return name


def _source_buckets(environ: Mapping[str, str]) -> tuple[str, ...]:
    names = environ.get("SOURCE_BUCKET", "").split(",")
    named = dict.fromkeys(name.strip() for name in names if name.strip())
    return tuple(_bucket("SOURCE_BUCKET", name) for name in named)


def _cache_control(environ: Mapping[str, str]) -> str:
    text = environ.get("CACHE_CONTROL", "public, max-age=86400")
    is_header = text.isascii() and text.isprintable() and text.strip() == text
    if not is_header or len(text) > _MAX_CACHE_CONTROL_BYTES:
        raise SettingsError(
            f"CACHE_CONTROL: expected a header's text in ASCII, of at most "
            f"{_MAX_CACHE_CONTROL_BYTES} bytes, but received {text[:80]!r}"
        )
    return text


def _key_template(environ: Mapping[str, str], names: tuple[str, ...]) -> KeyTemplate:
    template = KeyTemplate(environ.get("DESTINATION_KEY_TEMPLATE", "{key}/{name}.{ext}"), names)
    # Not of a former one: what is under it must stay removable.
    if (found := template.find_relative()) is not None:
        key, made = found
        raise SettingsError(
            "DESTINATION_KEY_TEMPLATE: expected no segments '.' and '..', which S3 may refuse and "
            f"clients resolve, but received {template.text!r}, by which {key!r} has {made!r}"
        )
    return template


def _former_key_templates(
    environ: Mapping[str, str], template: KeyTemplate
) -> tuple[KeyTemplate, ...]:
    texts = environ.get("FORMER_KEY_TEMPLATES", "").split()
    if template.text in texts:
        raise SettingsError(
            "FORMER_KEY_TEMPLATES: expected templates that are no longer in use but received "
            f"DESTINATION_KEY_TEMPLATE's own, {template.text!r}"
        )
    try:
        return tuple(KeyTemplate(text, template.names) for text in texts)
    except SettingsError as error:
        raise SettingsError(f"FORMER_KEY_TEMPLATES: {error}") from error


def _rejected_prefix(environ: Mapping[str, str], template: KeyTemplate) -> str | None:
    prefix = environ.get("REJECTED_PREFIX") or None
    if prefix is not None and not is_part_of_key(prefix):
        raise SettingsError(f"REJECTED_PREFIX: expected {PART_OF_KEY} but received {prefix[:80]!r}")
    if prefix is not None and has_relative_segment(prefix):
        raise SettingsError(
            "REJECTED_PREFIX: expected a prefix without the segments '.' and '..' but received "
            f"{prefix!r}"
        )
    if prefix is not None and template.is_manifest(f"{prefix}{'0' * 64}.json"):
        raise SettingsError(
            "REJECTED_PREFIX: expected a prefix under which no photo has its manifest but received "
            f"{prefix!r} with the keys {template.text!r}"
        )
    if (
        prefix is not None
        and environ["DESTINATION_BUCKET"] in _source_buckets(environ)
        and _overlap(prefix, environ.get("SOURCE_PREFIX", ""))
    ):
        raise SettingsError(
            "REJECTED_PREFIX: expected a prefix that cannot trigger this function again but "
            f"received {prefix!r} in the source's own bucket"
        )
    return prefix


def _region(environ: Mapping[str, str]) -> str | None:
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")


def _service_of(
    environ: Mapping[str, str], variable: str, services: Mapping[str, str], what: str
) -> str:
    """Return the service of the ARN in ``variable``, which must be of the function's region.

    Args:
        environ: The environment.
        variable: Which one has it.
        services: By each service that it may be of, the pattern of the resource.
        what: What it may be, for the message.
    """
    found = re.fullmatch(
        r"arn:aws[a-z-]*:(?P<service>[a-z]+):(?P<region>[^:]+):\d+:(?P<resource>.+)",
        environ[variable],
    )
    resource = services.get(found["service"]) if found is not None else None
    region = _region(environ)
    if (
        found is None
        or resource is None
        or re.fullmatch(resource, found["resource"]) is None
        or region not in {None, found["region"]}
    ):
        raise SettingsError(
            f"{variable}: expected the ARN of {what} in this function's region, {region}, but "
            f"received {environ[variable]!r}"
        )
    return found["service"]


def _completion_target(environ: Mapping[str, str]) -> CompletionTarget | None:
    arn = environ.get("COMPLETION_TARGET", "")
    if not arn:
        return None
    services = {"events": r"event-bus/\S+", "sns": r"[^:]+(?<!\.fifo)"}
    what = "an event bus or of a standard SNS topic"
    service = _service_of(environ, "COMPLETION_TARGET", services, what)
    return CompletionTarget(service=cast("Literal['events', 'sns']", service), arn=arn)


SecretReader = Callable[[str], str]
"""Reads the text under an ARN of Parameter Store or Secrets Manager; raises SettingsError."""


def _refuse_secret(arn: str) -> str:
    raise SettingsError(f"expected no secret to be read but received {arn}")


def _stored_keys(environ: Mapping[str, str], arn: str, read_secret: SecretReader) -> str:
    """Return what lies under the ARN, which is checked before anything is asked for."""
    if environ.get("URL_SIGNING_KEYS"):
        raise SettingsError(
            "URL_SIGNING_KEYS_ARN: expected it or URL_SIGNING_KEYS but received both, it as "
            f"{arn!r}"
        )
    services = {"ssm": "parameter/.+", "secretsmanager": "secret:[^:]+"}
    what = "a parameter of Parameter Store or of a secret of Secrets Manager"
    _service_of(environ, "URL_SIGNING_KEYS_ARN", services, what)
    try:
        return read_secret(arn)
    except SettingsError as error:
        raise SettingsError(f"URL_SIGNING_KEYS_ARN: {error}") from error


def _url_signing_keys(environ: Mapping[str, str], read_secret: SecretReader) -> tuple[bytes, ...]:
    arn = environ.get("URL_SIGNING_KEYS_ARN", "")
    text = _stored_keys(environ, arn, read_secret) if arn else environ.get("URL_SIGNING_KEYS", "")
    try:
        keys = tuple(map(bytes.fromhex, text.replace(",", " ").split()))
    except ValueError:
        keys = (b"",)
    # A secret without a key would turn signing off.
    if any(len(key) < _MIN_KEY_BYTES for key in keys) or (arn and not keys):
        # What was received is a secret, and not repeated in a message.
        raise SettingsError(
            f"{f'URL_SIGNING_KEYS_ARN: {arn}' if arn else 'URL_SIGNING_KEYS'}: expected keys of "
            f"{_MIN_KEY_BYTES} bytes or more in hexadecimal, separated by commas, but received "
            f"{len(text)} characters that are none"
        )
    return keys


def _http_fallback_key(environ: Mapping[str, str], template: KeyTemplate) -> str | None:
    key = environ.get("HTTP_FALLBACK_KEY") or None
    prefix = environ.get("SOURCE_PREFIX", "")
    if key is not None and not key.startswith(prefix):
        raise SettingsError(
            f"HTTP_FALLBACK_KEY: expected a key that begins with SOURCE_PREFIX {prefix!r} but "
            f"received {key!r}"
        )
    if key is not None and not template.has_room_for(key):
        raise SettingsError(
            f"HTTP_FALLBACK_KEY: expected a key that leaves room for a rendition's but received "
            f"{key[:80]!r}"
        )
    return key


def _cors_origins(environ: Mapping[str, str]) -> tuple[str, ...]:
    origins = environ.get("CORS_ORIGINS", "").replace(",", " ").split()
    for origin in origins:
        if origin != "*" and re.fullmatch(r"https?://[^/?#@*]+", origin) is None:
            raise SettingsError(
                "CORS_ORIGINS: expected origins such as https://example.org, separated by commas, "
                f"or * but received {origin!r}"
            )
    return tuple(dict.fromkeys(origins))


def _http_base_path(environ: Mapping[str, str]) -> str:
    path = environ.get("HTTP_BASE_PATH", "")
    if re.fullmatch(r"(/[^/?#%\s]+)*", path) is None:
        raise SettingsError(
            "HTTP_BASE_PATH: expected a path such as /photos, without a slash at its end, but "
            f"received {path!r}"
        )
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConfig:
    """A configuration as an object of S3: its text, and its version ID, or its ETag for none."""

    text: str
    version: str


ConfigReader = Callable[[str], StoredConfig]
"""Reads what is at ``s3://bucket/key``; raises SettingsError if it cannot."""


def _refuse_stored(place: str) -> StoredConfig:
    raise SettingsError(f"RENDITIONS_CONFIG: expected a file but received {place!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerSettings:
    """Who signs content credentials.

    Attributes:
        key: ``CREDENTIALS_KEY``; empty for none.
        certificates: ``CREDENTIALS_CERTIFICATES``; empty for none.
        region: The function's; None where nothing says it.
        wanted_by: What asks for a signer, as a message names it.
    """

    key: str
    certificates: str
    region: str | None
    wanted_by: str


SigningMaker = Callable[[SignerSettings], Signing]
"""Returns who signs; raises SettingsError."""


def signer_settings(environ: Mapping[str, str], config: Config) -> SignerSettings | None:
    """Return who is to sign; None where the configuration keeps no content credentials."""
    if config.credentials is None:
        return None
    return SignerSettings(
        key=environ.get("CREDENTIALS_KEY", ""),
        certificates=environ.get("CREDENTIALS_CERTIFICATES", ""),
        region=_region(environ),
        wanted_by=config.credentials,
    )


def _signing(
    environ: Mapping[str, str], config: Config, make: SigningMaker | None
) -> Signing | None:
    asked = signer_settings(environ, config)
    return None if make is None or asked is None else make(asked)


def parse_stored(
    place: str, prefix: str, read_stored: ConfigReader, read_mark: MarkReader
) -> tuple[Config, str]:
    """Return the configuration that is an object of S3, and which one it is.

    Args:
        place: ``s3://bucket/key``; pictures of watermarks lie beside it, or have their own place.
        prefix: What the key of every photo begins with.
        read_stored: Reads it.
        read_mark: Reads the pictures.

    Raises:
        SettingsError: It cannot be read.
        ConfigError: It is wrong.
    """
    stored = read_stored(place)
    folder = place.rpartition("/")[0]

    def read_beside(name: str) -> bytes:
        return read_mark(name if name.startswith("s3://") else f"{folder}/{name}")

    config = parse_config(stored.text, file=place, prefix=prefix, read_mark=read_beside)
    return config, stored.version


def _config(
    environ: Mapping[str, str], read_stored: ConfigReader, read_mark: MarkReader
) -> tuple[Config, str | None]:
    """Return the configuration, and which one it is where it is not the image's."""
    prefix = environ.get("SOURCE_PREFIX", "")
    text, place = environ.get("RENDITIONS_TOML", ""), environ.get("RENDITIONS_CONFIG", "")
    if text and place:
        raise SettingsError(
            f"RENDITIONS_TOML: expected it or RENDITIONS_CONFIG but received both, one as {place!r}"
        )
    if text:
        digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
        return parse_config(
            text, file="RENDITIONS_TOML", prefix=prefix, read_mark=read_mark
        ), digest
    if place.startswith("s3://"):
        return parse_stored(place, prefix, read_stored, read_mark)
    path = Path(place or DEFAULT_CONFIG)
    return load_config(path, prefix=prefix, read_stored_mark=read_mark), None


def _boolean(environ: Mapping[str, str], variable: str, *, default: bool) -> bool:
    text = environ.get(variable, str(default)).lower()
    if text not in {"true", "false"}:
        raise SettingsError(f"{variable}: expected true or false but received {text!r}")
    return text == "true"


def read_settings(
    environ: Mapping[str, str] = os.environ,
    read_stored: ConfigReader = _refuse_stored,
    read_mark: MarkReader = refuse_mark,
    read_secret: SecretReader = _refuse_secret,
    make_signing: SigningMaker | None = None,
) -> Settings:
    """Return the settings in ``environ``.

    Args:
        environ: The environment.
        read_stored: Reads the configuration where ``RENDITIONS_CONFIG`` names an object of S3.
        read_mark: Reads the pictures of watermarks that are objects of S3.
        read_secret: Reads what ``URL_SIGNING_KEYS_ARN`` names.
        make_signing: Makes the signer where the configuration keeps content credentials; None for
            who makes no renditions.

    Raises:
        SettingsError: A variable is missing or wrong, or its name nearly is a setting's; the
            message names it, what was expected and what was received.
        ConfigError: What ``RENDITIONS_CONFIG`` names, or ``RENDITIONS_TOML`` says, is wrong.

    *Cost*: one GetObject where ``RENDITIONS_CONFIG`` names an object; one request for a secret.
    """
    check_names(environ)
    bucket = environ.get("DESTINATION_BUCKET", "")
    if not bucket:
        raise SettingsError("DESTINATION_BUCKET: expected a bucket's name but received nothing")
    _bucket("DESTINATION_BUCKET", bucket)
    config, config_version = _config(environ, read_stored, read_mark)
    names = tuple(dict.fromkeys(spec.name for spec in config.renditions))
    template = _key_template(environ, names)
    source_prefix = environ.get("SOURCE_PREFIX", "")
    if not template.has_room_for(f"{source_prefix}a"):
        raise SettingsError(
            f"SOURCE_PREFIX: expected a prefix of UTF-8 that leaves room for a key but received "
            f"{source_prefix[:80]!r}"
        )
    sources = _source_buckets(environ)
    if len(sources) > 1 and not template.has_bucket:
        raise SettingsError(
            f"DESTINATION_KEY_TEMPLATE: expected {{bucket}} for {len(sources)} source buckets "
            f"but received {template.text!r}"
        )
    if bucket in sources and _overlap(template.prefix, source_prefix):
        raise SettingsError(
            f"DESTINATION_BUCKET: expected a bucket or a prefix that cannot trigger this function "
            f"again but received the source's own, {bucket!r}, with the keys {template.text!r}"
        )
    named = environ.get("LOG_LEVEL", "INFO")
    level = named.upper()
    if level not in _LEVELS:
        raise SettingsError(
            f"LOG_LEVEL: expected one of {', '.join(_LEVELS)} but received {named!r}"
        )
    function = _function(environ)
    memory_mb = function.memory_mb
    vcpus = -(-memory_mb // _MB_PER_VCPU) if memory_mb is not None else os.cpu_count() or 1
    return Settings(
        destination_bucket=bucket,
        key_template=template,
        former_key_templates=_former_key_templates(environ, template),
        source_buckets=sources,
        source_prefix=source_prefix,
        source_requester_pays=_boolean(environ, "SOURCE_REQUESTER_PAYS", default=False),
        http_base_path=_http_base_path(environ),
        http_fallback_key=_http_fallback_key(environ, template),
        cors_origins=_cors_origins(environ),
        url_signing_keys=_url_signing_keys(environ, read_secret),
        cache_control=_cache_control(environ),
        rejected_prefix=_rejected_prefix(environ, template),
        completion_target=_completion_target(environ),
        job_attributes=_job_attributes(environ),
        conditional_writes=_boolean(environ, "CONDITIONAL_WRITES", default=True),
        config=replace(config, limits=_limits(environ, config.limits)),
        config_version=config_version,
        signing=_signing(environ, config, make_signing),
        log_level=level,
        concurrency=max(1, vcpus),
        worker_per_photo=_boolean(environ, "WORKER_PER_PHOTO", default=False),
        memory=memory_limit(environ),
        function=function,
    )
