"""A photo whose bytes fail on their way in ends in one error, and in no rendition."""

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Final, Literal, assert_never, get_args

import pytest
from _pytest.mark import ParameterSet

from imaging.errors import RenditionsError, SourceError
from imaging.local import MemorySink, MemorySource
from imaging.plan import PlannedRendition
from imaging.planning import Asked, make_plan
from imaging.rendering import open_photo
from imaging.specs import Hdr, RenditionSpec
from tests.photos import avif, gif, heic, jpeg, png, tiff, ultra_hdr_jpeg, webp

Failure = Literal["raises", "raises-foreign", "ends", "negative"]
Place = Literal["first", "middle", "last"]

_SPECS: Final = (
    RenditionSpec(name="large", width=200, height=200, hdr=Hdr.KEEP),
    RenditionSpec(name="small", width=64, height=64),
)
_MAKERS: Final[dict[str, Callable[[int, int], bytes]]] = {
    "jpeg": jpeg,
    "png": png,
    "webp": webp,
    "tiff": tiff,
    "gif": gif,
    "avif": avif,
    "heic": heic,
    "ultra-hdr": ultra_hdr_jpeg,
}


def _cases() -> list[ParameterSet]:
    return [
        pytest.param(
            *case,
            id="-".join(case),
        )
        for case in product(get_args(Failure), _MAKERS, get_args(Place))
    ]


@cache
def _photo(name: str) -> bytes:
    return _MAKERS[name](320, 240)


class _FailingSource(MemorySource):
    """Hands out the bytes before ``at``; whoever wants the one there meets the failure."""

    def __init__(self, data: bytes, at: int, failure: Failure) -> None:
        super().__init__(data)
        self._fails_at = at
        self._failure = failure
        self.met = False

    def readinto(self, buffer: memoryview) -> int:
        position = self.seek(0, 1)
        if position < self._fails_at:
            return super().readinto(buffer[: self._fails_at - position])
        self.met = True
        match self._failure:
            case "raises":
                raise SourceError("The connection broke")
            case "raises-foreign":
                msg = "the connection broke"
                raise OSError(msg)
            case "ends":
                return 0
            case "negative":
                return -1
            case _:
                assert_never(self._failure)


def _render(source: MemorySource, sinks: list[MemorySink]) -> None:
    def open_sink(_: PlannedRendition) -> MemorySink:
        sinks.append(MemorySink())
        return sinks[-1]

    asked = Asked(specs=_SPECS)
    with open_photo(source, asked) as photo:
        list(photo.render(make_plan(photo.header, asked), open_sink))


@pytest.mark.parametrize("name", _MAKERS)
def test_a_source_that_holds_makes_every_rendition(name: str) -> None:
    """The photos of this matrix are whole: without a failure each rendition is committed."""
    data = _photo(name)
    sinks: list[MemorySink] = []
    _render(_FailingSource(data, len(data) + 1, "raises"), sinks)
    assert [bool(sink.data) for sink in sinks] == [True, True]


@pytest.mark.parametrize(("failure", "name", "place"), _cases())
def test_a_failing_source_commits_nothing(failure: Failure, name: str, place: Place) -> None:
    """However, wherever and in whatever format the bytes fail: an error, and no rendition."""
    data = _photo(name)
    at = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[place]
    source = _FailingSource(data, at, failure)
    sinks: list[MemorySink] = []
    with pytest.raises(RenditionsError):
        _render(source, sinks)
    assert source.met
    assert [sink.data for sink in sinks if sink.data is not None] == []
