#include <errno.h>
#include <signal.h>
#include <string.h>

struct text {
    int number;
    const char *text;
};

static const struct text error_texts[] = {
    {0, "Success"},
    {EPERM, "Operation not permitted"},
    {ENOENT, "No such file or directory"},
    {ESRCH, "No such process"},
    {EINTR, "Interrupted system call"},
    {EIO, "Input/output error"},
    {E2BIG, "Argument list too long"},
    {ENOEXEC, "Exec format error"},
    {EBADF, "Bad file descriptor"},
    {ECHILD, "No child processes"},
    {EAGAIN, "Resource temporarily unavailable"},
    {ENOMEM, "Cannot allocate memory"},
    {EACCES, "Permission denied"},
    {EFAULT, "Bad address"},
    {EBUSY, "Device or resource busy"},
    {EEXIST, "File exists"},
    {EXDEV, "Invalid cross-device link"},
    {ENODEV, "No such device"},
    {ENOTDIR, "Not a directory"},
    {EISDIR, "Is a directory"},
    {EINVAL, "Invalid argument"},
    {ENFILE, "Too many open files in system"},
    {EMFILE, "Too many open files"},
    {ENOTTY, "Inappropriate ioctl for device"},
    {EFBIG, "File too large"},
    {ENOSPC, "No space left on device"},
    {ESPIPE, "Illegal seek"},
    {EROFS, "Read-only file system"},
    {EPIPE, "Broken pipe"},
    {EDOM, "Numerical argument out of domain"},
    {ERANGE, "Numerical result out of range"},
    {ENAMETOOLONG, "File name too long"},
    {ENOSYS, "Function not implemented"},
    {ENOTEMPTY, "Directory not empty"},
    {ELOOP, "Too many levels of symbolic links"},
    {EOVERFLOW, "Value too large for defined data type"},
    {EILSEQ, "Invalid or incomplete multibyte or wide character"},
    {ENOTSOCK, "Socket operation on non-socket"},
    {EOPNOTSUPP, "Operation not supported"},
    {ETIMEDOUT, "Connection timed out"},
    {ECONNREFUSED, "Connection refused"},
};

static const struct text signal_texts[] = {
    {SIGILL, "Illegal instruction"}, {SIGTRAP, "Trace/breakpoint trap"}, {SIGABRT, "Aborted"},
    {SIGBUS, "Bus error"},           {SIGFPE, "Floating point exception"}, {SIGKILL, "Killed"},
    {SIGSEGV, "Segmentation fault"}, {SIGPIPE, "Broken pipe"},           {SIGTERM, "Terminated"},
};

static const char *find(const struct text *texts, size_t count, int number, const char *otherwise)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (texts[i].number == number)
            return texts[i].text;
    return otherwise;
}

char *strerror(int number)
{
    return (char *)find(error_texts, sizeof error_texts / sizeof error_texts[0], number, "Unknown error");
}

char *strsignal(int number)
{
    return (char *)find(signal_texts, sizeof signal_texts / sizeof signal_texts[0], number, "Unknown signal");
}
