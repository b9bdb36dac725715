/* Buffered streams. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "internal.h"

#define READABLE 1
#define WRITABLE 2
#define AT_END 4
#define FAILED 8
#define OWNS_BUFFER 16
#define OWNS_FILE 32

struct __FILE {
    int fd;
    int flags;
    int mode; /* _IOFBF, _IOLBF, _IONBF; -1: decided at the first write */
    char *buffer;
    size_t capacity;
    size_t position; /* of the next byte to read, or the number of bytes waiting to be written */
    size_t available; /* bytes in the buffer when reading */
    FILE *next;
};

static char input_buffer[BUFSIZ];
static char output_buffer[BUFSIZ];
static FILE standard_input = {0, READABLE, _IOFBF, input_buffer, BUFSIZ, 0, 0, NULL};
static FILE standard_output = {1, WRITABLE, -1, output_buffer, BUFSIZ, 0, 0, NULL};
static FILE standard_error = {2, WRITABLE, _IONBF, NULL, 0, 0, 0, NULL};
static FILE *open_files;

FILE *const stdin = &standard_input;
FILE *const stdout = &standard_output;
FILE *const stderr = &standard_error;

static int write_all(FILE *stream, const char *text, size_t length)
{
    while (length != 0) {
        ssize_t count = write(stream->fd, text, length);
        if (count < 0) {
            stream->flags |= FAILED;
            return EOF;
        }
        text += count;
        length -= (size_t)count;
    }
    return 0;
}

static int flush_output(FILE *stream)
{
    size_t waiting = stream->position;

    stream->position = 0;
    return write_all(stream, stream->buffer, waiting);
}

int fflush(FILE *stream)
{
    FILE *each;
    int status = 0;

    if (stream != NULL) {
        if ((stream->flags & WRITABLE) && stream->position != 0 && stream->available == 0)
            return flush_output(stream);
        return 0;
    }
    if (fflush(stdout) != 0)
        status = EOF;
    for (each = open_files; each != NULL; each = each->next)
        if (fflush(each) != 0)
            status = EOF;
    return status;
}

void __stdio_flush_all(void)
{
    fflush(NULL);
}

/* A stream that was read from may hold unread bytes: gives them back before writing. */
static void stop_reading(FILE *stream)
{
    if (stream->available != 0) {
        lseek(stream->fd, (off_t)stream->position - (off_t)stream->available, SEEK_CUR);
        stream->position = 0;
        stream->available = 0;
    }
}

static size_t put_bytes(FILE *stream, const char *text, size_t length)
{
    size_t done = length;

    if (!(stream->flags & WRITABLE)) {
        stream->flags |= FAILED;
        errno = EBADF;
        return 0;
    }
    stop_reading(stream);
    if (stream->mode < 0)
        stream->mode = isatty(stream->fd) ? _IOLBF : _IOFBF;
    if (stream->mode == _IONBF || stream->capacity == 0)
        return write_all(stream, text, length) == 0 ? done : 0;
    if (length >= stream->capacity) {
        if (flush_output(stream) != 0 || write_all(stream, text, length) != 0)
            return 0;
        return done;
    }
    if (stream->position + length > stream->capacity && flush_output(stream) != 0)
        return 0;
    memcpy(stream->buffer + stream->position, text, length);
    stream->position += length;
    if (stream->mode == _IOLBF && memchr(text, '\n', length) != NULL && flush_output(stream) != 0)
        return 0;
    return done;
}

/* Fills an empty input buffer; 0 at the end of the file or on an error. */
static size_t refill(FILE *stream)
{
    ssize_t count;

    if (!(stream->flags & READABLE)) {
        stream->flags |= FAILED;
        errno = EBADF;
        return 0;
    }
    if ((stream->flags & WRITABLE) && stream->available == 0 && stream->position != 0)
        flush_output(stream);
    count = read(stream->fd, stream->buffer, stream->capacity);
    stream->position = 0;
    stream->available = count > 0 ? (size_t)count : 0;
    if (count <= 0)
        stream->flags |= count == 0 ? AT_END : FAILED;
    return stream->available;
}

static int parse_mode(const char *mode, int *flags)
{
    int how;

    if (mode[0] == 'r') {
        *flags = READABLE;
        how = O_RDONLY;
    } else if (mode[0] == 'w' || mode[0] == 'a') {
        *flags = WRITABLE;
        how = O_WRONLY | O_CREAT | (mode[0] == 'w' ? O_TRUNC : O_APPEND);
    } else {
        errno = EINVAL;
        return -1;
    }
    if (strchr(mode, '+') != NULL) {
        *flags = READABLE | WRITABLE;
        how = (how & ~O_ACCMODE) | O_RDWR;
    }
    return how;
}

static FILE *new_stream(int fd, int flags)
{
    FILE *stream = calloc(1, sizeof *stream);
    char *buffer = malloc(BUFSIZ);

    if (stream == NULL || buffer == NULL) {
        free(stream);
        free(buffer);
        return NULL;
    }
    stream->fd = fd;
    stream->flags = flags | OWNS_BUFFER | OWNS_FILE;
    stream->mode = -1;
    stream->buffer = buffer;
    stream->capacity = BUFSIZ;
    stream->next = open_files;
    open_files = stream;
    return stream;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    int flags;
    int how = parse_mode(mode, &flags);
    int fd = how < 0 ? -1 : open(path, how, 0666);
    FILE *stream;

    if (fd < 0)
        return NULL;
    stream = new_stream(fd, flags);
    if (stream == NULL)
        close(fd);
    return stream;
}

FILE *fdopen(int fd, const char *mode)
{
    int flags;

    return parse_mode(mode, &flags) < 0 ? NULL : new_stream(fd, flags);
}

FILE *freopen(const char *restrict path, const char *restrict mode, FILE *restrict stream)
{
    int flags;
    int how = parse_mode(mode, &flags);
    int fd = how < 0 ? -1 : open(path, how, 0666);

    if (fd < 0)
        return NULL;
    fflush(stream);
    dup2(fd, stream->fd);
    close(fd);
    stream->flags = (stream->flags & (OWNS_BUFFER | OWNS_FILE)) | flags;
    stream->position = 0;
    stream->available = 0;
    return stream;
}

int fclose(FILE *stream)
{
    FILE **link;
    int status = fflush(stream);

    if (close(stream->fd) != 0)
        status = EOF;
    for (link = &open_files; *link != NULL; link = &(*link)->next) {
        if (*link == stream) {
            *link = stream->next;
            break;
        }
    }
    if (stream->flags & OWNS_BUFFER)
        free(stream->buffer);
    if (stream->flags & OWNS_FILE)
        free(stream);
    return status;
}

int fileno(FILE *stream)
{
    return stream->fd;
}

int setvbuf(FILE *restrict stream, char *restrict buffer, int mode, size_t size)
{
    if (mode != _IOFBF && mode != _IOLBF && mode != _IONBF)
        return -1;
    fflush(stream);
    stream->mode = mode;
    if (buffer != NULL && size != 0) {
        if (stream->flags & OWNS_BUFFER)
            free(stream->buffer);
        stream->flags &= ~OWNS_BUFFER;
        stream->buffer = buffer;
        stream->capacity = size;
    }
    return 0;
}

void setbuf(FILE *restrict stream, char *restrict buffer)
{
    setvbuf(stream, buffer, buffer != NULL ? _IOFBF : _IONBF, BUFSIZ);
}

size_t fread(void *restrict to, size_t size, size_t count, FILE *restrict stream)
{
    char *out = to;
    size_t wanted = size * count;
    size_t done = 0;

    while (done < wanted) {
        size_t part = stream->available - stream->position;
        if (part == 0) {
            if (refill(stream) == 0)
                break;
            continue;
        }
        if (part > wanted - done)
            part = wanted - done;
        memcpy(out + done, stream->buffer + stream->position, part);
        stream->position += part;
        done += part;
    }
    return size == 0 ? 0 : done / size;
}

size_t fwrite(const void *restrict from, size_t size, size_t count, FILE *restrict stream)
{
    return size == 0 ? 0 : put_bytes(stream, from, size * count) / size;
}

int fgetc(FILE *stream)
{
    if (stream->position >= stream->available && refill(stream) == 0)
        return EOF;
    return (unsigned char)stream->buffer[stream->position++];
}

int getc(FILE *stream)
{
    return fgetc(stream);
}

int getchar(void)
{
    return fgetc(stdin);
}

int ungetc(int character, FILE *stream)
{
    if (character == EOF || stream->position == 0)
        return EOF;
    stream->buffer[--stream->position] = (char)character;
    stream->flags &= ~AT_END;
    return character;
}

char *fgets(char *restrict to, int size, FILE *restrict stream)
{
    int length = 0;

    while (length < size - 1) {
        int character = fgetc(stream);
        if (character == EOF)
            break;
        to[length++] = (char)character;
        if (character == '\n')
            break;
    }
    if (length == 0)
        return NULL;
    to[length] = '\0';
    return to;
}

ssize_t getline(char **restrict line, size_t *restrict size, FILE *restrict stream)
{
    size_t length = 0;

    for (;;) {
        int character = fgetc(stream);
        if (character == EOF)
            break;
        if (*line == NULL || length + 2 > *size) {
            size_t grown_size = *line == NULL ? 128 : *size * 2;
            char *grown = realloc(*line, grown_size);
            if (grown == NULL)
                return -1;
            *line = grown;
            *size = grown_size;
        }
        (*line)[length++] = (char)character;
        if (character == '\n')
            break;
    }
    if (length == 0)
        return -1;
    (*line)[length] = '\0';
    return (ssize_t)length;
}

int fputc(int character, FILE *stream)
{
    char byte = (char)character;

    return put_bytes(stream, &byte, 1) == 1 ? (unsigned char)byte : EOF;
}

int putc(int character, FILE *stream)
{
    return fputc(character, stream);
}

int putchar(int character)
{
    return fputc(character, stdout);
}

int fputs(const char *restrict text, FILE *restrict stream)
{
    size_t length = strlen(text);

    return put_bytes(stream, text, length) == length ? 0 : EOF;
}

int puts(const char *text)
{
    return fputs(text, stdout) < 0 || fputc('\n', stdout) < 0 ? EOF : 0;
}

int fseeko(FILE *stream, off_t offset, int whence)
{
    if (stream->available != 0 && whence == SEEK_CUR)
        offset -= (off_t)(stream->available - stream->position);
    fflush(stream);
    stream->position = 0;
    stream->available = 0;
    stream->flags &= ~AT_END;
    return lseek(stream->fd, offset, whence) < 0 ? -1 : 0;
}

int fseek(FILE *stream, long offset, int whence)
{
    return fseeko(stream, offset, whence);
}

off_t ftello(FILE *stream)
{
    off_t at = lseek(stream->fd, 0, SEEK_CUR);

    if (at < 0)
        return -1;
    return stream->available != 0 ? at - (off_t)(stream->available - stream->position)
                                  : at + (off_t)stream->position;
}

long ftell(FILE *stream)
{
    return ftello(stream);
}

void rewind(FILE *stream)
{
    fseek(stream, 0, SEEK_SET);
    clearerr(stream);
}

int feof(FILE *stream)
{
    return (stream->flags & AT_END) != 0;
}

int ferror(FILE *stream)
{
    return (stream->flags & FAILED) != 0;
}

void clearerr(FILE *stream)
{
    stream->flags &= ~(AT_END | FAILED);
}

struct stream_sink {
    struct sink sink;
    FILE *stream;
};

static void put_stream(struct sink *sink, const char *text, size_t length)
{
    put_bytes(((struct stream_sink *)sink)->stream, text, length);
}

int vfprintf(FILE *restrict stream, const char *restrict format, va_list arguments)
{
    struct stream_sink sink;
    int failed = stream->flags & FAILED;
    int length;

    sink.sink.put = put_stream;
    sink.sink.written = 0;
    sink.stream = stream;
    stream->flags &= ~FAILED;
    length = __format(&sink.sink, format, arguments);
    if (stream->flags & FAILED)
        length = -1;
    stream->flags |= failed;
    return length;
}

int vprintf(const char *restrict format, va_list arguments)
{
    return vfprintf(stdout, format, arguments);
}

int printf(const char *restrict format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vfprintf(stdout, format, arguments);
    va_end(arguments);
    return length;
}

int fprintf(FILE *restrict stream, const char *restrict format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vfprintf(stream, format, arguments);
    va_end(arguments);
    return length;
}

int vdprintf(int fd, const char *restrict format, va_list arguments)
{
    FILE stream = {fd, WRITABLE, _IONBF, NULL, 0, 0, 0, NULL};

    return vfprintf(&stream, format, arguments);
}

int dprintf(int fd, const char *restrict format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vdprintf(fd, format, arguments);
    va_end(arguments);
    return length;
}

void perror(const char *prefix)
{
    int number = errno;

    if (prefix != NULL && *prefix != '\0')
        fprintf(stderr, "%s: ", prefix);
    fprintf(stderr, "%s\n", strerror(number));
}
