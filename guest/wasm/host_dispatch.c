/* The manager's side of the gate: execute one host_call with a table of services. */
#include "host_services.h"

#define I32(n) ((int32_t)call->integer[n])
#define U32(n) ((uint32_t)call->integer[n])
#define I64(n) (call->integer[n])
#define U64(n) ((uint64_t)call->integer[n])
#define P(n) (call->pointer[n])

enum { LINUX_ENOSYS = 38 };

static int64_t dispatch_file(const struct host_services *s, struct host_call *call)
{
    void *context = s->context;
    switch (call->service) {
    case HOST_OPENAT: return s->openat(context, I32(0), P(0), U32(1), U32(2));
    case HOST_CLOSE: return s->close(context, I32(0));
    case HOST_READV: return s->readv(context, I32(0), P(0), U32(1), I64(2));
    case HOST_WRITEV: return s->writev(context, I32(0), P(0), U32(1), I64(2));
    case HOST_LSEEK: return s->lseek(context, I32(0), I64(1), I32(2));
    case HOST_FSTAT: return s->fstat(context, I32(0), P(0));
    case HOST_FSTATAT: return s->fstatat(context, I32(0), P(0), P(1), U32(1));
    case HOST_FD_FLAGS_GET: return s->fd_flags_get(context, I32(0));
    case HOST_FD_FLAGS_SET: return s->fd_flags_set(context, I32(0), U32(1));
    case HOST_FSYNC: return s->fsync(context, I32(0), U32(1));
    case HOST_FTRUNCATE: return s->ftruncate(context, I32(0), I64(1));
    case HOST_FALLOCATE: return s->fallocate(context, I32(0), I64(1), I64(2));
    case HOST_FADVISE: return s->fadvise(context, I32(0), I64(1), I64(2), I32(3));
    case HOST_SET_TIMES: return s->set_times(context, I32(0), P(0), P(1), U32(1));
    case HOST_MKDIRAT: return s->mkdirat(context, I32(0), P(0), U32(1));
    case HOST_UNLINKAT: return s->unlinkat(context, I32(0), P(0), U32(1));
    case HOST_LINKAT: return s->linkat(context, I32(0), P(0), I32(1), P(1));
    case HOST_SYMLINKAT: return s->symlinkat(context, P(0), I32(0), P(1));
    case HOST_READLINKAT: return s->readlinkat(context, I32(0), P(0), P(1), U64(1));
    case HOST_RENAMEAT: return s->renameat(context, I32(0), P(0), I32(1), P(1));
    case HOST_READDIR: return s->readdir(context, I32(0), U64(1), P(0), U64(2));
    default: return -LINUX_ENOSYS;
    }
}

void host_dispatch(const struct host_services *services, struct host_call *call)
{
    const struct host_services *s = services;
    void *context = s->context;
    call->result = 0;
    call->result_pointer = NULL;
    switch (call->service) {
    case HOST_MEMORY_ALLOC:
        call->result_pointer = s->memory_alloc(context, U64(0));
        break;
    case HOST_MEMORY_FREE:
        s->memory_free(context, P(0));
        break;
    case HOST_LINEAR_ALLOC:
        call->result_pointer = s->linear_alloc(context, U64(0));
        break;
    case HOST_LINEAR_GROW:
        call->result_pointer = s->linear_grow(context, P(0), U64(0), U64(1));
        break;
    case HOST_LINEAR_FREE:
        s->linear_free(context, P(0), U64(0));
        break;
    case HOST_LOG:
        s->log(context, I32(0), P(0), U64(1));
        break;
    case HOST_CLOCK_GET:
        call->result = s->clock_get(context, I32(0), P(0));
        break;
    case HOST_CLOCK_RESOLUTION:
        call->result = s->clock_resolution(context, I32(0), P(0));
        break;
    case HOST_RANDOM:
        call->result = s->random(context, P(0), U64(0));
        break;
    case HOST_SCHED_YIELD:
        call->result = s->sched_yield(context);
        break;
    case HOST_POLL:
        call->result = s->poll(context, P(0), U32(0), I64(1));
        break;
    default:
        call->result = dispatch_file(s, call);
        break;
    }
}
