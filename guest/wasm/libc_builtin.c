/*
 * The `env` functions a module without a C library of its own may import: WAMR's "libc-builtin" subset. Each takes its
 * arguments from slots, checks the ranges of linear memory it touches, and leaves its result in slot 0.
 *
 * Variable arguments arrive as the address of a block in linear memory, laid out as clang does for wasm32: 4 bytes for
 * int, long and pointers, 8 bytes aligned to 8 for long long and double.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runtime.h"

/* ---- access to linear memory ---- */

static uint8_t *range(struct wasm_exec_env *env, uint32_t address, uint64_t length)
{
    uint8_t *p = memory_at(env->instance, address, length);
    if (!p)
        throw(env->instance, "out of bounds memory access");
    return p;
}

static const char *string(struct wasm_exec_env *env, uint32_t address)
{
    if (wasm_runtime_validate_app_str_addr(env->instance, address))
        return (const char *)memory_at(env->instance, address, 1);
    throw(env->instance, "out of bounds memory access");
    return NULL;
}

static uint32_t address_of(struct wasm_exec_env *env, const void *p)
{
    return p ? (uint32_t)((const uint8_t *)p - env->instance->memory.data) : 0;
}

/* ---- output of the printf family ---- */

/* Collects characters: into linear memory (`limit` bytes there), or through a small buffer to standard output. */
struct sink {
    uint8_t *memory;
    uint64_t limit;
    uint32_t total; /* characters produced, also those beyond the limit */
    uint32_t buffered;
    char buffer[128];
};

static void sink_flush(struct sink *sink)
{
    write_out(1, sink->buffer, sink->buffered);
    sink->buffered = 0;
}

static void sink_put(struct sink *sink, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++, sink->total++) {
        if (sink->memory) {
            if (sink->total < sink->limit)
                sink->memory[sink->total] = (uint8_t)text[i];
            continue;
        }
        sink->buffer[sink->buffered++] = text[i];
        if (sink->buffered == sizeof sink->buffer)
            sink_flush(sink);
    }
}

/* Flush, or terminate the string. */
static void sink_end(struct sink *sink)
{
    if (!sink->memory)
        sink_flush(sink);
    else if (sink->limit > 0)
        sink->memory[sink->total < sink->limit ? sink->total : sink->limit - 1] = '\0';
}

/* ---- the format walker ---- */

struct format_arguments {
    struct wasm_exec_env *env;
    uint32_t next; /* address of the next argument */
};

static uint64_t next_argument(struct format_arguments *args, uint32_t size)
{
    uint32_t address = (args->next + size - 1) & ~(size - 1);
    const uint8_t *p = range(args->env, address, size);
    args->next = address + size;
    if (!p)
        return 0;
    return size == 8 ? load_u64(p) : load_u32(p);
}

/* One conversion: flags, width and precision as text for the host's snprintf, with '*' replaced by its value. */
struct conversion {
    char spec[40];
    uint32_t length;
    bool is_long_long;
    int precision; /* -1: none */
    int width;
    bool is_left;
};

static void spec_put(struct conversion *conversion, char c)
{
    if (conversion->length < sizeof conversion->spec - 5)
        conversion->spec[conversion->length++] = c;
}

/* A number or '*' in a format; digits beyond 4 are dropped. */
static const char *read_number(const char *p, struct conversion *conversion, struct format_arguments *args, int *value)
{
    char digits[12];
    *value = 0;
    if (*p == '*') {
        int given = (int)(uint32_t)next_argument(args, 4);
        *value = given > 9999 ? 9999 : given < -9999 ? -9999 : given;
        snprintf(digits, sizeof digits, "%d", *value);
        for (const char *d = digits; *d; d++)
            spec_put(conversion, *d);
        return p + 1;
    }
    for (; *p >= '0' && *p <= '9'; p++)
        if (*value < 1000) {
            *value = *value * 10 + (*p - '0');
            spec_put(conversion, *p);
        }
    return p;
}

static const char *read_conversion(const char *p, struct conversion *conversion, struct format_arguments *args)
{
    memset(conversion, 0, sizeof *conversion);
    conversion->precision = -1;
    spec_put(conversion, '%');
    for (; *p && strchr("-+ #0", *p); p++) {
        conversion->is_left = conversion->is_left || *p == '-';
        spec_put(conversion, *p);
    }
    p = read_number(p, conversion, args, &conversion->width);
    if (conversion->width < 0) {
        conversion->is_left = true;
        conversion->width = -conversion->width;
    }
    if (*p == '.') {
        spec_put(conversion, '.');
        p = read_number(p + 1, conversion, args, &conversion->precision);
    }
    for (; *p && strchr("hlLzjt", *p); p++) { /* long, size_t and ptrdiff_t have 4 bytes, char and short are promoted */
        if (*p == 'j' || *p == 'L' || (*p == 'l' && p[1] == 'l'))
            conversion->is_long_long = true;
    }
    return p;
}

static void put_string(struct sink *sink, const struct conversion *conversion, const char *text)
{
    static const char spaces[] = "                ";
    size_t length = 0;
    while (text[length] && (conversion->precision < 0 || length < (size_t)conversion->precision))
        length++;
    size_t pad = (size_t)conversion->width > length ? (size_t)conversion->width - length : 0;
    if (conversion->is_left)
        sink_put(sink, text, length);
    for (; pad > 0; pad -= pad < 16 ? pad : 16)
        sink_put(sink, spaces, pad < 16 ? pad : 16);
    if (!conversion->is_left)
        sink_put(sink, text, length);
}

/* Numbers go through snprintf with the collected specification. */
static void put_number(struct sink *sink, struct conversion *conversion, char letter, struct format_arguments *args)
{
    char text[400];
    int length;
    if (strchr("fFeEgGaA", letter)) {
        union value value;
        value.u64 = next_argument(args, 8);
        if (value.f64 > 1e300 || value.f64 < -1e300 || conversion->precision > 60 || conversion->width > 60) {
            letter = strchr("fF", letter) ? 'g' : letter;
            conversion->length = 1;
        }
        conversion->spec[conversion->length++] = letter;
        conversion->spec[conversion->length] = '\0';
        length = snprintf(text, sizeof text, conversion->spec, value.f64);
    } else {
        uint64_t value = next_argument(args, conversion->is_long_long ? 8 : 4);
        if ((letter == 'd' || letter == 'i') && !conversion->is_long_long)
            value = (uint64_t)(int64_t)(int32_t)(uint32_t)value;
        if (conversion->precision > 300 || conversion->width > 300)
            conversion->length = 1;
        conversion->spec[conversion->length++] = 'l';
        conversion->spec[conversion->length++] = 'l';
        conversion->spec[conversion->length++] = letter;
        conversion->spec[conversion->length] = '\0';
        length = snprintf(text, sizeof text, conversion->spec, (unsigned long long)value);
    }
    if (length > 0)
        sink_put(sink, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

static void format_one(struct sink *sink, struct conversion *conversion, char letter, struct format_arguments *args)
{
    char c;
    switch (letter) {
    case 'c':
        c = (char)next_argument(args, 4);
        conversion->precision = 1;
        if (c == '\0') {
            sink_put(sink, &c, 1);
        } else {
            char text[2] = { c, '\0' };
            put_string(sink, conversion, text);
        }
        break;
    case 's': {
        const char *text = string(args->env, (uint32_t)next_argument(args, 4));
        put_string(sink, conversion, text ? text : "");
        break;
    }
    case 'p':
        sink_put(sink, "0x", 2);
        put_number(sink, conversion, 'x', args);
        break;
    case 'd': case 'i': case 'u': case 'x': case 'X': case 'o':
    case 'f': case 'F': case 'e': case 'E': case 'g': case 'G': case 'a': case 'A':
        put_number(sink, conversion, letter, args);
        break;
    default: /* "%%", and what is no conversion, as it stands */
        if (letter != '%')
            sink_put(sink, "%", 1);
        sink_put(sink, &letter, 1);
        break;
    }
}

static void format(struct sink *sink, struct wasm_exec_env *env, const char *text, uint32_t va_list_address)
{
    struct format_arguments args;
    args.env = env;
    args.next = va_list_address;
    while (*text && env->instance->exception[0] == '\0') {
        size_t plain = 0;
        while (text[plain] && text[plain] != '%')
            plain++;
        sink_put(sink, text, plain);
        text += plain;
        if (*text == '%') {
            struct conversion conversion;
            text = read_conversion(text + 1, &conversion, &args);
            if (*text)
                format_one(sink, &conversion, *text++, &args);
        }
    }
    sink_end(sink);
}

#define NATIVE(name) static void name(struct wasm_exec_env *env, uint64_t *slots)
#define ARG(n) ((uint32_t)slots[n])
#define RETURN_VALUE(value)                                                                                            \
    do {                                                                                                               \
        slots[0] = (uint32_t)(value);                                                                                  \
        return;                                                                                                        \
    } while (0)

NATIVE(env_printf)
{
    struct sink sink;
    const char *text = string(env, ARG(0));
    memset(&sink, 0, sizeof sink);
    if (text)
        format(&sink, env, text, ARG(1));
    RETURN_VALUE(sink.total);
}

/* Format into linear memory at `to`, at most `limit` bytes. */
static void print_to_memory(struct wasm_exec_env *env, uint64_t *slots, uint32_t to, uint64_t limit, uint32_t text_at,
                            uint32_t args)
{
    struct sink sink;
    const char *text = string(env, text_at);
    uint8_t *memory = range(env, to, limit);
    memset(&sink, 0, sizeof sink);
    sink.memory = memory;
    sink.limit = limit;
    if (text && memory)
        format(&sink, env, text, args);
    RETURN_VALUE(sink.total);
}

NATIVE(env_sprintf)
{
    uint64_t size = env->instance->memory.size;
    print_to_memory(env, slots, ARG(0), ARG(0) < size ? size - ARG(0) : 1, ARG(1), ARG(2));
}

NATIVE(env_snprintf)
{
    print_to_memory(env, slots, ARG(0), ARG(1), ARG(2), ARG(3));
}

NATIVE(env_puts)
{
    const char *text = string(env, ARG(0));
    struct sink sink;
    memset(&sink, 0, sizeof sink);
    if (text) {
        sink_put(&sink, text, strlen(text));
        sink_put(&sink, "\n", 1);
        sink_end(&sink);
    }
    RETURN_VALUE(sink.total);
}

NATIVE(env_putchar)
{
    char c = (char)ARG(0);
    (void)env;
    write_out(1, &c, 1);
    RETURN_VALUE(1);
}

/* ---- memory and strings ---- */

NATIVE(env_memcpy)
{
    uint8_t *to = range(env, ARG(0), ARG(2));
    const uint8_t *from = range(env, ARG(1), ARG(2));
    if (to && from)
        memmove(to, from, ARG(2));
}

NATIVE(env_memset)
{
    uint8_t *to = range(env, ARG(0), ARG(2));
    if (to)
        memset(to, (int)(ARG(1) & 0xff), ARG(2));
}

NATIVE(env_memcmp)
{
    const uint8_t *a = range(env, ARG(0), ARG(2)), *b = range(env, ARG(1), ARG(2));
    RETURN_VALUE(a && b ? memcmp(a, b, ARG(2)) : 0);
}

NATIVE(env_memchr)
{
    const uint8_t *p = range(env, ARG(0), ARG(2));
    RETURN_VALUE(p ? address_of(env, memchr(p, (int)(ARG(1) & 0xff), ARG(2))) : 0);
}

NATIVE(env_strlen)
{
    const char *text = string(env, ARG(0));
    RETURN_VALUE(text ? strlen(text) : 0);
}

NATIVE(env_strcmp)
{
    const char *a = string(env, ARG(0)), *b = string(env, ARG(1));
    RETURN_VALUE(a && b ? strcmp(a, b) : 0);
}

NATIVE(env_strncmp)
{
    uint64_t size = env->instance->memory.size;
    uint32_t length = ARG(2);
    for (uint32_t i = 0; i < length; i++) {
        if ((uint64_t)ARG(0) + i >= size || (uint64_t)ARG(1) + i >= size) {
            throw(env->instance, "out of bounds memory access");
            break;
        }
        uint8_t a = env->instance->memory.data[ARG(0) + i], b = env->instance->memory.data[ARG(1) + i];
        if (a != b || a == 0)
            RETURN_VALUE(a - b);
    }
    RETURN_VALUE(0);
}

NATIVE(env_strcpy)
{
    const char *from = string(env, ARG(1));
    uint8_t *to = from ? range(env, ARG(0), strlen(from) + 1) : NULL;
    if (to)
        memmove(to, from, strlen(from) + 1);
}

NATIVE(env_strncpy)
{
    uint32_t length = ARG(2), i = 0;
    uint8_t *to = range(env, ARG(0), length);
    uint64_t size = env->instance->memory.size;
    for (; to && i < length && (uint64_t)ARG(1) + i < size; i++) {
        to[i] = env->instance->memory.data[ARG(1) + i];
        if (to[i] == 0)
            break;
    }
    for (; to && i < length; i++)
        to[i] = 0;
}

NATIVE(env_strcat)
{
    const char *end = string(env, ARG(0)), *from = string(env, ARG(1));
    if (!end || !from)
        return;
    size_t length = strlen(from);
    uint8_t *to = range(env, ARG(0) + (uint32_t)strlen(end), length + 1);
    if (to) {
        memmove(to, from, length);
        to[length] = 0;
    }
}

NATIVE(env_strchr)
{
    const char *text = string(env, ARG(0));
    RETURN_VALUE(text ? address_of(env, strchr(text, (int)(ARG(1) & 0xff))) : 0);
}

NATIVE(env_strstr)
{
    const char *text = string(env, ARG(0)), *part = string(env, ARG(1));
    RETURN_VALUE(text && part ? address_of(env, strstr(text, part)) : 0);
}

/* Length of the prefix of characters that are (or are not) in a set. */
static void span(struct wasm_exec_env *env, uint64_t *slots, bool in_set)
{
    const char *text = string(env, ARG(0)), *set = string(env, ARG(1));
    uint32_t length = 0;
    while (text && set && text[length] && (strchr(set, text[length]) != NULL) == in_set)
        length++;
    RETURN_VALUE(length);
}

NATIVE(env_strspn)
{
    span(env, slots, true);
}

NATIVE(env_strcspn)
{
    span(env, slots, false);
}

/* ---- numbers ---- */

NATIVE(env_atoi)
{
    const char *text = string(env, ARG(0));
    RETURN_VALUE(text ? (uint32_t)strtol(text, NULL, 10) : 0);
}

/* strtol and strtoul of a 32-bit target, with the end pointer stored in linear memory. */
static void parse_integer(struct wasm_exec_env *env, uint64_t *slots, bool is_signed)
{
    const char *text = string(env, ARG(0));
    char *end = NULL;
    int64_t value;
    if (!text)
        RETURN_VALUE(0);
    if (is_signed) {
        value = strtoll(text, &end, (int)ARG(2));
        value = value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : value;
    } else {
        value = strtoll(text, &end, (int)ARG(2));
        value = value > UINT32_MAX || value < -(int64_t)UINT32_MAX ? UINT32_MAX : value;
    }
    if (ARG(1) != 0) {
        uint8_t *p = range(env, ARG(1), 4);
        if (p)
            store_u32(p, end ? address_of(env, end) : ARG(0));
    }
    RETURN_VALUE(value);
}

NATIVE(env_strtol)
{
    parse_integer(env, slots, true);
}

NATIVE(env_strtoul)
{
    parse_integer(env, slots, false);
}

/* ---- characters (ASCII) ---- */

static bool between(uint32_t c, char low, char high)
{
    return c >= (uint32_t)low && c <= (uint32_t)high;
}

#define CHARACTER_TEST(name, test)                                                                                     \
    NATIVE(env_##name)                                                                                                 \
    {                                                                                                                  \
        uint32_t c = ARG(0);                                                                                           \
        (void)env;                                                                                                     \
        RETURN_VALUE((test) ? 1 : 0);                                                                                  \
    }
CHARACTER_TEST(isdigit, between(c, '0', '9'))
CHARACTER_TEST(isupper, between(c, 'A', 'Z'))
CHARACTER_TEST(islower, between(c, 'a', 'z'))
CHARACTER_TEST(isalpha, between(c | 32, 'a', 'z'))
CHARACTER_TEST(isalnum, between(c | 32, 'a', 'z') || between(c, '0', '9'))
CHARACTER_TEST(isxdigit, between(c | 32, 'a', 'f') || between(c, '0', '9'))
CHARACTER_TEST(isspace, c == ' ' || between(c, '\t', '\r'))
CHARACTER_TEST(isprint, between(c, ' ', '~'))
CHARACTER_TEST(isgraph, between(c, '!', '~'))

NATIVE(env_toupper)
{
    (void)env;
    RETURN_VALUE(between(ARG(0), 'a', 'z') ? ARG(0) - 32 : ARG(0));
}

NATIVE(env_tolower)
{
    (void)env;
    RETURN_VALUE(between(ARG(0), 'A', 'Z') ? ARG(0) + 32 : ARG(0));
}

/* ---- heap, process ---- */

NATIVE(env_malloc)
{
    RETURN_VALUE(wasm_runtime_module_malloc(env->instance, ARG(0), NULL));
}

NATIVE(env_calloc)
{
    uint64_t size = (uint64_t)ARG(0) * ARG(1);
    void *native = NULL;
    uint32_t address = size > UINT32_MAX ? 0 : wasm_runtime_module_malloc(env->instance, (uint32_t)size, &native);
    if (native)
        memset(native, 0, (size_t)size);
    RETURN_VALUE(address);
}

NATIVE(env_realloc)
{
    uint32_t old = ARG(0), size = ARG(1);
    uint32_t kept = app_heap_usable(env->instance, old);
    void *native = NULL;
    uint32_t address = wasm_runtime_module_malloc(env->instance, size, &native);
    if (native && kept > 0) {
        memmove(native, env->instance->memory.data + old, kept < size ? kept : size);
        wasm_runtime_module_free(env->instance, old);
    }
    RETURN_VALUE(address);
}

NATIVE(env_free)
{
    if (ARG(0) != 0)
        wasm_runtime_module_free(env->instance, ARG(0));
}

NATIVE(env_strdup)
{
    const char *text = string(env, ARG(0));
    RETURN_VALUE(text ? wasm_runtime_module_dup_data(env->instance, text, (uint32_t)strlen(text) + 1) : 0);
}

NATIVE(env_exit)
{
    char message[32];
    snprintf(message, sizeof message, "env.exit(%d)", (int)ARG(0));
    throw(env->instance, message);
}

NATIVE(env_abort)
{
    (void)slots;
    throw(env->instance, "env.abort()");
}

static const struct builtin_symbol symbols[] = {
    { "puts", "(i)i", (void *)env_puts },
    { "putchar", "(i)i", (void *)env_putchar },
    { "printf", "(ii)i", (void *)env_printf },
    { "vprintf", "(ii)i", (void *)env_printf },
    { "sprintf", "(iii)i", (void *)env_sprintf },
    { "vsprintf", "(iii)i", (void *)env_sprintf },
    { "snprintf", "(iiii)i", (void *)env_snprintf },
    { "vsnprintf", "(iiii)i", (void *)env_snprintf },
    { "memcpy", "(iii)i", (void *)env_memcpy },
    { "memmove", "(iii)i", (void *)env_memcpy },
    { "memset", "(iii)i", (void *)env_memset },
    { "memcmp", "(iii)i", (void *)env_memcmp },
    { "memchr", "(iii)i", (void *)env_memchr },
    { "strlen", "(i)i", (void *)env_strlen },
    { "strcmp", "(ii)i", (void *)env_strcmp },
    { "strncmp", "(iii)i", (void *)env_strncmp },
    { "strcpy", "(ii)i", (void *)env_strcpy },
    { "strncpy", "(iii)i", (void *)env_strncpy },
    { "strcat", "(ii)i", (void *)env_strcat },
    { "strchr", "(ii)i", (void *)env_strchr },
    { "strstr", "(ii)i", (void *)env_strstr },
    { "strspn", "(ii)i", (void *)env_strspn },
    { "strcspn", "(ii)i", (void *)env_strcspn },
    { "strdup", "(i)i", (void *)env_strdup },
    { "atoi", "(i)i", (void *)env_atoi },
    { "strtol", "(iii)i", (void *)env_strtol },
    { "strtoul", "(iii)i", (void *)env_strtoul },
    { "isdigit", "(i)i", (void *)env_isdigit },
    { "isupper", "(i)i", (void *)env_isupper },
    { "islower", "(i)i", (void *)env_islower },
    { "isalpha", "(i)i", (void *)env_isalpha },
    { "isalnum", "(i)i", (void *)env_isalnum },
    { "isxdigit", "(i)i", (void *)env_isxdigit },
    { "isspace", "(i)i", (void *)env_isspace },
    { "isprint", "(i)i", (void *)env_isprint },
    { "isgraph", "(i)i", (void *)env_isgraph },
    { "toupper", "(i)i", (void *)env_toupper },
    { "tolower", "(i)i", (void *)env_tolower },
    { "malloc", "(i)i", (void *)env_malloc },
    { "calloc", "(ii)i", (void *)env_calloc },
    { "realloc", "(ii)i", (void *)env_realloc },
    { "free", "(i)", (void *)env_free },
    { "exit", "(i)", (void *)env_exit },
    { "abort", "()", (void *)env_abort },
};

const struct builtin_symbol *libc_symbols(uint32_t *count)
{
    *count = sizeof symbols / sizeof symbols[0];
    return symbols;
}
