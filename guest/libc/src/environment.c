#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static char **owned_environment;

static char **find(const char *name, size_t length)
{
    char **entry;

    for (entry = environ; entry != NULL && *entry != NULL; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return entry;
    return NULL;
}

char *getenv(const char *name)
{
    size_t length = strlen(name);
    char **entry = find(name, length);

    return entry != NULL ? *entry + length + 1 : NULL;
}

int setenv(const char *name, const char *value, int overwrite)
{
    size_t length = strlen(name);
    size_t count = 0;
    char **entry;
    char **grown;
    char *text;

    if (length == 0 || strchr(name, '=') != NULL) {
        errno = EINVAL;
        return -1;
    }
    entry = find(name, length);
    if (entry != NULL && !overwrite)
        return 0;
    text = malloc(length + strlen(value) + 2);
    if (text == NULL)
        return -1;
    memcpy(text, name, length);
    text[length] = '=';
    strcpy(text + length + 1, value);
    if (entry != NULL) {
        *entry = text;
        return 0;
    }
    while (environ != NULL && environ[count] != NULL)
        count++;
    grown = malloc((count + 2) * sizeof(char *));
    if (grown == NULL) {
        free(text);
        return -1;
    }
    if (count != 0)
        memcpy(grown, environ, count * sizeof(char *));
    grown[count] = text;
    grown[count + 1] = NULL;
    free(owned_environment);
    owned_environment = grown;
    environ = grown;
    return 0;
}

int unsetenv(const char *name)
{
    char **entry;

    while ((entry = find(name, strlen(name))) != NULL)
        for (; *entry != NULL; entry++)
            *entry = entry[1];
    return 0;
}
