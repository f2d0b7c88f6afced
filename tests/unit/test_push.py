"""`make push`: what it takes for a target, and what it does at Amazon ECR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from scripts import push

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An Amazon ECR with no repository in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("ecr", region_name="eu-west-1")
        yield client
        client.close()


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag"),
    [
        (f"{HOST}/renditions", HOST, "renditions", "latest"),
        (f"{HOST}/team/renditions:1.2", HOST, "team/renditions", "1.2"),
        ("127.0.0.1:5000/renditions", "127.0.0.1:5000", "renditions", "latest"),
        ("localhost/renditions", "localhost", "renditions", "latest"),
    ],
)
def test_target(text: str, host: str, repository: str, tag: str) -> None:
    """A target is a host, a repository on it, and a tag, which is `latest` by default."""
    assert push.parse_target(text) == push.Target(host=host, repository=repository, tag=tag)


@pytest.mark.parametrize("text", ["", "renditions", "team/renditions", HOST, f"{HOST}/"])
def test_target_without_a_host(text: str) -> None:
    """What names no registry is refused, not pushed to Docker Hub."""
    with pytest.raises(push.PushError, match="Expected HOST/REPOSITORY"):
        push.parse_target(text)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, "eu-west-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("127.0.0.1:5000", None),
        (f"{HOST}.example.org", None),
    ],
)
def test_ecr_hosts(host: str, region: str | None) -> None:
    """Only Amazon's own hosts are asked for a repository and given credentials."""
    found = push.ECR_HOST.fullmatch(host)

    assert (None if found is None else found["region"]) == region


def test_a_missing_repository_is_created_once(
    ecr: Any,  # noqa: ANN401 - boto3 makes the class
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first push makes the repository, the second finds it."""
    target = push.parse_target(f"{HOST}/team/renditions")

    push.ensure_ecr_repository(target, ecr)
    push.ensure_ecr_repository(target, ecr)

    names = [item["repositoryName"] for item in ecr.describe_repositories()["repositories"]]
    assert names == ["team/renditions"]
    assert capsys.readouterr().out.count("created") == 1


def test_credentials(ecr: Any) -> None:  # noqa: ANN401 - boto3 makes the class
    """ECR's token is taken apart into the user and the password that Docker logs in with."""
    credentials = push.ecr_credentials(ecr)

    assert credentials.user == "AWS"
    assert credentials.password
    assert credentials.password not in repr(credentials)
