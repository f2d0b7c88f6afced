"""The arguments of ``renditions backfill``; nothing of AWS is imported for them."""

import argparse
import os
from pathlib import Path

from handler.argument_types import bucket, count, writable_file
from handler.backfill.state import failures_of, place_of_next

__all__ = ["add_arguments", "add_estimate_arguments", "state_file"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("bucket", type=bucket, metavar="BUCKET", help="where the photos are")
    which = parser.add_argument_group("which photos")
    which.add_argument(
        "--prefix", help="only keys that begin with it; default: the stack's SourcePrefix, or all"
    )
    which.add_argument(
        "--only-stale",
        action="store_true",
        help="leave out photos whose renditions are there; costs a request for each",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--dry-run", action="store_true", help="count, estimate, and change nothing")
    how.add_argument(
        "--via",
        choices=("local", "sqs", "batch"),
        default="local",
        help="local: processes of this machine, the default; sqs: the function's queue; batch: an "
        "S3 Batch Operations job",
    )
    how.add_argument(
        "--stack",
        metavar="NAME",
        help="a deployed stack, whose outputs stand for the options below and for "
        "DESTINATION_BUCKET, DESTINATION_KEY_TEMPLATE and SOURCE_PREFIX of the environment",
    )
    how.add_argument("--queue-url", metavar="URL", help="for --via sqs: the function's queue")
    how.add_argument("--function-arn", metavar="ARN", help="for --via batch: of an alias, best")
    how.add_argument("--role-arn", metavar="ARN", help="for --via batch: the role that S3 assumes")
    how.add_argument(
        "--manifest-bucket",
        metavar="BUCKET",
        help="for --via batch: manifest and report go below its backfill/",
    )
    how.add_argument(
        "--processes",
        type=count,
        default=os.cpu_count() or 1,
        metavar="N",
        help="for --via local; default: %(default)s, this machine's processors",
    )
    how.add_argument("--yes", action="store_true", help="begin without asking")
    how.add_argument(
        "--state",
        type=state_file,
        metavar="FILE",
        help="the file that keeps the progress; default: backfill-*.json in the current folder, "
        "by bucket, prefix and way",
    )
    how.add_argument("--restart", action="store_true", help="ignore the progress of an earlier run")
    add_estimate_arguments(parser)


def add_estimate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every estimate assumes."""
    group = parser.add_argument_group("what the estimate assumes")
    group.add_argument(
        "--sample",
        type=count,
        default=20,
        metavar="N",
        help="photos that are rendered here for it; default: %(default)s",
    )
    group.add_argument(
        "--at-once",
        type=count,
        default=100,
        metavar="N",
        help="invocations at a time; default: %(default)s",
    )
    group.add_argument(
        "--memory",
        type=count,
        default=1769,
        metavar="MB",
        help="the function's; default: %(default)s",
    )
    group.add_argument(
        "--arm",
        dest="processor",
        action="store_const",
        const="arm64",
        default="x86_64",
        help="the price of arm64",
    )


def state_file(text: str) -> Path:
    """Return the path of a state, once all that a run writes of it and beside it can be written.

    Raises:
        argparse.ArgumentTypeError: One of them cannot.
    """
    path = writable_file(text)
    for beside in (place_of_next(path), failures_of(path)):
        writable_file(str(beside))
    return path
