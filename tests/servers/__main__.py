"""`python -m tests.servers`: a server in a process of its own, until its standard input ends.

    python -m tests.servers files [FOLDER/BUCKET/KEY ...] [--bucket NAME]
    python -m tests.servers proxy UPSTREAM [--bytes-per-s 90e6] [--latency-s 0.02]

The first line that it prints is JSON with `endpoint_url` and `port`. Benchmarks start it so: what
the server costs is then not counted to the client's process, and it goes when that one does.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .files import FileS3
from .proxy import FaultProxy

if TYPE_CHECKING:
    from .listening import S3Endpoint


def main() -> None:
    """Run the server that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    kinds = parser.add_subparsers(dest="kind", required=True)
    files = kinds.add_parser("files", help="an S3 of files")
    files.add_argument(
        "objects", nargs="*", type=Path, help="files; the folder of each is its bucket"
    )
    files.add_argument("--bucket", action="append", default=[], help="an empty bucket")
    proxy = kinds.add_parser("proxy", help="a link of a given speed to an S3 server")
    proxy.add_argument("upstream")
    proxy.add_argument("--bytes-per-s", type=float)
    proxy.add_argument("--latency-s", type=float, default=0.0)
    arguments = parser.parse_args()

    server: S3Endpoint
    if arguments.kind == "files":
        server = FileS3(host=arguments.host, port=arguments.port)
    else:
        server = FaultProxy(
            arguments.upstream,
            bytes_per_s=arguments.bytes_per_s,
            latency_s=arguments.latency_s,
            send_buffer=None,
            host=arguments.host,
            port=arguments.port,
        )
    with server:
        if isinstance(server, FileS3):
            server.create_buckets(*arguments.bucket)
            for path in arguments.objects:
                server.add_file(path.resolve().parent.name, path.name, path)
        sys.stdout.write(
            json.dumps({"endpoint_url": server.endpoint_url, "port": server.port}) + "\n"
        )
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
