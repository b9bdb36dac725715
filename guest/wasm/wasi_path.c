/*
 * WASI preview1: calls on paths. Nothing outside a pre-opened directory can be reached: a path is walked component by
 * component with directories opened without following links; links are read and walked in turn; `..` above the start
 * and absolute paths or link targets give ENOTCAPABLE.
 */
#include "wasi.h"

enum { PATH_BYTES = 4096, DEPTH_LIMIT = 128, SYMLINK_LIMIT = 32 };
enum { LOOKUP_FOLLOW = 1 };

/* Where a path leads: the directory that holds the last component, and that component. */
struct location {
    int32_t directory;
    char name[256];
    bool is_directory_path; /* the path ended in '/' */
    /* the walk */
    int32_t opened[DEPTH_LIMIT];
    uint32_t depth;
    uint32_t n_links;
    char rest[PATH_BYTES];
};

static void leave(struct location *at)
{
    while (at->depth > 0)
        HOST->close(HOST_CONTEXT, at->opened[--at->depth]);
}

static int32_t top(const struct location *at)
{
    return at->depth > 0 ? at->opened[at->depth - 1] : at->directory;
}

/* Split the next component off `rest` into name; *more tells whether something other than '/' follows. */
static uint32_t next_component(struct location *at, const char **rest, bool *more)
{
    const char *p = *rest;
    size_t length = 0;
    while (*p == '/')
        p++;
    while (p[length] && p[length] != '/')
        length++;
    if (length >= sizeof at->name)
        return WASI_ENAMETOOLONG;
    memcpy(at->name, p, length);
    at->name[length] = '\0';
    p += length;
    at->is_directory_path = *p == '/';
    while (*p == '/')
        p++;
    *more = *p != '\0';
    *rest = p;
    return WASI_SUCCESS;
}

/* When at->name is a link, put its target in front of `rest`; *is_link tells. */
static uint32_t expand_link(struct location *at, const char **rest, bool *is_link)
{
    char target[PATH_BYTES];
    int64_t length = HOST->readlinkat(HOST_CONTEXT, top(at), at->name, target, sizeof target - 1);
    *is_link = length >= 0;
    if (length < 0)
        return WASI_SUCCESS;
    if (++at->n_links > SYMLINK_LIMIT)
        return WASI_ELOOP;
    if (length == 0)
        return WASI_ENOENT;
    if (target[0] == '/')
        return WASI_ENOTCAPABLE;
    size_t left = strlen(*rest);
    bool slash = left > 0 || at->is_directory_path;
    if ((size_t)length + left + 2 > sizeof at->rest)
        return WASI_ENAMETOOLONG;
    memmove(at->rest + length + (slash ? 1 : 0), *rest, left + 1);
    memcpy(at->rest, target, (size_t)length);
    if (slash)
        at->rest[length] = '/';
    *rest = at->rest;
    return WASI_SUCCESS;
}

static uint32_t enter_directory(struct location *at, const char **rest)
{
    bool is_link;
    int64_t opened = HOST->openat(HOST_CONTEXT, top(at), at->name,
                                  HOST_OPEN_READ | HOST_OPEN_DIRECTORY | HOST_OPEN_NOFOLLOW, 0);
    if (opened < 0) {
        uint32_t error = expand_link(at, rest, &is_link);
        return is_link || error != WASI_SUCCESS ? error : wasi_errno_of(opened);
    }
    if (at->depth == DEPTH_LIMIT) {
        HOST->close(HOST_CONTEXT, (int32_t)opened);
        return WASI_ENAMETOOLONG;
    }
    at->opened[at->depth++] = (int32_t)opened;
    return WASI_SUCCESS;
}

/* Walk at->rest. On success top(at) and at->name say where it is. */
static uint32_t walk(struct location *at, uint32_t flags)
{
    const char *rest = at->rest;
    for (;;) {
        bool more, is_link = false;
        uint32_t error = next_component(at, &rest, &more);
        if (error != WASI_SUCCESS)
            return error;
        bool is_dot = strcmp(at->name, ".") == 0 || at->name[0] == '\0', is_dot_dot = strcmp(at->name, "..") == 0;
        if (is_dot_dot) {
            if (at->depth == 0)
                return WASI_ENOTCAPABLE;
            HOST->close(HOST_CONTEXT, at->opened[--at->depth]);
        }
        if (is_dot || is_dot_dot) {
            if (more)
                continue;
            memcpy(at->name, ".", 2);
            return WASI_SUCCESS;
        }
        if (more) {
            error = enter_directory(at, &rest);
            if (error != WASI_SUCCESS)
                return error;
            continue;
        }
        if (flags & LOOKUP_FOLLOW || at->is_directory_path) {
            error = expand_link(at, &rest, &is_link);
            if (error != WASI_SUCCESS)
                return error;
        }
        if (!is_link)
            return WASI_SUCCESS;
    }
}

/* Find `path` (address and length in linear memory) below descriptor `fd`. When it succeeds, leave() must follow. */
static uint32_t enter(struct wasm_instance *instance, struct location *at, uint32_t fd, uint64_t rights,
                      uint32_t flags, uint32_t path, uint32_t length)
{
    uint32_t error;
    struct wasi_fd *entry = descriptor_get(instance, fd, rights, &error);
    if (!entry)
        return error;
    const uint8_t *text = memory_at(instance, path, length);
    if (!text)
        return WASI_EFAULT;
    if (entry->filetype != FILETYPE_DIRECTORY)
        return WASI_ENOTDIR;
    if (length == 0)
        return WASI_ENOENT;
    if (length >= PATH_BYTES)
        return WASI_ENAMETOOLONG;
    if (memchr(text, 0, length))
        return WASI_EILSEQ;
    if (text[0] == '/')
        return WASI_ENOTCAPABLE;
    at->directory = entry->host;
    at->depth = 0;
    at->n_links = 0;
    at->is_directory_path = false;
    memcpy(at->rest, text, length);
    at->rest[length] = '\0';
    error = walk(at, flags);
    if (error != WASI_SUCCESS)
        leave(at);
    return error;
}

WASI(path_create_directory)
{
    struct location at;
    uint32_t error = enter(instance, &at, a[0].u32, RIGHT_PATH_CREATE_DIRECTORY, 0, a[1].u32, a[2].u32);
    if (error != WASI_SUCCESS)
        return error;
    error = wasi_result(HOST->mkdirat(HOST_CONTEXT, top(&at), at.name, 0777));
    leave(&at);
    return error;
}

WASI(path_remove_directory)
{
    struct location at;
    uint32_t error = enter(instance, &at, a[0].u32, RIGHT_PATH_REMOVE_DIRECTORY, 0, a[1].u32, a[2].u32);
    if (error != WASI_SUCCESS)
        return error;
    error = wasi_result(HOST->unlinkat(HOST_CONTEXT, top(&at), at.name, HOST_AT_REMOVEDIR));
    leave(&at);
    return error;
}

WASI(path_unlink_file)
{
    struct location at;
    struct host_stat stat;
    uint32_t error = enter(instance, &at, a[0].u32, RIGHT_PATH_UNLINK_FILE, 0, a[1].u32, a[2].u32);
    if (error != WASI_SUCCESS)
        return error;
    memset(&stat, 0, sizeof stat);
    if (at.is_directory_path) { /* "name/" can only be a directory */
        error = wasi_result(HOST->fstatat(HOST_CONTEXT, top(&at), at.name, &stat, HOST_AT_NOFOLLOW));
        if (error == WASI_SUCCESS)
            error = stat.type == HOST_TYPE_DIRECTORY ? WASI_EISDIR : WASI_ENOTDIR;
    } else {
        error = wasi_result(HOST->unlinkat(HOST_CONTEXT, top(&at), at.name, 0));
    }
    leave(&at);
    return error;
}

/* ---- path_open ---- */

enum { OFLAG_CREAT = 1, OFLAG_DIRECTORY = 2, OFLAG_EXCL = 4, OFLAG_TRUNC = 8 };

static uint32_t open_flags(uint32_t oflags, uint32_t fdflags, uint64_t rights)
{
    uint32_t flags = HOST_OPEN_NOFOLLOW | wasi_flags_to_host(fdflags);
    if (rights & (RIGHT_FD_READ | RIGHT_FD_READDIR))
        flags |= HOST_OPEN_READ;
    if (rights & (RIGHT_FD_WRITE | RIGHT_FD_ALLOCATE | RIGHT_FD_FILESTAT_SET_SIZE | RIGHT_FD_DATASYNC))
        flags |= HOST_OPEN_WRITE;
    if (oflags & OFLAG_CREAT)
        flags |= HOST_OPEN_CREATE;
    if (oflags & OFLAG_DIRECTORY)
        flags |= HOST_OPEN_DIRECTORY;
    if (oflags & OFLAG_EXCL)
        flags |= HOST_OPEN_EXCLUSIVE;
    if (oflags & OFLAG_TRUNC)
        flags |= HOST_OPEN_TRUNCATE;
    if (oflags & OFLAG_DIRECTORY)
        flags = (flags & ~(uint32_t)HOST_OPEN_WRITE) | HOST_OPEN_READ;
    return flags;
}

/* Enter the opened host descriptor with the rights that fit what it is. */
static uint32_t insert_opened(struct wasm_instance *instance, int64_t opened, uint64_t rights, uint64_t inheriting,
                              uint32_t result_at)
{
    struct wasi_fd entry;
    struct host_stat stat;
    uint32_t fd;
    memset(&stat, 0, sizeof stat);
    memset(&entry, 0, sizeof entry);
    int64_t status = HOST->fstat(HOST_CONTEXT, (int32_t)opened, &stat);
    if (status < 0) {
        HOST->close(HOST_CONTEXT, (int32_t)opened);
        return wasi_errno_of(status);
    }
    entry.is_open = true;
    entry.host = (int32_t)opened;
    entry.filetype = wasi_filetype_of(stat.type);
    bool can_seek = entry.filetype == FILETYPE_REGULAR_FILE || entry.filetype == FILETYPE_BLOCK_DEVICE;
    bool is_directory = entry.filetype == FILETYPE_DIRECTORY;
    entry.rights = rights & (is_directory ? RIGHTS_DIRECTORY : can_seek ? RIGHTS_FILE : RIGHTS_STREAM);
    entry.inheriting = is_directory ? inheriting : 0;
    uint32_t error = descriptor_insert(instance, &entry, &fd);
    if (error == WASI_SUCCESS)
        store_u32(memory_at(instance, result_at, 4), fd);
    return error;
}

WASI(path_open)
{
    uint32_t oflags = a[4].u32, fdflags = a[7].u32, error;
    uint64_t rights = a[5].u64, inheriting = a[6].u64;
    struct location at;
    const struct wasi_fd *base = descriptor_get(instance, a[0].u32, 0, &error);
    if (!base)
        return error;
    if (!memory_at(instance, a[8].u32, 4))
        return WASI_EFAULT;
    if (oflags > 15 || fdflags > 31)
        return WASI_EINVAL;
    if ((rights | inheriting) & ~base->inheriting)
        return WASI_ENOTCAPABLE;
    uint64_t needed = RIGHT_PATH_OPEN | (oflags & OFLAG_CREAT ? RIGHT_PATH_CREATE_FILE : 0)
                      | (oflags & OFLAG_TRUNC ? RIGHT_PATH_FILESTAT_SET_SIZE : 0);
    error = enter(instance, &at, a[0].u32, needed, a[1].u32 & LOOKUP_FOLLOW && !(oflags & OFLAG_EXCL) ? LOOKUP_FOLLOW : 0,
                  a[2].u32, a[3].u32);
    if (error != WASI_SUCCESS)
        return error;
    if (at.is_directory_path && oflags & OFLAG_CREAT)
        error = WASI_EISDIR;
    else if (at.is_directory_path)
        oflags |= OFLAG_DIRECTORY;
    if (error == WASI_SUCCESS) {
        int64_t opened = HOST->openat(HOST_CONTEXT, top(&at), at.name, open_flags(oflags, fdflags, rights), 0666);
        error = opened < 0 ? wasi_errno_of(opened) : insert_opened(instance, opened, rights, inheriting, a[8].u32);
    }
    leave(&at);
    return error;
}

/* ---- status ---- */

WASI(path_filestat_get)
{
    struct location at;
    struct host_stat stat;
    uint8_t *p = memory_at(instance, a[4].u32, 64);
    if (!p)
        return WASI_EFAULT;
    uint32_t error = enter(instance, &at, a[0].u32, RIGHT_PATH_FILESTAT_GET, a[1].u32, a[2].u32, a[3].u32);
    if (error != WASI_SUCCESS)
        return error;
    memset(&stat, 0, sizeof stat);
    error = wasi_result(HOST->fstatat(HOST_CONTEXT, top(&at), at.name, &stat, HOST_AT_NOFOLLOW));
    if (error == WASI_SUCCESS && at.is_directory_path && stat.type != HOST_TYPE_DIRECTORY)
        error = WASI_ENOTDIR;
    if (error == WASI_SUCCESS)
        wasi_store_filestat(p, &stat);
    leave(&at);
    return error;
}

WASI(path_filestat_set_times)
{
    struct location at;
    struct host_times times;
    if (!wasi_make_times(&times, a[4].u64, a[5].u64, a[6].u32))
        return WASI_EINVAL;
    uint32_t error = enter(instance, &at, a[0].u32, RIGHT_PATH_FILESTAT_SET_TIMES, a[1].u32, a[2].u32, a[3].u32);
    if (error != WASI_SUCCESS)
        return error;
    error = wasi_result(HOST->set_times(HOST_CONTEXT, top(&at), at.name, &times, HOST_AT_NOFOLLOW));
    leave(&at);
    return error;
}

/* ---- links and renaming ---- */

WASI(path_readlink)
{
    struct location at;
    uint32_t size = a[4].u32;
    uint8_t *buffer = memory_at(instance, a[3].u32, size), *used = memory_at(instance, a[5].u32, 4);
    if (!buffer || !used)
        return WASI_EFAULT;
    uint32_t error = enter(instance, &at, a[0].u32, RIGHT_PATH_READLINK, 0, a[1].u32, a[2].u32);
    if (error != WASI_SUCCESS)
        return error;
    char target[PATH_BYTES];
    int64_t length = HOST->readlinkat(HOST_CONTEXT, top(&at), at.name, target, sizeof target);
    error = wasi_result(length);
    if (error == WASI_SUCCESS) {
        uint32_t taken = length < size ? (uint32_t)length : size;
        memcpy(buffer, target, taken);
        store_u32(used, taken);
    }
    leave(&at);
    return error;
}

/* A link that could lead outside is not made: absolute targets are refused, others are checked when walked. */
WASI(path_symlink)
{
    struct location at;
    char target[PATH_BYTES];
    const uint8_t *text = memory_at(instance, a[0].u32, a[1].u32);
    if (!text)
        return WASI_EFAULT;
    if (a[1].u32 == 0)
        return WASI_ENOENT;
    if (a[1].u32 >= sizeof target)
        return WASI_ENAMETOOLONG;
    if (memchr(text, 0, a[1].u32))
        return WASI_EILSEQ;
    if (text[0] == '/')
        return WASI_ENOTCAPABLE;
    memcpy(target, text, a[1].u32);
    target[a[1].u32] = '\0';
    uint32_t error = enter(instance, &at, a[2].u32, RIGHT_PATH_SYMLINK, 0, a[3].u32, a[4].u32);
    if (error != WASI_SUCCESS)
        return error;
    error = at.is_directory_path ? (uint32_t)WASI_ENOENT
                                 : wasi_result(HOST->symlinkat(HOST_CONTEXT, target, top(&at), at.name));
    leave(&at);
    return error;
}

typedef int64_t (*pair_service)(void *, int32_t, const char *, int32_t, const char *);

/* Calls with two paths: link and rename. */
static uint32_t with_two_paths(struct wasm_instance *instance, pair_service service, const union value *source,
                               uint64_t source_right, uint32_t flags, const union value *target, uint64_t target_right)
{
    struct location from, to;
    uint32_t error = enter(instance, &from, source[0].u32, source_right, flags, source[1].u32, source[2].u32);
    if (error != WASI_SUCCESS)
        return error;
    error = enter(instance, &to, target[0].u32, target_right, 0, target[1].u32, target[2].u32);
    if (error == WASI_SUCCESS) {
        error = wasi_result(service(HOST_CONTEXT, top(&from), from.name, top(&to), to.name));
        leave(&to);
    }
    leave(&from);
    return error;
}

WASI(path_link)
{
    union value source[3];
    source[0] = a[0];
    source[1] = a[2];
    source[2] = a[3];
    return with_two_paths(instance, HOST->linkat, source, RIGHT_PATH_LINK_SOURCE, a[1].u32 & LOOKUP_FOLLOW, a + 4,
                          RIGHT_PATH_LINK_TARGET);
}

WASI(path_rename)
{
    return with_two_paths(instance, HOST->renameat, a, RIGHT_PATH_RENAME_SOURCE, 0, a + 3, RIGHT_PATH_RENAME_TARGET);
}
