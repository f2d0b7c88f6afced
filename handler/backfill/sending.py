"""Photos sent to an SQS queue, from which the function takes them."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from handler.backfill.listing import Photo
from handler.backfill.ways import Outcome

__all__ = ["send_to_queue"]

_BATCH: Final = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html"""


def send_to_queue(
    photos: Iterable[Photo],
    *,
    sqs: Any,  # noqa: ANN401 - botocore's
    url: str,
    bucket: str,
) -> Iterator[Outcome]:
    """Yield for each photo whether the queue took it; the function's metrics tell the rest.

    *Cost*: a SendMessageBatch for ten photos.
    """
    coming = iter(photos)
    while batch := list(islice(coming, _BATCH)):
        answer = sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {
                    "Id": str(number),
                    # In ASCII: a message holds only what XML may.
                    "MessageBody": json.dumps({"bucket": bucket, "key": photo.key}),
                }
                for number, photo in enumerate(batch)
            ],
        )
        failed = {entry["Id"]: entry for entry in answer.get("Failed", [])}
        for number, photo in enumerate(batch):
            entry = failed.get(str(number))
            if entry is None:
                yield Outcome(key=photo.key, disposition="queued")
            else:
                yield Outcome(
                    key=photo.key,
                    disposition="not-queued",
                    code=entry["Code"],
                    message=entry.get("Message"),
                )
