#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

struct __DIR {
    int fd;
    size_t position;
    size_t available;
    struct dirent entry;
    unsigned char buffer[4096];
};

ssize_t getdents64(int fd, void *buffer, size_t size)
{
    return __syscall_result((long)SYSCALL3(SYS_getdents64, fd, buffer, size));
}

DIR *fdopendir(int fd)
{
    DIR *directory = calloc(1, sizeof *directory);

    if (directory != NULL)
        directory->fd = fd;
    return directory;
}

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    DIR *directory;

    if (fd < 0)
        return NULL;
    directory = fdopendir(fd);
    if (directory == NULL)
        close(fd);
    return directory;
}

/* Kernel records: d_ino 8, d_off 8, d_reclen 2, d_type 1, name. */
struct dirent *readdir(DIR *directory)
{
    const unsigned char *record;
    struct dirent *entry = &directory->entry;

    if (directory->position >= directory->available) {
        ssize_t count = getdents64(directory->fd, directory->buffer, sizeof directory->buffer);
        if (count <= 0)
            return NULL;
        directory->available = (size_t)count;
        directory->position = 0;
    }
    record = directory->buffer + directory->position;
    memcpy(&entry->d_ino, record, 8);
    memcpy(&entry->d_off, record + 8, 8);
    memcpy(&entry->d_reclen, record + 16, 2);
    entry->d_type = record[18];
    strlcpy(entry->d_name, (const char *)record + 19, sizeof entry->d_name);
    directory->position += entry->d_reclen;
    return entry;
}

void rewinddir(DIR *directory)
{
    lseek(directory->fd, 0, SEEK_SET);
    directory->position = 0;
    directory->available = 0;
}

int closedir(DIR *directory)
{
    int status = close(directory->fd);

    free(directory);
    return status;
}

int dirfd(DIR *directory)
{
    return directory->fd;
}
