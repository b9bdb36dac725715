#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static int current_level = LOG_WARNING;

static const char *const level_names[] = {"INFO ", "ERROR", "WARN ", "DEBUG", "VRBSE"};

void log_set_level(int level)
{
    current_level = level > LOG_VERBOSE ? LOG_VERBOSE : level;
}

int log_get_level(void)
{
    return current_level;
}

static void put_prefix(enum log_level level)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("[%02ld:%02ld:%02ld:%03ld - CAPMGR:%s]: ", now.tv_sec / 3600 % 24, now.tv_sec / 60 % 60,
           now.tv_sec % 60, now.tv_nsec / 1000000, level_names[level]);
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;

    if ((int)level > current_level)
        return;
    put_prefix(level);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

void log_text(enum log_level level, const char *heading, const char *text, size_t length)
{
    if ((int)level > current_level)
        return;
    if (heading != NULL) {
        put_prefix(level);
        puts(heading);
    }
    fwrite(text, 1, length, stdout);
    fflush(stdout);
}
