"""What has to be done before a snapshot of Lambda's SnapStart, and after each restore of it.

Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

import os
import random
import ssl
from collections.abc import Callable
from typing import Final

from snapshot_restore_py import register_after_restore, register_before_snapshot

from imaging.config import Config
from imaging.photo import PhotoOpener
from imaging.warming import warm_up

__all__ = ["register_hooks"]

_SEED_BYTES: Final = 32


def register_hooks(
    config: Config,
    open_photo: PhotoOpener,
    drop_client: Callable[[], None],
    renew: Callable[[], None],
) -> None:
    """Register what warms a process before its snapshot, and what renews a restored copy.

    Args:
        config: Its renditions are made once of a small photo.
        open_photo: By which a worker, which is in the snapshot, has made them. It has no secret.
        drop_client: Ends connections and forgets credentials: neither may be in a snapshot, which
            is stored and outlives both.
        renew: Makes a new client, with the credentials of the restored environment, and reads the
            configuration again where it is not the image's.
    """

    def before() -> None:
        warm_up(open_photo, config)
        drop_client()

    def after() -> None:
        # Every copy of one snapshot would wait the same times between its retries, and OpenSSL
        # would continue the same random numbers.
        random.seed()
        ssl.RAND_add(os.urandom(_SEED_BYTES), _SEED_BYTES)
        renew()

    register_before_snapshot(before)
    register_after_restore(after)
