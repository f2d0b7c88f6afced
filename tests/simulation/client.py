"""The client of an attempt in the simulation: each request is a step, and may be the last."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ConnectionClosedError, IncompleteReadError

from tests.servers.memory import client_error

from .schedule import KilledError

if TYPE_CHECKING:
    import collections
    import random

    from .schedule import Run

KILLED: Final = 0.004
_FAULTS: Final = (
    ("throttled", 0.01),
    ("internal error", 0.01),
    ("dropped", 0.01),
    ("answer lost", 0.01),
    ("answer lost, 500", 0.01),
    ("body cut", 0.01),
)


class StepClient:
    """A client whose process may end before and after any request.

    Args:
        client: does what is asked.
        run: paused before each request.
        dice: of this attempt.
        counts: of what befell the requests, added to.
        has_faults: requests go wrong here, too; otherwise `client` does that itself.
        ends_after: so many requests, and then its process; None to leave it to chance.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - botocore's
        run: Run,
        dice: random.Random,
        counts: collections.Counter[str],
        *,
        has_faults: bool,
        ends_after: int | None = None,
    ) -> None:
        self._client = client
        self._run = run
        self._dice = dice
        self._counts = counts
        self._has_faults = has_faults
        self._is_dead = False
        self._left = ends_after

    def _live(self) -> None:
        if not self._run.is_own():
            return
        if self._dice.random() < KILLED or self._left == 0:
            self._is_dead = True
            self._counts["a process ended"] += 1
        if self._is_dead:
            raise KilledError

    def end_after(self, requests: int) -> None:
        """Let the process end with its next request after so many."""
        self._left = requests

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - botocore's
        call = getattr(self._client, operation)

        def stepped(**arguments: Any) -> Any:  # noqa: ANN401 - botocore's
            self._run.pause()
            self._live()
            answer = self._befallen(operation, call, arguments)
            if self._left:
                self._left -= 1
            self._live()
            return answer

        return stepped

    def _befallen(self, operation: str, call: Any, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's
        fault = self._drawn() if self._has_faults else None
        match fault:
            case "throttled":
                raise client_error(operation, 503, "SlowDown")
            case "internal error":
                raise client_error(operation, 500, "InternalError")
            case "dropped":
                raise ConnectionClosedError(endpoint_url="memory:")
            case "answer lost":
                call(**arguments)
                raise ConnectionClosedError(endpoint_url="memory:")
            case "answer lost, 500":
                call(**arguments)
                raise client_error(operation, 500, "InternalError")
            case "body cut" if operation == "get_object":
                answer = call(**arguments)
                return answer | {"Body": _CutBody(answer["Body"].read())}
            case _:
                return call(**arguments)

    def _drawn(self) -> str | None:
        at = self._dice.random()
        for fault, chance in _FAULTS:
            if at < chance:
                self._counts[f"request: {fault}"] += 1
                return fault
            at -= chance
        return None


class _CutBody(io.BytesIO):
    """A body that ends after its first half."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body[: len(body) // 2])
        self._size = len(body)

    def _whole(self, read: Any) -> Any:  # noqa: ANN401 - io's
        if not read and self._size:
            raise IncompleteReadError(actual_bytes=self.tell(), expected_bytes=self._size)
        return read

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise IncompleteReadError(actual_bytes=self._size // 2, expected_bytes=self._size)
        data: bytes = self._whole(super().read(size))
        return data

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - io's
        count: int = self._whole(super().readinto(buffer))
        return count
