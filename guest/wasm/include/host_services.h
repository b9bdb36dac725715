/*
 * Host services: everything the WebAssembly runtime asks of the world around it.
 *
 * The runtime (libiwasm.so) makes no system call and keeps no file descriptor knowledge of its own. It is handed a
 * `struct host_services` at initialisation. Three fillings exist:
 *
 *   host_direct.c   host_direct_init(): each service is a libc call (iwasm-plain; also the manager's side of the gate)
 *   host_gate.c     host_gate_init(): each service becomes a `struct host_call` passed to one gate function (libiwasm.so)
 *   host_dispatch.c host_dispatch(): executes one `struct host_call` with a table of services (capability manager)
 *
 * Conventions
 *   - Results are int64_t: >= 0 success (a count, an fd, ...), < 0 is -errno with Linux errno numbers.
 *   - Services which return memory return NULL on failure.
 *   - `fd` is a descriptor number of the host. Paths are NUL-terminated; the runtime passes single components
 *     ("name" relative to an open directory) except when it opens a pre-opened directory.
 *   - Times are nanoseconds. Structures hold fixed-width integers only, apart from the pointers in host_iovec.
 */
#ifndef HOST_SERVICES_H
#define HOST_SERVICES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers are the interface between compartment and manager: append, never renumber. */
enum host_service_id {
    HOST_MEMORY_ALLOC = 1,
    HOST_MEMORY_FREE = 2,
    HOST_LINEAR_ALLOC = 3,
    HOST_LINEAR_GROW = 4,
    HOST_LINEAR_FREE = 5,
    HOST_LOG = 6,
    HOST_CLOCK_GET = 7,
    HOST_CLOCK_RESOLUTION = 8,
    HOST_RANDOM = 9,
    HOST_SCHED_YIELD = 10,
    HOST_POLL = 11,
    HOST_OPENAT = 12,
    HOST_CLOSE = 13,
    HOST_READV = 14,
    HOST_WRITEV = 15,
    HOST_LSEEK = 16,
    HOST_FSTAT = 17,
    HOST_FSTATAT = 18,
    HOST_FD_FLAGS_GET = 19,
    HOST_FD_FLAGS_SET = 20,
    HOST_FSYNC = 21,
    HOST_FTRUNCATE = 22,
    HOST_FALLOCATE = 23,
    HOST_FADVISE = 24,
    HOST_SET_TIMES = 25,
    HOST_MKDIRAT = 26,
    HOST_UNLINKAT = 27,
    HOST_LINKAT = 28,
    HOST_SYMLINKAT = 29,
    HOST_READLINKAT = 30,
    HOST_RENAMEAT = 31,
    HOST_READDIR = 32,
    HOST_SERVICE_LIMIT = 33
};

enum host_clock { HOST_CLOCK_REALTIME = 0, HOST_CLOCK_MONOTONIC = 1, HOST_CLOCK_PROCESS = 2, HOST_CLOCK_THREAD = 3 };

/* Flags of openat; READ and WRITE together mean read-write, neither means O_RDONLY. */
enum {
    HOST_OPEN_READ = 1 << 0,
    HOST_OPEN_WRITE = 1 << 1,
    HOST_OPEN_CREATE = 1 << 2,
    HOST_OPEN_EXCLUSIVE = 1 << 3,
    HOST_OPEN_TRUNCATE = 1 << 4,
    HOST_OPEN_DIRECTORY = 1 << 5,
    HOST_OPEN_NOFOLLOW = 1 << 6
};

/* Status flags of a descriptor, for openat, fd_flags_get and fd_flags_set. */
enum {
    HOST_FD_APPEND = 1 << 8,
    HOST_FD_DSYNC = 1 << 9,
    HOST_FD_NONBLOCK = 1 << 10,
    HOST_FD_SYNC = 1 << 11
};

/* Access mode bits in the result of fd_flags_get: HOST_OPEN_READ, HOST_OPEN_WRITE. */

enum { HOST_SEEK_SET = 0, HOST_SEEK_CUR = 1, HOST_SEEK_END = 2 };

/* File types in host_stat.type and host_dirent.type. */
enum host_file_type {
    HOST_TYPE_UNKNOWN = 0,
    HOST_TYPE_REGULAR = 1,
    HOST_TYPE_DIRECTORY = 2,
    HOST_TYPE_SYMLINK = 3,
    HOST_TYPE_CHARACTER = 4,
    HOST_TYPE_BLOCK = 5,
    HOST_TYPE_FIFO = 6,
    HOST_TYPE_SOCKET = 7
};

enum { HOST_AT_NOFOLLOW = 1, HOST_AT_REMOVEDIR = 2 }; /* flags of fstatat, set_times, unlinkat */
enum { HOST_CWD = -100 };                             /* a dirfd: the host's working directory */

/* set_times: what to do with each stamp. */
enum { HOST_TIME_KEEP = 0, HOST_TIME_VALUE = 1, HOST_TIME_NOW = 2 };

enum { HOST_POLL_IN = 1, HOST_POLL_OUT = 2, HOST_POLL_ERROR = 4, HOST_POLL_HANGUP = 8 };

enum host_log_level { HOST_LOG_FATAL = 0, HOST_LOG_ERROR = 1, HOST_LOG_WARNING = 2, HOST_LOG_DEBUG = 3, HOST_LOG_VERBOSE = 4 };

struct host_iovec {
    void *base;
    uint64_t length;
};

struct host_stat {
    uint64_t device;
    uint64_t inode;
    uint64_t links;
    uint64_t size;
    uint64_t accessed;  /* ns since the epoch */
    uint64_t modified;
    uint64_t changed;
    uint32_t type;      /* enum host_file_type */
    uint32_t reserved;
};

struct host_pollfd {
    int32_t fd;
    uint16_t events;   /* HOST_POLL_IN | HOST_POLL_OUT wanted */
    uint16_t revents;  /* what happened */
};

struct host_times {
    uint64_t accessed; /* ns */
    uint64_t modified;
    uint32_t accessed_how; /* HOST_TIME_* */
    uint32_t modified_how;
};

/* One record of readdir's buffer; the next record starts at record_length bytes. The name follows, not terminated. */
struct host_dirent {
    uint64_t next;  /* cookie of the following entry */
    uint64_t inode;
    uint32_t record_length; /* multiple of 8 */
    uint16_t name_length;
    uint8_t type;
    uint8_t reserved;
};

/*
 * The table. `context` is passed back as the first argument of each service.
 *
 * memory_alloc   zero-filled, 16-byte aligned, may hold capabilities; NULL when there is none
 * linear_alloc   zero-filled block for linear memories, tables of plain data and operand stacks: exact bounds, may be
 *                given without permission to load or store capabilities
 * linear_grow    a block of new_size bytes with the old contents, the rest zero; the old block is gone unless NULL
 * log            one line of text (length bytes, no newline) at a host_log_level
 * poll           waits up to timeout_ns (< 0: for ever) for `count` descriptors (0: just sleeps); number of ready ones
 * readv/writev   offset < 0: at the current position (readv/writev), else preadv/pwritev; count <= 16
 * fsync          data_only != 0: fdatasync
 * set_times      path NULL: of fd itself
 * readdir        fills `buffer` with whole host_dirent records that follow `cookie` (0 = start); bytes written, 0 = end
 */
struct host_services {
    void *context;
    void *(*memory_alloc)(void *context, uint64_t size);
    void (*memory_free)(void *context, void *block);
    void *(*linear_alloc)(void *context, uint64_t size);
    void *(*linear_grow)(void *context, void *block, uint64_t old_size, uint64_t new_size);
    void (*linear_free)(void *context, void *block, uint64_t size);
    void (*log)(void *context, int32_t level, const char *text, uint64_t length);
    int64_t (*clock_get)(void *context, int32_t clock, uint64_t *ns);
    int64_t (*clock_resolution)(void *context, int32_t clock, uint64_t *ns);
    int64_t (*random)(void *context, void *buffer, uint64_t length);
    int64_t (*sched_yield)(void *context);
    int64_t (*poll)(void *context, struct host_pollfd *fds, uint32_t count, int64_t timeout_ns);
    int64_t (*openat)(void *context, int32_t dirfd, const char *path, uint32_t flags, uint32_t mode);
    int64_t (*close)(void *context, int32_t fd);
    int64_t (*readv)(void *context, int32_t fd, const struct host_iovec *iov, uint32_t count, int64_t offset);
    int64_t (*writev)(void *context, int32_t fd, const struct host_iovec *iov, uint32_t count, int64_t offset);
    int64_t (*lseek)(void *context, int32_t fd, int64_t offset, int32_t whence);
    int64_t (*fstat)(void *context, int32_t fd, struct host_stat *stat);
    int64_t (*fstatat)(void *context, int32_t dirfd, const char *path, struct host_stat *stat, uint32_t flags);
    int64_t (*fd_flags_get)(void *context, int32_t fd);
    int64_t (*fd_flags_set)(void *context, int32_t fd, uint32_t flags);
    int64_t (*fsync)(void *context, int32_t fd, uint32_t data_only);
    int64_t (*ftruncate)(void *context, int32_t fd, int64_t size);
    int64_t (*fallocate)(void *context, int32_t fd, int64_t offset, int64_t length);
    int64_t (*fadvise)(void *context, int32_t fd, int64_t offset, int64_t length, int32_t advice);
    int64_t (*set_times)(void *context, int32_t fd, const char *path, const struct host_times *times, uint32_t flags);
    int64_t (*mkdirat)(void *context, int32_t dirfd, const char *path, uint32_t mode);
    int64_t (*unlinkat)(void *context, int32_t dirfd, const char *path, uint32_t flags);
    int64_t (*linkat)(void *context, int32_t old_dirfd, const char *old_path, int32_t new_dirfd, const char *new_path);
    int64_t (*symlinkat)(void *context, const char *target, int32_t dirfd, const char *path);
    int64_t (*readlinkat)(void *context, int32_t dirfd, const char *path, char *buffer, uint64_t size);
    int64_t (*renameat)(void *context, int32_t old_dirfd, const char *old_path, int32_t new_dirfd, const char *new_path);
    int64_t (*readdir)(void *context, int32_t fd, uint64_t cookie, void *buffer, uint64_t size);
};

/*
 * One service call as data: what crosses from the compartment to the manager. Arguments keep the order of the C
 * prototypes above, integers in `integer`, pointers in `pointer`, each counted separately.
 */
struct host_call {
    void *pointer[2];
    void *result_pointer;
    int64_t integer[4];
    int64_t result;
    uint32_t service; /* enum host_service_id */
    uint32_t reserved;
};

/* Carries a call to the other side; on return result or result_pointer is set. */
typedef void (*host_gate)(void *gate_context, struct host_call *call);

/* Fill a table with direct libc calls (no context needed). */
void host_direct_init(struct host_services *services);

/* Fill a table with stubs that pack a host_call and hand it to `gate`. `binding` must outlive the table. */
struct host_gate_binding {
    host_gate gate;
    void *gate_context;
};
void host_gate_init(struct host_services *services, struct host_gate_binding *binding);

/* Execute one call with `services`. An unknown service number gives result -ENOSYS and result_pointer NULL. */
void host_dispatch(const struct host_services *services, struct host_call *call);

#ifdef __cplusplus
}
#endif

#endif
