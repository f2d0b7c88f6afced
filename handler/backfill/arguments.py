"""The arguments of ``renditions backfill``; nothing of AWS is imported for them."""

import argparse
import os
from pathlib import Path

__all__ = ["add_arguments"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("bucket", metavar="BUCKET")
    parser.add_argument("--prefix", default="", help="only keys that begin with it")
    parser.add_argument(
        "--only-stale",
        action="store_true",
        help="leave out photos whose renditions are there; a request for each",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="count, estimate, and change nothing"
    )
    parser.add_argument("--via", choices=("local", "sqs", "batch"), default="local")
    parser.add_argument("--stack", help="take what follows, and the settings, from this stack")
    parser.add_argument("--queue-url", metavar="URL", help="for --via sqs")
    parser.add_argument("--function-arn", metavar="ARN", help="for --via batch")
    parser.add_argument("--role-arn", metavar="ARN", help="for --via batch: what S3 acts as")
    parser.add_argument("--manifest-bucket", metavar="BUCKET", help="for --via batch")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--sample", type=int, default=20, metavar="N", help="photos to estimate by")
    parser.add_argument("--at-once", type=int, default=100, metavar="N", help="to estimate by")
    parser.add_argument("--memory", type=int, default=1769, metavar="MB", help="to estimate by")
    parser.add_argument("--arm", action="store_true", help="estimate by the price of arm64")
    parser.add_argument("--state", type=Path, metavar="FILE", help="default: by bucket and prefix")
    parser.add_argument("--restart", action="store_true", help="forget an earlier run's state")
    parser.add_argument("--yes", action="store_true", help="begin without asking")
