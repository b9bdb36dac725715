/* A running module: memory, tables, globals, references; growing them and the bulk operations on them. */
#include "runtime.h"

void throw(struct wasm_instance *instance, const char *text)
{
    static const char prefix[] = "Exception: ";
    size_t length = strlen(text), room = EXCEPTION_BYTES - sizeof prefix;
    if (length > room)
        length = room;
    memcpy(instance->exception, prefix, sizeof prefix - 1);
    memcpy(instance->exception + sizeof prefix - 1, text, length);
    instance->exception[sizeof prefix - 1 + length] = '\0';
}

/* ---- linear memory ---- */

uint8_t *memory_at(const struct wasm_instance *instance, uint32_t offset, uint64_t length)
{
    if (length > instance->memory.size || offset > instance->memory.size - length)
        return NULL;
    return instance->memory.data + offset;
}

uint32_t memory_grow(struct wasm_instance *instance, uint32_t pages)
{
    struct memory_instance *memory = &instance->memory;
    const struct host_services *host = &wasm_runtime.host;
    uint32_t old = memory->pages;
    if (pages > memory->max_pages - old)
        return (uint32_t)-1;
    uint64_t size = ((uint64_t)old + pages) * PAGE_BYTES;
    if (size > memory->capacity) {
        /* Half as much again, so that programs which grow page by page do not copy each time. */
        uint64_t capacity = size + size / 2, most = (uint64_t)memory->max_pages * PAGE_BYTES;
        if (capacity > most)
            capacity = most;
        capacity -= capacity % PAGE_BYTES;
        uint8_t *data = host->linear_grow(host->context, memory->data, memory->capacity, capacity);
        if (!data) {
            capacity = size;
            data = host->linear_grow(host->context, memory->data, memory->capacity, capacity);
        }
        if (!data)
            return (uint32_t)-1;
        memory->data = data;
        memory->capacity = capacity;
    }
    memory->size = size;
    memory->pages += pages;
    return old;
}

bool memory_init(struct wasm_instance *instance, uint32_t segment, uint32_t to, uint32_t from, uint32_t count)
{
    const struct data_segment *data = &instance->module->data[segment];
    uint32_t length = instance->dropped_data[segment] ? 0 : data->length;
    uint8_t *p = memory_at(instance, to, count);
    if (!p || (uint64_t)from + count > length) {
        throw(instance, "out of bounds memory access");
        return false;
    }
    if (count > 0)
        memcpy(p, data->bytes + from, count);
    return true;
}

/*
 * Where the app heap goes: nowhere when the module brings malloc and free, in front of its __heap_base (which moves up)
 * when it exports that, else in pages of its own behind the memory. The pages count in memory.size.
 */
static void place_app_heap(struct wasm_instance *instance, uint32_t heap_size, uint32_t *pages)
{
    const struct wasm_module *module = instance->module;
    uint64_t end = (uint64_t)*pages * PAGE_BYTES;
    if (heap_size == 0 || (find_export(module, "malloc", EXTERNAL_FUNCTION) && find_export(module, "free", EXTERNAL_FUNCTION)))
        return;
    uint64_t start = end;
    if (module->heap_base_global != NO_INDEX) {
        union value *base = &instance->globals[module->heap_base_global];
        uint64_t aligned = ((uint64_t)base->u32 + 15) & ~(uint64_t)15;
        if (aligned < end) {
            start = aligned;
            base->u32 = (uint32_t)(aligned + heap_size);
        }
    }
    uint64_t new_end = start + heap_size;
    uint64_t extra = new_end > end ? (new_end - end + PAGE_BYTES - 1) / PAGE_BYTES : 0;
    if (*pages + extra >= MAX_PAGES)
        return;
    *pages += (uint32_t)extra;
    instance->heap_start = (uint32_t)start;
    instance->heap_size = heap_size;
}

static bool create_memory(struct wasm_instance *instance, uint32_t heap_size)
{
    const struct limits *limits = &instance->module->memory;
    struct memory_instance *memory = &instance->memory;
    if (!instance->module->has_memory)
        return true;
    uint32_t pages = limits->min;
    place_app_heap(instance, heap_size, &pages);
    uint32_t max = limits->has_max ? limits->max + (pages - limits->min) : MAX_PAGES;
    memory->pages = pages;
    memory->max_pages = max < MAX_PAGES ? max : MAX_PAGES;
    memory->size = (uint64_t)pages * PAGE_BYTES;
    memory->capacity = pages > 0 ? memory->size : PAGE_BYTES; /* an empty memory has an address, too */
    memory->data = wasm_runtime.host.linear_alloc(wasm_runtime.host.context, memory->capacity);
    return memory->data != NULL;
}

/* ---- tables ---- */

static bool table_in_bounds(const struct table_instance *table, uint32_t start, uint32_t count)
{
    return (uint64_t)start + count <= table->size;
}

static bool table_trap(struct wasm_instance *instance)
{
    throw(instance, "out of bounds table access");
    return false;
}

uint32_t table_grow(struct wasm_instance *instance, uint32_t index, uint32_t count, uint32_t reference)
{
    struct table_instance *table = &instance->tables[index];
    uint32_t old = table->size;
    if (count > table->max - old)
        return (uint32_t)-1;
    if (old + count > table->capacity) {
        uint32_t capacity = old + count + old / 2;
        if (capacity > table->max)
            capacity = table->max;
        uint32_t *elements = runtime_alloc((size_t)capacity * sizeof *elements);
        if (!elements)
            return (uint32_t)-1;
        if (old > 0)
            memcpy(elements, table->elements, old * sizeof *elements);
        runtime_free(table->elements);
        table->elements = elements;
        table->capacity = capacity;
    }
    table->size = old + count;
    table_fill(instance, index, old, reference, count);
    return old;
}

bool table_fill(struct wasm_instance *instance, uint32_t index, uint32_t start, uint32_t reference, uint32_t count)
{
    struct table_instance *table = &instance->tables[index];
    if (!table_in_bounds(table, start, count))
        return table_trap(instance);
    for (uint32_t i = 0; i < count; i++)
        table->elements[start + i] = reference;
    return true;
}

bool table_init(struct wasm_instance *instance, uint32_t segment, uint32_t index, uint32_t to, uint32_t from,
                uint32_t count)
{
    const struct element_segment *element = &instance->module->elements[segment];
    struct table_instance *table = &instance->tables[index];
    uint32_t length = instance->dropped_elements[segment] ? 0 : element->count;
    if (!table_in_bounds(table, to, count) || (uint64_t)from + count > length)
        return table_trap(instance);
    if (count > 0)
        memcpy(table->elements + to, element->references + from, count * sizeof(uint32_t));
    return true;
}

bool table_copy(struct wasm_instance *instance, uint32_t to_table, uint32_t from_table, uint32_t to, uint32_t from,
                uint32_t count)
{
    struct table_instance *target = &instance->tables[to_table], *source = &instance->tables[from_table];
    if (!table_in_bounds(target, to, count) || !table_in_bounds(source, from, count))
        return table_trap(instance);
    if (count > 0)
        memmove(target->elements + to, source->elements + from, count * sizeof(uint32_t));
    return true;
}

/* ---- externref ---- */

static bool same_pointer(void *const *a, void *const *b)
{
    return memcmp(a, b, sizeof *a) == 0 && same_tag(*a, *b);
}

/* The reference of a host pointer: the handle it has already, or a new one. 0 is null (also when memory ran out). */
uint32_t extern_to_reference(struct wasm_instance *instance, void *pointer)
{
    if (!pointer)
        return 0;
    for (uint32_t i = 0; i < instance->n_externs; i++)
        if (same_pointer(&instance->externs[i], &pointer))
            return i + 1;
    if (instance->n_externs == instance->max_externs) {
        uint32_t capacity = instance->max_externs ? instance->max_externs * 2 : 16;
        void **externs = runtime_alloc(capacity * sizeof *externs);
        if (!externs) {
            throw(instance, "allocate memory failed");
            return 0;
        }
        for (uint32_t i = 0; i < instance->n_externs; i++)
            externs[i] = instance->externs[i];
        runtime_free(instance->externs);
        instance->externs = externs;
        instance->max_externs = capacity;
    }
    instance->externs[instance->n_externs++] = pointer;
    return instance->n_externs;
}

void *reference_to_extern(const struct wasm_instance *instance, uint64_t reference)
{
    return reference == 0 || reference > instance->n_externs ? NULL : instance->externs[reference - 1];
}

/* ---- creation ---- */

static bool create_tables(struct wasm_instance *instance)
{
    const struct wasm_module *module = instance->module;
    instance->tables = arena_alloc(&instance->arena, module->n_tables * sizeof *instance->tables);
    if (!instance->tables)
        return false;
    for (uint32_t i = 0; i < module->n_tables; i++) {
        const struct limits *limits = &module->tables[i].limits;
        struct table_instance *table = &instance->tables[i];
        table->max = limits->has_max && limits->max < MAX_TABLE_ELEMENTS ? limits->max : MAX_TABLE_ELEMENTS;
        if (limits->min > MAX_TABLE_ELEMENTS)
            return false;
        table->size = table->capacity = limits->min;
        table->elements = runtime_alloc((size_t)limits->min * sizeof(uint32_t) + 1);
        if (!table->elements)
            return false;
    }
    return true;
}

static bool create_globals(struct wasm_instance *instance)
{
    const struct wasm_module *module = instance->module;
    instance->globals = arena_alloc(&instance->arena, module->n_globals * sizeof *instance->globals);
    if (!instance->globals)
        return false;
    for (uint32_t i = 0; i < module->n_globals; i++)
        instance->globals[i] = module->globals[i].init;
    return true;
}

/* The call stack gets one frame per 64 bytes of operand stack. */
static bool create_env(struct wasm_instance *instance, uint32_t stack_bytes)
{
    struct wasm_exec_env *env = &instance->env;
    if (stack_bytes < 1024)
        stack_bytes = 1024;
    uint32_t n_frames = stack_bytes / 64;
    env->instance = instance;
    instance->stack_bytes = stack_bytes & ~15u;
    env->stack = wasm_runtime.host.linear_alloc(wasm_runtime.host.context, instance->stack_bytes);
    env->frames = arena_alloc(&instance->arena, n_frames * sizeof *env->frames);
    if (!env->stack || !env->frames)
        return false;
    env->stack_end = env->stack + instance->stack_bytes / sizeof *env->stack;
    env->stack_top = env->stack;
    env->frames_end = env->frames + n_frames;
    env->frame = env->frames;
    return true;
}

static const char *apply_elements(struct wasm_instance *instance)
{
    const struct wasm_module *module = instance->module;
    for (uint32_t i = 0; i < module->n_elements; i++) {
        const struct element_segment *segment = &module->elements[i];
        if (segment->mode == SEGMENT_ACTIVE
            && !table_init(instance, i, segment->table, segment->offset.u32, 0, segment->count))
            return "out of bounds table access";
        if (segment->mode != SEGMENT_PASSIVE)
            instance->dropped_elements[i] = 1;
    }
    return NULL;
}

static const char *apply_data(struct wasm_instance *instance)
{
    const struct wasm_module *module = instance->module;
    for (uint32_t i = 0; i < module->n_data; i++) {
        const struct data_segment *segment = &module->data[i];
        if (segment->mode != SEGMENT_ACTIVE)
            continue;
        if (!memory_init(instance, i, segment->offset.u32, 0, segment->length))
            return "out of bounds memory access";
        instance->dropped_data[i] = 1;
    }
    return NULL;
}

/* NULL, or why the instance could not be set up. The start functions are not run here. */
static const char *set_up(struct wasm_instance *instance, uint32_t stack_size, uint32_t heap_size)
{
    const struct wasm_module *module = instance->module;
    const char *error = NULL;
    instance->dropped_elements = arena_alloc(&instance->arena, module->n_elements);
    instance->dropped_data = arena_alloc(&instance->arena, module->n_data);
    if (!instance->dropped_elements || !instance->dropped_data || !create_globals(instance)
        || !create_memory(instance, heap_size) || !create_tables(instance) || !create_env(instance, stack_size))
        return "allocate memory failed";
    error = apply_elements(instance);
    if (!error)
        error = apply_data(instance);
    if (!error && module->is_wasi && !wasi_instantiate(instance, &error) && !error)
        error = "allocate memory failed";
    return error;
}

void destroy_instance(struct wasm_instance *instance)
{
    const struct host_services *host = &wasm_runtime.host;
    if (instance->wasi)
        wasi_deinstantiate(instance);
    if (instance->memory.data)
        host->linear_free(host->context, instance->memory.data, instance->memory.capacity);
    for (uint32_t i = 0; instance->tables && i < instance->module->n_tables; i++)
        runtime_free(instance->tables[i].elements);
    if (instance->env.stack)
        host->linear_free(host->context, instance->env.stack, instance->stack_bytes);
    runtime_free(instance->externs);
    arena_free(&instance->arena);
    runtime_free(instance);
}

struct wasm_instance *create_instance(struct wasm_module *module, uint32_t stack_size, uint32_t heap_size,
                                      const char **error)
{
    struct wasm_instance *instance = runtime_alloc(sizeof *instance);
    if (!instance) {
        *error = "allocate memory failed";
        return NULL;
    }
    instance->module = module;
    *error = set_up(instance, stack_size, heap_size);
    if (*error) {
        destroy_instance(instance);
        return NULL;
    }
    return instance;
}
