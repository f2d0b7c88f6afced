"""c2pa-rs by its C interface: what a manifest store says, and a picture with a new one.

The library comes with the package c2pa-python, whose own Python is not imported: it makes its
callbacks when they are used, in memory that is executable, which a worker cannot have. Those here
are made when this module is imported, before the sandbox.
"""

import importlib.util
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from imaging.credentials._c2pa import ffi

__all__ = ["LibraryError", "ingredient_of", "preload", "read_store", "signed"]

_SETTINGS: Final = {
    "version": 1,
    # Nothing is asked of anybody, whatever a store names; a worker has no network besides.
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_after_sign": False,
        # Whom to trust is the reader's to say: no list of anchors is here.
        "verify_trust": False,
        "verify_timestamp_trust": False,
    },
    "core": {"allowed_network_hosts": [], "max_decompressed_manifest_size_in_mb": 8},
    "builder": {
        "generate_c2pa_archive": True,
        "thumbnail": {"enabled": False},
        "actions": {
            "auto_created_action": {"enabled": False},
            "auto_opened_action": {"enabled": False},
            "auto_placed_action": {"enabled": False},
        },
    },
}

_ES256: Final = 0
"""Of the enumeration ``C2paSigningAlg``."""


class LibraryError(Exception):
    """c2pa-rs refused; the message is its own, and may quote the photo."""


Sign = Callable[[bytes], bytes]
"""Returns the signature of the bytes that it is given."""


class _Call:
    """What callbacks share with who waits for them.

    Attributes:
        captured: What a callback failed with: the library learns only that it did.
    """

    def __init__(self) -> None:
        self.captured: BaseException | None = None


class _Stream(_Call):
    """Bytes in memory, as the library reads or writes them."""

    def __init__(self, data: io.BytesIO) -> None:
        super().__init__()
        self.data = data


class _Signer(_Call):
    """Who signs."""

    def __init__(self, sign: Sign) -> None:
        super().__init__()
        self.sign = sign


@ffi.callback("ReadCallback", error=-1)  # type: ignore[untyped-decorator]
def _on_read(context: Any, data: Any, length: int) -> int:  # noqa: ANN401 - cffi's
    stream: _Stream = ffi.from_handle(context)
    return stream.data.readinto(ffi.buffer(data, length))


@ffi.callback("SeekCallback", error=-1)  # type: ignore[untyped-decorator]
def _on_seek(context: Any, offset: int, mode: int) -> int:  # noqa: ANN401 - cffi's
    stream: _Stream = ffi.from_handle(context)
    return stream.data.seek(offset, mode)


@ffi.callback("WriteCallback", error=-1)  # type: ignore[untyped-decorator]
def _on_write(context: Any, data: Any, length: int) -> int:  # noqa: ANN401 - cffi's
    stream: _Stream = ffi.from_handle(context)
    return stream.data.write(ffi.buffer(data, length))


@ffi.callback("FlushCallback", error=-1)  # type: ignore[untyped-decorator]
def _on_flush(_context: Any) -> int:  # noqa: ANN401 - cffi's
    return 0


@ffi.callback("SignerCallback", error=-1)  # type: ignore[untyped-decorator]
def _on_sign(context: Any, data: Any, length: int, into: Any, room: int) -> int:  # noqa: ANN401 - cffi's
    signer: _Signer = ffi.from_handle(context)
    try:
        signature = signer.sign(bytes(ffi.buffer(data, length)))
    except BaseException as error:  # noqa: BLE001 - the library would lose it
        signer.captured = error
        return -1
    if len(signature) > room:
        return -1
    ffi.memmove(into, signature, len(signature))
    return len(signature)


@cache
def preload() -> Any:  # noqa: ANN401 - cffi has no types of what it declares
    """Load the library, and return its functions; no file is opened after this.

    *Cost*: 23 MB are mapped, of which a photo touches a part.

    Raises:
        LibraryError: It is not installed.
    """
    found = importlib.util.find_spec("c2pa")
    if found is None or found.origin is None:
        raise LibraryError("c2pa-python is not installed")
    return ffi.dlopen(os.fspath(Path(found.origin).parent / "libs" / "libc2pa_c.so"))


def _raise() -> None:
    words = preload().c2pa_error()
    if words == ffi.NULL:
        raise LibraryError("it gave no reason")
    try:
        raise LibraryError(ffi.string(words).decode("utf-8", "replace"))
    finally:
        preload().c2pa_free(words)


def _made(pointer: Any) -> Any:  # noqa: ANN401 - as above
    """Return what was made, or raise what the library says."""
    if pointer == ffi.NULL:
        _raise()
    return pointer


def _done(status: int) -> None:
    if status < 0:
        _raise()


def _owned(pointer: Any) -> Any:  # noqa: ANN401 - as above
    """Return a pointer that is freed with the object that holds it."""
    return ffi.gc(_made(pointer), preload().c2pa_free)


def _handed_on(owned: Any) -> Any:  # noqa: ANN401 - as above
    """Return the pointer to who takes it: it is freed there."""
    ffi.gc(owned, None)
    return owned


@cache
def _context() -> Any:  # noqa: ANN401 - as above
    library = preload()
    settings = _owned(library.c2pa_settings_new())
    text = json.dumps(_SETTINGS).encode()
    _done(library.c2pa_settings_update_from_string(settings, text, b"json"))
    builder = _owned(library.c2pa_context_builder_new())
    _done(library.c2pa_context_builder_set_settings(builder, settings))
    return _owned(library.c2pa_context_builder_build(_handed_on(builder)))


@contextmanager
def _stream(data: io.BytesIO) -> Iterator[Any]:
    library = preload()
    # The handle has to be held as long as the library may call.
    held = ffi.new_handle(_Stream(data))
    made = _made(library.c2pa_create_stream(held, _on_read, _on_seek, _on_write, _on_flush))
    try:
        yield made
    finally:
        library.c2pa_release_stream(made)


def read_store(photo: bytes, media_type: str) -> dict[str, Any]:
    """Return what the manifest store in ``photo`` says, and whether it holds.

    *Cost*: a hash of the photo.

    Raises:
        LibraryError: There is none that can be read.

    Returns:
        What c2pa-rs calls the detailed report: ``manifests``, ``active_manifest``,
        ``validation_results``, ``validation_state``.
    """
    library = preload()
    with _stream(io.BytesIO(photo)) as stream:
        reader = _owned(library.c2pa_reader_from_context(_context()))
        # It takes the reader, and gives another.
        reader = _owned(
            library.c2pa_reader_with_stream(_handed_on(reader), media_type.encode(), stream)
        )
        text = _owned(library.c2pa_reader_detailed_json(reader))
        report: dict[str, Any] = json.loads(ffi.string(text))
    if not report.get("manifests"):
        # What was found is no manifest; the report has nothing but what is wrong with it.
        raise LibraryError("no manifest that can be read")
    return report


def _builder(definition: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
    library = preload()
    builder = _owned(library.c2pa_builder_from_context(_context()))
    text = json.dumps(definition).encode()
    return _owned(library.c2pa_builder_with_definition(_handed_on(builder), text))


def ingredient_of(photo: bytes, media_type: str, about: Mapping[str, str]) -> bytes:
    """Return a photo as an ingredient: its manifest store, and what was found when it was verified.

    *Cost*: a hash of the photo, two copies of it.

    Args:
        photo: All its bytes.
        media_type: Its media type.
        about: Its ``title``, its ``relationship`` and its ``label``.

    Raises:
        LibraryError: c2pa-rs refused.
    """
    library = preload()
    builder = _builder({})
    with _stream(io.BytesIO(photo)) as stream:
        text = json.dumps(about).encode()
        added = library.c2pa_builder_add_ingredient_from_stream(
            builder, text, media_type.encode(), stream
        )
        _done(added)
    made = io.BytesIO()
    with _stream(made) as stream:
        _done(
            library.c2pa_builder_write_ingredient_archive(builder, about["label"].encode(), stream)
        )
    return made.getvalue()


def signed(
    picture: bytes,
    media_type: str,
    definition: Mapping[str, Any],
    ingredient: bytes,
    certificates: str,
    sign: Sign,
) -> tuple[bytes, bytes]:
    """Return ``picture`` with a new manifest, and the manifest store that it has then.

    Args:
        picture: Without one.
        media_type: The picture's.
        definition: The manifest, as c2pa-rs reads one.
        ingredient: What it is made from, as :func:`ingredient_of` gives it.
        certificates: The signer's chain, in PEM, its own first.
        sign: Signs by ES256; gives 64 bytes.

    *Cost*: a hash of the picture, three copies of it.

    Raises:
        LibraryError: c2pa-rs refused.
    """
    library = preload()
    signer = _Signer(sign)
    handle = ffi.new_handle(signer)
    owned = _owned(
        library.c2pa_signer_create(handle, _on_sign, _ES256, certificates.encode(), ffi.NULL)
    )
    builder = _builder(definition)
    with _stream(io.BytesIO(ingredient)) as stream:
        _done(library.c2pa_builder_add_ingredient_from_archive(builder, stream))
    made = io.BytesIO()
    manifest = ffi.new("const uint8_t **")
    with _stream(io.BytesIO(picture)) as source, _stream(made) as target:
        size = library.c2pa_builder_sign(
            builder, media_type.encode(), source, target, owned, manifest
        )
    store = b""
    if manifest[0] != ffi.NULL:
        store = ffi.buffer(manifest[0], max(size, 0))[:]
        library.c2pa_free(manifest[0])
    if signer.captured is not None:
        raise signer.captured
    _done(size)
    return made.getvalue(), store
