"""The table of formats is whole: whoever adds half a format is stopped here."""

import importlib
import inspect
import pkgutil
from typing import Any

import pytest
import pyvips

import imaging.decoders
import imaging.encoders
from imaging import steps
from imaging.decoders import Decoder, FramesDecoder, decoder_of
from imaging.encoders import Encoder, encoder_of
from imaging.errors import RenditionsError
from imaging.formats import InputFormat, OutputFormat, Reading, sniff
from imaging.plan import Load
from imaging.planning import Asked
from imaging.specs import Colour, RenditionSpec
from tests.photos import PHOTO_FORMATS, png, private_photo
from tests.rendering import header_of, plan_of, rendered


def asked_of(protocol: type) -> dict[str, list[str]]:
    """Return the functions that a protocol asks for, and what each takes."""
    functions = inspect.getmembers(protocol, inspect.isfunction)
    return {
        name: list(inspect.signature(function).parameters)[1:]
        for name, function in functions
        if name[0] != "_"
    }


def had_by(module: Any) -> dict[str, list[str]]:  # noqa: ANN401 - a module
    """Return the functions that a module gives, and what each takes."""
    return {
        name: list(inspect.signature(getattr(module, name)).parameters) for name in module.__all__
    }


def photo_in(photo_format: InputFormat) -> bytes:
    """Return a photo of a format."""
    return private_photo(photo_format.value)[0]


def test_there_are_photos_of_every_format() -> None:
    """Private photos, damage and the fault matrix are tried in each format that is accepted."""
    assert set(PHOTO_FORMATS) == set(InputFormat)


@pytest.mark.parametrize("photo_format", InputFormat)
def test_a_format_that_is_decoded_is_whole(photo_format: InputFormat) -> None:
    """It has a row, a decoder with every function, a loader, and bytes that tell it."""
    row, decoder = photo_format.row, decoder_of(photo_format)
    assert getattr(decoder, "__name__", "") == f"imaging.decoders.{photo_format.value}"
    beside = asked_of(FramesDecoder) if "frames" in had_by(decoder) else {}
    assert had_by(decoder) == asked_of(Decoder) | beside
    way = "buffer" if row.reading is Reading.WHOLE else "source"
    assert pyvips.type_find("VipsOperation", f"{row.loader}_{way}")
    assert row.magic or row.brands
    assert sniff(photo_in(photo_format)) is photo_format


@pytest.mark.parametrize("photo_format", InputFormat)
def test_a_decoder_says_what_it_holds(photo_format: InputFormat) -> None:
    """It is nothing only where the decoder gives the picture row by row."""
    header = header_of(photo_in(photo_format))
    held = decoder_of(photo_format).peak_bytes(header, Load())
    assert held > 0 or photo_format.row.in_rows
    assert (
        plan_of(photo_in(photo_format), Asked(specs=(RenditionSpec(name="a"),))).peak_bytes > held
    )


@pytest.mark.parametrize("output", OutputFormat)
def test_a_format_that_is_encoded_is_whole(output: OutputFormat) -> None:
    """It has a row, an encoder with every function, and a saver that writes its largest side."""
    row, encoder = output.row, encoder_of(output)
    assert getattr(encoder, "__name__", "") == f"imaging.encoders.{output.value}"
    assert had_by(encoder) == asked_of(Encoder)
    assert pyvips.type_find("VipsOperation", row.saver)
    spec = RenditionSpec(name="a", formats=(output,))
    [planned] = plan_of(photo_in(InputFormat.JPEG), Asked(specs=(spec,))).renditions
    assert encoder.encoded_bytes(planned, 3) > 0
    assert encoder.peak_bytes(planned, 3) > 0 or row.in_rows
    assert planned.quality == row.default_quality


@pytest.mark.parametrize("output", OutputFormat)
def test_the_row_says_what_the_encoder_keeps(output: OutputFormat) -> None:
    """Alpha and a profile are in the file exactly if the row says that the format holds them."""
    data = png(64, 48, alpha=True)
    spec = RenditionSpec(name="a", formats=(output,))
    assert rendered(data, spec).images["a"].hasalpha() == output.row.has_alpha
    if output.row.has_profile:
        tagged = RenditionSpec(name="a", formats=(output,), colour=Colour.DISPLAY_P3)
        made = rendered(data, tagged).images["a"]
        assert made.get_typeof("icc-profile-data")


@pytest.mark.parametrize(
    ("package", "formats"), [(imaging.decoders, InputFormat), (imaging.encoders, OutputFormat)]
)
def test_no_module_is_without_a_row(package: Any, formats: Any) -> None:  # noqa: ANN401 - modules, enums
    """Each module with such functions is named by a row, or lends them to one that is."""
    names = [name for _, name, _ in pkgutil.iter_modules(package.__path__)]
    modules = {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}
    whole = {name for name, module in modules.items() if "peak_bytes" in vars(module)}
    rows = {one.value for one in formats}
    shared = {modules[row].peak_bytes.__module__.rpartition(".")[2] for row in rows}
    assert whole == rows | shared


def test_every_step_is_in_the_order_of_steps() -> None:
    """A step that is written and not listed would never be taken."""
    takes = list(inspect.signature(steps.crop).parameters.values())
    written = {
        function
        for _, function in inspect.getmembers(steps, inspect.isfunction)
        if [one.annotation for one in inspect.signature(function).parameters.values()]
        == [one.annotation for one in takes]
    }
    assert written == set(steps.STEPS)
    assert len(steps.STEPS) == len(set(steps.STEPS))


def test_what_is_in_no_row_is_refused() -> None:
    """The refusal lists every format that is accepted."""
    with pytest.raises(RenditionsError, match=", ".join(InputFormat)):
        sniff(b"no photo at all")
