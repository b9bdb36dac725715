/* WASI preview1: the context of an instance, and the calls that are not about descriptors or paths. */
#include <stdio.h>

#include "wasi.h"

/* ---- errno and types ---- */

/* WASI numbers by Linux errno. */
static const uint8_t errno_table[] = {
    [1] = 63 /* EPERM */,   [2] = 44 /* ENOENT */,  [3] = 71 /* ESRCH */,    [4] = 27 /* EINTR */,   [5] = 29 /* EIO */,
    [6] = 60 /* ENXIO */,   [7] = 1 /* E2BIG */,    [8] = 45 /* ENOEXEC */,  [9] = 8 /* EBADF */,    [10] = 12 /* ECHILD */,
    [11] = 6 /* EAGAIN */,  [12] = 48 /* ENOMEM */, [13] = 2 /* EACCES */,   [14] = 21 /* EFAULT */, [16] = 10 /* EBUSY */,
    [17] = 20 /* EEXIST */, [18] = 75 /* EXDEV */,  [19] = 43 /* ENODEV */,  [20] = 54 /* ENOTDIR */,
    [21] = 31 /* EISDIR */, [22] = 28 /* EINVAL */, [23] = 41 /* ENFILE */,  [24] = 33 /* EMFILE */,
    [25] = 59 /* ENOTTY */, [26] = 74 /* ETXTBSY */, [27] = 22 /* EFBIG */,  [28] = 51 /* ENOSPC */,
    [29] = 70 /* ESPIPE */, [30] = 69 /* EROFS */,  [31] = 34 /* EMLINK */,  [32] = 64 /* EPIPE */,
    [33] = 18 /* EDOM */,   [34] = 68 /* ERANGE */, [35] = 16 /* EDEADLK */, [36] = 37 /* ENAMETOOLONG */,
    [37] = 46 /* ENOLCK */, [38] = 52 /* ENOSYS */, [39] = 55 /* ENOTEMPTY */, [40] = 32 /* ELOOP */,
    [75] = 61 /* EOVERFLOW */, [84] = 25 /* EILSEQ */, [88] = 57 /* ENOTSOCK */, [95] = 58 /* EOPNOTSUPP */,
    [110] = 73 /* ETIMEDOUT */, [116] = 72 /* ESTALE */, [122] = 19 /* EDQUOT */,
};

uint32_t wasi_errno_of(int64_t negative_errno)
{
    uint64_t number = (uint64_t)-negative_errno;
    uint32_t result = number < sizeof errno_table ? errno_table[number] : 0;
    return result != 0 ? result : WASI_EIO;
}

uint32_t wasi_result(int64_t result)
{
    return result < 0 ? wasi_errno_of(result) : WASI_SUCCESS;
}

uint8_t wasi_filetype_of(uint32_t host_type)
{
    static const uint8_t types[] = {
        [HOST_TYPE_UNKNOWN] = FILETYPE_UNKNOWN,     [HOST_TYPE_REGULAR] = FILETYPE_REGULAR_FILE,
        [HOST_TYPE_DIRECTORY] = FILETYPE_DIRECTORY, [HOST_TYPE_SYMLINK] = FILETYPE_SYMBOLIC_LINK,
        [HOST_TYPE_CHARACTER] = FILETYPE_CHARACTER_DEVICE, [HOST_TYPE_BLOCK] = FILETYPE_BLOCK_DEVICE,
        [HOST_TYPE_FIFO] = FILETYPE_UNKNOWN,        [HOST_TYPE_SOCKET] = FILETYPE_SOCKET_STREAM,
    };
    return host_type < sizeof types ? types[host_type] : (uint8_t)FILETYPE_UNKNOWN;
}

/* ---- the context ---- */

static bool add_stdio(struct wasm_instance *instance, int32_t host)
{
    struct wasi_fd entry;
    struct host_stat stat;
    uint32_t fd;
    memset(&entry, 0, sizeof entry);
    memset(&stat, 0, sizeof stat);
    if (HOST->fstat(HOST_CONTEXT, host, &stat) < 0)
        stat.type = HOST_TYPE_UNKNOWN;
    entry.is_open = true;
    entry.host = host;
    entry.filetype = wasi_filetype_of(stat.type);
    bool can_seek = entry.filetype == FILETYPE_REGULAR_FILE || entry.filetype == FILETYPE_BLOCK_DEVICE;
    entry.rights = can_seek ? RIGHTS_FILE : RIGHTS_STREAM;
    return descriptor_insert(instance, &entry, &fd) == WASI_SUCCESS;
}

static bool add_preopen(struct wasm_instance *instance, const char *guest, const char *host, const char **error)
{
    struct wasi_fd entry;
    uint32_t fd;
    int64_t opened = HOST->openat(HOST_CONTEXT, HOST_CWD, host, HOST_OPEN_READ | HOST_OPEN_DIRECTORY, 0);
    if (opened < 0) {
        snprintf(wasm_runtime.error_text, sizeof wasm_runtime.error_text, "error while pre-opening directory %s", host);
        *error = wasm_runtime.error_text;
        return false;
    }
    memset(&entry, 0, sizeof entry);
    entry.is_open = true;
    entry.host = (int32_t)opened;
    entry.filetype = FILETYPE_DIRECTORY;
    entry.rights = RIGHTS_DIRECTORY;
    entry.inheriting = RIGHTS_ALL;
    entry.preopen = guest;
    return descriptor_insert(instance, &entry, &fd) == WASI_SUCCESS;
}

/* "GUEST::HOST" */
static bool add_mapped_preopen(struct wasm_instance *instance, const char *mapping, const char **error)
{
    const char *separator = strstr(mapping, "::");
    if (!separator)
        return add_preopen(instance, mapping, mapping, error);
    size_t length = (size_t)(separator - mapping);
    char *guest = arena_alloc(&instance->arena, length + 1);
    if (!guest)
        return false;
    memcpy(guest, mapping, length);
    return add_preopen(instance, guest, separator + 2, error);
}

bool wasi_instantiate(struct wasm_instance *instance, const char **error)
{
    const struct wasi_arguments *args = &instance->module->wasi;
    instance->wasi = arena_alloc(&instance->arena, sizeof *instance->wasi);
    if (!instance->wasi)
        return false;
    for (int32_t fd = 0; fd < 3; fd++)
        if (!add_stdio(instance, fd))
            return false;
    for (uint32_t i = 0; i < args->n_dirs; i++)
        if (!add_preopen(instance, args->dirs[i], args->dirs[i], error))
            return false;
    for (uint32_t i = 0; i < args->n_mapped_dirs; i++)
        if (!add_mapped_preopen(instance, args->mapped_dirs[i], error))
            return false;
    return true;
}

void wasi_deinstantiate(struct wasm_instance *instance)
{
    struct wasi *wasi = instance->wasi;
    for (uint32_t i = 0; i < wasi->n_fds; i++)
        if (wasi->fds[i].is_open)
            descriptor_close(&wasi->fds[i]);
    runtime_free(wasi->fds);
}

/* ---- arguments and environment ---- */

static uint32_t strings_sizes(struct wasm_instance *instance, const union value *a, const char *const *strings,
                              uint32_t count)
{
    uint8_t *count_at = memory_at(instance, a[0].u32, 4), *size_at = memory_at(instance, a[1].u32, 4);
    uint32_t size = 0;
    if (!count_at || !size_at)
        return WASI_EFAULT;
    for (uint32_t i = 0; i < count; i++)
        size += (uint32_t)strlen(strings[i]) + 1;
    store_u32(count_at, count);
    store_u32(size_at, size);
    return WASI_SUCCESS;
}

static uint32_t strings_get(struct wasm_instance *instance, const union value *a, const char *const *strings,
                            uint32_t count)
{
    uint32_t text = a[1].u32;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = (uint32_t)strlen(strings[i]) + 1;
        uint8_t *pointer = memory_at(instance, a[0].u32 + 4 * i, 4), *to = memory_at(instance, text, length);
        if (!pointer || !to)
            return WASI_EFAULT;
        store_u32(pointer, text);
        memcpy(to, strings[i], length);
        text += length;
    }
    return WASI_SUCCESS;
}

static WASI(args_sizes_get)
{
    const struct wasi_arguments *args = &instance->module->wasi;
    return strings_sizes(instance, a, (const char *const *)args->argv, args->n_argv);
}

static WASI(args_get)
{
    const struct wasi_arguments *args = &instance->module->wasi;
    return strings_get(instance, a, (const char *const *)args->argv, args->n_argv);
}

static WASI(environ_sizes_get)
{
    const struct wasi_arguments *args = &instance->module->wasi;
    return strings_sizes(instance, a, args->env, args->n_env);
}

static WASI(environ_get)
{
    const struct wasi_arguments *args = &instance->module->wasi;
    return strings_get(instance, a, args->env, args->n_env);
}

/* ---- clocks, random, scheduling ---- */

static uint32_t clock_value(struct wasm_instance *instance, uint32_t clock, uint32_t address,
                            int64_t (*service)(void *, int32_t, uint64_t *))
{
    uint8_t *p = memory_at(instance, address, 8);
    uint64_t ns = 0;
    if (!p)
        return WASI_EFAULT;
    if (clock > HOST_CLOCK_THREAD)
        return WASI_EINVAL;
    uint32_t error = wasi_result(service(HOST_CONTEXT, (int32_t)clock, &ns));
    if (error == WASI_SUCCESS)
        store_u64(p, ns);
    return error;
}

static WASI(clock_res_get)
{
    return clock_value(instance, a[0].u32, a[1].u32, HOST->clock_resolution);
}

static WASI(clock_time_get)
{
    return clock_value(instance, a[0].u32, a[2].u32, HOST->clock_get);
}

static WASI(random_get)
{
    uint8_t *p = memory_at(instance, a[0].u32, a[1].u32);
    if (!p)
        return WASI_EFAULT;
    return wasi_result(HOST->random(HOST_CONTEXT, bounded(p, a[1].u32), a[1].u32));
}

static WASI(sched_yield)
{
    (void)instance;
    (void)a;
    return wasi_result(HOST->sched_yield(HOST_CONTEXT));
}

/* ---- poll_oneoff ---- */

enum { POLL_MAX = 64, SUBSCRIPTION_BYTES = 48, EVENT_BYTES = 32, EVENT_CLOCK = 0, EVENT_READ = 1, EVENT_WRITE = 2 };

struct poll_state {
    struct host_pollfd fds[POLL_MAX];
    uint32_t subscription[POLL_MAX]; /* of each descriptor */
    uint32_t n_fds;
    int64_t timeout;                 /* ns; < 0: none */
    uint8_t *events;
    uint32_t n_events;
};

static void add_event(struct poll_state *state, const uint8_t *subscription, uint32_t error, uint32_t flags)
{
    uint8_t *event = state->events + (size_t)EVENT_BYTES * state->n_events++;
    memset(event, 0, EVENT_BYTES);
    store_u64(event, load_u64(subscription));
    store_u16(event + 8, (uint16_t)error);
    event[10] = subscription[8];
    store_u16(event + 24, (uint16_t)flags);
}

/* Time until a clock subscription fires, in ns. */
static uint32_t clock_delay(const uint8_t *subscription, int64_t *delay)
{
    uint32_t clock = load_u32(subscription + 16);
    uint64_t timeout = load_u64(subscription + 24), now = 0;
    if (clock > HOST_CLOCK_MONOTONIC)
        return WASI_ENOTSUP;
    if (load_u16(subscription + 40) & 1) { /* an absolute time */
        uint32_t error = wasi_result(HOST->clock_get(HOST_CONTEXT, (int32_t)clock, &now));
        if (error != WASI_SUCCESS)
            return error;
        timeout = timeout > now ? timeout - now : 0;
    }
    *delay = timeout > INT64_MAX ? INT64_MAX : (int64_t)timeout;
    return WASI_SUCCESS;
}

static void add_subscription(struct wasm_instance *instance, struct poll_state *state, const uint8_t *p, uint32_t index)
{
    uint32_t error = WASI_SUCCESS;
    int64_t delay;
    if (p[8] == EVENT_CLOCK) {
        error = clock_delay(p, &delay);
        if (error == WASI_SUCCESS && (state->timeout < 0 || delay < state->timeout))
            state->timeout = delay;
    } else if (p[8] == EVENT_READ || p[8] == EVENT_WRITE) {
        struct wasi_fd *fd = descriptor_get(instance, load_u32(p + 16), RIGHT_POLL_FD_READWRITE, &error);
        if (fd) {
            struct host_pollfd *entry = &state->fds[state->n_fds];
            entry->fd = fd->host;
            entry->events = p[8] == EVENT_READ ? HOST_POLL_IN : HOST_POLL_OUT;
            entry->revents = 0;
            state->subscription[state->n_fds++] = index;
        }
    } else {
        error = WASI_EINVAL;
    }
    if (error != WASI_SUCCESS)
        add_event(state, p, error, 0);
}

static WASI(poll_oneoff)
{
    uint32_t count = a[2].u32;
    struct poll_state state;
    if (count == 0 || count > POLL_MAX)
        return WASI_EINVAL;
    uint8_t in[POLL_MAX * SUBSCRIPTION_BYTES]; /* a copy: events may be written over the subscriptions */
    const uint8_t *from = memory_at(instance, a[0].u32, (uint64_t)count * SUBSCRIPTION_BYTES);
    uint8_t *n_events_at = memory_at(instance, a[3].u32, 4);
    memset(&state, 0, sizeof state);
    state.timeout = -1;
    state.events = memory_at(instance, a[1].u32, (uint64_t)count * EVENT_BYTES);
    if (!from || !state.events || !n_events_at)
        return WASI_EFAULT;
    memcpy(in, from, (size_t)count * SUBSCRIPTION_BYTES);
    for (uint32_t i = 0; i < count; i++)
        add_subscription(instance, &state, in + (size_t)i * SUBSCRIPTION_BYTES, i);
    if (state.n_events == 0) {
        int64_t ready = HOST->poll(HOST_CONTEXT, state.fds, state.n_fds, state.timeout);
        if (ready < 0)
            return wasi_errno_of(ready);
        for (uint32_t i = 0; i < state.n_fds && ready > 0; i++)
            if (state.fds[i].revents != 0)
                add_event(&state, in + (size_t)state.subscription[i] * SUBSCRIPTION_BYTES, WASI_SUCCESS,
                          (state.fds[i].revents & HOST_POLL_HANGUP) != 0);
        for (uint32_t i = 0; i < count && ready == 0; i++) { /* the clock was first */
            const uint8_t *p = in + (size_t)i * SUBSCRIPTION_BYTES;
            int64_t delay;
            if (p[8] == EVENT_CLOCK && clock_delay(p, &delay) == WASI_SUCCESS
                && (delay == 0 || (load_u16(p + 40) & 1) || delay <= state.timeout))
                add_event(&state, p, WASI_SUCCESS, 0);
        }
    }
    store_u32(n_events_at, state.n_events);
    return WASI_SUCCESS;
}

/* ---- process, sockets ---- */

static WASI(proc_exit)
{
    instance->exit_code = a[0].u32;
    instance->has_exited = true;
    throw(instance, "wasi proc exit");
    return WASI_SUCCESS;
}

static WASI(proc_raise)
{
    (void)instance;
    (void)a;
    return WASI_ENOSYS;
}

/* No descriptor is ever a socket that may be used as one. */
static WASI(sock_any)
{
    uint32_t error;
    return descriptor_get(instance, a[0].u32, 0, &error) ? WASI_ENOTSOCK : error;
}

/* ---- the table ---- */

#define ROW(name, signature) { #name, signature, (void *)wasi_##name }
static const struct builtin_symbol symbols[] = {
    ROW(args_get, "(ii)i"),
    ROW(args_sizes_get, "(ii)i"),
    ROW(environ_get, "(ii)i"),
    ROW(environ_sizes_get, "(ii)i"),
    ROW(clock_res_get, "(ii)i"),
    ROW(clock_time_get, "(iIi)i"),
    ROW(fd_prestat_get, "(ii)i"),
    ROW(fd_prestat_dir_name, "(iii)i"),
    ROW(fd_close, "(i)i"),
    ROW(fd_datasync, "(i)i"),
    ROW(fd_pread, "(iiiIi)i"),
    ROW(fd_pwrite, "(iiiIi)i"),
    ROW(fd_read, "(iiii)i"),
    ROW(fd_renumber, "(ii)i"),
    ROW(fd_seek, "(iIii)i"),
    ROW(fd_tell, "(ii)i"),
    ROW(fd_fdstat_get, "(ii)i"),
    ROW(fd_fdstat_set_flags, "(ii)i"),
    ROW(fd_fdstat_set_rights, "(iII)i"),
    ROW(fd_sync, "(i)i"),
    ROW(fd_write, "(iiii)i"),
    ROW(fd_advise, "(iIIi)i"),
    ROW(fd_allocate, "(iII)i"),
    ROW(path_create_directory, "(iii)i"),
    ROW(path_link, "(iiiiiii)i"),
    ROW(path_open, "(iiiiiIIii)i"),
    ROW(fd_readdir, "(iiiIi)i"),
    ROW(path_readlink, "(iiiiii)i"),
    ROW(path_rename, "(iiiiii)i"),
    ROW(fd_filestat_get, "(ii)i"),
    ROW(fd_filestat_set_times, "(iIIi)i"),
    ROW(fd_filestat_set_size, "(iI)i"),
    ROW(path_filestat_get, "(iiiii)i"),
    ROW(path_filestat_set_times, "(iiiiIIi)i"),
    ROW(path_symlink, "(iiiii)i"),
    ROW(path_unlink_file, "(iii)i"),
    ROW(path_remove_directory, "(iii)i"),
    ROW(poll_oneoff, "(iiii)i"),
    ROW(proc_exit, "(i)"),
    ROW(proc_raise, "(i)i"),
    ROW(random_get, "(ii)i"),
    ROW(sched_yield, "()i"),
    { "sock_accept", "(iii)i", (void *)wasi_sock_any },
    { "sock_recv", "(iiiiii)i", (void *)wasi_sock_any },
    { "sock_send", "(iiiii)i", (void *)wasi_sock_any },
    { "sock_shutdown", "(ii)i", (void *)wasi_sock_any },
};

const struct builtin_symbol *wasi_symbols(uint32_t *count)
{
    *count = sizeof symbols / sizeof symbols[0];
    return symbols;
}
