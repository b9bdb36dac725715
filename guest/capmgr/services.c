/* Executes the compartment's requests.
 *
 * Everything that arrives is the compartment's word. Before a request is carried out:
 *  - the request unseals with the manager's sealer, and is copied once;
 *  - each pointer that the manager itself follows is tagged, unsealed, permitted and long enough (the kernel checks
 *    those that only it follows);
 *  - descriptors are ones that the compartment was given or has opened, paths are single components below them, and
 *    links are not followed; by name only the granted directories can be opened;
 *  - memory that is given back is memory that was given.
 */
#include "services.h"

#include <cheriintrin.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host_services.h"
#include "log.h"

#define MAX_DESCRIPTORS 1024
#define LOAD CHERI_PERM_LOAD
#define STORE CHERI_PERM_STORE

/* How the manager has to check one pointer argument. */
enum pointer_kind { NO_POINTER, STRING, OPTIONAL_STRING, COMPONENT, READS, WRITES, IOVECS, POLLFDS };

struct pointer_rule {
    enum pointer_kind kind;
    int fixed;      /* size in bytes, or 0: see length_at */
    int length_at;  /* index of the integer argument that holds the size (or element count) */
};

struct service_rule {
    int descriptors; /* how many of integer[0], integer[1] are descriptors */
    struct pointer_rule pointer[2];
};

static const struct service_rule rules[HOST_SERVICE_LIMIT] = {
    [HOST_LOG] = {0, {{READS, 0, 1}}},
    [HOST_CLOCK_GET] = {0, {{WRITES, 8, 0}}},
    [HOST_CLOCK_RESOLUTION] = {0, {{WRITES, 8, 0}}},
    [HOST_RANDOM] = {0, {{WRITES, 0, 0}}},
    [HOST_POLL] = {0, {{POLLFDS, 0, 0}}},
    [HOST_OPENAT] = {1, {{COMPONENT, 0, 0}}},
    [HOST_CLOSE] = {1, {{NO_POINTER, 0, 0}}},
    [HOST_READV] = {1, {{IOVECS, 0, 1}}},
    [HOST_WRITEV] = {1, {{IOVECS, 0, 1}}},
    [HOST_LSEEK] = {1, {{NO_POINTER, 0, 0}}},
    [HOST_FSTAT] = {1, {{WRITES, sizeof(struct host_stat), 0}}},
    [HOST_FSTATAT] = {1, {{COMPONENT, 0, 0}, {WRITES, sizeof(struct host_stat), 0}}},
    [HOST_FD_FLAGS_GET] = {1, {{NO_POINTER, 0, 0}}},
    [HOST_FD_FLAGS_SET] = {1, {{NO_POINTER, 0, 0}}},
    [HOST_FSYNC] = {1, {{NO_POINTER, 0, 0}}},
    [HOST_FTRUNCATE] = {1, {{NO_POINTER, 0, 0}}},
    [HOST_FALLOCATE] = {1, {{NO_POINTER, 0, 0}}},
    [HOST_FADVISE] = {1, {{NO_POINTER, 0, 0}}},
    [HOST_SET_TIMES] = {1, {{OPTIONAL_STRING, 0, 0}, {READS, sizeof(struct host_times), 0}}},
    [HOST_MKDIRAT] = {1, {{COMPONENT, 0, 0}}},
    [HOST_UNLINKAT] = {1, {{COMPONENT, 0, 0}}},
    [HOST_LINKAT] = {2, {{COMPONENT, 0, 0}, {COMPONENT, 0, 0}}},
    [HOST_SYMLINKAT] = {1, {{STRING, 0, 0}, {COMPONENT, 0, 0}}},
    [HOST_READLINKAT] = {1, {{COMPONENT, 0, 0}, {WRITES, 0, 1}}},
    [HOST_RENAMEAT] = {2, {{COMPONENT, 0, 0}, {COMPONENT, 0, 0}}},
    [HOST_READDIR] = {1, {{WRITES, 0, 2}}},
};

static struct compartment *served;
static struct host_services direct;
static const char *const *granted_dirs;
static size_t granted_dir_count;
static unsigned char granted_descriptors[MAX_DESCRIPTORS];
/* Live blocks of the compartment, open addressing by address; a power of two of slots. */
static void **blocks;
static size_t block_slots;
static size_t block_count;

static bool is_usable(const void *pointer, uint64_t size, size_t permissions)
{
    size_t offset = cheri_address_get(pointer) - cheri_base_get(pointer);

    return cheri_tag_get(pointer) && !cheri_is_sealed(pointer) &&
           (cheri_perms_get(pointer) & permissions) == permissions && offset <= cheri_length_get(pointer) &&
           size <= cheri_length_get(pointer) - offset;
}

static bool is_string(const void *pointer)
{
    size_t room;

    if (!is_usable(pointer, 1, LOAD))
        return false;
    room = cheri_length_get(pointer) - (cheri_address_get(pointer) - cheri_base_get(pointer));
    return memchr(pointer, '\0', room) != NULL;
}

static bool is_component(const char *path)
{
    return is_string(path) && path[0] != '\0' && strchr(path, '/') == NULL && strcmp(path, "..") != 0;
}

static bool is_granted(int64_t fd)
{
    return fd >= 0 && fd < MAX_DESCRIPTORS && granted_descriptors[fd];
}

static bool is_granted_dir(const char *path)
{
    size_t i;

    if (!is_string(path))
        return false;
    for (i = 0; i < granted_dir_count; i++)
        if (strcmp(granted_dirs[i], path) == 0)
            return true;
    return false;
}

static bool check_pollfds(const struct host_pollfd *fds, uint64_t count)
{
    uint64_t i;

    if (count > MAX_DESCRIPTORS)
        return false;
    if (count == 0)
        return true;
    if (!is_usable(fds, count * sizeof *fds, LOAD | STORE))
        return false;
    for (i = 0; i < count; i++)
        if (!is_granted(fds[i].fd))
            return false;
    return true;
}

static bool check_pointer(const struct pointer_rule *rule, const struct host_call *call, const void *pointer)
{
    uint64_t size = rule->fixed != 0 ? (uint64_t)rule->fixed : (uint64_t)call->integer[rule->length_at];

    switch (rule->kind) {
    case NO_POINTER:
        return true;
    case OPTIONAL_STRING:
        return pointer == NULL || is_component(pointer);
    case STRING:
        return is_string(pointer);
    case COMPONENT:
        return is_component(pointer);
    case READS:
        return is_usable(pointer, size, LOAD);
    case WRITES:
        return is_usable(pointer, size, STORE);
    case IOVECS:
        return size <= MAX_DESCRIPTORS &&
               is_usable(pointer, size * sizeof(struct host_iovec), LOAD | CHERI_PERM_LOAD_CAP);
    case POLLFDS:
        return check_pollfds(pointer, size);
    }
    return false;
}

/* 0, or the error with which the request is refused. */
static int64_t check(struct host_call *call)
{
    const struct service_rule *rule = &rules[call->service];
    int i;

    if (call->service == HOST_OPENAT && call->integer[0] == HOST_CWD) {
        return is_granted_dir(call->pointer[0]) ? 0 : -EACCES;
    }
    for (i = 0; i < rule->descriptors; i++)
        if (!is_granted(call->integer[i]))
            return -EBADF;
    for (i = 0; i < 2; i++)
        if (!check_pointer(&rule->pointer[i], call, call->pointer[i]))
            return rule->pointer[i].kind == COMPONENT && is_string(call->pointer[i]) ? -EPERM : -EFAULT;
    /* The compartment resolves links itself, so that none leads out of a granted directory. */
    if (call->service == HOST_OPENAT)
        call->integer[1] |= HOST_OPEN_NOFOLLOW;
    else if (call->service == HOST_FSTATAT || (call->service == HOST_SET_TIMES && call->pointer[0] != NULL))
        call->integer[1] |= HOST_AT_NOFOLLOW;
    return 0;
}

static size_t slot_of(const void *block)
{
    size_t address = cheri_address_get(block);

    return (address >> 4 ^ address >> 16) & (block_slots - 1);
}

static void place(void *block)
{
    size_t slot = slot_of(block);

    while (blocks[slot] != NULL)
        slot = (slot + 1) & (block_slots - 1);
    blocks[slot] = block;
}

/* Remembers a block; false when the table cannot grow. */
static bool remember(void *block)
{
    if ((block_count + 1) * 2 > block_slots) {
        void **old = blocks;
        size_t old_slots = block_slots;
        size_t i;
        void **grown = calloc(old_slots == 0 ? 256 : old_slots * 2, sizeof *grown);
        if (grown == NULL)
            return false;
        blocks = grown;
        block_slots = old_slots == 0 ? 256 : old_slots * 2;
        for (i = 0; i < old_slots; i++)
            if (old[i] != NULL)
                place(old[i]);
        free(old);
    }
    place(block);
    block_count++;
    return true;
}

/* Takes a block out of the table and returns the manager's own capability to it; NULL if it never was there. */
static void *forget(const void *block)
{
    size_t slot;
    void *found;

    if (block_slots == 0 || !cheri_tag_get(block))
        return NULL;
    for (slot = slot_of(block); blocks[slot] != NULL; slot = (slot + 1) & (block_slots - 1))
        if (cheri_address_get(blocks[slot]) == cheri_address_get(block))
            break;
    found = blocks[slot];
    if (found == NULL)
        return NULL;
    block_count--;
    for (;;) { /* close the gap that the entry leaves in its probe sequence */
        size_t next = slot;
        blocks[slot] = NULL;
        for (;;) {
            size_t home;
            next = (next + 1) & (block_slots - 1);
            if (blocks[next] == NULL)
                return found;
            home = slot_of(blocks[next]);
            if (((next - home) & (block_slots - 1)) >= ((next - slot) & (block_slots - 1)))
                break;
        }
        blocks[slot] = blocks[next];
        slot = next;
    }
}

static void *give(void *block)
{
    if (block != NULL && !remember(block)) {
        free(block);
        return NULL;
    }
    return block;
}

/* Which kind a block is, its permissions tell: only blocks of the heap may hold capabilities. */
static bool is_linear(const void *block)
{
    return (cheri_perms_get(block) & CHERI_PERM_LOAD_CAP) == 0;
}

/* Linear memory: mappings of their own, which the manager's own services make, move and unmap. */
static void *grow_linear(const struct host_call *call)
{
    uint64_t size = (uint64_t)call->integer[1];
    void *block = forget(call->pointer[0]);
    void *grown;

    if (block == NULL)
        return NULL;
    grown = is_linear(block) ? direct.linear_grow(direct.context, block, cheri_length_get(block), size) : NULL;
    if (grown == NULL) {
        remember(block);
        return NULL;
    }
    return remember(grown) ? grown : NULL;
}

static void *allocate_linear(uint64_t size)
{
    void *block = direct.linear_alloc(direct.context, size);

    if (block != NULL && !remember(block)) {
        direct.linear_free(direct.context, block, size);
        return NULL;
    }
    return block;
}

static void release(void *block)
{
    if (block == NULL)
        return;
    if (is_linear(block))
        direct.linear_free(direct.context, block, cheri_length_get(block));
    else
        free(block);
}

static void serve(struct host_call *call)
{
    switch (call->service) {
    case HOST_MEMORY_ALLOC:
        call->result_pointer = give(calloc(1, (size_t)call->integer[0]));
        return;
    case HOST_LINEAR_ALLOC:
        call->result_pointer = allocate_linear((uint64_t)call->integer[0]);
        return;
    case HOST_LINEAR_GROW:
        call->result_pointer = grow_linear(call);
        return;
    case HOST_MEMORY_FREE:
    case HOST_LINEAR_FREE:
        release(forget(call->pointer[0]));
        return;
    default:
        break;
    }
    call->result = call->service < HOST_SERVICE_LIMIT ? check(call) : -ENOSYS;
    if (call->result != 0)
        return;
    host_dispatch(&direct, call);
    if (call->service == HOST_OPENAT && call->result >= 0) {
        if (call->result < MAX_DESCRIPTORS) {
            granted_descriptors[call->result] = 1;
        } else {
            direct.close(direct.context, (int32_t)call->result);
            call->result = -EMFILE;
        }
    } else if (call->service == HOST_CLOSE) {
        granted_descriptors[call->integer[0]] = 0;
    }
}

void CompartmentService(void *sealed_request)
{
    struct host_call *request;
    struct host_call call;

    served->is_inside = false;
    served->services++;
    request = cheri_unseal(sealed_request, served->sealer);
    if (!is_usable(request, sizeof *request, LOAD | STORE | CHERI_PERM_LOAD_CAP | CHERI_PERM_STORE_CAP) ||
        (cheri_address_get(request) & 15) != 0) {
        log_line(LOG_WARNING, "the compartment made a request that is not a sealed request block");
    } else {
        call = *request;
        call.result = 0;
        call.result_pointer = NULL;
        serve(&call);
        request->result = call.result;
        request->result_pointer = call.result_pointer;
    }
    served->is_inside = true;
}

void services_bind(struct compartment *compartment, const char *const *dirs, size_t dir_count)
{
    int fd;

    served = compartment;
    granted_dirs = dirs;
    granted_dir_count = dir_count;
    for (fd = 0; fd <= 2; fd++)
        granted_descriptors[fd] = 1;
    host_direct_init(&direct);
}
