"""`renditions backfill` against S3 and SQS servers."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import boto3
import pytest
from botocore.stub import ANY, Stubber

from handler import cli
from handler.backfill.batch import BatchPlace, create_job, follow_job
from handler.backfill.listing import Photo, list_photos
from handler.backfill.processes import make_locally
from handler.backfill.sending import send_to_queue
from handler.backfill.state import State
from handler.settings import read_settings
from tests.photos import jpeg, text
from tests.servers import REGION, FaultProxy, FileS3, MotoServer

_PHOTOS: Final = "photos"
_RENDITIONS: Final = "renditions"
_CONFIG: Final = """
[[renditions]]
name = "tiny"
width = 16
height = 16
"""


@pytest.fixture(autouse=True)
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of the function, with one rendition; the test adds where S3 is."""
    (tmp_path / "renditions.toml").write_text(_CONFIG)
    given = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "DESTINATION_BUCKET": _RENDITIONS,
        "RENDITIONS_CONFIG": str(tmp_path / "renditions.toml"),
    }
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "SOURCE_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return given


def _fill(server: FileS3, folder: Path, count: int) -> None:
    photo = folder / "photo.jpg"
    photo.write_bytes(jpeg(64, 48))
    for number in range(count):
        server.add_file(_PHOTOS, f"album/{number:05}.jpg", photo)
    server.create_buckets(_RENDITIONS)


def _command(*arguments: str, environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "handler.cli", "backfill", _PHOTOS, "--yes", *arguments],
        env=os.environ | environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_interrupted_twice_each_photo_is_made_once(tmp_path: Path, environ: dict[str, str]) -> None:
    """Ctrl-C twice, at whatever moment: every rendition is stored, and each exactly once."""
    count = int(os.environ.get("BACKFILL_KEYS", "300"))
    with FileS3() as server, FaultProxy(server.endpoint_url) as proxy:
        _fill(server, tmp_path, count)
        endpoint = {"AWS_ENDPOINT_URL_S3": proxy.endpoint_url}

        def stored() -> Counter[str]:
            return Counter(
                request.key
                for request in proxy.requests
                if request.operation == "PutObject" and request.key.endswith("/tiny.jpg")
            )

        outputs = []
        for wanted in (count // 6, count // 2):
            process = _command("--processes", "2", environ=environ | endpoint)
            while sum(stored().values()) < wanted:
                assert process.poll() is None, process.communicate()
                # Counting takes longer the more there are.
                time.sleep(count / 6000)
            process.send_signal(signal.SIGINT)
            outputs.append(process.communicate(timeout=60)[0])
            assert process.returncode == 130, outputs
            assert sum(stored().values()) < count
        process = _command("--processes", "2", environ=environ | endpoint)
        outputs.append(process.communicate(timeout=60 + count / 10)[0])
        assert process.returncode == 0, outputs

        # On a busy machine an answer may not come in time; the request is then made again, and told
        # that the object is there. Twice the store must never have taken one.
        again = {key for key, times in stored().items() if times > 1}
        repeated = [one for one in proxy.matching(operation="PutObject") if one.key in again]
        assert {one.if_none_match for one in repeated} <= {"*"}
        taken = Counter(one.key for one in repeated if one.status == 200)
        assert all(times == 1 for times in taken.values()), repeated
        print(f"{len(again)} of {count:,} requests were made again")  # noqa: T201 - for the trial
        assert len(stored()) == count
        # Each photo's outcome, once; one that was worked on again would be unchanged.
        assert re.search(rf"written {count:,}\b(?!.*unchanged)", outputs[-1])
        assert "Going on after" in outputs[1]
        process = _command("--processes", "2", environ=environ | endpoint)
        assert "All was done before" in process.communicate(timeout=60)[0]


def test_a_photo_is_listed_and_a_folder_is_not() -> None:
    """Both keys end in a slash; the function makes the photo, too."""
    with MotoServer() as server:
        server.create_buckets(_PHOTOS)
        client = server.client()
        client.put_object(Bucket=_PHOTOS, Key="photo/", Body=jpeg(96, 64))
        client.put_object(Bucket=_PHOTOS, Key="folder/", Body=b"")
        assert [one.key for one in list_photos(client, _PHOTOS, "")] == ["photo/"]


def test_a_dry_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run counts and estimates; it stores nothing and leaves no state."""
    with MotoServer() as server:
        server.create_buckets(_PHOTOS, _RENDITIONS)
        client = server.client()
        for key in ("a.jpg", "b.jpg"):
            client.put_object(Bucket=_PHOTOS, Key=key, Body=jpeg(640, 480))
        client.put_object(Bucket=_PHOTOS, Key="folder/", Body=b"")
        client.put_object(Bucket=_PHOTOS, Key="c.jpg", Body=text())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
            status = cli.main(["backfill", _PHOTOS, "--dry-run"])
            capsys_local = capsys.readouterr().out
            sqs = ["--via", "sqs", "--queue-url", f"{server.endpoint_url}/q"]
            assert cli.main(["backfill", _PHOTOS, "--dry-run", *sqs]) == 0

        assert status == 0
        assert "3 photos of" in capsys_local
        assert "1 cannot be rendered" in capsys_local
        assert re.search(r"about \d+ s in \d+ processes", capsys_local)
        assert re.search(r"about \$0\.\d\d at 1769 MB of x86_64,", capsys.readouterr().out)
        assert "Contents" not in client.list_objects_v2(Bucket=_RENDITIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["renditions.toml"]


def test_a_new_start_forgets_what_went_wrong_and_only_when_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run, even of a new start, leaves the earlier run's files; the new run has its own."""
    command = ["backfill", _PHOTOS, "--yes", "--processes=1", "--sample=1", "--state=state.json"]
    files = [tmp_path / "state.json", tmp_path / "state.failed.jsonl"]
    with MotoServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        server.create_buckets(_PHOTOS, _RENDITIONS)
        client = server.client()
        client.put_object(Bucket=_PHOTOS, Key="a.jpg", Body=text())
        assert cli.main(command) == 1
        before = [file.read_bytes() for file in files]
        client.put_object(Bucket=_PHOTOS, Key="a.jpg", Body=jpeg(64, 48))
        assert cli.main([*command, "--restart", "--dry-run"]) == 0
        assert [file.read_bytes() for file in files] == before
        capsys.readouterr()
        assert cli.main([*command, "--restart"]) == 0
        assert "What went wrong" not in capsys.readouterr().out
    assert [file.exists() for file in files] == [True, False]


def test_only_what_is_stale(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What is there is left out, until the photo is replaced or the spec has changed."""
    command = ["backfill", _PHOTOS, "--only-stale", "--dry-run"]
    with MotoServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        server.create_buckets(_PHOTOS, _RENDITIONS)
        client = server.client()
        for number in range(3):
            client.put_object(Bucket=_PHOTOS, Key=f"{number}.jpg", Body=jpeg(64, 48))
        photos = list(list_photos(client, _PHOTOS, ""))
        made = make_locally(photos[:2], bucket=_PHOTOS, settings=read_settings(), processes=1)
        assert [outcome.disposition for outcome in made] == ["written", "written"]

        cli.main(command)
        assert "1 stale photos" in capsys.readouterr().out
        client.put_object(Bucket=_PHOTOS, Key="0.jpg", Body=jpeg(80, 48))
        cli.main(command)
        assert "2 stale photos" in capsys.readouterr().out
        (tmp_path / "renditions.toml").write_text(_CONFIG.replace("16", "24"))
        cli.main(command)
        assert "3 stale photos" in capsys.readouterr().out


def test_a_missing_option_is_named_before_anything_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a queue there is no sending to it, and the option is named at once."""
    with MotoServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        assert cli.main(["backfill", "no-such-bucket", "--via", "sqs"]) == 2

    assert "--queue-url" in capsys.readouterr().err


def test_a_process_that_dies_takes_no_photo_with_it(tmp_path: Path) -> None:
    """When a process is killed, the photos that the pool held are made all the same."""
    photos = [
        Photo(key=f"album/{number:05}.jpg", etag="", size=1, modified=0) for number in range(30)
    ]
    with FileS3() as server, pytest.MonkeyPatch.context() as patch:
        _fill(server, tmp_path, len(photos))
        etag = server.client().head_object(Bucket=_PHOTOS, Key=photos[0].key)["ETag"].strip('"')
        photos = [Photo(key=photo.key, etag=etag, size=1, modified=0) for photo in photos]
        patch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint_url)
        outcomes = []
        for outcome in make_locally(photos, bucket=_PHOTOS, settings=read_settings(), processes=2):
            outcomes.append(outcome)
            if len(outcomes) == 5:
                killed = multiprocessing.active_children()[0].pid
                assert killed is not None
                os.kill(killed, signal.SIGKILL)

    assert Counter(outcome.key for outcome in outcomes) == Counter(photo.key for photo in photos)
    # One that was made when its process died, before it could say so, is found unchanged.
    assert {outcome.disposition for outcome in outcomes} <= {"written", "unchanged"}


def test_a_queue_gets_a_job_for_each_photo(capsys: pytest.CaptureFixture[str]) -> None:
    """Every photo is in the queue once, as a job that the function understands."""
    keys = [f"ordner {number}/ü+ %.jpg" for number in range(23)]
    with MotoServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        server.create_buckets(_PHOTOS, _RENDITIONS)
        for key in keys:
            server.client().put_object(Bucket=_PHOTOS, Key=key, Body=jpeg(64, 48))
        sqs = boto3.client("sqs")
        url = sqs.create_queue(QueueName="photos")["QueueUrl"]

        status = cli.main(["backfill", _PHOTOS, "--via", "sqs", "--queue-url", url, "--yes"])

        assert status == 0
        assert "queued 23" in capsys.readouterr().out
        received: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            received += [json.loads(message["Body"]) for message in messages]
        sqs.close()
    assert Counter(job["key"] for job in received) == Counter(keys)
    assert {job["bucket"] for job in received} == {_PHOTOS}


def test_what_a_queue_refuses_is_reported() -> None:
    """A message that SQS refuses is an outcome with SQS's code.

    SQS is stubbed: no server at hand refuses one message of a batch.
    """
    sqs = boto3.client(
        "sqs", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    photos = [Photo(key=key, etag="e", size=1, modified=0) for key in ("a", "b")]
    with Stubber(sqs) as stub:
        stub.add_response(
            "send_message_batch",
            {
                "Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}],
                "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}],
            },
            {"QueueUrl": "https://queue", "Entries": ANY},
        )
        outcomes = list(send_to_queue(photos, sqs=sqs, url="https://queue", bucket=_PHOTOS))
    sqs.close()

    assert [(one.key, one.disposition, one.code) for one in outcomes] == [
        ("a", "queued", None),
        ("b", "not-queued", "InternalError"),
    ]


# China's partition: whatever names a resource has to name it as well.
_PLACE: Final = BatchPlace(
    account="123456789012",
    function="arn:aws-cn:lambda:cn-north-1:123456789012:function:renditions:live",
    role="arn:aws-cn:iam::123456789012:role/backfill",
    bucket=_RENDITIONS,
)


def test_a_batch_job_from_manifest_to_end(tmp_path: Path) -> None:
    """The manifest names each photo, URL-encoded; the job is by botocore's model; its end is told.

    S3 Batch Operations itself is stubbed: no emulator at hand has it.
    """
    keys = ["a.jpg", 'ordner/ü+ %,".jpg']
    control = boto3.client("s3control")
    state = State(tmp_path / "state.json", {})
    shown: list[int] = []
    with MotoServer() as server, Stubber(control) as stub:
        server.create_buckets(_PHOTOS, _RENDITIONS)
        client = server.client()
        for key in keys:
            client.put_object(Bucket=_PHOTOS, Key=key, Body=b"photo")
        stub.add_response(
            "create_job",
            {"JobId": "job-1"},
            {
                "AccountId": _PLACE.account,
                "ConfirmationRequired": False,
                "ClientRequestToken": "n-1",
                "Description": ANY,
                "Operation": {
                    "LambdaInvoke": {
                        "FunctionArn": _PLACE.function,
                        "InvocationSchemaVersion": "2.0",
                    }
                },
                "Manifest": {
                    "Spec": {
                        "Format": "S3BatchOperations_CSV_20180820",
                        "Fields": ["Bucket", "Key"],
                    },
                    "Location": {
                        "ObjectArn": f"arn:aws-cn:s3:::{_RENDITIONS}/backfill/n-1/manifest.csv",
                        "ETag": ANY,
                    },
                },
                "Report": {
                    "Bucket": f"arn:aws-cn:s3:::{_RENDITIONS}",
                    "Prefix": "backfill/n-1",
                    "Format": "Report_CSV_20180820",
                    "Enabled": True,
                    "ReportScope": "FailedTasksOnly",
                },
                "Priority": 10,
                "RoleArn": _PLACE.role,
            },
        )
        for status, done, failed in (("Active", 1, 0), ("Complete", 1, 1)):
            stub.add_response(
                "describe_job",
                {
                    "Job": {
                        "JobId": "job-1",
                        "Status": status,
                        "ProgressSummary": {
                            "TotalNumberOfTasks": 2,
                            "NumberOfTasksSucceeded": done,
                            "NumberOfTasksFailed": failed,
                        },
                    }
                },
                {"AccountId": _PLACE.account, "JobId": "job-1"},
            )

        job = create_job(
            list_photos(client, _PHOTOS, ""),
            s3=client,
            control=control,
            place=_PLACE,
            bucket=_PHOTOS,
            name="n-1",
        )
        end = follow_job(
            job[0],
            control=control,
            account=_PLACE.account,
            state=state,
            show=lambda: shown.append(state.ended),
            wished=lambda: False,
            every_s=0,
        )
        stub.assert_no_pending_responses()
        body = io.BytesIO()
        client.download_fileobj(_RENDITIONS, "backfill/n-1/manifest.csv", body)
    control.close()

    rows = [line.split(",") for line in body.getvalue().decode().splitlines()]
    assert job == ("job-1", 2)
    assert [(bucket, unquote(key)) for bucket, key in rows] == [(_PHOTOS, key) for key in keys]
    assert end is not None
    assert (end.status, end.counts["failed"]) == ("Complete", 1)
    assert shown == [1, 2]


def _make_stack(name: str, **outputs: str) -> None:
    """Have CloudFormation know a stack with these outputs."""
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    client = boto3.client("cloudformation")
    client.create_stack(StackName=name, TemplateBody=json.dumps(template))
    client.close()


def test_a_stack_says_what_its_function_reads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its prefix bounds the photos: the function may not read any other; its keys are used."""
    monkeypatch.delenv("DESTINATION_BUCKET")
    with MotoServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        server.create_buckets(_PHOTOS, _RENDITIONS)
        for key in ("in/a.jpg", "elsewhere/b.jpg"):
            server.client().put_object(Bucket=_PHOTOS, Key=key, Body=jpeg(64, 48))
        _make_stack(
            "live",
            SourceBucket=_PHOTOS,
            SourcePrefix="in/",
            DestinationBucket=_RENDITIONS,
            KeyTemplate="out/{key}/{name}.{ext}",
        )

        assert cli.main(["backfill", _PHOTOS, "--stack", "live", "--yes"]) == 0
        listed = server.client().list_objects_v2(Bucket=_RENDITIONS)["Contents"]
        other = cli.main(["backfill", "others", "--stack", "live"])

    assert {one["Key"] for one in listed} == {"out/in/a.jpg/tiny.jpg", "out/in/a.jpg/photo.json"}
    assert other == 2
    assert f"'{_PHOTOS}', but received 'others'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nowhere"], 1, "backfill of s3://nowhere: An error occurred (NoSuchBucket)"),
        ([_PHOTOS, "--stack", "gone"], 1, f"backfill of s3://{_PHOTOS}, stack gone: "),
        ([_PHOTOS, "--via", "sqs"], 2, "--queue-url: expected it, or --stack"),
        ([_PHOTOS, "--via", "batch", "--function-arn", "f"], 2, "function's ARN but received 'f'"),
    ],
    ids=["bucket", "stack", "queue", "function"],
)
def test_what_is_wrong_is_said(
    arguments: list[str],
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """In one line, before anything is counted; nothing is left behind."""
    with MotoServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        server.create_buckets(_PHOTOS, _RENDITIONS)

        assert cli.main(["backfill", *arguments]) == status

    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert [path.name for path in tmp_path.iterdir()] == ["renditions.toml"]
