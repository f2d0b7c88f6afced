"""Runs the built image under AWS's emulator beside an S3 server, until it is interrupted.

Puts a photo into a bucket and prints the `curl` line that sends the function the event which S3
would send for it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from typing import TYPE_CHECKING

from testcontainers.core.network import Network

from handler.argument_types import readable_file
from tests import photos
from tests.container import engine
from tests.container.emulator import CREDENTIALS, FunctionContainer, MotoContainer, s3_event

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = "photos"
DESTINATION = "renditions"
KEY = "sample.jpg"


def run(image: str, photo: bytes, memory_mb: int) -> None:
    """Starts both containers, says how to use them, and passes the function's log on.

    Returns only when the function's container ends; KeyboardInterrupt ends both.
    """
    settings = {"DESTINATION_BUCKET": DESTINATION}
    with (
        Network() as network,
        MotoContainer(network) as server,
        FunctionContainer(image, network, env=settings, memory_mb=memory_mb) as function,
    ):
        s3 = server.client()
        s3.create_bucket(Bucket=SOURCE)
        s3.create_bucket(Bucket=DESTINATION)
        s3.put_object(Bucket=SOURCE, Key=KEY, Body=photo)
        event = json.dumps(s3_event(SOURCE, [KEY], s3), separators=(",", ":"))
        print(f"s3://{SOURCE}/{KEY} has {len(photo):,} bytes. Invoke the function on it with\n")
        print(f"  curl {function.url} -d {shlex.quote(event)}\n")
        print("and list what it wrote with\n")
        credentials = " ".join(f"{name}={value}" for name, value in CREDENTIALS.items())
        listing = f"aws --endpoint-url {server.endpoint_url} s3 ls --recursive s3://{DESTINATION}/"
        print(f"  {credentials} {listing}\n")
        print(f"or see it in a browser at {server.endpoint_url}/{DESTINATION}\n")
        print("The function's log follows; Ctrl-C ends it all.\n", flush=True)
        seen = [0, 0]
        container = function.get_wrapped_container()
        while container.status in {"created", "running"}:
            for number, stream in enumerate(function.get_logs()):
                sys.stdout.write(stream[seen[number] :].decode(errors="replace"))
                seen[number] = len(stream)
            sys.stdout.flush()
            time.sleep(0.5)
            container.reload()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.rie", description=__doc__)
    parser.add_argument("--image", default="renditions:latest", help="default: %(default)s")
    parser.add_argument(
        "--photo", type=readable_file, help="default: a synthesised one of 24 megapixels"
    )
    parser.add_argument("--memory", type=int, default=1024, help="MB; default: %(default)s")
    options = parser.parse_args(arguments)
    if not engine.answers():
        print("rie: no Docker engine answers", file=sys.stderr)
        return 1
    photo = options.photo.read_bytes() if options.photo else photos.jpeg(6000, 4000)
    # However it is ended, no container stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(options.image, photo, options.memory)
    except KeyboardInterrupt:
        print("\nended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
