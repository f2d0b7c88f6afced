"""``renditions backfill``: what it does in which order, and what it says."""

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.backfill.arguments import state_file
from handler.backfill.batch import BatchPlace, create_job, follow_job
from handler.backfill.estimate import Sample, Survey, estimate, measure, survey
from handler.backfill.listing import Photo, list_photos
from handler.backfill.meter import Meter, in_words
from handler.backfill.prices import BY_PROCESSOR
from handler.backfill.processes import make_locally
from handler.backfill.run import Stop, run
from handler.backfill.sending import send_to_queue
from handler.backfill.state import State, failures_of
from handler.backfill.ways import Way
from handler.deployed import environment_beside, stack_outputs
from handler.s3.configuration import (
    read_stored_certificates,
    read_stored_config,
    read_stored_mark,
)
from handler.s3.requests import Requests
from handler.settings import Settings, SignerSettings, read_settings
from imaging.errors import ConfigError
from imaging.signatures import Signing
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch

__all__ = ["backfill"]

Work = Callable[[Stop], int]
"""Does what is left to do by one way; returns the command's status."""

_OF_SOURCE: Final = ("GetObject", "ListObjectsV2")
"""What it asks of the photos' bucket."""

_INTERRUPTED: Final = 130
"""What a shell gives for a command that Ctrl-C ended."""


def backfill(arguments: argparse.Namespace) -> int:
    """Run the command: 0 when all went well, 1 when something did not, 130 when interrupted.

    Raises:
        ConfigError: A setting, an argument or the state file is wrong.
    """
    import boto3  # For its endpoints, profiles and other services; the function has no use for it.

    try:
        session = boto3.Session()
        outputs = stack_outputs(session, arguments.stack)
        environ = environment_beside(outputs)
        # Elsewhere the function signs.
        makes = _make_signing if arguments.via == "local" else None
        settings = read_settings(environ, read_stored_config, read_stored_mark, make_signing=makes)
        command = _Command(arguments, settings, outputs, session)
        with Stop() as stop:
            return command.run(stop)
    except InterruptedError:
        return _INTERRUPTED
    except (ClientError, BotoCoreError) as error:
        # No such bucket or stack, no right to it, no credentials: AWS's own words say which, but
        # not of what.
        of = f"s3://{arguments.bucket}" + (f", stack {arguments.stack}" if arguments.stack else "")
        print(f"backfill of {of}: {error}", file=sys.stderr)
        return 1


def _make_signing(settings: SignerSettings) -> Signing:
    # Imported for who carries content credentials on.
    from handler.signer import make_signing

    return make_signing(settings, read_stored_certificates)


class _Command:
    """One run of the command."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        settings: Settings,
        outputs: Mapping[str, str],
        session: Any,  # noqa: ANN401 - boto3's
    ) -> None:
        self._arguments = arguments
        self._settings = settings
        self._outputs = outputs
        self._session = session
        self._s3 = session.client("s3")
        if settings.source_requester_pays:
            for operation in _OF_SOURCE:
                self._s3.meta.events.register(f"provide-client-params.s3.{operation}", _pay)
        photos = outputs.get("SourceBucket", arguments.bucket)
        if photos != arguments.bucket:
            raise ConfigError(
                f"BUCKET: expected the source of --stack {arguments.stack}, {photos!r}, "
                f"but received {arguments.bucket!r}"
            )
        # The function of a stack may read nothing beside its prefix.
        self._prefix = (
            outputs.get("SourcePrefix", "") if arguments.prefix is None else arguments.prefix
        )
        self._job = {
            "bucket": arguments.bucket,
            "prefix": self._prefix,
            "destination": settings.destination_bucket,
            "keys": settings.key_template.text,
            "via": arguments.via,
            "only_stale": arguments.only_stale,
        }
        path = arguments.state or self._usual_state()
        self._path = path
        self._failures = failures_of(path)
        # What is in the file stays there until the new run begins.
        self._state = State(path, self._job) if arguments.restart else State.load(path, self._job)
        self._meter = Meter()

    def _usual_state(self) -> Path:
        name = f"backfill-{self._digest()}.json"
        if self._arguments.dry_run:
            return Path(name)
        try:
            return state_file(name)
        except argparse.ArgumentTypeError as error:
            raise ConfigError(f"--state: {error}") from error

    def _digest(self) -> str:
        text = repr(sorted((name, str(value)) for name, value in self._job.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def _value(self, option: str, output: str) -> str:
        """Return what an option says, or else the stack."""
        value = getattr(self._arguments, option.removeprefix("--").replace("-", "_"))
        if not (found := value or self._outputs.get(output)):
            raise ConfigError(
                f"{option}: expected it, or --stack, for --via {self._arguments.via} "
                "but received neither"
            )
        return str(found)

    def _listed(self, after: str) -> Iterator[Photo]:
        bucket = self._arguments.bucket
        photos = list_photos(self._s3, bucket, self._prefix, after)
        if not self._arguments.only_stale:
            return photos
        from handler.backfill.stale import only_stale

        requests = Requests(self._session.client("s3", config=Config(max_pool_connections=16)))
        return only_stale(photos, bucket=bucket, settings=self._settings, requests=requests)

    def run(self, stop: Stop) -> int:
        """Count and estimate, unless an earlier run has; then work."""
        arguments, state = self._arguments, self._state
        # Before anything is counted: a missing option must not come out an hour later.
        work = {"local": self._locally, "sqs": self._by_queue, "batch": self._by_batch}[
            arguments.via
        ]()
        if state.finished:
            print(f"All was done before, as {self._path} says; --restart does it again.")
            return 0
        if state.total is None or arguments.dry_run:
            found = survey(self._all(stop), arguments.sample, self._meter.counted)
            state.total = found.photos
            self._say(found)
            if arguments.dry_run or found.photos == 0:
                return 0
            if not arguments.yes and sys.stdin.isatty() and not _agreed():
                return _INTERRUPTED
            # Of a run that was given up.
            self._failures.unlink(missing_ok=True)
            state.save()
        else:
            print(f"Going on after {state.ended:,} photos, as {self._path} says.")
        return work(stop)

    def _all(self, stop: Stop) -> Iterator[Photo]:
        """Yield every photo; a part of them would be counted, or named in a manifest, as all."""
        for photo in self._listed(""):
            if stop.wished:
                raise InterruptedError
            yield photo

    def _say(self, found: Survey) -> None:
        arguments = self._arguments
        self._meter.end()
        kind = "stale photos" if arguments.only_stale else "photos"
        print(f"{found.photos:,} {kind} of {found.size / 1e9:,.2f} GB")
        if not found.drawn:
            return
        with closing(Workers(Launch(concurrency=1))) as workers:
            sample = measure(
                self._s3,
                arguments.bucket,
                found.drawn,
                self._settings.config.asked,
                workers.open_photo,
            )
        print(
            f"Of {len(found.drawn)} drawn evenly, {sample.refused} cannot be rendered; the others "
            f"take {sample.seconds * 1000:,.0f} ms here and give {sample.stored / 1000:,.0f} kB "
            f"in {sample.renditions:.1f} renditions, in the mean."
        )
        if sample.photos:
            print(self._prediction(found, sample))

    def _prediction(self, found: Survey, sample: Sample) -> str:
        arguments = self._arguments
        locally = arguments.via == "local"
        prices = BY_PROCESSOR[arguments.processor]
        if arguments.via == "batch":
            prices = replace(prices, invocation=prices.invocation + prices.batch_object, message=0)
        guess = estimate(
            found.photos,
            sample,
            at_once=arguments.processes if locally else arguments.at_once,
            memory_mb=None if locally else arguments.memory,
            prices=prices,
        )
        if guess.dollars is None:
            return (
                f"All of them: about {in_words(guess.seconds)} in {arguments.processes} processes."
            )
        dollars = guess.dollars + (prices.batch_job if arguments.via == "batch" else 0)
        return (
            f"All of them: about {in_words(guess.seconds)} with {arguments.at_once} at once, and "
            f"about ${dollars:,.2f} at {arguments.memory} MB of {arguments.processor}, were Lambda "
            "as fast as this machine."
        )

    def _finish(self, done: bool) -> int:  # noqa: FBT001 - what the run came to
        state = self._state
        print(self._meter.line(state.ended, state.ended, state.total, state.counts))
        if self._failures.exists():
            print(f"What went wrong is in {self._failures}, a line for each photo.")
        if not done:
            print("Interrupted: the same command resumes here.")
            return _INTERRUPTED
        return 1 if self._failures.exists() else 0

    def _locally(self) -> Work:
        way = partial(
            make_locally,
            bucket=self._arguments.bucket,
            settings=self._settings,
            processes=self._arguments.processes,
        )
        return partial(self._through, way)

    def _by_queue(self) -> Work:
        way = partial(
            send_to_queue,
            sqs=self._session.client("sqs"),
            url=self._value("--queue-url", "QueueUrl"),
            bucket=self._arguments.bucket,
        )
        return partial(self._through, way)

    def _through(self, way: Way, stop: Stop) -> int:
        done = run(
            self._listed,
            way,
            self._state,
            failures=self._failures,
            stop=stop,
            meter=self._meter,
        )
        return self._finish(done)

    def _by_batch(self) -> Work:
        function = self._value("--function-arn", "FunctionAlias")
        found = re.fullmatch(r"arn:[^:]+:lambda:[^:]+:(\d{12}):function:\S+", function)
        if found is None:
            raise ConfigError(
                f"--function-arn: expected a function's ARN but received {function!r}"
            )
        return partial(
            self._through_batch,
            BatchPlace(
                account=found[1],
                function=function,
                role=self._value("--role-arn", "BackfillRoleArn"),
                bucket=self._value("--manifest-bucket", "DestinationBucket"),
            ),
        )

    def _through_batch(self, place: BatchPlace, stop: Stop) -> int:
        state = self._state
        control = self._session.client("s3control")
        if "job_id" not in state.notes:
            job_id, state.total = create_job(
                self._all(stop),
                s3=self._s3,
                control=control,
                place=place,
                bucket=self._arguments.bucket,
                name=f"{self._digest()}-{os.urandom(4).hex()}",
            )
            state.notes["job_id"] = job_id
            state.save()
            print(f"S3 Batch Operations job {job_id}, {state.total:,} photos")
        end = follow_job(
            state.notes["job_id"],
            control=control,
            account=place.account,
            state=state,
            show=lambda: self._meter.worked(state.ended, 0, state.total, state.counts),
            wished=lambda: stop.wished,
        )
        state.finished = end is not None and end.status == "Complete"
        state.save()
        if end is None:
            print("The job continues; the same command follows it again.")
            return _INTERRUPTED
        print(f"{end.status}: {self._meter.line(state.ended, 0, state.total, state.counts)}")
        for reason in end.reasons:
            print(reason)
        if end.counts["failed"]:
            print(f"The report of what failed is in s3://{place.bucket}/backfill/")
        return 0 if state.finished and not end.counts["failed"] else 1


def _pay(params: Mapping[str, Any], **_: object) -> dict[str, Any]:
    return {**params, "RequestPayer": "requester"}


def _agreed() -> bool:
    return input("Begin? [y/N] ").strip().lower() in {"y", "yes"}
