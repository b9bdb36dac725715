/*
 * Sections to a struct wasm_module, with all checks that are not about function bodies (those are compile.c's), and the
 * linking of imported functions.
 */
#include "ops.h"
#include "runtime.h"

struct loader {
    struct reader r;
    struct wasm_module *module;
    uint32_t n_declared; /* functions announced by the function section */
    uint32_t n_bodies;
    uint32_t data_count;
};

static void load_fail(struct loader *l, const char *error)
{
    reader_fail(&l->r, error);
}

static void *allocate(struct loader *l, size_t count, size_t size)
{
    void *block = count > SIZE_MAX / 2 / size ? NULL : arena_alloc(&l->module->arena, count * size);
    if (!block)
        load_fail(l, "allocate memory failed");
    return block;
}

/* A vector's length; each element takes at least one byte, which bounds what is allocated for it. */
static uint32_t read_count(struct loader *l)
{
    uint32_t count = read_leb_u32(&l->r);
    if (count > (size_t)(l->r.end - l->r.p)) {
        load_fail(l, "unexpected end");
        return 0;
    }
    return count;
}

/* A name as a C string. It may contain zero bytes: those names are equal to no other, and never found. */
static const char *read_name(struct loader *l, uint32_t *name_length)
{
    uint32_t length = read_leb_u32(&l->r);
    const uint8_t *bytes = read_bytes(&l->r, length);
    *name_length = length;
    if (l->r.error)
        return "";
    if (!utf8_valid(bytes, length)) {
        load_fail(l, "invalid UTF-8 encoding");
        return "";
    }
    char *name = allocate(l, (size_t)length + 1, 1);
    if (!name)
        return "";
    memcpy(name, bytes, length);
    return name;
}

/* ---- types ---- */

static uint8_t read_value_type(struct loader *l)
{
    uint8_t type = read_u8(&l->r);
    if (!l->r.error && !is_value_type(type))
        load_fail(l, "invalid value type");
    return type;
}

static uint8_t read_reference_type(struct loader *l)
{
    uint8_t type = read_u8(&l->r);
    if (!l->r.error && !is_reference_type(type))
        load_fail(l, "malformed reference type");
    return type;
}

static bool read_flag(struct loader *l, const char *error)
{
    uint8_t flag = read_u8(&l->r);
    if (!l->r.error && flag > 1)
        load_fail(l, error);
    return flag != 0;
}

static void read_limits(struct loader *l, struct limits *limits)
{
    limits->has_max = read_flag(l, "integer too large");
    limits->min = read_leb_u32(&l->r);
    limits->max = limits->has_max ? read_leb_u32(&l->r) : 0;
    if (!l->r.error && limits->has_max && limits->min > limits->max)
        load_fail(l, "size minimum must not be greater than maximum");
}

static uint32_t canonical_type(const struct wasm_module *module, uint32_t index)
{
    const struct func_type *type = &module->types[index];
    for (uint32_t i = 0; i < index; i++) {
        const struct func_type *other = &module->types[i];
        if (other->n_params == type->n_params && other->n_results == type->n_results
            && memcmp(other->types, type->types, type->n_params + type->n_results) == 0)
            return i;
    }
    return index;
}

static void load_types(struct loader *l, uint32_t count)
{
    struct wasm_module *module = l->module;
    module->types = allocate(l, count, sizeof *module->types);
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        struct func_type *type = &module->types[i];
        if (read_u8(&l->r) != 0x60) {
            load_fail(l, "invalid type flag");
            return;
        }
        type->n_params = read_count(l);
        const uint8_t *params = l->r.p;
        for (uint32_t k = 0; k < type->n_params; k++)
            read_value_type(l);
        type->n_results = read_count(l);
        const uint8_t *results = l->r.p;
        for (uint32_t k = 0; k < type->n_results; k++)
            read_value_type(l);
        uint8_t *types = l->r.error ? NULL : allocate(l, (size_t)type->n_params + type->n_results, 1);
        if (!types)
            return;
        memcpy(types, params, type->n_params);
        memcpy(types + type->n_params, results, type->n_results);
        type->types = types;
        module->n_types = i + 1;
        type->canonical = canonical_type(module, i);
        if (type->n_params > MAX_FRAME_SLOTS / 2 || type->n_results > MAX_FRAME_SLOTS / 2)
            load_fail(l, "too many parameters or results");
    }
}

static const struct func_type *read_type_index(struct loader *l)
{
    uint32_t index = read_leb_u32(&l->r);
    if (index >= l->module->n_types) {
        load_fail(l, "unknown type");
        return NULL;
    }
    return &l->module->types[index];
}

/* ---- functions ---- */

/* functions[] holds the imports when the import section is read and is copied once when the function section comes. */
static void grow_functions(struct loader *l, uint32_t extra)
{
    struct wasm_module *module = l->module;
    uint32_t old = module->n_functions;
    struct wasm_function *functions = allocate(l, (size_t)old + extra, sizeof *functions);
    if (!functions)
        return;
    if (old > 0)
        memcpy(functions, module->functions, old * sizeof *functions);
    module->functions = functions;
}

static bool is_wasi_module(const char *name)
{
    return strcmp(name, "wasi_snapshot_preview1") == 0 || strcmp(name, "wasi_unstable") == 0;
}

/* The code of an import: one instruction that calls the native. */
static const union unit *call_code(struct loader *l, uint32_t index)
{
    union unit *code = allocate(l, 2, sizeof *code);
    if (code) {
        code[0].h[0] = OP_NATIVE;
        code[1].w = index;
    }
    return code;
}

static void load_import_function(struct loader *l, const char *module_name, const char *name)
{
    struct wasm_module *module = l->module;
    const struct func_type *type = read_type_index(l);
    struct native_function *native = allocate(l, 1, sizeof *native);
    if (!type || !native)
        return;
    struct wasm_function *function = &module->functions[module->n_functions];
    function->type = type;
    function->n_params = function->n_locals = type->n_params;
    function->frame_slots = type->n_params > type->n_results ? type->n_params : type->n_results;
    function->index = module->n_functions++;
    function->native = native;
    function->code = call_code(l, function->index);
    native->module_name = module_name;
    native->name = name;
    module->n_imports = module->n_functions;
    if (is_wasi_module(module_name))
        module->is_wasi = true;
    link_native(native, type);
}

/* Only functions can be imported: there is nobody to import a table, memory or global from. */
static void load_imports(struct loader *l, uint32_t count)
{
    grow_functions(l, count);
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        uint32_t module_length, length;
        const char *module_name = read_name(l, &module_length);
        const char *name = read_name(l, &length);
        uint8_t kind = read_u8(&l->r);
        if (l->r.error)
            return;
        if (strlen(module_name) != module_length || strlen(name) != length)
            module_name = ""; /* no native has such a name */
        if (kind == EXTERNAL_FUNCTION)
            load_import_function(l, module_name, name);
        else
            load_fail(l, kind <= EXTERNAL_GLOBAL ? "unknown import" : "invalid import kind");
    }
}

static void load_functions(struct loader *l, uint32_t count)
{
    struct wasm_module *module = l->module;
    grow_functions(l, count);
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        const struct func_type *type = read_type_index(l);
        if (!type)
            return;
        struct wasm_function *function = &module->functions[module->n_functions];
        function->type = type;
        function->n_params = type->n_params;
        function->index = module->n_functions++;
    }
    l->n_declared = count;
}

/* ---- tables, memories, globals ---- */

static void load_tables(struct loader *l, uint32_t count)
{
    struct wasm_module *module = l->module;
    if (count > 0xffff)
        load_fail(l, "too many tables");
    module->tables = allocate(l, count, sizeof *module->tables);
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        module->tables[i].element = read_reference_type(l);
        read_limits(l, &module->tables[i].limits);
        module->n_tables = i + 1;
    }
}

static void load_memories(struct loader *l, uint32_t count)
{
    struct limits *memory = &l->module->memory;
    if (count > 1)
        load_fail(l, "multiple memories");
    if (count != 1 || l->r.error)
        return;
    read_limits(l, memory);
    if (!l->r.error && (memory->min > MAX_PAGES || (memory->has_max && memory->max > MAX_PAGES)))
        load_fail(l, "memory size must be at most 65536 pages (4GiB)");
    l->module->has_memory = true;
}

static void check_function_index(struct loader *l, uint32_t index)
{
    if (index >= l->module->n_functions)
        load_fail(l, "unknown function");
}

/* A constant expression of type `type`. References to functions become declared. */
static void read_init_expr(struct loader *l, uint8_t type, union value *init)
{
    uint8_t opcode = read_u8(&l->r);
    uint8_t actual = TYPE_ANY;
    const uint8_t *p;
    uint32_t index;
    memset(init, 0, sizeof *init);
    if (l->r.error)
        return;
    switch (opcode) {
    case 0x41:
        init->u64 = (uint32_t)read_leb_i32(&l->r);
        actual = TYPE_I32;
        break;
    case 0x42:
        init->i64 = read_leb_i64(&l->r);
        actual = TYPE_I64;
        break;
    case 0x43:
        p = read_bytes(&l->r, 4);
        init->u64 = p ? load_u32(p) : 0;
        actual = TYPE_F32;
        break;
    case 0x44:
        p = read_bytes(&l->r, 8);
        init->u64 = p ? load_u64(p) : 0;
        actual = TYPE_F64;
        break;
    case 0xd0:
        actual = read_reference_type(l);
        break;
    case 0xd2:
        index = read_leb_u32(&l->r);
        check_function_index(l, index);
        if (!l->r.error)
            l->module->declared[index] = 1;
        init->u64 = (uint64_t)index + 1;
        actual = TYPE_FUNCREF;
        break;
    case 0x23: /* only imported globals may be named, and there are none */
        read_leb_u32(&l->r);
        load_fail(l, "unknown global");
        break;
    case 0x0b:
        load_fail(l, "type mismatch");
        break;
    default:
        load_fail(l, "constant expression required");
        break;
    }
    if (l->r.error)
        return;
    if (actual != type)
        load_fail(l, "type mismatch");
    else if (read_u8(&l->r) != 0x0b)
        load_fail(l, "constant expression required");
}

static void load_globals(struct loader *l, uint32_t count)
{
    struct wasm_module *module = l->module;
    module->globals = allocate(l, count, sizeof *module->globals);
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        struct global *global = &module->globals[i];
        global->type = read_value_type(l);
        global->is_mutable = read_flag(l, "invalid mutability");
        read_init_expr(l, global->type, &global->init);
        module->n_globals = i + 1;
    }
}

/* ---- exports, start ---- */

static void check_export(struct loader *l, const struct export_entry *entry)
{
    struct wasm_module *module = l->module;
    switch (entry->kind) {
    case EXTERNAL_FUNCTION:
        check_function_index(l, entry->index);
        if (!l->r.error)
            module->declared[entry->index] = 1;
        break;
    case EXTERNAL_TABLE:
        if (entry->index >= module->n_tables)
            load_fail(l, "unknown table");
        break;
    case EXTERNAL_MEMORY:
        if (entry->index > 0 || !module->has_memory)
            load_fail(l, "unknown memory");
        break;
    case EXTERNAL_GLOBAL:
        if (entry->index >= module->n_globals)
            load_fail(l, "unknown global");
        else if (strcmp(entry->name, "__heap_base") == 0 && module->globals[entry->index].type == TYPE_I32)
            module->heap_base_global = (int32_t)entry->index;
        break;
    default:
        load_fail(l, "invalid export kind");
        break;
    }
}

static void load_exports(struct loader *l, uint32_t count)
{
    struct wasm_module *module = l->module;
    module->exports = allocate(l, count, sizeof *module->exports);
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        struct export_entry *entry = &module->exports[i];
        entry->name = read_name(l, &entry->name_length);
        entry->kind = read_u8(&l->r);
        entry->index = read_leb_u32(&l->r);
        for (uint32_t k = 0; k < i && !l->r.error; k++)
            if (module->exports[k].name_length == entry->name_length
                && memcmp(module->exports[k].name, entry->name, entry->name_length) == 0)
                load_fail(l, "duplicate export name");
        if (!l->r.error)
            check_export(l, entry);
        module->n_exports = i + 1;
    }
}

static void load_start(struct loader *l)
{
    uint32_t index = read_leb_u32(&l->r);
    check_function_index(l, index);
    if (l->r.error)
        return;
    const struct func_type *type = l->module->functions[index].type;
    if (type->n_params != 0 || type->n_results != 0)
        load_fail(l, "invalid start function");
    l->module->start = (int32_t)index;
}

/* ---- element and data segments ---- */

static uint32_t read_reference(struct loader *l, uint8_t type, bool is_expression)
{
    union value init;
    if (is_expression) {
        read_init_expr(l, type, &init);
        return init.u32;
    }
    uint32_t index = read_leb_u32(&l->r);
    check_function_index(l, index);
    if (l->r.error)
        return 0;
    l->module->declared[index] = 1;
    return index + 1;
}

/* Flag bits: 0 passive or declarative, 1 explicit table (or declarative), 2 expressions instead of indices. */
static void load_element(struct loader *l, struct element_segment *segment)
{
    uint32_t flags = read_leb_u32(&l->r);
    bool is_expression = (flags & 4) != 0;
    if (flags > 7) {
        load_fail(l, "invalid elements segment kind");
        return;
    }
    segment->type = TYPE_FUNCREF;
    if (flags & 1) {
        segment->mode = flags & 2 ? SEGMENT_DECLARATIVE : SEGMENT_PASSIVE;
    } else {
        segment->mode = SEGMENT_ACTIVE;
        segment->table = flags & 2 ? read_leb_u32(&l->r) : 0;
        read_init_expr(l, TYPE_I32, &segment->offset);
    }
    if (flags & 3) {
        if (is_expression)
            segment->type = read_reference_type(l);
        else if (read_u8(&l->r) != 0)
            load_fail(l, "invalid elem kind");
    }
    if (!l->r.error && segment->mode == SEGMENT_ACTIVE) {
        if (segment->table >= l->module->n_tables)
            load_fail(l, "unknown table");
        else if (l->module->tables[segment->table].element != segment->type)
            load_fail(l, "type mismatch");
    }
    segment->count = read_count(l);
    segment->references = allocate(l, segment->count, sizeof *segment->references);
    for (uint32_t i = 0; i < segment->count && !l->r.error; i++)
        segment->references[i] = read_reference(l, segment->type, is_expression);
}

static void load_elements(struct loader *l, uint32_t count)
{
    struct wasm_module *module = l->module;
    module->elements = allocate(l, count, sizeof *module->elements);
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        load_element(l, &module->elements[i]);
        module->n_elements = i + 1;
    }
}

static void load_data(struct loader *l, uint32_t count)
{
    struct wasm_module *module = l->module;
    if (module->has_data_count && count != l->data_count) {
        load_fail(l, "data count and data section have inconsistent lengths");
        return;
    }
    module->data = allocate(l, count, sizeof *module->data);
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        struct data_segment *segment = &module->data[i];
        uint32_t flags = read_leb_u32(&l->r);
        if (flags > 2) {
            load_fail(l, "invalid data segment kind");
            return;
        }
        segment->mode = flags == 1 ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
        if (segment->mode == SEGMENT_ACTIVE) {
            uint32_t memory = flags == 2 ? read_leb_u32(&l->r) : 0;
            if (memory != 0 || !module->has_memory)
                load_fail(l, "unknown memory");
            read_init_expr(l, TYPE_I32, &segment->offset);
        }
        segment->length = read_leb_u32(&l->r);
        segment->bytes = read_bytes(&l->r, segment->length);
    }
    module->n_data = count;
}

/* ---- code ---- */

static void load_code(struct loader *l, uint32_t count)
{
    struct wasm_module *module = l->module;
    if (count != l->n_declared) {
        load_fail(l, "function and code section have inconsistent lengths");
        return;
    }
    for (uint32_t i = 0; i < count && !l->r.error; i++) {
        struct wasm_function *function = &module->functions[module->n_imports + i];
        uint32_t size = read_leb_u32(&l->r);
        function->body = read_bytes(&l->r, size);
        function->body_end = l->r.p;
    }
    l->n_bodies = count;
}

/* Bodies are checked last: they may refer to the data count, which stands before, and to everything else. */
static void compile_functions(struct loader *l)
{
    struct wasm_module *module = l->module;
    for (uint32_t i = module->n_imports; i < module->n_functions && !l->r.error; i++) {
        const char *error = NULL;
        if (!compile_function(module, &module->functions[i], &error))
            load_fail(l, error);
    }
}

/* ---- sections ---- */

enum section {
    SECTION_CUSTOM, SECTION_TYPE, SECTION_IMPORT, SECTION_FUNCTION, SECTION_TABLE, SECTION_MEMORY, SECTION_GLOBAL,
    SECTION_EXPORT, SECTION_START, SECTION_ELEMENT, SECTION_CODE, SECTION_DATA, SECTION_DATA_COUNT
};

/* Position of each section in the prescribed order, by id. */
static const uint8_t section_order[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 10 };

static void load_custom(struct loader *l)
{
    uint32_t length = read_leb_u32(&l->r);
    const uint8_t *name = read_bytes(&l->r, length);
    if (!l->r.error && !utf8_valid(name, length))
        load_fail(l, "invalid UTF-8 encoding");
    l->r.p = l->r.end;
}

/* The declared[] flags are needed from the first section which may name functions. */
static void make_declared(struct loader *l)
{
    if (!l->module->declared)
        l->module->declared = allocate(l, (size_t)l->module->n_functions + 1, 1);
}

static void load_section(struct loader *l, uint8_t id)
{
    if (id > SECTION_FUNCTION)
        make_declared(l);
    if (l->r.error)
        return;
    switch (id) {
    case SECTION_CUSTOM:
        load_custom(l);
        return;
    case SECTION_START:
        load_start(l);
        return;
    case SECTION_DATA_COUNT:
        l->data_count = read_leb_u32(&l->r);
        l->module->n_data = l->data_count;
        l->module->has_data_count = true;
        return;
    default:
        break;
    }
    uint32_t count = read_count(l);
    if (l->r.error)
        return;
    switch (id) {
    case SECTION_TYPE: load_types(l, count); break;
    case SECTION_IMPORT: load_imports(l, count); break;
    case SECTION_FUNCTION: load_functions(l, count); break;
    case SECTION_TABLE: load_tables(l, count); break;
    case SECTION_MEMORY: load_memories(l, count); break;
    case SECTION_GLOBAL: load_globals(l, count); break;
    case SECTION_EXPORT: load_exports(l, count); break;
    case SECTION_ELEMENT: load_elements(l, count); break;
    case SECTION_CODE: load_code(l, count); break;
    default: load_data(l, count); break;
    }
}

static void load_sections(struct loader *l)
{
    const uint8_t *end = l->r.end;
    uint8_t last = 0;
    bool has_data = false;
    while (!l->r.error && l->r.p < end) {
        uint8_t id = read_u8(&l->r);
        uint32_t size = read_leb_u32(&l->r);
        if (l->r.error)
            return;
        if (id > SECTION_DATA_COUNT) {
            load_fail(l, "invalid section id");
        } else if (id != SECTION_CUSTOM && section_order[id] <= last) {
            load_fail(l, "unexpected content after last section");
        } else if (size > (size_t)(end - l->r.p)) {
            load_fail(l, "unexpected end");
        } else {
            l->r.end = l->r.p + size;
            load_section(l, id);
            if (!l->r.error && l->r.p != l->r.end)
                load_fail(l, "section size mismatch");
            l->r.end = end;
            if (id != SECTION_CUSTOM)
                last = section_order[id];
            has_data = has_data || id == SECTION_DATA;
        }
    }
    make_declared(l);
    if (!l->r.error && l->n_bodies != l->n_declared)
        load_fail(l, "function and code section have inconsistent lengths");
    if (!l->r.error && l->module->has_data_count && !has_data && l->data_count != 0)
        load_fail(l, "data count and data section have inconsistent lengths");
}

bool load_module(struct wasm_module *module, const uint8_t *bytes, uint32_t size, const char **error)
{
    struct loader loader;
    memset(&loader, 0, sizeof loader);
    loader.module = module;
    loader.r.p = bytes;
    loader.r.end = bytes + size;
    module->start = NO_INDEX;
    module->heap_base_global = NO_INDEX;
    if (size < 4 || load_u32(bytes) != 0x6d736100)
        load_fail(&loader, "magic header not detected");
    else if (size < 8 || load_u32(bytes + 4) != 1)
        load_fail(&loader, "unknown binary version");
    loader.r.p = loader.r.error ? loader.r.end : bytes + 8;
    load_sections(&loader);
    compile_functions(&loader);
    *error = loader.r.error;
    return loader.r.error == NULL;
}

const struct export_entry *find_export(const struct wasm_module *module, const char *name, uint8_t kind)
{
    size_t length = strlen(name);
    for (uint32_t i = 0; i < module->n_exports; i++) {
        const struct export_entry *entry = &module->exports[i];
        if (entry->kind == kind && entry->name_length == length && memcmp(entry->name, name, length) == 0)
            return entry;
    }
    return NULL;
}
