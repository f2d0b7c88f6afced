"""botocore's loader component, serving the trimmed models instead of files of JSON."""

import functools
import marshal
import zlib
from pathlib import Path
from typing import Any, Final

import botocore
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader

from handler.aws.operations import OPERATIONS

__all__ = ["HOW_TO_ADD", "ModelLoader", "UntrimmedServiceError", "read_models"]

_FILE: Final = Path(__file__).with_name("models")
HOW_TO_ADD: Final = "add it to OPERATIONS in handler/aws/operations.py and build the image again"
_CREDENTIALS: Final = frozenset({"signin", "sso", "sso-oidc", "sts"})
"""What botocore calls for the credentials of a person or of another role. A function has its
credentials from Lambda; on a person's machine the whole botocore has these models."""


@functools.cache
def _trimmed_now() -> bytes:
    from handler.aws.trim import stored_models

    return stored_models()


def read_models(file: Path = _FILE) -> dict[str, Any]:
    """Return the trimmed models: from ``file``, else trimmed now from the botocore installed here.

    They are the caller's own: botocore changes what its loader hands it.

    Raises:
        RuntimeError: The file was made from another botocore or for other operations.
    """
    stored = file.read_bytes() if file.exists() else _trimmed_now()
    models: dict[str, Any] = marshal.loads(zlib.decompress(stored))  # noqa: S302 - our own build's file
    made_for = models["botocore"], models["operations"]
    if made_for != (botocore.__version__, OPERATIONS):
        raise RuntimeError(
            f"{file}: expected models of botocore {botocore.__version__} for the operations in "
            f"handler/aws/operations.py but received those of botocore {made_for[0]} for "
            f"{made_for[1]}: run `python -m handler.aws.trim {file}`"
        )
    return models


class UntrimmedServiceError(UnknownServiceError):
    """A service that the trimmed models do not hold."""

    fmt = "The service {service_name!r} is not in this function: " + HOW_TO_ADD


class ModelLoader:
    """What botocore asks its data loader for, answered from memory."""

    def __init__(self, models: dict[str, Any]) -> None:
        self._services = models["services"]
        self._shared = models["shared"]

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:  # noqa: ANN401 - as botocore has it
        if service_name in self._services:
            try:
                return self._services[service_name][type_name]
            except KeyError:
                raise DataNotFoundError(data_path=f"{service_name}/{type_name}") from None
        if service_name in _CREDENTIALS:
            return Loader().load_service_model(service_name, type_name, api_version)
        raise UntrimmedServiceError(service_name=service_name, known_service_names="")

    def load_data(self, name: str) -> Any:  # noqa: ANN401 - as botocore has it
        try:
            return self._shared[name]
        except KeyError:
            raise DataNotFoundError(data_path=name) from None

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        return self.load_data(name), name

    def is_builtin_path(self, path: str) -> bool:  # noqa: ARG002 - there is no other kind here
        return True
