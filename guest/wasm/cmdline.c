/* The command line of iwasm: one row per option. */
#include "cmdline.h"

#include <stdio.h>
#include <string.h>

enum option_kind {
    OPTION_FLAG,      /* -x */
    OPTION_NEXT_WORD, /* -x VALUE */
    OPTION_VALUE      /* --x=VALUE */
};

struct option_row {
    const char *name;
    enum option_kind kind;
    bool manager_only;
    bool (*apply)(struct iwasm_options *options, char *value, bool is_manager);
};

static bool reject(struct iwasm_options *options, const char *what, const char *value)
{
    snprintf(options->message, sizeof options->message, "%s: %.100s", what, value);
    return false;
}

static bool parse_number(const char *text, uint32_t *number)
{
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *number = (uint32_t)value;
    return true;
}

static bool add(struct iwasm_options *options, const char **list, uint32_t *count, const char *value)
{
    if (*count == IWASM_LIST_MAX)
        return reject(options, "more than 8 values for one option", value);
    list[(*count)++] = value;
    return true;
}

static bool add_split(struct iwasm_options *options, const char **list, uint32_t *count, char *values)
{
    char *p = values;
    while (p) {
        char *comma = strchr(p, ',');
        if (comma)
            *comma = '\0';
        if (*p && !add(options, list, count, p))
            return false;
        p = comma ? comma + 1 : NULL;
    }
    return true;
}

static bool set_function(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)is_manager;
    options->function = value;
    return true;
}

static bool set_verbose(struct iwasm_options *options, char *value, bool is_manager)
{
    uint32_t level;
    if (!parse_number(value, &level) || level > (is_manager ? 6u : 5u))
        return reject(options, is_manager ? "log level is not 0 to 6" : "log level is not 0 to 5", value);
    options->dump_tables = level == 6;
    options->log_level = level == 6 ? 5 : level;
    return true;
}

static bool set_interp(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)options;
    (void)value;
    (void)is_manager;
    return true; /* there is only an interpreter */
}

static bool set_stack_size(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)is_manager;
    return parse_number(value, &options->stack_size) || reject(options, "stack size is not a number", value);
}

static bool set_heap_size(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)is_manager;
    return parse_number(value, &options->heap_size) || reject(options, "heap size is not a number", value);
}

static bool set_repl(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)value;
    (void)is_manager;
    options->is_repl = true;
    return true;
}

static bool set_version(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)value;
    (void)is_manager;
    options->is_version = true;
    return true;
}

static bool add_env(struct iwasm_options *options, char *value, bool is_manager)
{
    const char *equals = strchr(value, '=');
    (void)is_manager;
    if (!equals || equals == value)
        return reject(options, "environment string is not KEY=VALUE", value);
    return add(options, options->env, &options->n_env, value);
}

static bool add_dir(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)is_manager;
    if (*value == '\0')
        return reject(options, "--dir needs a directory", value);
    return add(options, options->dirs, &options->n_dirs, value);
}

static bool add_addr_pool(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)is_manager;
    return add_split(options, options->addr_pool, &options->n_addr_pool, value);
}

static bool add_ns_pool(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)is_manager;
    return add(options, options->ns_pool, &options->n_ns_pool, value);
}

static bool set_wamr_lib(struct iwasm_options *options, char *value, bool is_manager)
{
    (void)is_manager;
    if (*value == '\0')
        return reject(options, "--wamr-lib needs a file", value);
    options->wamr_lib = value;
    return true;
}

static const struct option_row rows[] = {
    { "-f", OPTION_NEXT_WORD, false, set_function },
    { "--function", OPTION_NEXT_WORD, false, set_function },
    { "-v=", OPTION_VALUE, false, set_verbose },
    { "--interp", OPTION_FLAG, false, set_interp },
    { "--stack-size=", OPTION_VALUE, false, set_stack_size },
    { "--heap-size=", OPTION_VALUE, false, set_heap_size },
    { "--repl", OPTION_FLAG, false, set_repl },
    { "--env=", OPTION_VALUE, false, add_env },
    { "--dir=", OPTION_VALUE, false, add_dir },
    { "--addr-pool=", OPTION_VALUE, false, add_addr_pool },
    { "--allow-resolve=", OPTION_VALUE, false, add_ns_pool },
    { "--version", OPTION_FLAG, false, set_version },
    { "--wamr-lib=", OPTION_VALUE, true, set_wamr_lib },
};

static const struct option_row *find_row(const char *word, bool is_manager)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct option_row *row = &rows[i];
        if (row->manager_only && !is_manager)
            continue;
        if (row->kind == OPTION_VALUE ? strncmp(word, row->name, strlen(row->name)) == 0 : strcmp(word, row->name) == 0)
            return row;
    }
    return NULL;
}

enum iwasm_parse_result iwasm_parse(struct iwasm_options *options, int argc, char **argv, bool is_manager)
{
    int i = 1;
    memset(options, 0, sizeof *options);
    options->wamr_lib = "./libiwasm.so";
    options->log_level = 2;
    options->stack_size = 65536;
    options->heap_size = 16384;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const struct option_row *row = find_row(argv[i], is_manager);
        char *value = NULL;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return IWASM_HELP;
        if (!row) {
            reject(options, "unknown option", argv[i]);
            return IWASM_ERROR;
        }
        if (row->kind == OPTION_VALUE) {
            value = argv[i] + strlen(row->name);
        } else if (row->kind == OPTION_NEXT_WORD) {
            if (i + 1 == argc) {
                reject(options, "option needs a value", argv[i]);
                return IWASM_ERROR;
            }
            value = argv[++i];
        }
        if (!row->apply(options, value, is_manager))
            return IWASM_ERROR;
    }
    options->argv = argv + i;
    options->argc = argc - i;
    if (options->argc == 0 && !options->is_version) {
        snprintf(options->message, sizeof options->message, "no wasm file given (try --help)");
        return IWASM_ERROR;
    }
    return IWASM_RUN;
}

#define COMMON_HELP                                                                                                    \
    "Usage: iwasm [-options] wasm_file [args...]\n"                                                                    \
    "options:\n"                                                                                                       \
    "  -f|--function NAME    call the exported function NAME with args instead of main, and print its result\n"        \
    "  -v=N                  log level, 0 to 5, default 2: more is more verbose\n"                                     \
    "  --interp              run in the interpreter (the only mode)\n"                                                 \
    "  --stack-size=N        bytes of operand stack, default 65536\n"                                                  \
    "  --heap-size=N         bytes of app heap inside linear memory, default 16384\n"                                  \
    "  --repl                read lines \"FUNCTION ARG...\" from standard input; __exit__ leaves\n"                    \
    "  --env=KEY=VALUE       environment string of the program, up to 8\n"                                             \
    "  --dir=DIR             directory the program may use, up to 8\n"                                                 \
    "  --addr-pool=A/M,...   accepted for compatibility; there are no sockets\n"                                       \
    "  --allow-resolve=NAME  likewise\n"                                                                               \
    "  --version             print the version and leave\n"
#define MANAGER_HELP                                                                                                   \
    "  --wamr-lib=FILE       the runtime's library, default ./libiwasm.so\n"                                           \
    "  -v=6                  level 5, and show the library's headers, relocations and patches\n"

const char *iwasm_help(bool is_manager)
{
    return is_manager ? COMMON_HELP MANAGER_HELP : COMMON_HELP;
}

int iwasm_split(char *line, char **words, int max)
{
    int count = 0;
    char *p = line;
    while (count < max) {
        while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')
            *p++ = '\0';
        if (*p == '\0')
            break;
        words[count++] = p;
        while (*p && *p != ' ' && *p != '\t' && *p != '\r' && *p != '\n')
            p++;
    }
    if (*p)
        *p = '\0';
    return count;
}
