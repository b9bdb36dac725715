/*
 * Host services as direct libc calls: what iwasm-plain runs on, and what the capability manager executes on behalf of
 * the compartment. One function per service; each turns a failing libc call into -errno.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "host_services.h"

#ifdef __CHERI_PURE_CAPABILITY__
#include <cheriintrin.h>
#define DATA_PERMS (CHERI_PERM_GLOBAL | CHERI_PERM_LOAD | CHERI_PERM_STORE)
#define data_only(p, size) cheri_perms_and(cheri_bounds_set((p), (size)), DATA_PERMS)
#else
#define data_only(p, size) ((void)(size), (void *)(p))
#endif

enum { IOV_LIMIT = 16, POLL_LIMIT = 64 };

static int64_t result_of(int64_t result)
{
    return result < 0 ? -(int64_t)errno : result;
}

/* ---- memory ---- */

static void *memory_alloc(void *context, uint64_t size)
{
    (void)context;
    return calloc(1, (size_t)size);
}

static void memory_free(void *context, void *block)
{
    (void)context;
    free(block);
}

static uint64_t page_aligned(uint64_t size)
{
    return (size + 4095) & ~(uint64_t)4095;
}

/* Data blocks are mappings of their own; the capability handed out covers just the data, and loads and stores no
 * capabilities. The mapping is given back through the address, which needs the owning capability: it is kept in a table. */
struct mapping {
    struct mapping *next;
    void *owner;
    uint64_t size;
};
static struct mapping *mappings;

static void *linear_alloc(void *context, uint64_t size)
{
    struct mapping *mapping = malloc(sizeof *mapping);
    (void)context;
    if (!mapping)
        return NULL;
    mapping->size = page_aligned(size);
    mapping->owner = mmap(NULL, (size_t)mapping->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping->owner == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    mapping->next = mappings;
    mappings = mapping;
    return data_only(mapping->owner, (size_t)size);
}

static void linear_free(void *context, void *block, uint64_t size)
{
    struct mapping **link = &mappings;
    (void)context;
    (void)size;
    for (; *link; link = &(*link)->next)
        if ((uintptr_t)(*link)->owner == (uintptr_t)block) {
            struct mapping *mapping = *link;
            *link = mapping->next;
            munmap(mapping->owner, (size_t)mapping->size);
            free(mapping);
            return;
        }
}

/* The kernel moves the pages: no byte is copied or cleared here, however large the memory is. */
static void *linear_grow(void *context, void *block, uint64_t old_size, uint64_t new_size)
{
    struct mapping *mapping = mappings;
    void *moved;
    (void)old_size;
    if (!block)
        return linear_alloc(context, new_size);
    while (mapping && (uintptr_t)mapping->owner != (uintptr_t)block)
        mapping = mapping->next;
    if (!mapping)
        return NULL;
    moved = mremap(mapping->owner, (size_t)mapping->size, (size_t)page_aligned(new_size), MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        return NULL;
    mapping->owner = moved;
    mapping->size = page_aligned(new_size);
    return data_only(moved, (size_t)new_size);
}

/* ---- log, time, random, scheduling ---- */

static void log_line(void *context, int32_t level, const char *text, uint64_t length)
{
    char prefix[40];
    struct timespec now;
    struct iovec iov[3];
    (void)context;
    (void)level;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned seconds = (unsigned)(now.tv_sec % 360000);
    int prefix_length = snprintf(prefix, sizeof prefix, "[%02u:%02u:%02u:%03u]: ", seconds / 3600, seconds / 60 % 60,
                                 seconds % 60, (unsigned)(now.tv_nsec / 1000000));
    iov[0].iov_base = prefix;
    iov[0].iov_len = prefix_length > 0 ? (size_t)prefix_length : 0;
    iov[1].iov_base = (void *)(uintptr_t)text;
    iov[1].iov_len = (size_t)length;
    iov[2].iov_base = (void *)(uintptr_t)"\n";
    iov[2].iov_len = 1;
    if (writev(1, iov, 3) < 0)
        return; /* nobody is left to be told */
}

static clockid_t clock_id(int32_t clock)
{
    static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
    return ids[clock >= 0 && clock <= HOST_CLOCK_THREAD ? clock : HOST_CLOCK_REALTIME];
}

static uint64_t nanoseconds(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

static int64_t clock_get(void *context, int32_t clock, uint64_t *ns)
{
    struct timespec time;
    (void)context;
    if (clock_gettime(clock_id(clock), &time) < 0)
        return -(int64_t)errno;
    *ns = nanoseconds(&time);
    return 0;
}

static int64_t clock_resolution(void *context, int32_t clock, uint64_t *ns)
{
    struct timespec time;
    (void)context;
    if (clock_getres(clock_id(clock), &time) < 0)
        return -(int64_t)errno;
    *ns = nanoseconds(&time);
    return 0;
}

static int64_t random_bytes(void *context, void *buffer, uint64_t length)
{
    uint64_t done = 0;
    (void)context;
    while (done < length) {
        int64_t got = (int64_t)getrandom((char *)buffer + done, (size_t)(length - done), 0);
        if (got < 0 && errno != EINTR)
            return -(int64_t)errno;
        if (got > 0)
            done += (uint64_t)got;
    }
    return 0;
}

static int64_t yield(void *context)
{
    (void)context;
    return result_of(sched_yield());
}

static int64_t poll_fds(void *context, struct host_pollfd *fds, uint32_t count, int64_t timeout_ns)
{
    struct pollfd list[POLL_LIMIT];
    struct timespec timeout;
    (void)context;
    if (count > POLL_LIMIT)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        list[i].fd = fds[i].fd;
        list[i].events = (short)((fds[i].events & HOST_POLL_IN ? POLLIN : 0) | (fds[i].events & HOST_POLL_OUT ? POLLOUT : 0));
        list[i].revents = 0;
    }
    timeout.tv_sec = (time_t)(timeout_ns / 1000000000);
    timeout.tv_nsec = (long)(timeout_ns % 1000000000);
    int64_t ready = result_of(ppoll(list, count, timeout_ns < 0 ? NULL : &timeout, NULL));
    for (uint32_t i = 0; i < count && ready >= 0; i++)
        fds[i].revents = (uint16_t)((list[i].revents & POLLIN ? HOST_POLL_IN : 0)
                                    | (list[i].revents & POLLOUT ? HOST_POLL_OUT : 0)
                                    | (list[i].revents & (POLLERR | POLLNVAL) ? HOST_POLL_ERROR : 0)
                                    | (list[i].revents & POLLHUP ? HOST_POLL_HANGUP : 0));
    return ready;
}

/* ---- descriptors ---- */

static int native_flags(uint32_t flags)
{
    int native = flags & HOST_OPEN_READ ? (flags & HOST_OPEN_WRITE ? O_RDWR : O_RDONLY)
                                        : (flags & HOST_OPEN_WRITE ? O_WRONLY : O_RDONLY);
    static const struct {
        uint32_t host;
        int native;
    } pairs[] = {
        { HOST_OPEN_CREATE, O_CREAT },       { HOST_OPEN_EXCLUSIVE, O_EXCL },   { HOST_OPEN_TRUNCATE, O_TRUNC },
        { HOST_OPEN_DIRECTORY, O_DIRECTORY }, { HOST_OPEN_NOFOLLOW, O_NOFOLLOW }, { HOST_FD_APPEND, O_APPEND },
        { HOST_FD_DSYNC, O_DSYNC },          { HOST_FD_NONBLOCK, O_NONBLOCK },  { HOST_FD_SYNC, O_SYNC },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (flags & pairs[i].host)
            native |= pairs[i].native;
    return native;
}

static int native_dirfd(int32_t dirfd)
{
    return dirfd == HOST_CWD ? AT_FDCWD : dirfd;
}

static int64_t open_at(void *context, int32_t dirfd, const char *path, uint32_t flags, uint32_t mode)
{
    (void)context;
    return result_of(openat(native_dirfd(dirfd), path, native_flags(flags) | O_CLOEXEC, (mode_t)mode));
}

static int64_t close_fd(void *context, int32_t fd)
{
    (void)context;
    return result_of(close(fd));
}

/* The host's vectors as the system's; their number or -1. */
static int copy_vectors(struct iovec *to, const struct host_iovec *from, uint32_t count)
{
    if (count > IOV_LIMIT)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        to[i].iov_base = from[i].base;
        to[i].iov_len = (size_t)from[i].length;
    }
    return (int)count;
}

static int64_t read_vectors(void *context, int32_t fd, const struct host_iovec *iov, uint32_t count, int64_t offset)
{
    struct iovec list[IOV_LIMIT];
    int n = copy_vectors(list, iov, count);
    (void)context;
    if (n < 0)
        return -EINVAL;
    return result_of(offset < 0 ? readv(fd, list, n) : preadv(fd, list, n, (off_t)offset));
}

static int64_t write_vectors(void *context, int32_t fd, const struct host_iovec *iov, uint32_t count, int64_t offset)
{
    struct iovec list[IOV_LIMIT];
    int n = copy_vectors(list, iov, count);
    (void)context;
    if (n < 0)
        return -EINVAL;
    return result_of(offset < 0 ? writev(fd, list, n) : pwritev(fd, list, n, (off_t)offset));
}

static int64_t seek(void *context, int32_t fd, int64_t offset, int32_t whence)
{
    (void)context;
    return result_of(lseek(fd, (off_t)offset, whence == HOST_SEEK_SET ? SEEK_SET : whence == HOST_SEEK_CUR ? SEEK_CUR : SEEK_END));
}

static uint32_t type_of_mode(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return HOST_TYPE_REGULAR;
    case S_IFDIR: return HOST_TYPE_DIRECTORY;
    case S_IFLNK: return HOST_TYPE_SYMLINK;
    case S_IFCHR: return HOST_TYPE_CHARACTER;
    case S_IFBLK: return HOST_TYPE_BLOCK;
    case S_IFIFO: return HOST_TYPE_FIFO;
    case S_IFSOCK: return HOST_TYPE_SOCKET;
    default: return HOST_TYPE_UNKNOWN;
    }
}

static int64_t convert_stat(int result, const struct stat *from, struct host_stat *to)
{
    if (result < 0)
        return -(int64_t)errno;
    to->device = (uint64_t)from->st_dev;
    to->inode = (uint64_t)from->st_ino;
    to->links = (uint64_t)from->st_nlink;
    to->size = (uint64_t)from->st_size;
    to->accessed = nanoseconds(&from->st_atim);
    to->modified = nanoseconds(&from->st_mtim);
    to->changed = nanoseconds(&from->st_ctim);
    to->type = type_of_mode(from->st_mode);
    to->reserved = 0;
    return 0;
}

static int64_t stat_fd(void *context, int32_t fd, struct host_stat *stat)
{
    struct stat native;
    (void)context;
    return convert_stat(fstat(fd, &native), &native, stat);
}

static int64_t stat_at(void *context, int32_t dirfd, const char *path, struct host_stat *stat, uint32_t flags)
{
    struct stat native;
    (void)context;
    return convert_stat(fstatat(native_dirfd(dirfd), path, &native, flags & HOST_AT_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0),
                        &native, stat);
}

static int64_t fd_flags_get(void *context, int32_t fd)
{
    int flags = fcntl(fd, F_GETFL);
    int64_t result;
    (void)context;
    if (flags < 0)
        return -(int64_t)errno;
    result = (flags & O_ACCMODE) == O_RDWR ? HOST_OPEN_READ | HOST_OPEN_WRITE
             : (flags & O_ACCMODE) == O_WRONLY ? HOST_OPEN_WRITE : HOST_OPEN_READ;
    result |= (flags & O_APPEND ? HOST_FD_APPEND : 0) | (flags & O_NONBLOCK ? HOST_FD_NONBLOCK : 0);
    if ((flags & O_SYNC) == O_SYNC)
        result |= HOST_FD_SYNC;
    else if (flags & O_DSYNC)
        result |= HOST_FD_DSYNC;
    return result;
}

static int64_t fd_flags_set(void *context, int32_t fd, uint32_t flags)
{
    (void)context;
    return result_of(fcntl(fd, F_SETFL, native_flags(flags)));
}

static int64_t sync_fd(void *context, int32_t fd, uint32_t data_only)
{
    (void)context;
    return result_of(data_only ? fdatasync(fd) : fsync(fd));
}

static int64_t truncate_fd(void *context, int32_t fd, int64_t size)
{
    (void)context;
    return result_of(ftruncate(fd, (off_t)size));
}

static int64_t allocate(void *context, int32_t fd, int64_t offset, int64_t length)
{
    (void)context;
    return -(int64_t)posix_fallocate(fd, (off_t)offset, (off_t)length);
}

/* Advice values are Linux's, which are WASI's order. */
static int64_t advise(void *context, int32_t fd, int64_t offset, int64_t length, int32_t advice)
{
    (void)context;
    return -(int64_t)posix_fadvise(fd, (off_t)offset, (off_t)length, advice);
}

static void native_time(struct timespec *to, uint64_t ns, uint32_t how)
{
    to->tv_sec = (time_t)(ns / 1000000000u);
    to->tv_nsec = how == HOST_TIME_NOW ? UTIME_NOW : how == HOST_TIME_KEEP ? UTIME_OMIT : (long)(ns % 1000000000u);
}

static int64_t set_times(void *context, int32_t fd, const char *path, const struct host_times *times, uint32_t flags)
{
    struct timespec native[2];
    (void)context;
    native_time(&native[0], times->accessed, times->accessed_how);
    native_time(&native[1], times->modified, times->modified_how);
    if (!path)
        return result_of(futimens(fd, native));
    return result_of(utimensat(native_dirfd(fd), path, native, flags & HOST_AT_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0));
}

/* ---- paths ---- */

static int64_t make_directory(void *context, int32_t dirfd, const char *path, uint32_t mode)
{
    (void)context;
    return result_of(mkdirat(native_dirfd(dirfd), path, (mode_t)mode));
}

static int64_t unlink_at(void *context, int32_t dirfd, const char *path, uint32_t flags)
{
    (void)context;
    return result_of(unlinkat(native_dirfd(dirfd), path, flags & HOST_AT_REMOVEDIR ? AT_REMOVEDIR : 0));
}

static int64_t link_at(void *context, int32_t old_dirfd, const char *old_path, int32_t new_dirfd, const char *new_path)
{
    (void)context;
    return result_of(linkat(native_dirfd(old_dirfd), old_path, native_dirfd(new_dirfd), new_path, 0));
}

static int64_t symlink_at(void *context, const char *target, int32_t dirfd, const char *path)
{
    (void)context;
    return result_of(symlinkat(target, native_dirfd(dirfd), path));
}

static int64_t read_link(void *context, int32_t dirfd, const char *path, char *buffer, uint64_t size)
{
    (void)context;
    return result_of((int64_t)readlinkat(native_dirfd(dirfd), path, buffer, (size_t)size));
}

static int64_t rename_at(void *context, int32_t old_dirfd, const char *old_path, int32_t new_dirfd, const char *new_path)
{
    (void)context;
    return result_of(renameat(native_dirfd(old_dirfd), old_path, native_dirfd(new_dirfd), new_path));
}

/* ---- directories ---- */

static uint8_t type_of_dirent(uint8_t type)
{
    switch (type) {
    case DT_REG: return HOST_TYPE_REGULAR;
    case DT_DIR: return HOST_TYPE_DIRECTORY;
    case DT_LNK: return HOST_TYPE_SYMLINK;
    case DT_CHR: return HOST_TYPE_CHARACTER;
    case DT_BLK: return HOST_TYPE_BLOCK;
    case DT_FIFO: return HOST_TYPE_FIFO;
    case DT_SOCK: return HOST_TYPE_SOCKET;
    default: return HOST_TYPE_UNKNOWN;
    }
}

/* A kernel record is 19 bytes {inode 8, next 8, length 2, type 1} and the name; ours is 24 bytes and the name. Reading
 * half a buffer of kernel records therefore always fits. */
static int64_t read_directory(void *context, int32_t fd, uint64_t cookie, void *buffer, uint64_t size)
{
    union {
        uint64_t align;
        char bytes[1024];
    } native;
    uint64_t used = 0, at = 0;
    (void)context;
    if (lseek(fd, (off_t)cookie, SEEK_SET) < 0)
        return -(int64_t)errno;
    int64_t length = (int64_t)getdents64(fd, native.bytes, size / 2 < sizeof native ? (size_t)(size / 2) : sizeof native);
    if (length < 0)
        return -(int64_t)errno;
    while (at < (uint64_t)length) {
        const char *record = native.bytes + at, *name = record + 19;
        struct host_dirent entry;
        uint16_t record_length;
        memset(&entry, 0, sizeof entry);
        memcpy(&entry.inode, record, 8);
        memcpy(&entry.next, record + 8, 8);
        memcpy(&record_length, record + 16, 2);
        entry.type = type_of_dirent((uint8_t)record[18]);
        entry.name_length = (uint16_t)strlen(name);
        entry.record_length = (uint32_t)((sizeof entry + entry.name_length + 7) & ~(size_t)7);
        if (used + entry.record_length > size)
            break;
        memcpy((char *)buffer + used, &entry, sizeof entry);
        memcpy((char *)buffer + used + sizeof entry, name, entry.name_length);
        used += entry.record_length;
        at += record_length;
    }
    return (int64_t)used;
}

void host_direct_init(struct host_services *services)
{
    memset(services, 0, sizeof *services);
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
