"""``make import-time``: what the image imports until its first poll, and what that costs."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.servers.runtime import RuntimeApi

__all__ = ["Import", "image_line", "list_imports", "main", "python_line"]

_DOCKER: Final = os.environ.get("DOCKER", "docker")
_LAUNCHER: Final = ["/bin/sh", "/var/runtime/start.sh"]
_LAUNCHED: Final = ["/usr/bin/python3", "-ISBu", "/var/runtime/start.pyc"]
_MARK: Final = "import time:"
_ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "DESTINATION_BUCKET": "renditions",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One module's import.

    Attributes:
        name: The module.
        depth: How many imports it is inside of.
        own_us: Microseconds without those inside it; measuring adds to them.
        total_us: Microseconds with them.
    """

    name: str
    depth: int
    own_us: int
    total_us: int


def image_line(image: str) -> list[str]:
    """Return an image's entry point and command."""
    inspect = [_DOCKER, "image", "inspect", "--format", "{{json .Config}}", image]
    config = json.loads(subprocess.run(inspect, check=True, stdout=subprocess.PIPE).stdout)
    return [*config["Entrypoint"], *config["Cmd"]]


def python_line(image: str) -> list[str]:
    """Return an image's line, without what stands before Python.

    This project's then has its environment, and forks no zygote, whose imports would be among its.
    """
    line = image_line(image)
    return [*_LAUNCHED, *line[2:]] if line[:2] == _LAUNCHER else line


def _parse(line: str) -> Import:
    own, total, name = line.removeprefix(_MARK).split("|")
    return Import(
        name=name.strip(),
        depth=(len(name) - len(name.lstrip()) - 1) // 2,
        own_us=int(own),
        total_us=int(total),
    )


def list_imports(image: str, environment: Mapping[str, str] = _ENVIRONMENT) -> list[Import]:
    """Return what a container of ``image`` imports until it asks for its first event.

    In the order in which imports end: a module comes after those that it imports.

    Raises:
        RuntimeError: It ended before.
    """
    interpreter, *rest = python_line(image)
    settings = [f"--env={name}={value}" for name, value in (_ENVIRONMENT | {**environment}).items()]
    with RuntimeApi() as api:
        address = f"--env=AWS_LAMBDA_RUNTIME_API={api.address}"
        where = ["--network", "host", "--read-only", *settings, address]
        line = [*where, "--entrypoint", interpreter, image, "-X", "importtime", *rest]
        run = [_DOCKER, "run", "--detach", *line]
        container = subprocess.run(
            run, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        try:
            call = api.call()
        finally:
            logs = subprocess.run(
                [_DOCKER, "logs", container], check=True, capture_output=True, text=True
            )
            subprocess.run([_DOCKER, "rm", "--force", container], check=True, capture_output=True)
    if call.what != "invocation/next":
        raise RuntimeError(f"{image}: expected a poll for an event but received {call}")
    lines = [line for line in logs.stderr.splitlines() if line.startswith(_MARK)]
    return [_parse(line) for line in lines[1:]]


def main(arguments: list[str] | None = None) -> int:
    """Print the tree: each module under the one that imported it first."""
    parser = argparse.ArgumentParser(prog="python -m scripts.imports")
    parser.add_argument("image")
    imports = list_imports(parser.parse_args(arguments).image)
    print("  with   alone  ms")
    for one in reversed(imports):
        print(f"{one.total_us / 1000:6.1f}  {one.own_us / 1000:6.1f}  {'  ' * one.depth}{one.name}")
    print(f"{len(imports)} modules, {sum(one.own_us for one in imports) / 1000:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
