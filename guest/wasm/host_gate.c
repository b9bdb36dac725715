/* Host services as calls through a gate: the compartment's side. Each stub packs its arguments and crosses once. */
#include <string.h>

#include "host_services.h"

static void begin(struct host_call *call, enum host_service_id service)
{
    memset(call, 0, sizeof *call);
    call->service = (uint32_t)service;
}

static int64_t cross(void *context, struct host_call *call)
{
    struct host_gate_binding *binding = context;
    binding->gate(binding->gate_context, call);
    return call->result;
}

/* Stubs by the shape of their arguments: `i` integers and `p` pointers in prototype order. */
#define BODY(id, ...)                                                                                                  \
    struct host_call call;                                                                                             \
    begin(&call, id);                                                                                                  \
    __VA_ARGS__;                                                                                                       \
    return cross(context, &call)
#define INT(n, value) call.integer[n] = (int64_t)(value)
#define PTR(n, value) call.pointer[n] = (void *)(uintptr_t)(value)

static void *memory_alloc(void *context, uint64_t size)
{
    struct host_call call;
    begin(&call, HOST_MEMORY_ALLOC);
    INT(0, size);
    cross(context, &call);
    return call.result_pointer;
}

static void memory_free(void *context, void *block)
{
    struct host_call call;
    begin(&call, HOST_MEMORY_FREE);
    PTR(0, block);
    cross(context, &call);
}

static void *linear_alloc(void *context, uint64_t size)
{
    struct host_call call;
    begin(&call, HOST_LINEAR_ALLOC);
    INT(0, size);
    cross(context, &call);
    return call.result_pointer;
}

static void *linear_grow(void *context, void *block, uint64_t old_size, uint64_t new_size)
{
    struct host_call call;
    begin(&call, HOST_LINEAR_GROW);
    PTR(0, block);
    INT(0, old_size);
    INT(1, new_size);
    cross(context, &call);
    return call.result_pointer;
}

static void linear_free(void *context, void *block, uint64_t size)
{
    struct host_call call;
    begin(&call, HOST_LINEAR_FREE);
    PTR(0, block);
    INT(0, size);
    cross(context, &call);
}

static void log_line(void *context, int32_t level, const char *text, uint64_t length)
{
    struct host_call call;
    begin(&call, HOST_LOG);
    INT(0, level);
    PTR(0, text);
    INT(1, length);
    cross(context, &call);
}

static int64_t clock_get(void *context, int32_t clock, uint64_t *ns)
{
    BODY(HOST_CLOCK_GET, INT(0, clock), PTR(0, ns));
}

static int64_t clock_resolution(void *context, int32_t clock, uint64_t *ns)
{
    BODY(HOST_CLOCK_RESOLUTION, INT(0, clock), PTR(0, ns));
}

static int64_t random_bytes(void *context, void *buffer, uint64_t length)
{
    BODY(HOST_RANDOM, PTR(0, buffer), INT(0, length));
}

static int64_t yield(void *context)
{
    BODY(HOST_SCHED_YIELD, INT(0, 0));
}

static int64_t poll_fds(void *context, struct host_pollfd *fds, uint32_t count, int64_t timeout_ns)
{
    BODY(HOST_POLL, PTR(0, fds), INT(0, count), INT(1, timeout_ns));
}

static int64_t open_at(void *context, int32_t dirfd, const char *path, uint32_t flags, uint32_t mode)
{
    BODY(HOST_OPENAT, INT(0, dirfd), PTR(0, path), INT(1, flags), INT(2, mode));
}

static int64_t close_fd(void *context, int32_t fd)
{
    BODY(HOST_CLOSE, INT(0, fd));
}

static int64_t read_vectors(void *context, int32_t fd, const struct host_iovec *iov, uint32_t count, int64_t offset)
{
    BODY(HOST_READV, INT(0, fd), PTR(0, iov), INT(1, count), INT(2, offset));
}

static int64_t write_vectors(void *context, int32_t fd, const struct host_iovec *iov, uint32_t count, int64_t offset)
{
    BODY(HOST_WRITEV, INT(0, fd), PTR(0, iov), INT(1, count), INT(2, offset));
}

static int64_t seek(void *context, int32_t fd, int64_t offset, int32_t whence)
{
    BODY(HOST_LSEEK, INT(0, fd), INT(1, offset), INT(2, whence));
}

static int64_t stat_fd(void *context, int32_t fd, struct host_stat *stat)
{
    BODY(HOST_FSTAT, INT(0, fd), PTR(0, stat));
}

static int64_t stat_at(void *context, int32_t dirfd, const char *path, struct host_stat *stat, uint32_t flags)
{
    BODY(HOST_FSTATAT, INT(0, dirfd), PTR(0, path), PTR(1, stat), INT(1, flags));
}

static int64_t fd_flags_get(void *context, int32_t fd)
{
    BODY(HOST_FD_FLAGS_GET, INT(0, fd));
}

static int64_t fd_flags_set(void *context, int32_t fd, uint32_t flags)
{
    BODY(HOST_FD_FLAGS_SET, INT(0, fd), INT(1, flags));
}

static int64_t sync_fd(void *context, int32_t fd, uint32_t data_only)
{
    BODY(HOST_FSYNC, INT(0, fd), INT(1, data_only));
}

static int64_t truncate_fd(void *context, int32_t fd, int64_t size)
{
    BODY(HOST_FTRUNCATE, INT(0, fd), INT(1, size));
}

static int64_t allocate(void *context, int32_t fd, int64_t offset, int64_t length)
{
    BODY(HOST_FALLOCATE, INT(0, fd), INT(1, offset), INT(2, length));
}

static int64_t advise(void *context, int32_t fd, int64_t offset, int64_t length, int32_t advice)
{
    BODY(HOST_FADVISE, INT(0, fd), INT(1, offset), INT(2, length), INT(3, advice));
}

static int64_t set_times(void *context, int32_t fd, const char *path, const struct host_times *times, uint32_t flags)
{
    BODY(HOST_SET_TIMES, INT(0, fd), PTR(0, path), PTR(1, times), INT(1, flags));
}

static int64_t make_directory(void *context, int32_t dirfd, const char *path, uint32_t mode)
{
    BODY(HOST_MKDIRAT, INT(0, dirfd), PTR(0, path), INT(1, mode));
}

static int64_t unlink_at(void *context, int32_t dirfd, const char *path, uint32_t flags)
{
    BODY(HOST_UNLINKAT, INT(0, dirfd), PTR(0, path), INT(1, flags));
}

static int64_t link_at(void *context, int32_t old_dirfd, const char *old_path, int32_t new_dirfd, const char *new_path)
{
    BODY(HOST_LINKAT, INT(0, old_dirfd), PTR(0, old_path), INT(1, new_dirfd), PTR(1, new_path));
}

static int64_t symlink_at(void *context, const char *target, int32_t dirfd, const char *path)
{
    BODY(HOST_SYMLINKAT, PTR(0, target), INT(0, dirfd), PTR(1, path));
}

static int64_t read_link(void *context, int32_t dirfd, const char *path, char *buffer, uint64_t size)
{
    BODY(HOST_READLINKAT, INT(0, dirfd), PTR(0, path), PTR(1, buffer), INT(1, size));
}

static int64_t rename_at(void *context, int32_t old_dirfd, const char *old_path, int32_t new_dirfd, const char *new_path)
{
    BODY(HOST_RENAMEAT, INT(0, old_dirfd), PTR(0, old_path), INT(1, new_dirfd), PTR(1, new_path));
}

static int64_t read_directory(void *context, int32_t fd, uint64_t cookie, void *buffer, uint64_t size)
{
    BODY(HOST_READDIR, INT(0, fd), INT(1, cookie), PTR(0, buffer), INT(2, size));
}

void host_gate_init(struct host_services *services, struct host_gate_binding *binding)
{
    memset(services, 0, sizeof *services);
    services->context = binding;
    services->memory_alloc = memory_alloc;
    services->memory_free = memory_free;
    services->linear_alloc = linear_alloc;
    services->linear_grow = linear_grow;
    services->linear_free = linear_free;
    services->log = log_line;
    services->clock_get = clock_get;
    services->clock_resolution = clock_resolution;
    services->random = random_bytes;
    services->sched_yield = yield;
    services->poll = poll_fds;
    services->openat = open_at;
    services->close = close_fd;
    services->readv = read_vectors;
    services->writev = write_vectors;
    services->lseek = seek;
    services->fstat = stat_fd;
    services->fstatat = stat_at;
    services->fd_flags_get = fd_flags_get;
    services->fd_flags_set = fd_flags_set;
    services->fsync = sync_fd;
    services->ftruncate = truncate_fd;
    services->fallocate = allocate;
    services->fadvise = advise;
    services->set_times = set_times;
    services->mkdirat = make_directory;
    services->unlinkat = unlink_at;
    services->linkat = link_at;
    services->symlinkat = symlink_at;
    services->readlinkat = read_link;
    services->renameat = rename_at;
    services->readdir = read_directory;
}
