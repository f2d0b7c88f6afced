"""Declares c2pa's C interface for cffi, as a module: `python -m scripts.declare_c2pa`.

The package's own Python module makes its callbacks by ctypes when they are used, which takes memory
that is executable; a worker has none. Those of a module of cffi are made when it is imported.
"""

from pathlib import Path
from typing import Final

from cffi import FFI

__all__ = ["MODULE", "PATH", "write"]

MODULE: Final = "imaging.credentials._c2pa"
PATH: Final = Path(__file__).parent.parent / "imaging" / "credentials" / "_c2pa.py"

# Source: c2pa_c_ffi/src/c_api.rs and c2pa_stream.rs of c2pa-rs 0.91.3. Enumerations are ints there.
_DECLARATIONS: Final = """
typedef struct C2paBuilder C2paBuilder;
typedef struct C2paContext C2paContext;
typedef struct C2paContextBuilder C2paContextBuilder;
typedef struct C2paReader C2paReader;
typedef struct C2paSettings C2paSettings;
typedef struct C2paSigner C2paSigner;
typedef struct C2paStream C2paStream;

typedef intptr_t (*ReadCallback)(void *context, uint8_t *data, intptr_t length);
typedef intptr_t (*SeekCallback)(void *context, intptr_t offset, int mode);
typedef intptr_t (*WriteCallback)(void *context, const uint8_t *data, intptr_t length);
typedef intptr_t (*FlushCallback)(void *context);
typedef intptr_t (*SignerCallback)(
    const void *context, const uint8_t *data, uintptr_t length, uint8_t *signed_bytes,
    uintptr_t signed_length);

char *c2pa_version(void);
char *c2pa_error(void);
int c2pa_free(const void *);

C2paSettings *c2pa_settings_new(void);
int c2pa_settings_update_from_string(C2paSettings *, const char *text, const char *format);
C2paContextBuilder *c2pa_context_builder_new(void);
int c2pa_context_builder_set_settings(C2paContextBuilder *, C2paSettings *);
C2paContext *c2pa_context_builder_build(C2paContextBuilder *);

C2paStream *c2pa_create_stream(
    void *context, ReadCallback, SeekCallback, WriteCallback, FlushCallback);
void c2pa_release_stream(C2paStream *);

C2paReader *c2pa_reader_from_context(C2paContext *);
C2paReader *c2pa_reader_with_stream(C2paReader *, const char *format, C2paStream *);
char *c2pa_reader_json(C2paReader *);
char *c2pa_reader_detailed_json(C2paReader *);

C2paSigner *c2pa_signer_create(
    const void *context, SignerCallback, int algorithm, const char *certificates,
    const char *time_stamp_authority);

C2paBuilder *c2pa_builder_from_context(C2paContext *);
C2paBuilder *c2pa_builder_with_definition(C2paBuilder *, const char *json);
int c2pa_builder_add_ingredient_from_stream(
    C2paBuilder *, const char *json, const char *format, C2paStream *);
int c2pa_builder_write_ingredient_archive(C2paBuilder *, const char *label, C2paStream *);
int c2pa_builder_add_ingredient_from_archive(C2paBuilder *, C2paStream *);
int64_t c2pa_builder_sign(
    C2paBuilder *, const char *format, C2paStream *source, C2paStream *target, C2paSigner *,
    const uint8_t **manifest);
"""


def write(path: Path) -> None:
    """Write the module to ``path``."""
    ffi = FFI()
    ffi.cdef(_DECLARATIONS)
    ffi.set_source(MODULE, None)
    ffi.emit_python_code(str(path))


if __name__ == "__main__":
    write(PATH)
