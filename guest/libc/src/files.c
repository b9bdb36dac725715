/* File descriptors: one system call each. */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define TCGETS 0x5401
#define CALL(call) __syscall_result((long)(call))

ssize_t read(int fd, void *buffer, size_t count)
{
    return CALL(SYSCALL3(SYS_read, fd, buffer, count));
}

ssize_t write(int fd, const void *buffer, size_t count)
{
    return CALL(SYSCALL3(SYS_write, fd, buffer, count));
}

ssize_t pread(int fd, void *buffer, size_t count, off_t offset)
{
    return CALL(SYSCALL4(SYS_pread64, fd, buffer, count, offset));
}

ssize_t pwrite(int fd, const void *buffer, size_t count, off_t offset)
{
    return CALL(SYSCALL4(SYS_pwrite64, fd, buffer, count, offset));
}

ssize_t readv(int fd, const struct iovec *vector, int count)
{
    return CALL(SYSCALL3(SYS_readv, fd, vector, count));
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    return CALL(SYSCALL3(SYS_writev, fd, vector, count));
}

ssize_t preadv(int fd, const struct iovec *vector, int count, off_t offset)
{
    return CALL(SYSCALL5(SYS_preadv, fd, vector, count, offset, 0));
}

ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    return CALL(SYSCALL5(SYS_pwritev, fd, vector, count, offset, 0));
}

off_t lseek(int fd, off_t offset, int whence)
{
    return CALL(SYSCALL3(SYS_lseek, fd, offset, whence));
}

int openat(int dirfd, const char *path, int flags, ...)
{
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_list list;
        va_start(list, flags);
        mode = va_arg(list, mode_t);
        va_end(list);
    }
    return (int)CALL(SYSCALL4(SYS_openat, dirfd, path, flags, mode));
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_list list;
        va_start(list, flags);
        mode = va_arg(list, mode_t);
        va_end(list);
    }
    return openat(AT_FDCWD, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int fd)
{
    return (int)CALL(SYSCALL1(SYS_close, fd));
}

int fcntl(int fd, int command, ...)
{
    uintptr_t argument;
    va_list list;

    va_start(list, command);
    argument = command == F_GETFD || command == F_GETFL ? 0 : va_arg(list, uintptr_t);
    va_end(list);
    return (int)CALL(SYSCALL3(SYS_fcntl, fd, command, argument));
}

int dup(int fd)
{
    return (int)CALL(SYSCALL1(SYS_dup, fd));
}

int dup3(int fd, int to, int flags)
{
    return (int)CALL(SYSCALL3(SYS_dup3, fd, to, flags));
}

int dup2(int fd, int to)
{
    if (fd == to)
        return fcntl(fd, F_GETFD) < 0 ? -1 : to;
    return dup3(fd, to, 0);
}

int pipe(int fds[2])
{
    return (int)CALL(SYSCALL2(SYS_pipe2, fds, 0));
}

int fsync(int fd)
{
    return (int)CALL(SYSCALL1(SYS_fsync, fd));
}

int fdatasync(int fd)
{
    return (int)CALL(SYSCALL1(SYS_fdatasync, fd));
}

int ftruncate(int fd, off_t length)
{
    return (int)CALL(SYSCALL2(SYS_ftruncate, fd, length));
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    return (int)-(long)SYSCALL4(SYS_fallocate, fd, 0, offset, length);
}

int posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
    return (int)-(long)SYSCALL4(SYS_fadvise64, fd, offset, length, advice);
}

int fstat(int fd, struct stat *out)
{
    return (int)CALL(SYSCALL2(SYS_fstat, fd, out));
}

int fstatat(int dirfd, const char *path, struct stat *out, int flags)
{
    return (int)CALL(SYSCALL4(SYS_newfstatat, dirfd, path, out, flags));
}

int stat(const char *path, struct stat *out)
{
    return fstatat(AT_FDCWD, path, out, 0);
}

int lstat(const char *path, struct stat *out)
{
    return fstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

int access(const char *path, int mode)
{
    return (int)CALL(SYSCALL3(SYS_faccessat, AT_FDCWD, path, mode));
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    return (int)CALL(SYSCALL3(SYS_mkdirat, dirfd, path, mode));
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    return (int)CALL(SYSCALL3(SYS_unlinkat, dirfd, path, flags));
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char *path)
{
    int status = unlink(path);

    return status < 0 && errno == EISDIR ? rmdir(path) : status;
}

int linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
    return (int)CALL(SYSCALL5(SYS_linkat, from_dirfd, from, to_dirfd, to, flags));
}

int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int symlinkat(const char *target, int dirfd, const char *path)
{
    return (int)CALL(SYSCALL3(SYS_symlinkat, target, dirfd, path));
}

int symlink(const char *target, const char *path)
{
    return symlinkat(target, AT_FDCWD, path);
}

ssize_t readlinkat(int dirfd, const char *path, char *buffer, size_t size)
{
    return CALL(SYSCALL4(SYS_readlinkat, dirfd, path, buffer, size));
}

ssize_t readlink(const char *path, char *buffer, size_t size)
{
    return readlinkat(AT_FDCWD, path, buffer, size);
}

int renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
    return (int)CALL(SYSCALL5(SYS_renameat2, from_dirfd, from, to_dirfd, to, 0));
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int utimensat(int dirfd, const char *path, const struct timespec times[2], int flags)
{
    return (int)CALL(SYSCALL4(SYS_utimensat, dirfd, path, times, flags));
}

int futimens(int fd, const struct timespec times[2])
{
    return utimensat(fd, NULL, times, 0);
}

int chdir(const char *path)
{
    return (int)CALL(SYSCALL1(SYS_chdir, path));
}

char *getcwd(char *buffer, size_t size)
{
    return CALL(SYSCALL2(SYS_getcwd, buffer, size)) < 0 ? NULL : buffer;
}

int isatty(int fd)
{
    unsigned char settings[64];

    return CALL(SYSCALL3(SYS_ioctl, fd, TCGETS, settings)) == 0;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    return (int)CALL(SYSCALL5(SYS_ppoll, fds, count, timeout, mask, sizeof *mask));
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec timeout;

    timeout.tv_sec = timeout_ms / 1000;
    timeout.tv_nsec = timeout_ms % 1000 * 1000000L;
    return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

/* Without . and .. and links where the kernel can tell: the name that /proc would show, or the plain path. */
char *realpath(const char *path, char *resolved)
{
    char buffer[4096];
    struct stat status;

    if (stat(path, &status) < 0)
        return NULL;
    if (path[0] == '/') {
        if (strlen(path) >= sizeof buffer) {
            errno = ENAMETOOLONG;
            return NULL;
        }
        strcpy(buffer, path);
    } else {
        if (getcwd(buffer, sizeof buffer) == NULL)
            return NULL;
        if (strlen(buffer) + strlen(path) + 2 > sizeof buffer) {
            errno = ENAMETOOLONG;
            return NULL;
        }
        strcat(buffer, "/");
        strcat(buffer, path);
    }
    return resolved == NULL ? strdup(buffer) : strcpy(resolved, buffer);
}
