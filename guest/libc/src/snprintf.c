#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "format.h"

struct buffer_sink {
    struct sink sink;
    char *to;
    size_t room; /* bytes left, the final NUL not counted */
};

static void put_buffer(struct sink *sink, const char *text, size_t length)
{
    struct buffer_sink *buffer = (struct buffer_sink *)sink;

    if (length > buffer->room)
        length = buffer->room;
    memcpy(buffer->to, text, length);
    buffer->to += length;
    buffer->room -= length;
}

int vsnprintf(char *restrict to, size_t size, const char *restrict format, va_list arguments)
{
    char nothing;
    struct buffer_sink buffer;
    int length;

    buffer.sink.put = put_buffer;
    buffer.sink.written = 0;
    buffer.to = size == 0 ? &nothing : to;
    buffer.room = size == 0 ? 0 : size - 1;
    length = __format(&buffer.sink, format, arguments);
    *buffer.to = '\0';
    return length;
}

int snprintf(char *restrict to, size_t size, const char *restrict format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length;
}

int vsprintf(char *restrict to, const char *restrict format, va_list arguments)
{
    return vsnprintf(to, INT32_MAX, format, arguments);
}

int sprintf(char *restrict to, const char *restrict format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(to, INT32_MAX, format, arguments);
    va_end(arguments);
    return length;
}
