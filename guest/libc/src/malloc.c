/* Heap: every block is a capability bounded to its size, within an arena or a mapping of its own.
 *
 * Small blocks (below 16 KiB, so that bounds are byte-exact) come from 1 MiB arenas cut into chunks of
 * fixed size classes. A chunk is a 16-byte header followed by the block; freed chunks of a class form a
 * list. Larger blocks are mappings, whose owning capability is kept in a table.
 *
 * Invariants: a block's capability never reaches its header; a header is only reached through its
 * arena's capability; free and realloc refuse (abort) anything that is not the start of a live block.
 */
#include <cheriintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define ARENA_BYTES (1024u * 1024u)
#define MAX_ARENAS 4096
#define SMALL_LIMIT 0x3f00u
#define CLASS_COUNT 36
#define LIVE 0x4c495645u
#define FREED 0x46524545u
#define PAGE 4096u
/* A block's permissions: data, with tags; no execution, no sealing, no ownership of the mapping. */
#define BLOCK_PERMISSIONS                                                                          \
    (CHERI_PERM_LOAD | CHERI_PERM_STORE | CHERI_PERM_LOAD_CAP | CHERI_PERM_STORE_CAP |             \
     CHERI_PERM_STORE_LOCAL_CAP | CHERI_PERM_MUTABLE_LOAD | CHERI_PERM_GLOBAL)

struct header {
    uint32_t state;
    uint32_t size_class;
    uint64_t size;
};

struct free_chunk {
    struct header header;
    struct free_chunk *next;
};

struct large_block {
    unsigned char *mapping;
    size_t mapped;
};

static unsigned char *arenas[MAX_ARENAS];
static unsigned int arena_count;
static size_t arena_used;
static struct free_chunk *free_lists[CLASS_COUNT];
static struct large_block *large_blocks;
static size_t large_count;
static size_t large_capacity;

/* Classes: 16, 32, 48, 64, then four steps to each power of two. */
static unsigned int class_of(size_t size)
{
    unsigned int shift;
    size_t units;

    if (size <= 64)
        return size <= 16 ? 0 : (unsigned int)((size + 15) / 16 - 1);
    shift = 63 - (unsigned int)__builtin_clzl(size - 1);
    units = ((size - 1) >> (shift - 2)) & 3;
    return 4 + (shift - 6) * 4 + (unsigned int)units;
}

static size_t class_bytes(unsigned int size_class)
{
    unsigned int shift;

    if (size_class < 4)
        return (size_class + 1) * 16;
    shift = 6 + (size_class - 4) / 4;
    return ((size_t)1 << shift) + (((size_t)(size_class - 4) % 4 + 1) << (shift - 2));
}

static void fail(const char *what)
{
    static const char prefix[] = "malloc: ";

    write(2, prefix, sizeof prefix - 1);
    write(2, what, strlen(what));
    write(2, "\n", 1);
    abort();
}

static void *map(size_t size)
{
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mapping == MAP_FAILED ? NULL : mapping;
}

static struct header *carve(unsigned int size_class)
{
    size_t bytes = sizeof(struct header) + class_bytes(size_class);
    struct header *chunk;

    if (arena_count == 0 || arena_used + bytes > ARENA_BYTES) {
        unsigned char *arena;
        if (arena_count == MAX_ARENAS || (arena = map(ARENA_BYTES)) == NULL)
            return NULL;
        arenas[arena_count++] = arena;
        arena_used = 0;
    }
    chunk = (struct header *)(arenas[arena_count - 1] + arena_used);
    arena_used += bytes;
    chunk->size_class = size_class;
    return chunk;
}

static void *bounded(void *block, size_t size)
{
    return cheri_perms_and(cheri_bounds_set(block, size), BLOCK_PERMISSIONS);
}

static void *allocate_large(size_t size, size_t alignment)
{
    size_t length = cheri_representable_length(size);
    size_t mask = cheri_representable_alignment_mask(size);
    size_t mapped;
    unsigned char *mapping;
    size_t skip;

    if (size > (size_t)1 << 47)
        return NULL;
    if (alignment < ~mask + 1)
        alignment = ~mask + 1;
    mapped = (length + PAGE - 1) & ~(size_t)(PAGE - 1);
    if (alignment > PAGE)
        mapped += alignment;
    if (large_count == large_capacity) {
        size_t capacity = large_capacity == 0 ? 128 : large_capacity * 2;
        struct large_block *grown = map(capacity * sizeof *grown);
        if (grown == NULL)
            return NULL;
        if (large_count != 0) {
            memcpy(grown, large_blocks, large_count * sizeof *grown);
            munmap(large_blocks, large_capacity * sizeof *grown);
        }
        large_blocks = grown;
        large_capacity = capacity;
    }
    mapping = map(mapped);
    if (mapping == NULL)
        return NULL;
    large_blocks[large_count].mapping = mapping;
    large_blocks[large_count].mapped = mapped;
    large_count++;
    skip = (alignment - ((size_t)mapping & (alignment - 1))) & (alignment - 1);
    return bounded(mapping + skip, length);
}

static struct large_block *find_large(size_t address)
{
    size_t i;

    for (i = large_count; i-- > 0;)
        if (address - (size_t)large_blocks[i].mapping < large_blocks[i].mapped)
            return &large_blocks[i];
    return NULL;
}

/* The header of a live small block, NULL when the address lies in no arena. */
static struct header *find_small(void *block)
{
    size_t address = (size_t)block;
    unsigned int i;

    for (i = arena_count; i-- > 0;) {
        size_t offset = address - (size_t)arenas[i];
        if (offset < ARENA_BYTES) {
            struct header *header = (struct header *)(arenas[i] + offset - sizeof(struct header));
            if (offset < sizeof(struct header) || (offset & 15) != 0 || header->state != LIVE)
                fail(header->state == FREED ? "block freed twice" : "not the start of a block");
            return header;
        }
    }
    return NULL;
}

void *malloc(size_t size)
{
    unsigned int size_class;
    struct header *header;

    if (size > SMALL_LIMIT) {
        void *block = allocate_large(size, 16);
        if (block == NULL)
            errno = ENOMEM;
        return block;
    }
    size_class = class_of(size);
    header = (struct header *)free_lists[size_class];
    if (header != NULL) {
        free_lists[size_class] = ((struct free_chunk *)header)->next;
    } else {
        header = carve(size_class);
        if (header == NULL) {
            errno = ENOMEM;
            return NULL;
        }
    }
    header->state = LIVE;
    header->size = size;
    return bounded(header + 1, size == 0 ? 1 : size);
}

void free(void *block)
{
    struct header *header;
    struct large_block *large;

    if (block == NULL)
        return;
    if (!cheri_tag_get(block))
        fail("free of an untagged capability");
    header = find_small(block);
    if (header != NULL) {
        struct free_chunk *chunk = (struct free_chunk *)header;
        header->state = FREED;
        chunk->next = free_lists[header->size_class];
        free_lists[header->size_class] = chunk;
        return;
    }
    large = find_large((size_t)block);
    if (large == NULL)
        fail("free of a pointer that malloc did not return");
    munmap(large->mapping, large->mapped);
    *large = large_blocks[--large_count];
}

void *calloc(size_t count, size_t size)
{
    size_t total;
    void *block;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    block = malloc(total);
    if (block != NULL && total <= SMALL_LIMIT)
        memset(block, 0, total);
    return block;
}

size_t malloc_usable_size(void *block)
{
    return block == NULL ? 0 : cheri_length_get(block);
}

void *realloc(void *block, size_t size)
{
    struct header *header;
    size_t kept;
    void *moved;

    if (block == NULL)
        return malloc(size);
    if (!cheri_tag_get(block))
        fail("realloc of an untagged capability");
    header = find_small(block);
    if (header != NULL && size <= class_bytes(header->size_class) && size > header->size / 2) {
        header->size = size;
        return bounded(header + 1, size == 0 ? 1 : size);
    }
    kept = header != NULL ? header->size : cheri_length_get(block);
    if (size < kept)
        kept = size;
    moved = malloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, kept);
    free(block);
    return moved;
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, total);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    void *block;

    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    if (alignment <= 16)
        return malloc(size);
    block = allocate_large(size == 0 ? 1 : size, alignment);
    if (block == NULL)
        errno = ENOMEM;
    return block;
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *block = aligned_alloc(alignment, size);

    if (block == NULL)
        return errno;
    *out = block;
    return 0;
}
