/* The command line of iwasm, shared by the plain program and the capability manager. Parses only. */
#ifndef IWASM_CMDLINE_H
#define IWASM_CMDLINE_H

#include <stdbool.h>
#include <stdint.h>

enum { IWASM_LIST_MAX = 8, IWASM_MESSAGE_BYTES = 200 };

struct iwasm_options {
    const char *function;    /* -f NAME: call this export instead of the program's start; NULL: start */
    const char *wamr_lib;    /* --wamr-lib=PATH (manager only) */
    uint32_t log_level;      /* -v=N: 0..5; the manager also takes 6 (see dump_tables) */
    bool dump_tables;        /* -v=6: show the library's tables and patches */
    uint32_t stack_size;     /* bytes */
    uint32_t heap_size;      /* bytes */
    bool is_repl;
    bool is_version;
    const char *env[IWASM_LIST_MAX];
    const char *dirs[IWASM_LIST_MAX];
    const char *addr_pool[IWASM_LIST_MAX];
    const char *ns_pool[IWASM_LIST_MAX];
    uint32_t n_env, n_dirs, n_addr_pool, n_ns_pool;
    char **argv;             /* the wasm file and the program's arguments */
    int argc;
    char message[IWASM_MESSAGE_BYTES]; /* IWASM_ERROR: one sentence */
};

enum iwasm_parse_result { IWASM_RUN, IWASM_HELP, IWASM_ERROR };

/* Exit statuses of both programs, besides the WASI exit code of the program. */
enum { IWASM_EXIT_USAGE = 1, IWASM_EXIT_EXCEPTION = 1, IWASM_EXIT_FAILURE = 255 };

/* Fill `options` from the arguments; strings are kept by reference (the lists are split in place). */
enum iwasm_parse_result iwasm_parse(struct iwasm_options *options, int argc, char **argv, bool is_manager);

/* The help text, ending in a newline. */
const char *iwasm_help(bool is_manager);

/* Split a line of the REPL at blanks, in place; the number of words, at most `max`. */
int iwasm_split(char *line, char **words, int max);

#endif
