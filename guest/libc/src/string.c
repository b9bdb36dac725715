#include <string.h>
#include <strings.h>
#include <ctype.h>

size_t strlen(const char *text)
{
    const char *end = text;

    while (*end != '\0')
        end++;
    return (size_t)(end - text);
}

size_t strnlen(const char *text, size_t limit)
{
    size_t length = 0;

    while (length < limit && text[length] != '\0')
        length++;
    return length;
}

char *stpcpy(char *restrict to, const char *restrict from)
{
    while ((*to = *from) != '\0') {
        to++;
        from++;
    }
    return to;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    stpcpy(to, from);
    return to;
}

char *strncpy(char *restrict to, const char *restrict from, size_t count)
{
    size_t length = strnlen(from, count);

    memcpy(to, from, length);
    memset(to + length, 0, count - length);
    return to;
}

size_t strlcpy(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strlen(from);

    if (size != 0) {
        size_t kept = length < size ? length : size - 1;
        memcpy(to, from, kept);
        to[kept] = '\0';
    }
    return length;
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t count)
{
    char *end = to + strlen(to);
    size_t length = strnlen(from, count);

    memcpy(end, from, length);
    end[length] = '\0';
    return to;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t count)
{
    for (; count != 0; count--, a++, b++)
        if (*a != *b || *a == '\0')
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

int strcoll(const char *a, const char *b)
{
    return strcmp(a, b);
}

int strcasecmp(const char *a, const char *b)
{
    while (*a != '\0' && tolower((unsigned char)*a) == tolower((unsigned char)*b)) {
        a++;
        b++;
    }
    return tolower((unsigned char)*a) - tolower((unsigned char)*b);
}

int strncasecmp(const char *a, const char *b, size_t count)
{
    for (; count != 0; count--, a++, b++) {
        int difference = tolower((unsigned char)*a) - tolower((unsigned char)*b);
        if (difference != 0 || *a == '\0')
            return difference;
    }
    return 0;
}

int ffs(int value)
{
    return value == 0 ? 0 : __builtin_ctz((unsigned int)value) + 1;
}

char *strchrnul(const char *text, int character)
{
    while (*text != '\0' && *text != (char)character)
        text++;
    return (char *)text;
}

char *strchr(const char *text, int character)
{
    char *found = strchrnul(text, character);

    return *found == (char)character ? found : NULL;
}

char *strrchr(const char *text, int character)
{
    return memrchr(text, character, strlen(text) + 1);
}

char *strstr(const char *text, const char *what)
{
    return memmem(text, strlen(text), what, strlen(what));
}

size_t strspn(const char *text, const char *accept)
{
    size_t length = 0;

    while (text[length] != '\0' && strchr(accept, text[length]) != NULL)
        length++;
    return length;
}

size_t strcspn(const char *text, const char *reject)
{
    size_t length = 0;

    while (text[length] != '\0' && strchr(reject, text[length]) == NULL)
        length++;
    return length;
}

char *strpbrk(const char *text, const char *accept)
{
    text += strcspn(text, accept);
    return *text != '\0' ? (char *)text : NULL;
}

char *strtok_r(char *restrict text, const char *restrict separators, char **restrict state)
{
    if (text == NULL)
        text = *state;
    text += strspn(text, separators);
    *state = text + strcspn(text, separators);
    if (*state == text)
        return NULL;
    if (**state != '\0')
        *(*state)++ = '\0';
    return text;
}

char *strtok(char *restrict text, const char *restrict separators)
{
    static char *state;

    return strtok_r(text, separators, &state);
}
