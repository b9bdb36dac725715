/* Memory of the runtime's own structures: from the host's service, in arenas that are freed as a whole. */
#include "runtime.h"

enum { CHUNK_BYTES = 32768, ALIGNMENT = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    char *pad; /* keeps the contents 16-byte aligned on 64-bit hosts */
};

void *runtime_alloc(size_t size)
{
    return wasm_runtime.host.memory_alloc(wasm_runtime.host.context, size);
}

void runtime_free(void *block)
{
    if (block)
        wasm_runtime.host.memory_free(wasm_runtime.host.context, block);
}

static bool add_chunk(struct arena *arena, size_t bytes)
{
    struct arena_chunk *chunk = runtime_alloc(sizeof *chunk + bytes);
    if (!chunk)
        return false;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->next = (char *)chunk + sizeof *chunk;
    arena->left = bytes;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded < size)
        return NULL;
    if (rounded == 0)
        rounded = ALIGNMENT;
    if (arena->left < rounded) {
        char *rest = arena->next;
        size_t left = arena->left;
        bool is_large = rounded > CHUNK_BYTES / 4;
        if (!add_chunk(arena, is_large ? rounded : CHUNK_BYTES))
            return NULL;
        if (is_large) { /* a block of its own; go on with the old chunk */
            void *block = arena->next;
            arena->next = rest;
            arena->left = left;
            return bounded(block, size);
        }
    }
    void *block = arena->next;
    arena->next += rounded;
    arena->left -= rounded;
    return bounded(block, size);
}

void arena_free(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *next = chunk->next;
        runtime_free(chunk);
        chunk = next;
    }
    memset(arena, 0, sizeof *arena);
}
