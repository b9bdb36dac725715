#include <sys/auxv.h>

#include "internal.h"

static struct auxv_entry *find(unsigned long type)
{
    struct auxv_entry *entry;

    for (entry = __auxv; entry->type != AT_NULL; entry++)
        if (entry->type == type)
            return entry;
    errno = ENOENT;
    return NULL;
}

unsigned long getauxval(unsigned long type)
{
    struct auxv_entry *entry = find(type);

    return entry != NULL ? (unsigned long)entry->value : 0;
}

uintptr_t getauxptr(unsigned long type)
{
    struct auxv_entry *entry = find(type);

    return entry != NULL ? entry->value : (uintptr_t)0;
}
