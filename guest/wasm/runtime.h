/* Structures shared by the parts of the runtime. One page: module (loaded once), instance (running), environment. */
#ifndef WASM_RUNTIME_H
#define WASM_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host_services.h"
#include "platform.h"
#include "wasm_export.h"

enum {
    PAGE_BYTES = 65536,
    MAX_PAGES = 65536,
    MAX_TABLE_ELEMENTS = 10000000, /* per table: the growth limit of this implementation */
    MAX_LOCALS = 50000,
    MAX_FRAME_SLOTS = 65535,
    EXCEPTION_BYTES = 128,
    NO_INDEX = -1
};

/* Value types, by their binary encoding. TYPE_ANY is the validator's unknown type. */
enum {
    TYPE_I32 = 0x7f,
    TYPE_I64 = 0x7e,
    TYPE_F32 = 0x7d,
    TYPE_F64 = 0x7c,
    TYPE_FUNCREF = 0x70,
    TYPE_EXTERNREF = 0x6f,
    TYPE_ANY = 0
};

static inline bool is_reference_type(uint8_t type)
{
    return type == TYPE_FUNCREF || type == TYPE_EXTERNREF;
}

static inline bool is_value_type(uint8_t type)
{
    return (type >= TYPE_F64 && type <= TYPE_I32) || is_reference_type(type);
}

/* One slot of the operand stack, a local or a global. References are index + 1, null is 0. */
union value {
    int32_t i32;
    uint32_t u32;
    int64_t i64;
    uint64_t u64;
    float f32;
    double f64;
};

/* One unit of translated code. An instruction is 1..n units; the first is {opcode, operand}. */
union unit {
    uint16_t h[2];
    int16_t sh[2];
    uint32_t w;
    int32_t s;
};

/* ---- memory.c ---- */

/* Allocates until everything is given back at once. Memory comes zero-filled. */
struct arena {
    struct arena_chunk *chunks;
    char *next;
    size_t left;
};
void *arena_alloc(struct arena *arena, size_t size); /* NULL: no memory */
void arena_free(struct arena *arena);
void *runtime_alloc(size_t size); /* zero-filled */
void runtime_free(void *block);

/* ---- reader.c ---- */

/* A cursor over wasm bytes. The first error sticks and moves the cursor to the end; reads then give 0. */
struct reader {
    const uint8_t *p;
    const uint8_t *end;
    const char *error;
};
void reader_fail(struct reader *r, const char *error);
uint32_t read_leb_u32_slow(struct reader *r);
int32_t read_leb_i32_slow(struct reader *r);
int64_t read_leb_i64(struct reader *r);
int64_t read_leb_i33(struct reader *r);
const uint8_t *read_bytes(struct reader *r, uint32_t length);
bool utf8_valid(const uint8_t *p, uint32_t length);

static inline uint8_t read_u8(struct reader *r)
{
    if (r->p < r->end)
        return *r->p++;
    reader_fail(r, "unexpected end");
    return 0;
}

/* Most numbers have one byte. */
static inline int32_t read_leb_i32(struct reader *r)
{
    if (r->p < r->end && *r->p < 0x80) {
        int32_t byte = *r->p++;
        return byte < 0x40 ? byte : byte - 0x80;
    }
    return read_leb_i32_slow(r);
}

static inline uint32_t read_leb_u32(struct reader *r)
{
    if (r->p < r->end && *r->p < 0x80)
        return *r->p++;
    return read_leb_u32_slow(r);
}

/* ---- module ---- */

struct func_type {
    const uint8_t *types;  /* parameters, then results */
    uint32_t n_params;
    uint32_t n_results;
    uint32_t canonical;    /* index of the first equal type */
};

/* How an imported function is called. */
enum native_kind {
    NATIVE_UNLINKED,
    NATIVE_RAW,   /* void f(env, uint64_t *slots) */
    NATIVE_TYPED, /* C function with the signature's parameters */
    NATIVE_WASI   /* uint32_t f(instance, slots): the result is a WASI errno */
};

struct native_function {
    enum native_kind kind;
    void *function;
    const char *signature;
    void *attachment;
    const char *module_name;
    const char *name;
};

struct wasm_function {
    const union unit *code;   /* an import's is OP_NATIVE */
    const struct func_type *type;
    uint32_t frame_slots;     /* locals + deepest operand stack */
    uint32_t n_params;
    uint32_t n_locals;        /* parameters included */
    uint32_t index;
    const uint8_t *body;      /* local declarations and expression; NULL for imports */
    const uint8_t *body_end;
    struct native_function *native;
};

struct limits {
    uint32_t min;
    uint32_t max;
    bool has_max;
};

struct table_type {
    uint8_t element;
    struct limits limits;
};

struct global {
    uint8_t type;
    bool is_mutable;
    union value init; /* the constant expression's value */
};

enum external_kind { EXTERNAL_FUNCTION, EXTERNAL_TABLE, EXTERNAL_MEMORY, EXTERNAL_GLOBAL };

struct export_entry {
    const char *name;
    uint32_t name_length;
    uint32_t index;
    uint8_t kind;
};

enum segment_mode { SEGMENT_ACTIVE, SEGMENT_PASSIVE, SEGMENT_DECLARATIVE };

struct element_segment {
    enum segment_mode mode;
    uint8_t type;
    uint32_t table;
    union value offset;
    uint32_t count;
    uint32_t *references;
};

struct data_segment {
    enum segment_mode mode;
    union value offset;
    uint32_t length;
    const uint8_t *bytes;
};

/* What wasm_runtime_set_wasi_args() was told. */
struct wasi_arguments {
    const char **dirs;
    const char **mapped_dirs;
    const char **env;
    char **argv;
    uint32_t n_dirs, n_mapped_dirs, n_env, n_argv;
};

/* Buffers of the compiler, kept from one function to the next. */
struct scratch {
    void *block;
    uint32_t capacity; /* bytes */
};
struct compiler_scratch {
    struct scratch operands, labels, units, local_types;
};

struct wasm_module {
    struct arena arena;
    struct func_type *types;
    struct wasm_function *functions; /* imports first */
    struct table_type *tables;
    struct global *globals;
    struct export_entry *exports;
    struct element_segment *elements;
    struct data_segment *data;
    uint8_t *declared;               /* per function: may be named by ref.func */
    uint32_t n_types, n_imports, n_functions, n_tables, n_globals, n_exports, n_elements, n_data;
    struct limits memory;
    bool has_memory;
    bool has_data_count;
    bool is_wasi;
    int32_t start;                   /* function index or NO_INDEX */
    int32_t heap_base_global;        /* global exported as __heap_base or NO_INDEX */
    struct compiler_scratch scratch;
    struct wasi_arguments wasi;
};

/* ---- loader.c, compile.c ---- */

bool load_module(struct wasm_module *module, const uint8_t *bytes, uint32_t size, const char **error);
/* Validate a body, translate it into function->code and find its frame size. */
bool compile_function(struct wasm_module *module, struct wasm_function *function, const char **error);
const struct export_entry *find_export(const struct wasm_module *module, const char *name, uint8_t kind);

/* ---- natives.c ---- */

/* A WASI function reads its arguments from slots and returns a WASI errno. */
typedef uint32_t (*wasi_function)(struct wasm_instance *instance, const union value *args);
typedef void (*raw_function)(struct wasm_exec_env *env, uint64_t *slots);

/* Fill in native->kind, function, signature and attachment from the registered symbols. */
void link_native(struct native_function *native, const struct func_type *type);
/* Call an import with arguments in `slots`; results replace them. Failure sets the instance's exception. */
void call_native(struct wasm_exec_env *env, const struct wasm_function *function, union value *slots);

/* ---- instance.c ---- */

struct memory_instance {
    uint8_t *data;
    uint64_t size;     /* bytes */
    uint64_t capacity; /* bytes allocated */
    uint32_t pages;
    uint32_t max_pages;
};

struct table_instance {
    uint32_t *elements; /* references */
    uint32_t size;
    uint32_t max;
    uint32_t capacity;
};

/* A return address of the interpreter. */
struct call_frame {
    const union unit *ip;
    union value *fp;
};

struct wasm_exec_env {
    struct wasm_instance *instance;
    union value *stack;       /* operand stack */
    union value *stack_end;
    union value *stack_top;   /* first free slot while a native runs */
    struct call_frame *frames;
    struct call_frame *frames_end;
    struct call_frame *frame; /* first free frame while a native runs */
    uint32_t native_depth;
    void *attachment;
};

struct wasm_instance {
    struct wasm_module *module;
    struct arena arena;
    struct memory_instance memory;
    struct table_instance *tables;
    union value *globals;
    uint8_t *dropped_elements;
    uint8_t *dropped_data;
    struct wasm_exec_env env;
    uint32_t stack_bytes;
    uint32_t heap_start, heap_size; /* app heap in linear memory; size 0: none */
    bool heap_ready;
    void **externs;                 /* host pointers behind externref handles */
    uint32_t n_externs, max_externs;
    struct wasi *wasi;
    bool has_exited;                /* proc_exit was called */
    uint32_t exit_code;
    char exception[EXCEPTION_BYTES];
};

/* NULL on failure, with the reason. Start functions are run by the caller. */
struct wasm_instance *create_instance(struct wasm_module *module, uint32_t stack_size, uint32_t heap_size,
                                      const char **error);
void destroy_instance(struct wasm_instance *instance);
void throw(struct wasm_instance *instance, const char *text);
uint32_t memory_grow(struct wasm_instance *instance, uint32_t pages);                         /* old pages or -1 */
uint32_t table_grow(struct wasm_instance *instance, uint32_t table, uint32_t count, uint32_t reference);
/* The address of [offset, offset + length) of linear memory, or NULL when not wholly inside. */
uint8_t *memory_at(const struct wasm_instance *instance, uint32_t offset, uint64_t length);
uint32_t extern_to_reference(struct wasm_instance *instance, void *pointer);
void *reference_to_extern(const struct wasm_instance *instance, uint64_t reference);
/* Bulk operations; false: trapped. */
bool memory_init(struct wasm_instance *instance, uint32_t segment, uint32_t to, uint32_t from, uint32_t count);
bool table_init(struct wasm_instance *instance, uint32_t segment, uint32_t table, uint32_t to, uint32_t from,
                uint32_t count);
bool table_copy(struct wasm_instance *instance, uint32_t to_table, uint32_t from_table, uint32_t to, uint32_t from,
                uint32_t count);
bool table_fill(struct wasm_instance *instance, uint32_t table, uint32_t start, uint32_t reference, uint32_t count);

/* ---- app_heap.c ---- */

uint32_t app_heap_alloc(struct wasm_instance *instance, uint32_t size); /* 0: no room */
void app_heap_free(struct wasm_instance *instance, uint32_t address);
uint32_t app_heap_usable(struct wasm_instance *instance, uint32_t address); /* bytes of a block, 0: not a block */

/* ---- interp.c ---- */

/* Call with arguments in fp[0..]; results replace them. False: the instance has an exception. */
bool interpret(struct wasm_exec_env *env, const struct wasm_function *function, union value *fp);

/* ---- wasi.c, libc_builtin.c ---- */

bool wasi_instantiate(struct wasm_instance *instance, const char **error);
void wasi_deinstantiate(struct wasm_instance *instance);

struct builtin_symbol {
    const char *name;
    const char *signature;
    void *function;
};
const struct builtin_symbol *wasi_symbols(uint32_t *count);
const struct builtin_symbol *libc_symbols(uint32_t *count);

/* ---- runtime.c ---- */

/* The one piece of global state; WAMR's interface has no handle for it. */
struct registered_natives {
    const char *module_name;
    NativeSymbol *symbols;
    uint32_t count;
    bool is_raw;
    struct registered_natives *next;
};
struct runtime {
    char error_text[160]; /* a message with a name in it, for error_buf */
    struct host_services host;
    struct registered_natives *natives;
    uint32_t log_level;
    bool is_initialised;
};
extern struct runtime wasm_runtime;

void log_message(int32_t level, const char *format, ...);
void print_text(const char *format, ...); /* to standard output, at most 255 characters */
void write_out(int32_t fd, const char *text, size_t length);

#endif
