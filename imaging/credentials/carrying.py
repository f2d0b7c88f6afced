"""Carries a photo's content credentials on into its renditions."""

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Final

from imaging.credentials import definition as definitions
from imaging.credentials.leftover import LeftoverError, check_redacted
from imaging.credentials.library import LibraryError, ingredient_of, read_store, signed
from imaging.errors import PhotoWarning
from imaging.signatures import Carried, Signer

if TYPE_CHECKING:
    from collections.abc import Callable

    from imaging.header import ImageHeader
    from imaging.plan import PlannedRendition

__all__ = ["Carrying", "Held"]

_MOST_WORDS: Final = 200


class Held:
    """A sink that holds a rendition until it is signed."""

    def __init__(self) -> None:
        self._data = BytesIO()

    def write(self, data: memoryview) -> None:
        self._data.write(data)

    def commit(self) -> None:
        """All of it is there."""

    def abort(self) -> None:
        """Nothing of it is wanted."""

    @property
    def data(self) -> bytes:
        """What was written."""
        return self._data.getvalue()


class Carrying:
    """A photo's content credentials, read once and verified, for all its renditions.

    Args:
        photo: All its bytes.
        header: Its header.
        signer: Who signs.
        sign: Signs.

    *Cost*: two hashes of the photo and three copies of it, which are gone before it is decoded; two
    hashes and three copies of each rendition.
    """

    def __init__(
        self, photo: bytes, header: "ImageHeader", signer: Signer, sign: "Callable[[bytes], bytes]"
    ) -> None:
        self._header = header
        self._signer = signer
        self._sign = sign
        self._ingredient = b""
        self._redacted: tuple[str, ...] = ()
        self._carried = Carried()
        self._reason = ""
        try:
            media_type = f"image/{header.format.value}"
            report = read_store(photo, media_type)
            self._carried = replace(self._carried, faults=definitions.faults(report))
            self._redacted = definitions.redactions(report)
            self._ingredient = ingredient_of(photo, media_type, definitions.INGREDIENT)
        except (LibraryError, definitions.UnredactableError) as error:
            self._reason = _words(error)

    def signed(
        self, data: bytes, planned: "PlannedRendition"
    ) -> tuple[bytes, Carried | None, tuple[PhotoWarning, ...]]:
        """Return an encoded rendition with its manifest, and what to say of it.

        Where its photo's credentials cannot be carried on, it is returned as it is.
        """
        if not self._reason:
            manifest = definitions.definition(
                self._header, planned, self._redacted, self._signer.release
            )
            try:
                made, store = signed(
                    data,
                    planned.format.content_type,
                    manifest,
                    self._ingredient,
                    self._signer.certificates,
                    self._sign,
                )
                # What is wrong with the photo's own is said in the manifest, which itself holds.
                report = read_store(made, planned.format.content_type)
                wrong = definitions.faults(report, own=True)
                check_redacted(store, own=report["active_manifest"])
            except (LibraryError, LeftoverError) as error:
                return data, None, (_not_carried(_words(error)),)
            if wrong:
                return data, None, (_not_carried(", ".join(wrong)),)
            return made, self._carried, self._warnings()
        return data, None, (_not_carried(self._reason),)

    def _warnings(self) -> tuple[PhotoWarning, ...]:
        if not self._carried.faults:
            return ()
        return (
            PhotoWarning(
                code="credentials-invalid",
                message=(
                    "Expected content credentials that hold but received "
                    f"{', '.join(self._carried.faults)}: the renditions' say so"
                ),
            ),
        )


def _words(error: Exception) -> str:
    """Return what an error says, as a line of a log may have it: it may quote the photo."""
    return "".join(each if each.isprintable() else "?" for each in str(error)[:_MOST_WORDS])


def _not_carried(reason: str) -> PhotoWarning:
    return PhotoWarning(
        code="credentials-removed",
        message=f"Expected content credentials that can be carried on but received: {reason}",
    )
