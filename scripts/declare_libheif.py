"""Declares libheif's C interface for cffi, as a module: `python -m scripts.declare_libheif`.

cffi would parse the declarations at run time, for 28 ms of the first HEIC; a module that it wrote
before takes one. A test holds the module in the repository against these declarations.

libheif's interface has only grown since 1.0. Its structs say of which version they are, and are
made by the library itself: fields of a later version than the library's are not touched.
"""

from pathlib import Path
from typing import Final

from cffi import FFI

__all__ = ["MODULE", "PATH", "write"]

MODULE: Final = "imaging.decoders._libheif"
PATH: Final = Path(__file__).parent.parent / "imaging" / "decoders" / "_libheif.py"

# Source: libheif/heif*.h of 1.23.6. Enumerations are ints there, too.
_DECLARATIONS: Final = """
typedef struct { int code; int subcode; const char *message; } heif_error;
typedef struct heif_context heif_context;
typedef struct heif_image_handle heif_image_handle;
typedef struct heif_image heif_image;

uint32_t heif_get_version_number(void);
const char *heif_get_version(void);
heif_error heif_init(void *params);
int heif_have_decoder_for_format(int format);

typedef struct {
    uint8_t version;
    uint64_t max_image_size_pixels;
    uint64_t max_number_of_tiles;
    uint32_t max_bayer_pattern_pixels;
    uint32_t max_items;
    uint32_t max_color_profile_size;
    uint64_t max_memory_block_size;
    uint32_t max_components;
    uint32_t max_iloc_extents_per_item;
    uint32_t max_size_entity_group;
    uint32_t max_children_per_box;
    uint64_t max_total_memory;
    ...;
} heif_security_limits;

heif_context *heif_context_alloc(void);
void heif_context_free(heif_context *);
heif_security_limits *heif_context_get_security_limits(const heif_context *);
void heif_context_set_max_decoding_threads(heif_context *, int max_threads);
heif_error heif_context_read_from_memory_without_copy(
    heif_context *, const void *mem, size_t size, const void *options);
heif_error heif_context_get_image_handle(heif_context *, uint32_t id, heif_image_handle **);

void heif_image_handle_release(const heif_image_handle *);
int heif_image_handle_has_alpha_channel(const heif_image_handle *);
int heif_image_handle_is_premultiplied_alpha(const heif_image_handle *);
int heif_image_handle_get_luma_bits_per_pixel(const heif_image_handle *);
heif_error heif_image_handle_get_preferred_decoding_colorspace(
    const heif_image_handle *, int *colorspace, int *chroma);

typedef struct {
    int version;
    uint32_t num_columns;
    uint32_t num_rows;
    uint32_t tile_width;
    uint32_t tile_height;
    uint32_t image_width;
    uint32_t image_height;
    uint32_t top_offset;
    uint32_t left_offset;
    uint8_t number_of_extra_dimensions;
    uint32_t extra_dimension_size[8];
} heif_image_tiling;

heif_error heif_image_handle_get_image_tiling(
    const heif_image_handle *, int process_image_transformations, heif_image_tiling *);

typedef struct {
    uint8_t version;
    uint8_t ignore_transformations;
    void *start_progress;
    void *on_progress;
    void *end_progress;
    void *progress_user_data;
    uint8_t convert_hdr_to_8bit;
    uint8_t strict_decoding;
    const char *decoder_id;
    struct {
        uint8_t version;
        int downsampling;
        int upsampling;
        uint8_t only_use_preferred_chroma_algorithm;
    } color_conversion_options;
    void *cancel_decoding;
    void *color_conversion_options_ext;
    int ignore_sequence_editlist;
    void *output_image_nclx_profile;
    int num_library_threads;
    int num_codec_threads;
    uint8_t autocorrect_broken_input;
    uint8_t output_image_nclx_profile_passthrough;
} heif_decoding_options;

heif_decoding_options *heif_decoding_options_alloc(void);
void heif_decoding_options_free(heif_decoding_options *);
heif_error heif_decode_image(
    const heif_image_handle *, heif_image **, int colorspace, int chroma,
    const heif_decoding_options *);
heif_error heif_image_handle_decode_image_tile(
    const heif_image_handle *, heif_image **, int colorspace, int chroma,
    const heif_decoding_options *, uint32_t x, uint32_t y);

void heif_image_release(const heif_image *);
int heif_image_get_width(const heif_image *, int channel);
int heif_image_get_height(const heif_image *, int channel);
const uint8_t *heif_image_get_plane_readonly(const heif_image *, int channel, int *stride);
"""


def write(path: Path) -> None:
    """Write the module to ``path``."""
    ffi = FFI()
    ffi.cdef(_DECLARATIONS.replace("    ...;\n", ""))
    ffi.set_source(MODULE, None)
    ffi.emit_python_code(str(path))


if __name__ == "__main__":
    write(PATH)
