/* iwasm: runs a WebAssembly program in the runtime that libiwasm.so holds, Restricted, and drives it from here. */
#include <cheriintrin.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmdline.h"
#include "compartment.h"
#include "fault.h"
#include "log.h"
#include "services.h"

/* Exit status when the compartment faulted. */
#define EXIT_COMPARTMENT_FAULT 70
#define ERROR_BYTES 256
#define REPL_WORDS 64
#define REPL_LINE 1024

/* The runtime as the manager sees it. */
struct session {
    struct compartment compartment;
    struct iwasm_options options;
    uintptr_t module;
    uintptr_t instance;
    char *error; /* buffer that the compartment may write */
};

static int complain(const char *text)
{
    fflush(stdout);
    fprintf(stderr, "iwasm: %s\n", text);
    return IWASM_EXIT_FAILURE;
}

/* One call into the compartment; false when it faulted or has no such function. */
static bool call(struct session *session, const char *name, uintptr_t *result, const uintptr_t *arguments, size_t count)
{
    return compartment_call(&session->compartment, name, arguments, count, result);
}

#define CALL(session, name, result, ...)                                                           \
    call((session), (name), (result), (const uintptr_t[]){__VA_ARGS__},                            \
         sizeof((const uintptr_t[]){__VA_ARGS__}) / sizeof(uintptr_t))

/* A list as the compartment gets it: this array and nothing around it. */
#define LIST(array) ((uintptr_t)cheri_bounds_set((array), sizeof(array)))

/* What there is to say after a call failed: a fault of the compartment, else nothing new. */
static int report_fault(const struct session *session)
{
    const struct compartment_fault *fault = &session->compartment.fault;

    if (!session->compartment.is_dead)
        return IWASM_EXIT_FAILURE;
    fflush(stdout);
    fprintf(stderr, "iwasm: the compartment was stopped: %s at address %#lx, PC %#lx; the manager goes on\n",
            fault_name(fault), (unsigned long)fault->address, (unsigned long)fault->pc);
    return EXIT_COMPARTMENT_FAULT;
}

/* The whole file, or NULL with a message printed. */
static uint8_t *read_file(const char *path, size_t *size)
{
    struct stat status;
    uint8_t *buffer = NULL;
    int fd = open(path, O_RDONLY);
    ssize_t count = 0;
    size_t done = 0;

    if (fd >= 0 && fstat(fd, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            errno = EISDIR;
        else
            buffer = malloc((size_t)status.st_size + 1);
    }
    while (buffer != NULL && done < (size_t)status.st_size) {
        count = read(fd, buffer + done, (size_t)status.st_size - done);
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    if (buffer == NULL || count < 0) {
        fprintf(stderr, "iwasm: cannot read %s: %s\n", path, strerror(errno));
        free(buffer);
        buffer = NULL;
    }
    if (fd >= 0)
        close(fd);
    *size = done;
    return buffer;
}

/* Prints the instance's exception and takes it back; true when there was one. */
static bool report_exception(struct session *session)
{
    uintptr_t text = 0, ignored;

    if (!CALL(session, "wasm_runtime_get_exception", &text, session->instance) || text == 0)
        return false;
    printf("%s\n", (const char *)text);
    fflush(stdout);
    CALL(session, "wasm_runtime_clear_exception", &ignored, session->instance);
    return true;
}

static bool execute_function(struct session *session, const char *name, int argc, char **argv)
{
    uintptr_t done;

    return CALL(session, "wasm_application_execute_func", &done, session->instance, (uintptr_t)name,
                (uintptr_t)argc, (uintptr_t)argv);
}

static void run_repl(struct session *session)
{
    char *line = malloc(REPL_LINE);
    char **words = calloc(REPL_WORDS, sizeof(char *));

    for (;;) {
        int count;
        fputs("webassembly> ", stdout);
        fflush(stdout);
        if (fgets(line, REPL_LINE, stdin) == NULL)
            break;
        count = iwasm_split(line, words, REPL_WORDS);
        if (count == 0)
            continue;
        if (strcmp(words[0], "__exit__") == 0 || !execute_function(session, words[0], count - 1, words + 1))
            break;
        report_exception(session);
    }
    free(words);
    free(line);
}

static int run_instance(struct session *session)
{
    struct iwasm_options *options = &session->options;
    uintptr_t result = 0;
    bool returned;

    if (options->is_repl) {
        run_repl(session);
        return session->compartment.is_dead ? report_fault(session) : 0;
    }
    if (options->function != NULL)
        returned = execute_function(session, options->function, options->argc - 1, options->argv + 1);
    else
        returned = CALL(session, "wasm_application_execute_main", &result, session->instance,
                        (uintptr_t)options->argc, (uintptr_t)options->argv);
    if (!returned)
        return report_fault(session);
    if (report_exception(session))
        return IWASM_EXIT_EXCEPTION;
    if (!CALL(session, "wasm_runtime_get_wasi_exit_code", &result, session->instance))
        return report_fault(session);
    return (int)(result & 0xff);
}

static int run_module(struct session *session, uint8_t *bytes, size_t size)
{
    struct iwasm_options *options = &session->options;
    uintptr_t ignored;
    int status;

    if (!CALL(session, "wasm_runtime_load", &session->module, (uintptr_t)bytes, size, (uintptr_t)session->error,
              ERROR_BYTES))
        return report_fault(session);
    if (session->module == 0)
        return complain(session->error);
    if (!CALL(session, "wasm_runtime_set_wasi_args", &ignored, session->module, LIST(options->dirs),
              options->n_dirs, 0, 0, LIST(options->env), options->n_env, (uintptr_t)options->argv,
              (uintptr_t)options->argc) ||
        !CALL(session, "wasm_runtime_set_wasi_addr_pool", &ignored, session->module,
              LIST(options->addr_pool), options->n_addr_pool) ||
        !CALL(session, "wasm_runtime_set_wasi_ns_lookup_pool", &ignored, session->module,
              LIST(options->ns_pool), options->n_ns_pool) ||
        !CALL(session, "wasm_runtime_instantiate", &session->instance, session->module, options->stack_size,
              options->heap_size, (uintptr_t)session->error, ERROR_BYTES))
        return report_fault(session);
    if (session->instance != 0) {
        status = run_instance(session);
        CALL(session, "wasm_runtime_deinstantiate", &ignored, session->instance);
    } else {
        status = complain(session->error);
    }
    CALL(session, "wasm_runtime_unload", &ignored, session->module);
    return status;
}

static int run(struct session *session)
{
    struct iwasm_options *options = &session->options;
    uintptr_t result = 0;
    size_t size;
    uint8_t *bytes;
    int status = IWASM_EXIT_FAILURE;

    if (!CALL(session, "compartment_start_runtime", &result, (uintptr_t)session->compartment.service_gate,
              (uintptr_t)session->compartment.seal_only))
        return report_fault(session);
    if (!(bool)result)
        return complain("the runtime cannot be initialised");
    if (!CALL(session, "bh_log_set_verbose_level", &result, options->log_level))
        return report_fault(session);
    bytes = read_file(options->argv[0], &size);
    if (bytes != NULL) {
        status = run_module(session, bytes, size);
        free(bytes);
    }
    CALL(session, "wasm_runtime_destroy", &result, 0);
    log_line(LOG_DEBUG, "%lu calls into the compartment, %lu services", session->compartment.calls,
             session->compartment.services);
    return status;
}

static int print_version(struct session *session)
{
    uint32_t *version = calloc(3, sizeof *version);
    uintptr_t ignored;

    if (!CALL(session, "wasm_runtime_get_version", &ignored, (uintptr_t)&version[0], (uintptr_t)&version[1],
              (uintptr_t)&version[2]))
        return report_fault(session);
    printf("iwasm %u.%u.%u\n", (unsigned)version[0], (unsigned)version[1], (unsigned)version[2]);
    return 0;
}

int main(int argc, char **argv)
{
    struct session *session = calloc(1, sizeof *session);
    struct iwasm_options *options = &session->options;
    enum iwasm_parse_result parsed = iwasm_parse(options, argc, argv, true);

    session->error = calloc(1, ERROR_BYTES);
    if (parsed == IWASM_HELP) {
        fputs(iwasm_help(true), stdout);
        return IWASM_EXIT_USAGE;
    }
    if (parsed == IWASM_ERROR) {
        complain(options->message);
        return IWASM_EXIT_USAGE;
    }
    log_set_level((int)options->log_level);
    if (!fault_guard_install())
        return complain("the fault handlers cannot be installed");
    if (!compartment_open(&session->compartment, options->wamr_lib, options->dump_tables, session->error,
                          ERROR_BYTES))
        return complain(session->error);
    services_bind(&session->compartment, options->dirs, options->n_dirs);
    return options->is_version ? print_version(session) : run(session);
}
