/* WASI preview1: calls on descriptors, and the table of descriptors. */
#include "wasi.h"

enum { FD_LIMIT = 1024, IOV_MAX_COUNT = 16 };

/* ---- the table ---- */

struct wasi_fd *descriptor_get(struct wasm_instance *instance, uint32_t fd, uint64_t rights, uint32_t *error)
{
    struct wasi *wasi = instance->wasi;
    if (!wasi || fd >= wasi->n_fds || !wasi->fds[fd].is_open) {
        *error = WASI_EBADF;
        return NULL;
    }
    if ((wasi->fds[fd].rights & rights) != rights) {
        *error = WASI_ENOTCAPABLE;
        return NULL;
    }
    *error = WASI_SUCCESS;
    return &wasi->fds[fd];
}

static bool grow_fds(struct wasi *wasi)
{
    uint32_t count = wasi->n_fds ? wasi->n_fds * 2 : 8;
    struct wasi_fd *fds = count > FD_LIMIT ? NULL : runtime_alloc(count * sizeof *fds);
    if (!fds)
        return false;
    for (uint32_t i = 0; i < wasi->n_fds; i++)
        fds[i] = wasi->fds[i];
    runtime_free(wasi->fds);
    wasi->fds = fds;
    wasi->n_fds = count;
    return true;
}

void descriptor_close(struct wasi_fd *entry)
{
    if (entry->host > 2) /* the standard streams belong to the host */
        HOST->close(HOST_CONTEXT, entry->host);
    entry->is_open = false;
}

uint32_t descriptor_insert(struct wasm_instance *instance, const struct wasi_fd *entry, uint32_t *fd)
{
    struct wasi *wasi = instance->wasi;
    uint32_t i = 0;
    while (i < wasi->n_fds && wasi->fds[i].is_open)
        i++;
    if (i == wasi->n_fds && !grow_fds(wasi)) {
        HOST->close(HOST_CONTEXT, entry->host);
        return WASI_EMFILE;
    }
    wasi->fds[i] = *entry;
    *fd = i;
    return WASI_SUCCESS;
}

/* The beginning of most calls: the descriptor in the first argument, or return its error. */
#define GET_FD(entry, needed)                                                                                          \
    uint32_t error;                                                                                                    \
    struct wasi_fd *entry = descriptor_get(instance, a[0].u32, (needed), &error);                                         \
    if (!entry)                                                                                                        \
    return error

WASI(fd_close)
{
    GET_FD(entry, 0);
    descriptor_close(entry);
    return WASI_SUCCESS;
}

WASI(fd_renumber)
{
    GET_FD(from, 0);
    struct wasi_fd *to = descriptor_get(instance, a[1].u32, 0, &error);
    if (!to)
        return error;
    if (from == to)
        return WASI_SUCCESS;
    descriptor_close(to);
    *to = *from;
    from->is_open = false;
    return WASI_SUCCESS;
}

/* ---- pre-opened directories ---- */

WASI(fd_prestat_get)
{
    GET_FD(entry, 0);
    uint8_t *p = memory_at(instance, a[1].u32, 8);
    if (!entry->preopen)
        return WASI_EBADF;
    if (!p)
        return WASI_EFAULT;
    store_u32(p, 0); /* tag: directory */
    store_u32(p + 4, (uint32_t)strlen(entry->preopen));
    return WASI_SUCCESS;
}

WASI(fd_prestat_dir_name)
{
    GET_FD(entry, 0);
    uint8_t *p = memory_at(instance, a[1].u32, a[2].u32);
    if (!entry->preopen)
        return WASI_EBADF;
    if (!p)
        return WASI_EFAULT;
    size_t length = strlen(entry->preopen);
    if (length > a[2].u32)
        return WASI_ENAMETOOLONG;
    memcpy(p, entry->preopen, length);
    return WASI_SUCCESS;
}

/* ---- reading and writing ---- */

typedef int64_t (*vector_service)(void *, int32_t, const struct host_iovec *, uint32_t, int64_t);

/* Transfer through the `count` vectors at `vectors`; at most 16 of them per call, which WASI permits. */
static uint32_t transfer(struct wasm_instance *instance, const struct wasi_fd *entry, vector_service service,
                         uint32_t vectors, uint32_t count, int64_t offset, uint32_t result_at)
{
    struct host_iovec iov[IOV_MAX_COUNT];
    uint8_t *result = memory_at(instance, result_at, 4);
    const uint8_t *p = memory_at(instance, vectors, (uint64_t)count * 8);
    if (!p || !result)
        return WASI_EFAULT;
    if (count > IOV_MAX_COUNT)
        count = IOV_MAX_COUNT;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = load_u32(p + 8 * i + 4);
        uint8_t *base = memory_at(instance, load_u32(p + 8 * i), length);
        if (!base)
            return WASI_EFAULT;
        iov[i].base = bounded(base, length);
        iov[i].length = length;
    }
    int64_t done = service(HOST_CONTEXT, entry->host, iov, count, offset);
    if (done < 0)
        return wasi_errno_of(done);
    store_u32(result, (uint32_t)done);
    return WASI_SUCCESS;
}

WASI(fd_read)
{
    GET_FD(entry, RIGHT_FD_READ);
    return transfer(instance, entry, HOST->readv, a[1].u32, a[2].u32, -1, a[3].u32);
}

WASI(fd_write)
{
    GET_FD(entry, RIGHT_FD_WRITE);
    return transfer(instance, entry, HOST->writev, a[1].u32, a[2].u32, -1, a[3].u32);
}

WASI(fd_pread)
{
    GET_FD(entry, RIGHT_FD_READ | RIGHT_FD_SEEK);
    if (a[3].i64 < 0)
        return WASI_EINVAL;
    return transfer(instance, entry, HOST->readv, a[1].u32, a[2].u32, a[3].i64, a[4].u32);
}

WASI(fd_pwrite)
{
    GET_FD(entry, RIGHT_FD_WRITE | RIGHT_FD_SEEK);
    if (a[3].i64 < 0)
        return WASI_EINVAL;
    return transfer(instance, entry, HOST->writev, a[1].u32, a[2].u32, a[3].i64, a[4].u32);
}

static uint32_t seek(struct wasm_instance *instance, const struct wasi_fd *entry, int64_t offset, uint32_t whence,
                     uint32_t result_at)
{
    uint8_t *result = memory_at(instance, result_at, 8);
    if (!result)
        return WASI_EFAULT;
    if (whence > HOST_SEEK_END)
        return WASI_EINVAL;
    int64_t position = HOST->lseek(HOST_CONTEXT, entry->host, offset, (int32_t)whence);
    if (position < 0)
        return wasi_errno_of(position);
    store_u64(result, (uint64_t)position);
    return WASI_SUCCESS;
}

WASI(fd_seek)
{
    GET_FD(entry, RIGHT_FD_SEEK);
    return seek(instance, entry, a[1].i64, a[2].u32, a[3].u32);
}

WASI(fd_tell)
{
    GET_FD(entry, RIGHT_FD_TELL);
    return seek(instance, entry, 0, HOST_SEEK_CUR, a[1].u32);
}

WASI(fd_sync)
{
    GET_FD(entry, RIGHT_FD_SYNC);
    return wasi_result(HOST->fsync(HOST_CONTEXT, entry->host, 0));
}

WASI(fd_datasync)
{
    GET_FD(entry, RIGHT_FD_DATASYNC);
    return wasi_result(HOST->fsync(HOST_CONTEXT, entry->host, 1));
}

WASI(fd_advise)
{
    GET_FD(entry, RIGHT_FD_ADVISE);
    if (a[3].u32 > 5)
        return WASI_EINVAL;
    return wasi_result(HOST->fadvise(HOST_CONTEXT, entry->host, a[1].i64, a[2].i64, a[3].i32));
}

WASI(fd_allocate)
{
    GET_FD(entry, RIGHT_FD_ALLOCATE);
    return wasi_result(HOST->fallocate(HOST_CONTEXT, entry->host, a[1].i64, a[2].i64));
}

/* ---- status ---- */

uint32_t wasi_flags_to_host(uint32_t flags)
{
    return (flags & 1 ? HOST_FD_APPEND : 0u) | (flags & 2 ? HOST_FD_DSYNC : 0u) | (flags & 4 ? HOST_FD_NONBLOCK : 0u)
           | (flags & 24 ? HOST_FD_SYNC : 0u);
}

static uint32_t flags_from_host(uint64_t flags)
{
    return (flags & HOST_FD_APPEND ? 1u : 0u) | (flags & HOST_FD_DSYNC ? 2u : 0u) | (flags & HOST_FD_NONBLOCK ? 4u : 0u)
           | (flags & HOST_FD_SYNC ? 16u : 0u);
}

WASI(fd_fdstat_get)
{
    GET_FD(entry, 0);
    uint8_t *p = memory_at(instance, a[1].u32, 24);
    int64_t flags = HOST->fd_flags_get(HOST_CONTEXT, entry->host);
    if (!p)
        return WASI_EFAULT;
    if (flags < 0)
        return wasi_errno_of(flags);
    memset(p, 0, 24);
    p[0] = entry->filetype;
    store_u16(p + 2, (uint16_t)flags_from_host((uint64_t)flags));
    store_u64(p + 8, entry->rights);
    store_u64(p + 16, entry->inheriting);
    return WASI_SUCCESS;
}

WASI(fd_fdstat_set_flags)
{
    GET_FD(entry, RIGHT_FD_FDSTAT_SET_FLAGS);
    if (a[1].u32 > 31)
        return WASI_EINVAL;
    return wasi_result(HOST->fd_flags_set(HOST_CONTEXT, entry->host, wasi_flags_to_host(a[1].u32)));
}

WASI(fd_fdstat_set_rights)
{
    GET_FD(entry, 0);
    if ((a[1].u64 & ~entry->rights) != 0 || (a[2].u64 & ~entry->inheriting) != 0)
        return WASI_ENOTCAPABLE; /* rights only shrink */
    entry->rights = a[1].u64;
    entry->inheriting = a[2].u64;
    return WASI_SUCCESS;
}

void wasi_store_filestat(uint8_t *p, const struct host_stat *stat)
{
    memset(p, 0, 64);
    store_u64(p, stat->device);
    store_u64(p + 8, stat->inode);
    p[16] = wasi_filetype_of(stat->type);
    store_u64(p + 24, stat->links);
    store_u64(p + 32, stat->size);
    store_u64(p + 40, stat->accessed);
    store_u64(p + 48, stat->modified);
    store_u64(p + 56, stat->changed);
}

WASI(fd_filestat_get)
{
    GET_FD(entry, RIGHT_FD_FILESTAT_GET);
    uint8_t *p = memory_at(instance, a[1].u32, 64);
    struct host_stat stat;
    if (!p)
        return WASI_EFAULT;
    memset(&stat, 0, sizeof stat);
    error = wasi_result(HOST->fstat(HOST_CONTEXT, entry->host, &stat));
    if (error == WASI_SUCCESS)
        wasi_store_filestat(p, &stat);
    return error;
}

WASI(fd_filestat_set_size)
{
    GET_FD(entry, RIGHT_FD_FILESTAT_SET_SIZE);
    return wasi_result(HOST->ftruncate(HOST_CONTEXT, entry->host, a[1].i64));
}

/* fst_flags: 1 ATIM, 2 ATIM_NOW, 4 MTIM, 8 MTIM_NOW */
bool wasi_make_times(struct host_times *times, uint64_t accessed, uint64_t modified, uint32_t flags)
{
    if (flags > 15 || (flags & 3) == 3 || (flags & 12) == 12)
        return false;
    times->accessed = accessed;
    times->modified = modified;
    times->accessed_how = flags & 1 ? HOST_TIME_VALUE : flags & 2 ? HOST_TIME_NOW : HOST_TIME_KEEP;
    times->modified_how = flags & 4 ? HOST_TIME_VALUE : flags & 8 ? HOST_TIME_NOW : HOST_TIME_KEEP;
    return true;
}

WASI(fd_filestat_set_times)
{
    GET_FD(entry, RIGHT_FD_FILESTAT_SET_TIMES);
    struct host_times times;
    if (!wasi_make_times(&times, a[1].u64, a[2].u64, a[3].u32))
        return WASI_EINVAL;
    return wasi_result(HOST->set_times(HOST_CONTEXT, entry->host, NULL, &times, 0));
}

/* ---- directories ---- */

enum { DIRENT_BYTES = 24 };

/* Append as much of `length` bytes as fits. */
static void append(uint8_t *buffer, uint32_t size, uint32_t *used, const void *bytes, uint32_t length)
{
    uint32_t room = size - *used;
    if (length > room)
        length = room;
    memcpy(buffer + *used, bytes, length);
    *used += length;
}

/* Entries until the buffer is full (the last one may be cut) or the directory ends. */
WASI(fd_readdir)
{
    GET_FD(entry, RIGHT_FD_READDIR);
    uint32_t size = a[2].u32, used = 0;
    uint64_t cookie = a[3].u64;
    uint8_t *buffer = memory_at(instance, a[1].u32, size), *used_at = memory_at(instance, a[4].u32, 4);
    union {
        struct host_dirent first;
        uint8_t bytes[1024];
    } records;
    if (!buffer || !used_at)
        return WASI_EFAULT;
    while (used < size) {
        int64_t length = HOST->readdir(HOST_CONTEXT, entry->host, cookie, &records, sizeof records);
        if (length < 0)
            return wasi_errno_of(length);
        if (length == 0)
            break;
        for (int64_t at = 0; at + (int64_t)sizeof(struct host_dirent) <= length && used < size;) {
            struct host_dirent record;
            uint8_t header[DIRENT_BYTES];
            memcpy(&record, records.bytes + at, sizeof record);
            memset(header, 0, sizeof header);
            store_u64(header, record.next);
            store_u64(header + 8, record.inode);
            store_u32(header + 16, record.name_length);
            header[20] = wasi_filetype_of(record.type);
            append(buffer, size, &used, header, sizeof header);
            append(buffer, size, &used, records.bytes + at + sizeof record, record.name_length);
            cookie = record.next;
            at += record.record_length;
        }
    }
    store_u32(used_at, used);
    return WASI_SUCCESS;
}
