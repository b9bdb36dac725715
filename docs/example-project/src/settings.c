#include "settings.h"

#include <stdlib.h>
#include <string.h>

static void copy_name(char *to, const char *from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = from[i];
    to[size] = '\0';
}

int parse_setting_unchecked(const char *line, struct setting *to)
{
    const char *equals = strchr(line, '=');

    if (equals == NULL || equals == line)
        return 0;
    copy_name(to->name, line, (size_t)(equals - line));
    to->value = strtol(equals + 1, NULL, 10);
    return 1;
}

int parse_setting(const char *line, struct setting *to)
{
    const char *equals = strchr(line, '=');

    if (equals == NULL || equals - line >= NAME_SIZE)
        return 0;
    return parse_setting_unchecked(line, to);
}
