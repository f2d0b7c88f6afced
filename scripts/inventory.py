"""What is in the image, read out of the image itself, and under which licences.

`python -m scripts.inventory IMAGE` writes a bill of materials (CycloneDX 1.6) to standard output;
with `--licences` it writes docs/licences.md instead.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handler.argument_types import writable_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Runs in the image, whose interpreter has the standard library and little more.
_LOOK = r"""
import ctypes, glob, importlib.metadata, json, os, re, sys
asked, marks = json.loads(sys.argv[1])
status = open("/var/lib/dpkg/status", encoding="utf-8").read()
debian = []
for entry in status.split("\n\n"):
    fields = dict(re.findall(r"^(Package|Version|Architecture|Source): (\S+)", entry, re.M))
    if fields and re.search(r"^Status: .* installed$", entry, re.M):
        try:
            with open(f"/usr/share/doc/{fields['Package']}/copyright", encoding="utf-8") as file:
                named = re.findall(r"^License: *(\S.*)$", file.read(), re.M)
        except OSError:
            named = []
        debian.append(fields | {"licences": sorted(set(named))})
python = []
for found in importlib.metadata.distributions():
    data = found.metadata
    named = data.get("License-Expression") or data.get("License") or ""
    python.append({"name": data["Name"], "version": found.version, "licence": named})
libraries = []
linked = {}
for path in glob.glob("/usr/local/lib/python3*/dist-packages/*.libs/*.so*"):
    folder, file = path.split("/")[-2:]
    # auditwheel puts a digest between name and version: libde265-90fb0ce1.so.0.2.0
    stem = re.sub(r"-[0-9a-f]{8}$", "", file.split(".so")[0])
    version = None
    if stem in asked:
        function = ctypes.CDLL(path)[asked[stem]]
        function.restype = ctypes.c_char_p
        version = function().decode()
    libraries.append([folder, stem, version])
    if stem == "libvips":
        with open(path, "rb") as file:
            data = file.read()
        for name, mark in marks.items():
            told = re.search(mark.encode(), data)
            linked[name] = told and told[1].decode()
print(json.dumps({"debian": debian, "python": python, "libraries": libraries, "linked": linked}))
"""

_PYTHON = {
    # What their metadata says in words, or leaves out.
    "awslambdaric": "Apache-2.0",
    "dhash": "MIT",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "s3transfer": "Apache-2.0",
    "snapshot-restore-py": "Apache-2.0",
}

# Shared libraries in wheels, by the name that their files begin with.
_SHARED = {
    "libvips": "LGPL-2.1-or-later",
}

# Of those, the ones that decode what a stranger sends and tell their version -> by which function.
_TELLS_VERSION = {
    "libvips": "vips_version_string",
}

# Linked into that libvips. Source: https://github.com/kleisauke/libvips-packaging
WITHIN_LIBVIPS = {
    "aom": "BSD-2-Clause",
    "cairo": "MPL-1.1",
    "cgif": "MIT",
    "expat": "MIT",
    "fontconfig": "HPND-sell-variant",
    "freetype": "FTL",
    "fribidi": "LGPL-2.1-or-later",
    "glib": "LGPL-2.1-or-later",
    "harfbuzz": "MIT",
    "highway": "Apache-2.0",
    "lcms": "MIT",
    "libarchive": "BSD-2-Clause",
    "libexif": "LGPL-2.1-or-later",
    "libffi": "MIT",
    "libheif": "LGPL-3.0-only",
    "libimagequant": "BSD-2-Clause",
    "libnsgif": "MIT",
    "libpng": "libpng-2.0",
    "librsvg": "LGPL-2.1-or-later",
    "libtiff": "libtiff",
    "libultrahdr": "Apache-2.0",
    "libwebp": "BSD-3-Clause",
    "libxml2": "MIT",
    "mozjpeg": "IJG AND BSD-3-Clause AND Zlib",
    "pango": "LGPL-2.1-or-later",
    "pixman": "MIT",
    "zlib-ng": "Zlib",
}

# In which versions the wheel does not say; these say it themselves, in a text.
_TOLD_VERSIONS = {
    "aom": r"AOMedia Project AV1 Encoder v([\d.]+)",
    "libarchive": r"libarchive (\d+\.[\d.]+)",
    "mozjpeg": r"mozjpeg version ([\d.]+)",
}

ACCEPTED = re.compile(
    r"(0BSD|AFL-2\.1|Apache-2\.0|BSD-[23]-Clause|FTL|HPND-sell-variant|IJG|LGPL-(2\.1|3\.0)-\S+|"
    r"MIT(-0|-CMU)?|MPL-1\.1|PSF-2\.0|X11|Zlib|lib(png-2\.0|tiff))"
)
"""What may be handed on in an image; the LGPL ones on the terms that docs/licences.md names."""


class InventoryError(Exception):
    """Something in the image has a licence that is not known here, or not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Component:
    """One thing in the image.

    Attributes:
        kind: `python`, `library` or `debian`.
        name: As its origin spells it.
        version: None where neither it nor its carrier says.
        licences: SPDX expressions; of a Debian package, the names that its copyright file gives.
        carrier: What brought a library here.
    """

    kind: str
    name: str
    version: str | None
    licences: tuple[str, ...]
    carrier: str = ""

    @property
    def purl(self) -> str:
        """The component's package URL."""
        origin = {"python": "pypi", "library": "generic", "debian": "deb/debian"}[self.kind]
        return f"pkg:{origin}/{self.name}" + (f"@{self.version}" if self.version else "")


def look(image: str) -> dict[str, Any]:
    """Returns what the image says of itself.

    Raises:
        subprocess.CalledProcessError: Docker could not run it; it has said why.
    """
    docker = os.environ.get("DOCKER", "docker")
    command = [docker, "run", "--rm", "--network", "none", "--entrypoint", "/usr/bin/python3"]
    answer = subprocess.run(
        [*command, image, "-c", _LOOK, json.dumps([_TELLS_VERSION, _TOLD_VERSIONS])],
        check=True,
        capture_output=True,
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def components(found: dict[str, Any]) -> list[Component]:
    """Returns what is in the image.

    Raises:
        InventoryError: A licence is not known, or not accepted.
    """
    made = [
        Component(
            kind="debian",
            name=one["Package"],
            version=one["Version"],
            licences=tuple(one["licences"]),
        )
        for one in found["debian"]
    ]
    for one in found["python"]:
        name = re.sub(r"[-_.]+", "-", one["name"]).lower()
        licence = _PYTHON.get(name, one["licence"])
        made.append(
            Component(kind="python", name=name, version=one["version"], licences=(licence,))
        )
    for folder, stem, version in found["libraries"]:
        carrier = re.sub(r"[-_.]+", "-", folder.removesuffix(".libs"))
        if stem not in _SHARED:
            message = f"{folder}/{stem}: its licence is not known to scripts/inventory.py"
            raise InventoryError(message)
        made.append(
            Component(
                kind="library",
                name=stem,
                version=version,
                licences=(_SHARED[stem],),
                carrier=carrier,
            )
        )
        if stem == "libvips":
            made += [
                Component(
                    kind="library",
                    name=name,
                    version=found["linked"].get(name),
                    licences=(licence,),
                    carrier="libvips",
                )
                for name, licence in WITHIN_LIBVIPS.items()
            ]
    _check(made)
    return sorted(made, key=lambda one: (one.kind, one.carrier, one.name))


def _check(made: Iterable[Component]) -> None:
    for one in made:
        if one.kind == "debian":
            # Debian's own main archive; what is in it may be handed on.
            continue
        for licence in one.licences:
            parts = re.split(r" (?:AND|OR) ", licence)
            if not all(ACCEPTED.fullmatch(part) for part in parts):
                message = (
                    f"{one.name}: expected a licence that is accepted but received {licence!r}"
                )
                raise InventoryError(message)


def bill_of_materials(image: str, made: Sequence[Component]) -> dict[str, Any]:
    """Returns the CycloneDX document; the same components give the same one."""
    content = json.dumps([one.purl for one in made])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "image", "name": image}},
        "components": [
            {
                "type": "library",
                "bom-ref": f"{one.carrier}/{one.purl}",
                "name": one.name,
                "purl": one.purl,
                **({"version": one.version} if one.version else {}),
                **({"licenses": _licences(one)} if one.licences else {}),
                **(
                    {"properties": [{"name": "renditions:carrier", "value": one.carrier}]}
                    if one.carrier
                    else {}
                ),
            }
            for one in made
        ],
    }


def _licences(one: Component) -> list[dict[str, Any]]:
    if one.kind == "debian":
        return [{"license": {"name": name}} for name in one.licences]
    return [{"expression": one.licences[0]}]


_HEAD = """\
# Licences of what is in the image

The project itself is under the [Apache License 2.0](../LICENSE). The image holds works of others;
the tables are written by `make licences` from the image's own contents, and `make container` fails
when they are not those of the image, or when something has a licence that is not accepted
(`scripts/inventory.py`). Debian's packages, with versions and licences, are in the bill of
materials that `make sbom` writes and `make push` attaches to the image; their licence texts are in
the image under `/usr/share/doc/`.

## What the LGPL asks of who hands the image on

libvips, libheif, libde265 and some of what libvips is linked with are under the GNU Lesser General
Public License. The image holds them unchanged, as shared libraries that the function loads at run
time, as their publishers built them: libvips of
[libvips-packaging](https://github.com/kleisauke/libvips-packaging), libheif and libde265 of Debian.
Whoever receives the image may put another build in their place. Whoever hands the image to others,
outside their own organisation, has to pass the licence texts on, and to offer the libraries'
sources; these publishers have them. Running the image on
Lambda hands it to nobody.

## HEVC and patents

A copyright licence is not a patent licence. HEIC photos are HEVC, which is covered by patents of
many holders, in pools (Access Advance, Via LA) and outside them. libde265, which decodes HEIC here,
brings no licence for those patents. Whether you need one depends on where and for whom you decode;
ask somebody who may answer that. Nothing here encodes HEVC. A function that must not touch it can
leave HEIC out: `make image HEVC=0` makes an image without libde265, which refuses such photos. AVIF
is AV1, for which there is the
[Alliance for Open Media's patent
licence](https://aomedia.org/license/patent-license/).
"""


def licences_page(made: Sequence[Component]) -> str:
    """Returns docs/licences.md."""
    parts = [_HEAD]
    python = [one for one in made if one.kind == "python"]
    parts += ["## Python packages\n", "| package | version | licence |\n|---|---|---|"]
    parts += [f"| {one.name} | {one.version} | {one.licences[0]} |" for one in python]
    parts += ["\n## Libraries within them\n"]
    parts += ["| library | version | comes with | licence |\n|---|---|---|---|"]
    parts += [
        f"| {one.name} | {one.version or ''} | {one.carrier} | {one.licences[0]} |"
        for one in made
        if one.kind == "library"
    ]
    return "\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.inventory", description=__doc__)
    parser.add_argument("image")
    parser.add_argument("--licences", action="store_true", help="write docs/licences.md instead")
    parser.add_argument("--output", type=writable_file, help="default: standard output")
    options = parser.parse_args(arguments)
    try:
        made = components(look(options.image))
    except InventoryError as error:
        print(f"inventory: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        sys.stderr.buffer.write(error.stderr)
        return 1
    if options.licences:
        text = licences_page(made)
    else:
        text = json.dumps(bill_of_materials(options.image, made), indent=2) + "\n"
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
