"""The memory that the function may use is read from where it runs."""

from pathlib import Path

import pytest

from handler.memory_limit import memory_limit
from imaging.limits import Memory

V1 = "sys/fs/cgroup/memory/memory.limit_in_bytes"
V2 = "sys/fs/cgroup/memory.max"


@pytest.mark.parametrize(
    ("variables", "processes"),
    [
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}, 1),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "4096", "AWS_LAMBDA_MAX_CONCURRENCY": "8"}, 8),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_MAX_CONCURRENCY": ""}, 1),
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_MAX_CONCURRENCY": "0"}, 1),
    ],
)
def test_lambda_says_how_much(variables: dict[str, str], processes: int, tmp_path: Path) -> None:
    """Its variables come before the control group, and concurrent processes share."""
    (tmp_path / V2).parent.mkdir(parents=True)
    (tmp_path / V2).write_text("1048576\n")
    assert memory_limit(variables, tmp_path) == Memory(bytes=512 << 20, processes=processes)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (V2, "268435456\n", Memory(bytes=268435456)),
        (V2, "max\n", None),
        (V1, "268435456\n", Memory(bytes=268435456)),
        (V1, "9223372036854771712\n", None),
    ],
)
def test_else_the_control_group_says(
    file: str, text: str, expected: Memory | None, tmp_path: Path
) -> None:
    """Both versions have a file, and both have a way to say that there is no limit."""
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    assert memory_limit({}, tmp_path) == expected


def test_without_either_there_is_no_limit(tmp_path: Path) -> None:
    """A laptop renders what its own memory holds."""
    assert memory_limit({}, tmp_path) is None
