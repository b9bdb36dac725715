/* iwasm-plain: the runtime as one program, without a capability manager. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmdline.h"
#include "wasm_export.h"

enum { REPL_WORDS = 64, REPL_LINE = 1024 };

static int complain(const char *text)
{
    fprintf(stderr, "iwasm: %s\n", text);
    return IWASM_EXIT_FAILURE;
}

/* The whole file, or NULL with a message printed. */
static uint8_t *read_file(const char *path, uint32_t *size)
{
    struct stat status;
    uint8_t *buffer = NULL;
    int fd = open(path, O_RDONLY);
    ssize_t got = 0;
    size_t done = 0;
    if (fd < 0 || fstat(fd, &status) < 0)
        goto failed;
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        goto failed;
    }
    buffer = malloc((size_t)status.st_size + 1);
    while (buffer && done < (size_t)status.st_size
           && (got = read(fd, buffer + done, (size_t)status.st_size - done)) > 0)
        done += (size_t)got;
    if (!buffer || got < 0 || status.st_size > UINT32_MAX)
        goto failed;
    close(fd);
    *size = (uint32_t)done;
    return buffer;

failed:
    fprintf(stderr, "iwasm: cannot read %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(buffer);
    return NULL;
}

/* Print and take back the instance's exception; true when there was one. */
static bool report_exception(wasm_module_inst_t instance)
{
    const char *exception = wasm_runtime_get_exception(instance);
    if (!exception)
        return false;
    fflush(stdout);
    printf("%s\n", exception);
    wasm_runtime_clear_exception(instance);
    return true;
}

static void run_repl(wasm_module_inst_t instance)
{
    char line[REPL_LINE];
    char *words[REPL_WORDS];
    for (;;) {
        fputs("webassembly> ", stdout);
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
            return;
        int count = iwasm_split(line, words, REPL_WORDS);
        if (count == 0)
            continue;
        if (strcmp(words[0], "__exit__") == 0)
            return;
        wasm_application_execute_func(instance, words[0], count - 1, words + 1);
        report_exception(instance);
    }
}

static int run_instance(wasm_module_inst_t instance, const struct iwasm_options *options)
{
    if (options->is_repl) {
        run_repl(instance);
        return 0;
    }
    if (options->function)
        wasm_application_execute_func(instance, options->function, options->argc - 1, options->argv + 1);
    else
        wasm_application_execute_main(instance, options->argc, options->argv);
    if (report_exception(instance))
        return IWASM_EXIT_EXCEPTION;
    return (int)(wasm_runtime_get_wasi_exit_code(instance) & 0xff);
}

static int run_module(uint8_t *bytes, uint32_t size, struct iwasm_options *options)
{
    char error[256] = "";
    wasm_module_t module = wasm_runtime_load(bytes, size, error, sizeof error);
    if (!module)
        return complain(error);
    wasm_runtime_set_wasi_args(module, options->dirs, options->n_dirs, NULL, 0, options->env, options->n_env,
                               options->argv, options->argc);
    wasm_runtime_set_wasi_addr_pool(module, options->addr_pool, options->n_addr_pool);
    wasm_runtime_set_wasi_ns_lookup_pool(module, options->ns_pool, options->n_ns_pool);
    int status = IWASM_EXIT_FAILURE;
    wasm_module_inst_t instance =
        wasm_runtime_instantiate(module, options->stack_size, options->heap_size, error, sizeof error);
    if (instance) {
        status = run_instance(instance, options);
        wasm_runtime_deinstantiate(instance);
    } else {
        complain(error);
    }
    wasm_runtime_unload(module);
    return status;
}

static int run(struct iwasm_options *options)
{
    struct host_services services;
    RuntimeInitArgs init;
    uint32_t size = 0;
    host_direct_init(&services);
    memset(&init, 0, sizeof init);
    init.host_services = &services;
    if (!wasm_runtime_full_init(&init))
        return complain("cannot initialise the runtime");
    bh_log_set_verbose_level(options->log_level);
    int status = IWASM_EXIT_FAILURE;
    uint8_t *bytes = read_file(options->argv[0], &size);
    if (bytes) {
        status = run_module(bytes, size, options);
        free(bytes);
    }
    wasm_runtime_destroy();
    return status;
}

int main(int argc, char **argv)
{
    struct iwasm_options options;
    enum iwasm_parse_result parsed = iwasm_parse(&options, argc, argv, false);
    if (parsed == IWASM_HELP) {
        fputs(iwasm_help(false), stdout);
        return IWASM_EXIT_USAGE;
    }
    if (parsed == IWASM_ERROR) {
        complain(options.message);
        return IWASM_EXIT_USAGE;
    }
    if (options.is_version) {
        uint32_t major, minor, patch;
        wasm_runtime_get_version(&major, &minor, &patch);
        printf("iwasm %u.%u.%u\n", (unsigned)major, (unsigned)minor, (unsigned)patch);
        return 0;
    }
    return run(&options);
}
