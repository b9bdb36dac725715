/* Heap sort: no recursion, no extra memory. Elements move with memcpy, so capabilities keep their tags. */
#include <stdlib.h>
#include <string.h>

struct array {
    char *base;
    size_t size;
    int (*compare)(const void *, const void *);
};

static void swap(char *a, char *b, size_t size)
{
    void *granule[4];

    while (size != 0) {
        size_t part = size < sizeof granule ? size : sizeof granule;
        memcpy(granule, a, part);
        memcpy(a, b, part);
        memcpy(b, granule, part);
        a += part;
        b += part;
        size -= part;
    }
}

static void sift_down(const struct array *array, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        char *at;
        if (child >= count)
            return;
        at = array->base + child * array->size;
        if (child + 1 < count && array->compare(at, at + array->size) < 0) {
            child++;
            at += array->size;
        }
        if (array->compare(array->base + root * array->size, at) >= 0)
            return;
        swap(array->base + root * array->size, at, array->size);
        root = child;
    }
}

void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    struct array array;
    size_t i;

    array.base = base;
    array.size = size;
    array.compare = compare;
    for (i = count / 2; i-- > 0;)
        sift_down(&array, i, count);
    for (i = count; i-- > 1;) {
        swap(array.base, array.base + i * size, size);
        sift_down(&array, 0, i);
    }
}

void *bsearch(const void *key, const void *base, size_t count, size_t size,
              int (*compare)(const void *, const void *))
{
    const char *low = base;

    while (count != 0) {
        const char *middle = low + count / 2 * size;
        int order = compare(key, middle);
        if (order == 0)
            return (void *)middle;
        if (order > 0) {
            low = middle + size;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return NULL;
}
