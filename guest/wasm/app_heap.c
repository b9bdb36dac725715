/*
 * The app heap: a first-fit allocator inside linear memory for natives (module_malloc) and the `env` malloc family.
 *
 * Blocks lie one behind the other from heap_start to its end; each starts with 8 bytes {size including the header, in
 * use}. The program can overwrite all of it, so every header is checked against the heap's range before it is trusted.
 */
#include "runtime.h"

enum { HEADER_BYTES = 8, GRAIN = 8 };

static uint32_t heap_end(const struct wasm_instance *instance)
{
    return instance->heap_start + (instance->heap_size & ~(uint32_t)(GRAIN - 1));
}

static uint32_t block_size(const struct wasm_instance *instance, uint32_t block)
{
    return load_u32(instance->memory.data + block);
}

static bool block_used(const struct wasm_instance *instance, uint32_t block)
{
    return load_u32(instance->memory.data + block + 4) != 0;
}

static void set_block(struct wasm_instance *instance, uint32_t block, uint32_t size, bool used)
{
    store_u32(instance->memory.data + block, size);
    store_u32(instance->memory.data + block + 4, used);
}

/* The block behind this one; 0 when the header is not one this allocator wrote. */
static uint32_t next_block(const struct wasm_instance *instance, uint32_t block)
{
    uint32_t size = block_size(instance, block);
    if (size < HEADER_BYTES || size % GRAIN != 0 || size > heap_end(instance) - block)
        return 0;
    return block + size;
}

/* Merge the free blocks behind `block` into it. */
static void merge(struct wasm_instance *instance, uint32_t block)
{
    uint32_t end = heap_end(instance), next = next_block(instance, block);
    while (next != 0 && next < end && !block_used(instance, next)) {
        uint32_t after = next_block(instance, next);
        if (after == 0)
            return;
        set_block(instance, block, after - block, false);
        next = after;
    }
}

uint32_t app_heap_alloc(struct wasm_instance *instance, uint32_t size)
{
    uint32_t end = heap_end(instance);
    if (instance->heap_size < 2 * HEADER_BYTES || size > instance->heap_size)
        return 0;
    if (!instance->heap_ready) {
        set_block(instance, instance->heap_start, end - instance->heap_start, false);
        instance->heap_ready = true;
    }
    uint32_t need = ((size ? size : 1) + HEADER_BYTES + GRAIN - 1) & ~(uint32_t)(GRAIN - 1);
    for (uint32_t block = instance->heap_start; block != 0 && block < end; block = next_block(instance, block)) {
        if (block_used(instance, block))
            continue;
        merge(instance, block);
        uint32_t next = next_block(instance, block);
        if (next == 0)
            return 0;
        uint32_t room = next - block;
        if (room < need)
            continue;
        if (room - need > HEADER_BYTES)
            set_block(instance, block + need, room - need, false);
        else
            need = room;
        set_block(instance, block, need, true);
        return block + HEADER_BYTES;
    }
    return 0;
}

uint32_t app_heap_usable(struct wasm_instance *instance, uint32_t address)
{
    uint32_t end = heap_end(instance);
    if (!instance->heap_ready || address < instance->heap_start + HEADER_BYTES || address >= end)
        return 0;
    for (uint32_t block = instance->heap_start; block != 0 && block < end; block = next_block(instance, block))
        if (block + HEADER_BYTES == address)
            return block_used(instance, block) && next_block(instance, block) != 0
                       ? block_size(instance, block) - HEADER_BYTES : 0;
    return 0;
}

void app_heap_free(struct wasm_instance *instance, uint32_t address)
{
    if (app_heap_usable(instance, address) > 0)
        set_block(instance, address - HEADER_BYTES, block_size(instance, address - HEADER_BYTES), false);
}
