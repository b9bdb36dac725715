/* sscanf for numbers, words and characters: %d %i %u %x %o %ld … %f %lf %s %c %n %%, widths and assignment suppression. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void store_integer(va_list *arguments, int size, long value)
{
    if (size == 8)
        *va_arg(*arguments, long *) = value;
    else if (size == 2)
        *va_arg(*arguments, short *) = (short)value;
    else if (size == 1)
        *va_arg(*arguments, signed char *) = (signed char)value;
    else
        *va_arg(*arguments, int *) = (int)value;
}

/* At most `width` characters of a number into a buffer, so that strtol and strtod respect the width. */
static const char *limited(const char *text, int width, char *buffer, size_t size)
{
    size_t length = width > 0 && (size_t)width < size - 1 ? (size_t)width : size - 1;

    length = strnlen(text, length);
    memcpy(buffer, text, length);
    buffer[length] = '\0';
    return buffer;
}

int vsscanf(const char *restrict text, const char *restrict format, va_list arguments)
{
    const char *at = text;
    int assigned = 0;
    va_list list;

    va_copy(list, arguments);
    for (; *format != '\0'; format++) {
        int suppress = 0, width = 0, size = 4;
        char buffer[128];
        char *end;

        if (isspace((unsigned char)*format)) {
            while (isspace((unsigned char)*at))
                at++;
            continue;
        }
        if (*format != '%') {
            if (*at != *format)
                break;
            at++;
            continue;
        }
        format++;
        if (*format == '*') {
            suppress = 1;
            format++;
        }
        while (isdigit((unsigned char)*format))
            width = width * 10 + (*format++ - '0');
        for (; *format == 'l' || *format == 'h' || *format == 'z' || *format == 'j'; format++)
            size = *format != 'h' ? 8 : size == 2 ? 1 : 2;
        if (*format != 'c' && *format != 'n' && *format != '[')
            while (isspace((unsigned char)*at))
                at++;
        if (*format == 'n') {
            store_integer(&list, size, at - text);
            continue;
        }
        if (*at == '\0') {
            va_end(list);
            return assigned == 0 ? EOF : assigned;
        }
        if (*format == '%') {
            if (*at != '%')
                break;
            at++;
            continue;
        }
        if (*format == 'c') {
            char *to = suppress ? NULL : va_arg(list, char *);
            for (width = width == 0 ? 1 : width; width > 0 && *at != '\0'; width--, at++)
                if (to != NULL)
                    *to++ = *at;
        } else if (*format == 's') {
            char *to = suppress ? NULL : va_arg(list, char *);
            int room = width == 0 ? -1 : width;
            for (; *at != '\0' && !isspace((unsigned char)*at) && room != 0; at++, room--)
                if (to != NULL)
                    *to++ = *at;
            if (to != NULL)
                *to = '\0';
        } else if (strchr("diuxXo", *format) != NULL) {
            int base = *format == 'i' ? 0 : *format == 'o' ? 8 : *format == 'x' || *format == 'X' ? 16 : 10;
            const char *start = limited(at, width, buffer, sizeof buffer);
            long value = *format == 'u' ? (long)strtoul(start, &end, base) : strtol(start, &end, base);
            if (end == start)
                break;
            at += end - start;
            if (!suppress)
                store_integer(&list, size, value);
        } else if (strchr("fFeEgG", *format) != NULL) {
            const char *start = limited(at, width, buffer, sizeof buffer);
            double value = strtod(start, &end);
            if (end == start)
                break;
            at += end - start;
            if (!suppress && size == 8)
                *va_arg(list, double *) = value;
            else if (!suppress)
                *va_arg(list, float *) = (float)value;
        } else {
            break;
        }
        if (!suppress)
            assigned++;
    }
    va_end(list);
    return assigned;
}

int sscanf(const char *restrict text, const char *restrict format, ...)
{
    va_list arguments;
    int count;

    va_start(arguments, format);
    count = vsscanf(text, format, arguments);
    va_end(arguments);
    return count;
}
