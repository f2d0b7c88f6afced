"""``renditions check``: what a configuration would do before anybody has it."""

import argparse
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from handler.backfill.arguments import add_estimate_arguments
from handler.changes import changes, is_stale, renewed
from handler.settings import parse_stored, signer_settings
from imaging.config import DEFAULT_CONFIG, Config, load_config, parse_config
from imaging.errors import ConfigError
from imaging.planning import Asked

__all__ = ["add_check_arguments", "check"]


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("config", metavar="CONFIG", help="a file, or s3://bucket/key")
    deployed = parser.add_mutually_exclusive_group()
    deployed.add_argument("--stack", metavar="NAME", help="compare with what this stack has")
    deployed.add_argument(
        "--against",
        metavar="CONFIG",
        help="compare with this one; default: RENDITIONS_CONFIG or RENDITIONS_TOML of the "
        "environment, or the file beside the code",
    )
    parser.add_argument(
        "--bucket", help="count the photos there that it makes stale; default: the stack's"
    )
    add_estimate_arguments(parser)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployed:
    """What is in use: its name, its text unless that names it, the photos' bucket and prefix."""

    name: str
    text: str | None
    bucket: str | None
    prefix: str


def check(arguments: argparse.Namespace) -> int:
    """Run the command: 0 for a configuration that is right.

    Raises:
        ConfigError: It is not, or what is deployed cannot be read.
    """
    given = _variables_of(arguments.stack) if arguments.stack else os.environ
    deployed = _deployed(arguments, given)
    after = _load(arguments.config, deployed.prefix)
    signer = _checked_signer(after, given, is_whole=bool(arguments.stack))
    print(f"{arguments.config}: well-formed, {len(after.renditions)} renditions")
    if signer is not None:
        print(f"{after.credentials}: {signer}")
    if deployed.text is not None:
        from handler.s3.configuration import read_stored_mark

        before = parse_config(
            deployed.text, file=deployed.name, prefix=deployed.prefix, read_mark=read_stored_mark
        )
    else:
        before = _load(deployed.name, deployed.prefix)
    lines = changes(before, after)
    print(f"Against {deployed.name}:" if lines else f"Nothing changes against {deployed.name}.")
    for line in lines:
        print(f"  {line}")
    if lines and before.limits != after.limits:
        print("Photos that were rejected are tried again.")
    if lines and deployed.bucket:
        _count(arguments, deployed.bucket, deployed.prefix, before, after)
    return 0


def _load(place: str, prefix: str) -> Config:
    from handler.s3.configuration import read_stored_config, read_stored_mark

    if not place.startswith("s3://"):
        return load_config(Path(place), prefix=prefix, read_stored_mark=read_stored_mark)
    return parse_stored(place, prefix, read_stored_config, read_stored_mark)[0]


def _checked_signer(config: Config, given: Mapping[str, str], *, is_whole: bool) -> str | None:
    """Return who signs, in words; None where nothing is signed.

    Args:
        config: The configuration.
        given: The function's variables, or what this environment has of them.
        is_whole: Whether they are the function's: without a signer it would not start.

    Raises:
        SettingsError: The function would refuse it at init.
    """
    asked = signer_settings(given, config)
    if asked is None:
        return None
    if not (is_whole or asked.key or asked.certificates):
        return (
            "not checked who signs: neither --stack nor CREDENTIALS_KEY and "
            "CREDENTIALS_CERTIFICATES say it, and without them no function starts"
        )
    # Imported for who carries content credentials on.
    from handler.s3.configuration import read_stored_certificates
    from handler.signer import check_signer

    return check_signer(asked, read_stored_certificates)


def _deployed(arguments: argparse.Namespace, given: Mapping[str, str]) -> _Deployed:
    place = arguments.against or given.get("RENDITIONS_CONFIG") or ""
    text = None if arguments.against else given.get("RENDITIONS_TOML") or None
    return _Deployed(
        name="RENDITIONS_TOML" if text else place or str(DEFAULT_CONFIG),
        text=text,
        bucket=arguments.bucket or (given.get("SOURCE_BUCKET") if arguments.stack else None),
        prefix=given.get("SOURCE_PREFIX", ""),
    )


def _variables_of(stack: str) -> dict[str, str]:
    """Return the settings of a stack's function, as far as they are parameters of the stack."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    names = {
        "ConfigS3Uri": "RENDITIONS_CONFIG",
        "RenditionsToml": "RENDITIONS_TOML",
        "SourceBucket": "SOURCE_BUCKET",
        "SourcePrefix": "SOURCE_PREFIX",
        "CredentialsKeyArn": "CREDENTIALS_KEY",
        "CredentialsCertificates": "CREDENTIALS_CERTIFICATES",
    }
    try:
        client = boto3.Session().client("cloudformation")
        (found,) = client.describe_stacks(StackName=stack)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        raise ConfigError(f"--stack: expected a stack {stack!r} but received {error}") from error
    region = {"AWS_REGION": client.meta.region_name}
    return region | {
        names[one["ParameterKey"]]: one["ParameterValue"]
        for one in found.get("Parameters", [])
        if one["ParameterKey"] in names
    }


def _count(
    arguments: argparse.Namespace, bucket: str, prefix: str, before: Config, after: Config
) -> None:
    """Say how many photos of ``bucket`` become stale, and what renewing them takes."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from handler.backfill.estimate import estimate, measure, survey
    from handler.backfill.listing import list_photos
    from handler.backfill.meter import Meter, in_words
    from handler.backfill.prices import BY_PROCESSOR
    from imaging.worker.client import Workers
    from imaging.worker.spawning import Launch

    client: Any = boto3.Session().client("s3")
    meter = Meter()
    try:
        photos = list_photos(client, bucket, prefix)
        stale = (photo for photo in photos if is_stale(before, after, photo.key))
        found = survey(stale, arguments.sample, meter.counted)
        meter.end()
        print(f"Stale in {bucket}: {found.photos:,} photos of {found.size / 1e9:,.2f} GB")
        if not found.drawn:
            return
        with closing(Workers(Launch(concurrency=1))) as workers:
            asked_of = partial(_asked_again, before, after)
            sample = measure(client, bucket, found.drawn, asked_of, workers.open_photo)
    except (ClientError, BotoCoreError) as error:
        raise ConfigError(
            f"--bucket: expected photos in {bucket!r} but received {error}"
        ) from error
    if sample.refused:
        print(f"Of {len(found.drawn)} drawn evenly, {sample.refused} cannot be rendered.")
    if not sample.photos:
        return
    guess = estimate(
        found.photos,
        sample,
        at_once=arguments.at_once,
        memory_mb=arguments.memory,
        prices=BY_PROCESSOR[arguments.processor],
    )
    print(
        f"To renew {sample.renditions:.1f} renditions of each, by a sample of "
        f"{sample.photos}: {in_words(guess.seconds)} with {arguments.at_once} at once and "
        f"${guess.dollars or 0:,.2f} at {arguments.memory} MB of {arguments.processor}, were "
        "Lambda as fast as this machine."
    )


def _asked_again(before: Config, after: Config, key: str) -> Asked:
    return replace(after.asked(key), specs=renewed(before, after, key))
