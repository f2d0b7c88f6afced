"""Pillow: ``draft`` scales in the JPEG decoder, and each size is made of the one before.

Source: https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.Image.draft
"""

from pathlib import Path

from PIL import Image, ImageOps

from benchmarks.ways.repeat import repeat

_LANCZOS = Image.Resampling.LANCZOS
# Its guard against decompression bombs; the photos here are known.
Image.MAX_IMAGE_PIXELS = None


def pillow(photo: Path, out: Path) -> None:
    """Decode once, make each size of the next larger one."""
    if photo.suffix == ".heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    with Image.open(photo) as image:
        width, height = image.size
        image.draft("RGB", (2048, 2048))
        smaller: Image.Image = ImageOps.exif_transpose(image)
        for name, side in (("xlarge", 2048), ("large", 1280), ("medium", 640), ("small", 320)):
            # As `thumbnail` does it, without the pixel that its rounding loses from size to size.
            scale = side / max(width, height)
            size = (round(width * scale), round(height * scale))
            smaller = smaller.resize(size, _LANCZOS, reducing_gap=2.0)
            _save(smaller, out / f"{name}.jpg")
        _save(ImageOps.fit(smaller, (160, 160), _LANCZOS), out / "square.jpg")


def _save(image: Image.Image, path: Path) -> None:
    image.convert("RGB").save(path, quality=85, optimize=True, subsampling="4:2:0")


if __name__ == "__main__":
    repeat(pillow)
