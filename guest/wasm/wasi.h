/* WASI preview1: what the three parts (wasi.c, wasi_fd.c, wasi_path.c) share. Numbers are the specification's. */
#ifndef WASM_WASI_H
#define WASM_WASI_H

#include "runtime.h"

enum wasi_errno {
    WASI_SUCCESS = 0,
    WASI_E2BIG = 1,
    WASI_EBADF = 8,
    WASI_EEXIST = 20,
    WASI_EFAULT = 21,
    WASI_EILSEQ = 25,
    WASI_EINVAL = 28,
    WASI_EIO = 29,
    WASI_EISDIR = 31,
    WASI_ELOOP = 32,
    WASI_EMFILE = 33,
    WASI_ENAMETOOLONG = 37,
    WASI_ENOENT = 44,
    WASI_ENOMEM = 48,
    WASI_ENOSYS = 52,
    WASI_ENOTDIR = 54,
    WASI_ENOTSOCK = 57,
    WASI_ENOTSUP = 58,
    WASI_ENOTCAPABLE = 76
};

enum wasi_filetype {
    FILETYPE_UNKNOWN = 0,
    FILETYPE_BLOCK_DEVICE = 1,
    FILETYPE_CHARACTER_DEVICE = 2,
    FILETYPE_DIRECTORY = 3,
    FILETYPE_REGULAR_FILE = 4,
    FILETYPE_SOCKET_STREAM = 6,
    FILETYPE_SYMBOLIC_LINK = 7
};

#define RIGHT(bit) ((uint64_t)1 << (bit))
#define RIGHT_FD_DATASYNC RIGHT(0)
#define RIGHT_FD_READ RIGHT(1)
#define RIGHT_FD_SEEK RIGHT(2)
#define RIGHT_FD_FDSTAT_SET_FLAGS RIGHT(3)
#define RIGHT_FD_SYNC RIGHT(4)
#define RIGHT_FD_TELL RIGHT(5)
#define RIGHT_FD_WRITE RIGHT(6)
#define RIGHT_FD_ADVISE RIGHT(7)
#define RIGHT_FD_ALLOCATE RIGHT(8)
#define RIGHT_PATH_CREATE_DIRECTORY RIGHT(9)
#define RIGHT_PATH_CREATE_FILE RIGHT(10)
#define RIGHT_PATH_LINK_SOURCE RIGHT(11)
#define RIGHT_PATH_LINK_TARGET RIGHT(12)
#define RIGHT_PATH_OPEN RIGHT(13)
#define RIGHT_FD_READDIR RIGHT(14)
#define RIGHT_PATH_READLINK RIGHT(15)
#define RIGHT_PATH_RENAME_SOURCE RIGHT(16)
#define RIGHT_PATH_RENAME_TARGET RIGHT(17)
#define RIGHT_PATH_FILESTAT_GET RIGHT(18)
#define RIGHT_PATH_FILESTAT_SET_SIZE RIGHT(19)
#define RIGHT_PATH_FILESTAT_SET_TIMES RIGHT(20)
#define RIGHT_FD_FILESTAT_GET RIGHT(21)
#define RIGHT_FD_FILESTAT_SET_SIZE RIGHT(22)
#define RIGHT_FD_FILESTAT_SET_TIMES RIGHT(23)
#define RIGHT_PATH_SYMLINK RIGHT(24)
#define RIGHT_PATH_REMOVE_DIRECTORY RIGHT(25)
#define RIGHT_PATH_UNLINK_FILE RIGHT(26)
#define RIGHT_POLL_FD_READWRITE RIGHT(27)

/* Rights that make sense for each kind of descriptor. */
#define RIGHTS_ALL (RIGHT(28) - 1)
#define RIGHTS_STREAM                                                                                                  \
    (RIGHT_FD_DATASYNC | RIGHT_FD_READ | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_SYNC | RIGHT_FD_WRITE                    \
     | RIGHT_FD_FILESTAT_GET | RIGHT_POLL_FD_READWRITE)
#define RIGHTS_FILE                                                                                                    \
    (RIGHTS_STREAM | RIGHT_FD_SEEK | RIGHT_FD_TELL | RIGHT_FD_ADVISE | RIGHT_FD_ALLOCATE                               \
     | RIGHT_FD_FILESTAT_SET_SIZE | RIGHT_FD_FILESTAT_SET_TIMES)
#define RIGHTS_DIRECTORY                                                                                               \
    (RIGHTS_ALL                                                                                                        \
     & ~(RIGHT_FD_READ | RIGHT_FD_SEEK | RIGHT_FD_TELL | RIGHT_FD_WRITE | RIGHT_FD_ADVISE | RIGHT_FD_ALLOCATE          \
         | RIGHT_FD_FILESTAT_SET_SIZE | RIGHT_POLL_FD_READWRITE))

struct wasi_fd {
    bool is_open;
    uint8_t filetype;
    int32_t host;
    uint64_t rights;
    uint64_t inheriting;
    const char *preopen; /* the directory's name inside, or NULL */
};

struct wasi {
    struct wasi_fd *fds;
    uint32_t n_fds;
};

/* Calls a host service and turns its result into a WASI errno. */
uint32_t wasi_result(int64_t result);
uint32_t wasi_errno_of(int64_t negative_errno);
uint8_t wasi_filetype_of(uint32_t host_type);

#define HOST (&wasm_runtime.host)
#define HOST_CONTEXT (wasm_runtime.host.context)

/* The open descriptor `fd` with all of `rights`; on failure NULL and *error. */
struct wasi_fd *descriptor_get(struct wasm_instance *instance, uint32_t fd, uint64_t rights, uint32_t *error);
/* Enter a host descriptor at the lowest free number; errno. The host descriptor is closed on failure. */
uint32_t descriptor_insert(struct wasm_instance *instance, const struct wasi_fd *entry, uint32_t *fd);
void descriptor_close(struct wasi_fd *entry);

/* Descriptor flags of WASI (APPEND 1, DSYNC 2, NONBLOCK 4, RSYNC 8, SYNC 16) to the host's. */
uint32_t wasi_flags_to_host(uint32_t flags);
void wasi_store_filestat(uint8_t *p, const struct host_stat *stat);
/* The fst_flags of the set_times calls; false when contradictory. */
bool wasi_make_times(struct host_times *times, uint64_t accessed, uint64_t modified, uint32_t flags);

/* wasi_fd.c, wasi_path.c: rows of the table in wasi.c */
#define WASI(name) uint32_t wasi_##name(struct wasm_instance *instance, const union value *a)
WASI(fd_prestat_get);
WASI(fd_prestat_dir_name);
WASI(fd_close);
WASI(fd_datasync);
WASI(fd_sync);
WASI(fd_pread);
WASI(fd_pwrite);
WASI(fd_read);
WASI(fd_write);
WASI(fd_renumber);
WASI(fd_seek);
WASI(fd_tell);
WASI(fd_fdstat_get);
WASI(fd_fdstat_set_flags);
WASI(fd_fdstat_set_rights);
WASI(fd_advise);
WASI(fd_allocate);
WASI(fd_readdir);
WASI(fd_filestat_get);
WASI(fd_filestat_set_times);
WASI(fd_filestat_set_size);
WASI(path_create_directory);
WASI(path_link);
WASI(path_open);
WASI(path_readlink);
WASI(path_rename);
WASI(path_filestat_get);
WASI(path_filestat_set_times);
WASI(path_symlink);
WASI(path_unlink_file);
WASI(path_remove_directory);

#endif
