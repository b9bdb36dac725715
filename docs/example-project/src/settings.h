/* Lines of NAME=VALUE. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>

enum { NAME_SIZE = 16 };

struct setting {
    char name[NAME_SIZE];
    long value;
};

/* Reads one line; 0 when it isn't a setting. A name of NAME_SIZE or more characters is refused. */
int parse_setting(const char *line, struct setting *to);

/* The same as it was before the length was looked at. */
int parse_setting_unchecked(const char *line, struct setting *to);

#endif
