/* The printf engine writes through a sink; stdio and snprintf bring their own. */
#ifndef LIBC_FORMAT_H
#define LIBC_FORMAT_H
#include <stdarg.h>
#include <stddef.h>

struct sink {
    void (*put)(struct sink *sink, const char *text, size_t length);
    size_t written;
};

/* Returns the number of bytes that the whole text has. */
int __format(struct sink *sink, const char *format, va_list arguments);

#endif
