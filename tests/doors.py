"""The wall that tests share which look at something else: one zygote for all of them."""

import atexit

from imaging.worker.client import Workers
from imaging.worker.spawning import Launch

__all__ = ["WORKERS"]

WORKERS = Workers(Launch(concurrency=2))
atexit.register(WORKERS.close)
