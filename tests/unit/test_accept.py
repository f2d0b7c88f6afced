"""deploy/template.yaml's CloudFront function: four values of Accept instead of hundreds."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import chain, combinations
from typing import TYPE_CHECKING, Final

import pytest

from handler.http.choice import _choose
from imaging.formats import OutputFormat
from tests.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")

_SENT: Final = [
    # Chrome, Firefox, Safari, for an <img>; their older ones; curl; for a page.
    "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,*/*;q=0.5",
    "image/webp,image/*,*/*;q=0.8",
    "image/webp,*/*",
    "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5",
    "*/*",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    # By hand.
    "IMAGE/AVIF, */*",
    "image/avif;q=0, image/webp, */*",
    "image/webp;q=0.000,*/*",
    "image/avif ; q=0.0 , image/*",
    "",
]
_FOUR: Final = {"*/*", "image/avif,*/*", "image/webp,*/*", "image/avif,image/webp,*/*"}
_MODERN: Final = (OutputFormat.AVIF, OutputFormat.WEBP)


def _normalised(sent: Sequence[str | None]) -> list[str]:
    """Return what the function makes of each Accept; None is a request without one."""
    made = Stack(SourceBucket="a", DestinationBucket="b", Http="cloudfront").resources
    code = made["AcceptFunction"]["Properties"]["FunctionCode"]
    events = [
        {"request": {"headers": {} if accept is None else {"accept": {"value": accept}}}}
        for accept in sent
    ]
    script = f"{code}\nconsole.log(JSON.stringify({json.dumps(events)}.map(handler)))"
    done = subprocess.run(["node", "-e", script], check=True, capture_output=True, text=True)
    return [one["headers"]["accept"]["value"] for one in json.loads(done.stdout)]


def test_it_makes_four_of_all() -> None:
    """Whatever is sent, the cache sees one of four; and one that is normalised stays so."""
    made = _normalised([None, *_SENT, *sorted(_FOUR)])

    assert set(made) == _FOUR
    assert made[0] == "*/*"
    assert made[-4:] == sorted(_FOUR)


def test_the_answer_is_the_same() -> None:
    """For every list of AVIF, WebP and one that all clients show, the client's own words choose it.

    Of JPEG and PNG in one list, the first is answered: a client's weights for them are not kept.
    """
    sent = [accept for accept in _SENT if accept]
    choices = chain.from_iterable(combinations(_MODERN, count) for count in (0, 1, 2))
    lists = [(*modern, OutputFormat.JPEG) for modern in choices]

    for accept, normalised in zip(sent, _normalised(sent), strict=True):
        for formats in lists:
            expected = _choose(formats, accept)
            assert _choose(formats, normalised) is expected, (accept, formats)


def test_the_distribution_uses_it() -> None:
    """Before the cache is asked: on each viewer's request."""
    made = Stack(SourceBucket="a", DestinationBucket="b", Http="cloudfront").resources
    behaviour = made["Distribution"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]

    (used,) = behaviour["FunctionAssociations"]
    assert used == {"EventType": "viewer-request", "FunctionARN": "<AcceptFunction.FunctionARN>"}
    assert made["AcceptFunction"]["Properties"]["AutoPublish"] is True
