/*
 * One walk over a function body: full validation, and (with `emit`) translation to the register code of ops.h.
 *
 * load_module() walks every body without emitting; the interpreter walks a body again, emitting, when the function is
 * first called. So every type check exists once, and start-up pays translation only for code that runs.
 *
 * The operand stack is simulated. An entry is a value in its own slot (n_locals + position), or, not yet copied
 * anywhere, a local or a constant; instructions then name the local's slot directly. Entries are brought to their own
 * slots where control flow meets. A local about to be overwritten is first copied for the entries which still mean it.
 *
 * Code after an unconditional branch is validated but not emitted (`live` is false there, and everywhere when only
 * validating).
 */
#include "compile.h"

#define NO_POSITION 0xffffffffu

/* ---- scratch buffers ---- */

static bool scratch_reserve(struct scratch *scratch, uint32_t bytes)
{
    if (bytes <= scratch->capacity)
        return true;
    uint32_t capacity = scratch->capacity ? scratch->capacity : 2048;
    while (capacity < bytes)
        capacity *= 2;
    void *block = runtime_alloc(capacity);
    if (!block)
        return false;
    if (scratch->capacity)
        memcpy(block, scratch->block, scratch->capacity);
    runtime_free(scratch->block);
    scratch->block = block;
    scratch->capacity = capacity;
    return true;
}

void fail(struct compiler *c, const char *error)
{
    reader_fail(&c->r, error);
}

/* ---- emission ---- */

static void put(struct compiler *c, union unit unit)
{
    if ((c->position + 1) * sizeof(union unit) > c->scratch->units.capacity) {
        if (!scratch_reserve(&c->scratch->units, (c->position + 1) * (uint32_t)sizeof(union unit))) {
            fail(c, "allocate memory failed");
            return;
        }
        c->units = c->scratch->units.block;
    }
    c->units[c->position++] = unit;
}

void put_word(struct compiler *c, uint32_t word)
{
    union unit unit;
    unit.w = word;
    if (c->live)
        put(c, unit);
}

void put_pair(struct compiler *c, uint32_t low, uint32_t high)
{
    put_word(c, low | high << 16);
}

/* Start an instruction; `a` is not a result. */
void emit(struct compiler *c, uint32_t op, uint32_t a)
{
    put_pair(c, op, a);
    c->last = NO_POSITION;
}

/* Start an instruction whose operand A is its result's slot: it may be redirected or fused later. */
void emit_result(struct compiler *c, uint32_t op, uint32_t a)
{
    uint32_t position = c->position;
    put_pair(c, op, a);
    c->last = c->live ? position : NO_POSITION;
}

static uint32_t slot_of(const struct compiler *c, uint32_t entry)
{
    return c->n_locals + entry;
}

static void emit_constant(struct compiler *c, uint32_t slot, uint64_t bits)
{
    if (bits >> 32) {
        emit_result(c, OP_CONST64, slot);
        put_word(c, (uint32_t)bits);
        put_word(c, (uint32_t)(bits >> 32));
    } else {
        emit_result(c, OP_CONST32, slot);
        put_word(c, (uint32_t)bits);
    }
}

static void emit_copy(struct compiler *c, uint32_t to, uint32_t from)
{
    emit_result(c, OP_COPY, to);
    put_pair(c, from, 0);
}

/* Emit whatever brings entry `i` into `slot`. */
static void emit_move(struct compiler *c, uint32_t slot, uint32_t i)
{
    const struct operand *operand = &c->operands[i];
    if (!c->live)
        return;
    if (operand->place == IN_CONSTANT)
        emit_constant(c, slot, operand->bits);
    else if (operand->place == IN_LOCAL)
        emit_copy(c, slot, operand->local);
    else if (slot != slot_of(c, i))
        emit_copy(c, slot, slot_of(c, i));
}

static void settle(struct compiler *c, uint32_t i)
{
    emit_move(c, slot_of(c, i), i);
    c->operands[i].place = IN_SLOT;
}

/* Bring entries [first, height) to their own slots. */
void settle_from(struct compiler *c, uint32_t first)
{
    for (uint32_t i = first; i < c->height; i++)
        if (c->operands[i].place != IN_SLOT)
            settle(c, i);
}

/* The slot where entry `i` can be read. */
uint32_t slot_for(struct compiler *c, uint32_t i)
{
    if (c->operands[i].place == IN_LOCAL)
        return c->operands[i].local;
    if (c->operands[i].place == IN_CONSTANT)
        settle(c, i);
    return slot_of(c, i);
}

/* ---- the operand stack ---- */

struct operand *push(struct compiler *c, uint8_t type)
{
    if ((c->height + 2) * sizeof(struct operand) > c->scratch->operands.capacity) {
        if (!scratch_reserve(&c->scratch->operands, (c->height + 2) * (uint32_t)sizeof(struct operand))) {
            fail(c, "allocate memory failed");
            return &c->operands[0];
        }
        c->operands = c->scratch->operands.block;
    }
    struct operand *operand = &c->operands[c->height++];
    operand->type = type;
    operand->place = IN_SLOT;
    if (c->height > c->max_height)
        c->max_height = c->height;
    return operand;
}

/* Pop one entry and return its index; TYPE_ANY takes any type. */
uint32_t pop(struct compiler *c, uint8_t type)
{
    const struct label *label = c->label;
    if (c->height == label->height) {
        if (!label->is_unreachable)
            fail(c, "type mismatch");
        c->operands[c->height].type = TYPE_ANY;
        c->operands[c->height].place = IN_SLOT;
        return c->height;
    }
    uint8_t actual = c->operands[--c->height].type;
    if (actual != type && actual != TYPE_ANY && type != TYPE_ANY)
        fail(c, "type mismatch");
    return c->height;
}

static void pop_all(struct compiler *c, const uint8_t *types, uint32_t count)
{
    while (count > 0)
        pop(c, types[--count]);
}

static void push_all(struct compiler *c, const uint8_t *types, uint32_t count)
{
    for (uint32_t i = 0; i < count && !c->r.error; i++)
        push(c, types[i]);
}

/* Check the top entries against `types` without consuming them: their places, and unknown types, stay. */
static void check_top(struct compiler *c, const uint8_t *types, uint32_t count)
{
    uint32_t present = c->height - c->label->height;
    if (present < count && !c->label->is_unreachable)
        fail(c, "type mismatch");
    for (uint32_t i = 1; i <= count && i <= present; i++) {
        uint8_t actual = c->operands[c->height - i].type;
        if (actual != types[count - i] && actual != TYPE_ANY)
            fail(c, "type mismatch");
    }
}

/* ---- labels ---- */

static void label_types(const struct label *label, const uint8_t **types, uint32_t *count)
{
    bool is_loop = label->kind == LABEL_LOOP;
    *types = is_loop ? label->params : label->results;
    *count = is_loop ? label->n_params : label->n_results;
}

static void push_label(struct compiler *c, enum label_kind kind, const struct block_type *type)
{
    uint32_t count = c->n_labels + 1;
    if (!scratch_reserve(&c->scratch->labels, count * (uint32_t)sizeof(struct label))) {
        fail(c, "allocate memory failed");
        return;
    }
    c->labels = c->scratch->labels.block;
    c->label = &c->labels[c->n_labels++];
    c->label->kind = kind;
    c->label->params = type->params;
    c->label->n_params = type->n_params;
    c->label->results = type->results;
    c->label->n_results = type->n_results;
    c->label->height = c->height;
    c->label->is_unreachable = false;
    c->label->was_live = c->live;
    c->label->chain = NO_POSITION;
    c->label->else_chain = NO_POSITION;
    c->label->start = c->position;
}

/* The label `depth` levels out, or the current one after an error. */
static struct label *label_at(struct compiler *c, uint32_t depth)
{
    if (depth >= c->n_labels) {
        fail(c, "unknown label");
        return c->label;
    }
    return &c->labels[c->n_labels - 1 - depth];
}

/*
 * Distances. A forward reference is a unit holding (position of the previous one in the chain << 2 | its own index in
 * its instruction); when the label is bound it becomes the distance from the instruction's first unit.
 */
static void put_forward(struct compiler *c, uint32_t *chain, uint32_t index)
{
    if (!c->live)
        return;
    uint32_t position = c->position;
    put_word(c, *chain == NO_POSITION ? NO_POSITION : *chain);
    *chain = position << 2 | index;
}

static void bind(struct compiler *c, uint32_t chain)
{
    while (chain != NO_POSITION && !c->r.error) {
        uint32_t position = chain >> 2, index = chain & 3;
        chain = c->units[position].w;
        c->units[position].w = c->position - (position - index);
    }
    c->last = NO_POSITION;
}

static void put_target(struct compiler *c, struct label *label, uint32_t index)
{
    if (label->kind == LABEL_LOOP)
        put_word(c, label->start - (c->position - index));
    else
        put_forward(c, &label->chain, index);
}

static void stop(struct compiler *c)
{
    c->height = c->label->height;
    c->label->is_unreachable = true;
    c->live = false;
}

/* ---- branches ---- */

static void emit_return(struct compiler *c)
{
    uint32_t count = c->function->type->n_results;
    uint32_t first = c->height - count;
    if (!c->live)
        return;
    if (count == 0) {
        emit(c, OP_RETURN0, 0);
    } else if (count == 1) {
        uint32_t slot = slot_for(c, first);
        emit(c, OP_RETURN1, slot);
    } else {
        settle_from(c, first);
        emit(c, OP_RETURN_N, slot_of(c, first));
        put_word(c, count);
    }
}

static bool is_function_label(const struct compiler *c, const struct label *label)
{
    return label == &c->labels[0];
}

/* Branch to `label` with its values on top of the stack, moving them into place. */
static void emit_branch(struct compiler *c, struct label *label)
{
    const uint8_t *types;
    uint32_t count;
    if (!c->live)
        return;
    if (is_function_label(c, label)) {
        emit_return(c);
        return;
    }
    label_types(label, &types, &count);
    for (uint32_t i = 0; i < count; i++) { /* upwards: a source is never below its destination */
        uint32_t from = c->height - count + i, to = slot_of(c, label->height + i);
        emit_move(c, to, from);
    }
    emit(c, OP_BR, 0);
    put_target(c, label, 1);
}

static uint32_t inverse_compare(uint32_t op)
{
    return COMPARE_FIRST + ((op - COMPARE_FIRST) ^ 1);
}

static bool is_last_result(const struct compiler *c, uint32_t i)
{
    return c->live && c->last != NO_POSITION && c->operands[i].place == IN_SLOT
           && c->units[c->last].h[1] == slot_of(c, i);
}

/* Emit a branch on entry `i` being non-zero (or zero), without its distance; returns the distance's unit index. */
static uint32_t emit_test(struct compiler *c, uint32_t i, bool if_true)
{
    if (!c->live)
        return 1;
    if (is_last_result(c, i)) {
        union unit *unit = &c->units[c->last];
        uint32_t op = unit->h[0];
        if (op >= COMPARE_FIRST && op < COMPARE_END) {
            unit->h[0] = (uint16_t)((if_true ? op : inverse_compare(op)) + COMPARE_BRANCH);
            unit->h[1] = 0;
            c->last = NO_POSITION;
            return 2;
        }
    }
    uint32_t slot = slot_for(c, i);
    emit(c, if_true ? OP_BR_IF : OP_BR_UNLESS, slot);
    return 1;
}

static void compile_br_if(struct compiler *c)
{
    struct label *label = label_at(c, read_leb_u32(&c->r));
    const uint8_t *types;
    uint32_t count;
    uint32_t condition = pop(c, TYPE_I32);
    label_types(label, &types, &count);
    check_top(c, types, count);
    if (!c->live) { /* unknown operands become the label's types */
        pop_all(c, types, count);
        push_all(c, types, count);
        return;
    }
    settle_from(c, c->height - count);
    bool in_place = !is_function_label(c, label) && (count == 0 || c->height - count == label->height);
    if (in_place) {
        uint32_t index = emit_test(c, condition, true);
        put_target(c, label, index);
    } else {
        uint32_t skip = NO_POSITION;
        uint32_t index = emit_test(c, condition, false);
        put_forward(c, &skip, index);
        emit_branch(c, label);
        bind(c, skip);
    }
}

/* br_table: entries that must move values or return go through a stub placed behind the table. */
static void compile_br_table(struct compiler *c)
{
    uint32_t n_targets = read_leb_u32(&c->r);
    uint32_t index = pop(c, TYPE_I32);
    const uint8_t *types;
    uint32_t arity = 0, count;
    if (n_targets > (size_t)(c->r.end - c->r.p)) {
        fail(c, "unexpected end");
        return;
    }
    struct reader at_targets = c->r;
    for (uint32_t i = 0; i <= n_targets && !c->r.error; i++) {
        struct label *label = label_at(c, read_leb_u32(&c->r));
        label_types(label, &types, &count);
        if (i == 0)
            arity = count;
        if (count != arity)
            fail(c, "type mismatch");
        check_top(c, types, count);
    }
    if (c->live && !c->r.error) {
        uint32_t slot = slot_for(c, index);
        settle_from(c, c->height - arity);
        bool in_place = arity == 0;
        emit(c, OP_BR_TABLE, slot);
        put_word(c, n_targets);
        uint32_t table = c->position;
        for (uint32_t i = 0; i <= n_targets; i++)
            put_word(c, 0);
        uint32_t end = c->position;
        for (uint32_t i = 0; i <= n_targets && !c->r.error; i++) {
            struct label *label = label_at(c, read_leb_u32(&at_targets));
            if (is_function_label(c, label) || !(in_place || c->height - arity == label->height)) {
                c->units[table + i].w = c->position - (table + i);
                emit_branch(c, label);
                end = c->position;
            } else {
                c->position = table + i; /* write the reference into the table */
                put_target(c, label, 0);
                c->position = end;
            }
        }
    }
    stop(c);
}

/* ---- structured control ---- */

static bool is_value_type(uint8_t byte)
{
    return (byte >= TYPE_F64 && byte <= TYPE_I32) || byte == TYPE_FUNCREF || byte == TYPE_EXTERNREF;
}

static void read_block_type(struct compiler *c, struct block_type *type)
{
    memset(type, 0, sizeof *type);
    if (c->r.p < c->r.end && (*c->r.p == 0x40 || is_value_type(*c->r.p))) {
        type->results = c->r.p;
        type->n_results = *c->r.p++ != 0x40;
        return;
    }
    int64_t index = read_leb_i33(&c->r);
    if (index < 0 || index >= c->module->n_types) {
        fail(c, "unknown type");
        return;
    }
    const struct func_type *function = &c->module->types[index];
    type->params = function->types;
    type->n_params = function->n_params;
    type->results = function->types + function->n_params;
    type->n_results = function->n_results;
}

/* block, loop and if: everything on the stack goes to its own slot, then a label starts below the parameters. */
static void compile_block(struct compiler *c, enum label_kind kind)
{
    struct block_type type;
    uint32_t condition = 0;
    read_block_type(c, &type);
    if (kind == LABEL_IF)
        condition = pop(c, TYPE_I32);
    pop_all(c, type.params, type.n_params);
    if (c->r.error)
        return;
    uint32_t below = c->label->height;
    c->height += type.n_params; /* unknown operands: the entries exist only in dead code */
    if (c->live) {
        settle_from(c, below);
        if (kind == LABEL_LOOP)
            c->last = NO_POSITION;
    }
    c->height -= type.n_params;
    uint32_t chain = NO_POSITION;
    if (kind == LABEL_IF && c->live) {
        uint32_t index = emit_test(c, condition, false);
        put_forward(c, &chain, index);
    }
    push_label(c, kind, &type);
    if (c->r.error)
        return;
    c->label->else_chain = chain;
    push_all(c, type.params, type.n_params);
}

/* The current block's results are on the stack and nothing else. */
static void check_block_end(struct compiler *c)
{
    const struct label *label = c->label;
    pop_all(c, label->results, label->n_results);
    if (c->height != label->height)
        fail(c, "type mismatch");
    if (!c->r.error) {
        c->height += label->n_results; /* popped entries are still there, unless the code is dead */
        if (c->live)
            settle_from(c, label->height);
        c->height = label->height;
    }
}

static void compile_else(struct compiler *c)
{
    struct label *label = c->label;
    if (label->kind != LABEL_IF) {
        fail(c, "else without if");
        return;
    }
    check_block_end(c);
    if (c->live) {
        emit(c, OP_BR, 0);
        put_forward(c, &label->chain, 1);
    }
    bind(c, label->else_chain);
    label->else_chain = NO_POSITION;
    label->kind = LABEL_ELSE;
    label->is_unreachable = false;
    c->live = label->was_live;
    push_all(c, label->params, label->n_params);
}

static void compile_function_end(struct compiler *c)
{
    const struct label *label = c->label;
    pop_all(c, label->results, label->n_results);
    if (c->height != label->height)
        fail(c, "type mismatch");
    if (!c->r.error) {
        c->height += label->n_results;
        emit_return(c);
    }
    c->n_labels = 0;
}

static bool same_types(const uint8_t *a, uint32_t n_a, const uint8_t *b, uint32_t n_b)
{
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a) == 0);
}

static void compile_end(struct compiler *c)
{
    struct label *label = c->label;
    if (label->kind == LABEL_IF && !same_types(label->params, label->n_params, label->results, label->n_results)) {
        fail(c, "type mismatch");
        return;
    }
    if (c->n_labels == 1) {
        compile_function_end(c);
        return;
    }
    check_block_end(c);
    bind(c, label->chain);
    bind(c, label->else_chain);
    c->live = label->was_live;
    struct label ended = *label;
    c->label = &c->labels[--c->n_labels - 1];
    push_all(c, ended.results, ended.n_results);
}

/* ---- locals ---- */

static uint32_t read_local(struct compiler *c)
{
    uint32_t local = read_leb_u32(&c->r);
    if (local >= c->n_locals) {
        fail(c, "unknown local");
        return 0;
    }
    return local;
}

static void compile_local_get(struct compiler *c)
{
    uint32_t local = read_local(c);
    if (c->r.error)
        return;
    struct operand *operand = push(c, c->local_types[local]);
    operand->place = IN_LOCAL;
    operand->local = (uint16_t)local;
}

/* local.set and local.tee */
static void compile_local_set(struct compiler *c, bool is_tee)
{
    uint32_t local = read_local(c);
    if (c->r.error)
        return;
    uint8_t type = c->local_types[local];
    uint32_t i = pop(c, type);
    if (c->live) {
        for (uint32_t k = c->label->height; k < c->height; k++) /* entries below the label are settled */
            if (c->operands[k].place == IN_LOCAL && c->operands[k].local == local)
                settle(c, k);
        if (is_last_result(c, i)) {
            c->units[c->last].h[1] = (uint16_t)local;
            c->last = NO_POSITION;
        } else if (!(c->operands[i].place == IN_LOCAL && c->operands[i].local == local)) {
            emit_move(c, local, i);
            c->last = NO_POSITION;
        }
    }
    if (is_tee) {
        struct operand *operand = push(c, type);
        operand->place = IN_LOCAL;
        operand->local = (uint16_t)local;
    }
}

static void push_constant(struct compiler *c, uint8_t type, uint64_t bits)
{
    struct operand *operand = push(c, type);
    operand->place = IN_CONSTANT;
    operand->bits = bits;
}

/* ---- calls ---- */

static void emit_call(struct compiler *c, const struct func_type *type, uint32_t op, uint32_t word)
{
    pop_all(c, type->types, type->n_params);
    if (c->r.error)
        return;
    if (c->live) {
        c->height += type->n_params;
        settle_from(c, c->height - type->n_params);
        c->height -= type->n_params;
        emit(c, op, slot_of(c, c->height));
        put_word(c, word);
    }
}

static void push_results(struct compiler *c, const struct func_type *type)
{
    push_all(c, type->types + type->n_params, type->n_results);
}

static void compile_call(struct compiler *c)
{
    uint32_t index = read_leb_u32(&c->r);
    if (index >= c->module->n_functions) {
        fail(c, "unknown function");
        return;
    }
    const struct func_type *type = c->module->functions[index].type;
    emit_call(c, type, OP_CALL, index);
    push_results(c, type);
}

static uint8_t table_element(struct compiler *c, uint32_t table)
{
    if (table >= c->module->n_tables) {
        fail(c, "unknown table");
        return TYPE_ANY;
    }
    return c->module->tables[table].element;
}

static void compile_call_indirect(struct compiler *c)
{
    uint32_t type_index = read_leb_u32(&c->r);
    uint32_t table = read_leb_u32(&c->r);
    if (table_element(c, table) != TYPE_FUNCREF)
        fail(c, "type mismatch");
    if (type_index >= c->module->n_types)
        fail(c, "unknown type");
    if (c->r.error)
        return;
    const struct func_type *type = &c->module->types[type_index];
    uint32_t index = pop(c, TYPE_I32);
    uint32_t slot = c->live ? slot_for(c, index) : 0;
    emit_call(c, type, OP_CALL_INDIRECT, type->canonical);
    put_pair(c, slot, table);
    push_results(c, type);
}

/* ---- parametric, variables ---- */

static bool is_reference(uint8_t type)
{
    return type == TYPE_FUNCREF || type == TYPE_EXTERNREF;
}

static void compile_select(struct compiler *c, uint8_t type)
{
    uint32_t condition = pop(c, TYPE_I32);
    uint32_t second = pop(c, type);
    uint8_t second_type = c->operands[second].type;
    uint32_t first = pop(c, type);
    uint8_t first_type = c->operands[first].type;
    if (type == TYPE_ANY) {
        if (is_reference(first_type) || is_reference(second_type)
            || (first_type != second_type && first_type != TYPE_ANY && second_type != TYPE_ANY))
            fail(c, "type mismatch");
        type = first_type != TYPE_ANY ? first_type : second_type;
    }
    if (c->live && !c->r.error) {
        uint32_t a = slot_for(c, first), b = slot_for(c, second), test = slot_for(c, condition);
        emit_result(c, OP_SELECT, slot_of(c, first));
        put_pair(c, a, b);
        put_pair(c, test, 0);
    }
    push(c, type);
}

static void compile_typed_select(struct compiler *c)
{
    uint32_t count = read_leb_u32(&c->r);
    uint8_t type = read_u8(&c->r);
    if (count != 1)
        fail(c, "invalid result arity");
    else if (!is_value_type(type))
        fail(c, "unknown value type");
    else
        compile_select(c, type);
}

static void compile_global(struct compiler *c, bool is_set)
{
    uint32_t index = read_leb_u32(&c->r);
    if (index >= c->module->n_globals) {
        fail(c, "unknown global");
        return;
    }
    const struct global *global = &c->module->globals[index];
    if (is_set) {
        if (!global->is_mutable)
            fail(c, "global is immutable");
        uint32_t i = pop(c, global->type);
        uint32_t slot = c->live ? slot_for(c, i) : 0;
        emit(c, OP_GLOBAL_SET, slot);
    } else {
        emit_result(c, OP_GLOBAL_GET, slot_of(c, c->height));
        push(c, global->type);
    }
    put_word(c, index);
}

static void compile_table_access(struct compiler *c, bool is_set)
{
    uint32_t table = read_leb_u32(&c->r);
    uint8_t type = table_element(c, table);
    if (c->r.error)
        return;
    if (is_set) {
        uint32_t value = pop(c, type), index = pop(c, TYPE_I32);
        uint32_t index_slot = c->live ? slot_for(c, index) : 0, value_slot = c->live ? slot_for(c, value) : 0;
        emit(c, OP_TABLE_SET, index_slot);
        put_pair(c, value_slot, table);
    } else {
        uint32_t index = pop(c, TYPE_I32);
        uint32_t slot = c->live ? slot_for(c, index) : 0;
        emit_result(c, OP_TABLE_GET, slot_of(c, index));
        put_pair(c, slot, table);
        push(c, type);
    }
}

/* ---- memory ---- */

static void require_memory(struct compiler *c)
{
    if (!c->module->has_memory)
        fail(c, "unknown memory");
}

static uint32_t read_memory_argument(struct compiler *c, uint32_t natural)
{
    uint32_t align = read_leb_u32(&c->r);
    uint32_t offset = read_leb_u32(&c->r);
    require_memory(c);
    if (align > natural)
        fail(c, align >= 32 ? "malformed memop flags" : "alignment must not be larger than natural");
    return offset;
}

/* The slot with the address of entry `i`; an offset too big for an instruction is added beforehand. */
static uint32_t address_slot(struct compiler *c, uint32_t i, uint32_t *offset)
{
    struct operand *operand = &c->operands[i];
    if (operand->place == IN_CONSTANT && *offset > 0) {
        uint64_t address = (uint32_t)operand->bits + (uint64_t)*offset;
        if (address >> 32 == 0) {
            operand->bits = address;
            *offset = 0;
        }
    }
    uint32_t slot = slot_for(c, i);
    if (*offset > 0xffff) {
        emit(c, OP_WIDE_ADDRESS, slot_of(c, i));
        put_pair(c, slot, 0);
        put_word(c, *offset);
        *offset = 0;
        slot = slot_of(c, i);
    }
    return slot;
}

/* An address that is known now: constant + offset below 2^32. */
static bool known_address(const struct compiler *c, uint32_t i, uint32_t offset, uint32_t *address)
{
    uint64_t sum = (uint32_t)c->operands[i].bits + (uint64_t)offset;
    *address = (uint32_t)sum;
    return c->operands[i].place == IN_CONSTANT && sum >> 32 == 0;
}

void compile_load(struct compiler *c, uint32_t op, uint8_t type, uint32_t natural)
{
    uint32_t offset = read_memory_argument(c, natural);
    uint32_t i = pop(c, TYPE_I32), address;
    if (c->live && !c->r.error) {
        if (op == OP_I32_LOAD && known_address(c, i, offset, &address)) {
            emit_result(c, OP_I32_LOAD_AT, slot_of(c, i));
            put_word(c, address);
        } else {
            uint32_t slot = address_slot(c, i, &offset);
            emit_result(c, op, slot_of(c, i));
            put_pair(c, slot, offset);
        }
    }
    push(c, type);
}

void compile_store(struct compiler *c, uint32_t op, uint8_t type, uint32_t natural)
{
    uint32_t offset = read_memory_argument(c, natural);
    uint32_t value = pop(c, type);
    uint32_t i = pop(c, TYPE_I32), address;
    if (!c->live || c->r.error)
        return;
    if (op == OP_I32_STORE && known_address(c, i, offset, &address)) {
        uint32_t value_slot = slot_for(c, value);
        emit(c, OP_I32_STORE_AT, value_slot);
        put_word(c, address);
    } else {
        uint32_t slot = address_slot(c, i, &offset);
        uint32_t value_slot = slot_for(c, value);
        emit(c, op, slot);
        put_pair(c, value_slot, offset);
    }
}

static void read_zero_byte(struct compiler *c)
{
    if (read_u8(&c->r) != 0)
        fail(c, "zero byte expected");
    require_memory(c);
}

static void compile_memory_size(struct compiler *c, bool is_grow)
{
    read_zero_byte(c);
    if (is_grow) {
        uint32_t i = pop(c, TYPE_I32);
        uint32_t slot = c->live ? slot_for(c, i) : 0;
        emit_result(c, OP_MEMORY_GROW, slot_of(c, i));
        put_pair(c, slot, 0);
    } else {
        emit_result(c, OP_MEMORY_SIZE, slot_of(c, c->height));
    }
    push(c, TYPE_I32);
}

/* ---- 0xFC: saturating truncation and bulk operations ---- */

/* Pop operands of a bulk instruction into consecutive slots and emit its first unit. */
static void emit_bulk(struct compiler *c, uint32_t op, uint8_t first, uint8_t second, uint8_t third, uint32_t count)
{
    uint8_t types[3];
    types[0] = first;
    types[1] = second;
    types[2] = third;
    pop_all(c, types, count);
    if (!c->live || c->r.error)
        return;
    c->height += count;
    settle_from(c, c->height - count);
    c->height -= count;
    emit(c, op, slot_of(c, c->height));
}

static uint32_t read_data_index(struct compiler *c)
{
    uint32_t index = read_leb_u32(&c->r);
    if (!c->module->has_data_count)
        fail(c, "data count section required");
    else if (index >= c->module->n_data)
        fail(c, "unknown data segment");
    return index;
}

static uint8_t read_element_index(struct compiler *c, uint32_t *index)
{
    *index = read_leb_u32(&c->r);
    if (*index >= c->module->n_elements) {
        fail(c, "unknown elem segment");
        return TYPE_ANY;
    }
    return c->module->elements[*index].type;
}

static void compile_memory_bulk(struct compiler *c, uint32_t code)
{
    uint32_t index = 0;
    if (code == 8 || code == 9)
        index = read_data_index(c);
    if (code == 9) {
        emit(c, OP_DATA_DROP, 0);
        put_word(c, index);
        return;
    }
    if (code == 10)
        read_zero_byte(c);
    read_zero_byte(c);
    emit_bulk(c, code == 8 ? OP_MEMORY_INIT : code == 10 ? OP_MEMORY_COPY : OP_MEMORY_FILL, TYPE_I32, TYPE_I32, TYPE_I32, 3);
    if (code == 8)
        put_word(c, index);
}

static void compile_table_bulk(struct compiler *c, uint32_t code)
{
    uint32_t index, table;
    uint8_t type;
    switch (code) {
    case 12: /* table.init */
        type = read_element_index(c, &index);
        table = read_leb_u32(&c->r);
        if (table_element(c, table) != type)
            fail(c, "type mismatch");
        emit_bulk(c, OP_TABLE_INIT, TYPE_I32, TYPE_I32, TYPE_I32, 3);
        put_word(c, index);
        put_word(c, table);
        break;
    case 13: /* elem.drop */
        read_element_index(c, &index);
        emit(c, OP_ELEM_DROP, 0);
        put_word(c, index);
        break;
    case 14: /* table.copy */
        table = read_leb_u32(&c->r);
        index = read_leb_u32(&c->r);
        type = table_element(c, table);
        if (table_element(c, index) != type)
            fail(c, "type mismatch");
        emit_bulk(c, OP_TABLE_COPY, TYPE_I32, TYPE_I32, TYPE_I32, 3);
        put_word(c, table);
        put_word(c, index);
        break;
    case 15: /* table.grow */
        table = read_leb_u32(&c->r);
        type = table_element(c, table);
        emit_bulk(c, OP_TABLE_GROW, type, TYPE_I32, TYPE_ANY, 2);
        put_word(c, table);
        push(c, TYPE_I32);
        break;
    case 16: /* table.size */
        table = read_leb_u32(&c->r);
        table_element(c, table);
        emit_result(c, OP_TABLE_SIZE, slot_of(c, c->height));
        put_word(c, table);
        push(c, TYPE_I32);
        break;
    default: /* table.fill */
        table = read_leb_u32(&c->r);
        type = table_element(c, table);
        emit_bulk(c, OP_TABLE_FILL, TYPE_I32, type, TYPE_I32, 3);
        put_word(c, table);
        break;
    }
}

static void compile_prefixed(struct compiler *c)
{
    uint32_t code = read_leb_u32(&c->r);
    if (code < 8) {
        uint8_t in = code & 2 ? TYPE_F64 : TYPE_F32;
        compile_unary(c, OP_I32_TRUNC_SAT_F32_S + code, in, code < 4 ? TYPE_I32 : TYPE_I64);
    } else if (code <= 11) {
        compile_memory_bulk(c, code);
    } else if (code <= 17) {
        compile_table_bulk(c, code);
    } else {
        fail(c, "illegal opcode");
    }
}

/* ---- numeric ---- */

void compile_unary(struct compiler *c, uint32_t op, uint8_t in, uint8_t out)
{
    uint32_t i = pop(c, in);
    uint32_t slot = c->live ? slot_for(c, i) : 0;
    emit_result(c, op, slot_of(c, i));
    put_pair(c, slot, 0);
    push(c, out);
}

static bool fits_short(const struct operand *operand, uint8_t type, uint32_t *imm)
{
    int64_t value = type == TYPE_I32 ? (int32_t)(uint32_t)operand->bits : (int64_t)operand->bits;
    *imm = (uint32_t)value & 0xffff;
    return operand->place == IN_CONSTANT && value >= -32768 && value <= 32767;
}

/* imm_distance: from `op` to its form with an immediate, 0 when it has none. */
void compile_binary(struct compiler *c, uint32_t op, uint8_t in, uint8_t out, uint32_t imm_distance)
{
    uint32_t second = pop(c, in), first = pop(c, in), imm;
    if (c->live) {
        uint32_t a = slot_for(c, first);
        if (imm_distance != 0 && fits_short(&c->operands[second], in, &imm)) {
            op += imm_distance;
        } else {
            imm = slot_for(c, second);
        }
        emit_result(c, op, slot_of(c, first));
        put_pair(c, a, imm);
    }
    push(c, out);
}

/* eqz, ref.is_null: comparison with 0, or the opposite of the comparison just made. */
static void compile_is_zero(struct compiler *c, uint32_t op, uint8_t in)
{
    uint32_t i = pop(c, in);
    if (c->live) {
        uint32_t last = is_last_result(c, i) ? c->units[c->last].h[0] : 0;
        if (last >= COMPARE_FIRST && last < COMPARE_END) {
            c->units[c->last].h[0] = (uint16_t)inverse_compare(last);
        } else {
            uint32_t slot = slot_for(c, i);
            emit_result(c, op + COMPARE_IMM, slot_of(c, i));
            put_pair(c, slot, 0);
        }
    }
    push(c, TYPE_I32);
}

/* wrap and reinterpret: the same bits under another type. */
void compile_retype(struct compiler *c, uint8_t in, uint8_t out)
{
    uint32_t i = pop(c, in);
    struct operand before = c->operands[i];
    struct operand *after = push(c, out);
    after->place = before.place;
    after->local = before.local;
    after->bits = out == TYPE_I32 || out == TYPE_F32 ? (uint32_t)before.bits : before.bits;
}

/* ---- references ---- */

static void compile_ref(struct compiler *c, uint8_t opcode)
{
    if (opcode == 0xd0) {
        uint8_t type = read_u8(&c->r);
        if (!is_reference(type))
            fail(c, "unknown value type");
        push_constant(c, type, 0);
    } else if (opcode == 0xd1) {
        uint32_t i = pop(c, TYPE_ANY);
        uint8_t type = c->operands[i].type;
        if (!is_reference(type) && type != TYPE_ANY)
            fail(c, "type mismatch");
        struct operand same = c->operands[i];
        *push(c, type) = same; /* back on the stack for the comparison */
        compile_is_zero(c, OP_I64_EQ, TYPE_ANY);
    } else {
        uint32_t index = read_leb_u32(&c->r);
        if (index >= c->module->n_functions)
            fail(c, "unknown function");
        else if (!c->module->declared[index])
            fail(c, "undeclared function reference");
        push_constant(c, TYPE_FUNCREF, (uint64_t)index + 1);
    }
}

/* ---- the walk ---- */

static void compile_instruction(struct compiler *c)
{
    uint8_t opcode = read_u8(&c->r);
    if (compile_row(c, opcode))
        return;
    switch (opcode) {
    case 0x00:
        emit(c, OP_UNREACHABLE, 0);
        stop(c);
        break;
    case 0x01:
        break;
    case 0x02:
        compile_block(c, LABEL_BLOCK);
        break;
    case 0x03:
        compile_block(c, LABEL_LOOP);
        break;
    case 0x04:
        compile_block(c, LABEL_IF);
        break;
    case 0x05:
        compile_else(c);
        break;
    case 0x0b:
        compile_end(c);
        break;
    case 0x0c: {
        struct label *label = label_at(c, read_leb_u32(&c->r));
        const uint8_t *types;
        uint32_t count;
        label_types(label, &types, &count);
        check_top(c, types, count);
        emit_branch(c, label);
        stop(c);
        break;
    }
    case 0x0d:
        compile_br_if(c);
        break;
    case 0x0e:
        compile_br_table(c);
        break;
    case 0x0f:
        check_top(c, c->labels[0].results, c->labels[0].n_results);
        emit_return(c);
        stop(c);
        break;
    case 0x10:
        compile_call(c);
        break;
    case 0x11:
        compile_call_indirect(c);
        break;
    case 0x1a:
        pop(c, TYPE_ANY);
        break;
    case 0x1b:
        compile_select(c, TYPE_ANY);
        break;
    case 0x1c:
        compile_typed_select(c);
        break;
    case 0x20:
        compile_local_get(c);
        break;
    case 0x21:
        compile_local_set(c, false);
        break;
    case 0x22:
        compile_local_set(c, true);
        break;
    case 0x23:
        compile_global(c, false);
        break;
    case 0x24:
        compile_global(c, true);
        break;
    case 0x25:
        compile_table_access(c, false);
        break;
    case 0x26:
        compile_table_access(c, true);
        break;
    case 0x3f:
        compile_memory_size(c, false);
        break;
    case 0x40:
        compile_memory_size(c, true);
        break;
    case 0x41:
        push_constant(c, TYPE_I32, (uint32_t)read_leb_i32(&c->r));
        break;
    case 0x42:
        push_constant(c, TYPE_I64, (uint64_t)read_leb_i64(&c->r));
        break;
    case 0x43: {
        const uint8_t *p = read_bytes(&c->r, 4);
        push_constant(c, TYPE_F32, p ? load_u32(p) : 0);
        break;
    }
    case 0x44: {
        const uint8_t *p = read_bytes(&c->r, 8);
        push_constant(c, TYPE_F64, p ? load_u64(p) : 0);
        break;
    }
    case 0x45:
        compile_is_zero(c, OP_I32_EQ, TYPE_I32);
        break;
    case 0x50:
        compile_is_zero(c, OP_I64_EQ, TYPE_I64);
        break;
    case 0xd0:
    case 0xd1:
    case 0xd2:
        compile_ref(c, opcode);
        break;
    case 0xfc:
        compile_prefixed(c);
        break;
    default:
        fail(c, "illegal opcode");
        break;
    }
}

/* Parameter types, then the declared locals, one byte each. */
static void read_locals(struct compiler *c)
{
    const struct func_type *type = c->function->type;
    struct scratch *types = &c->scratch->local_types;
    uint32_t n_groups = read_leb_u32(&c->r);
    uint32_t count = type->n_params;
    if (!scratch_reserve(types, count + 1)) {
        fail(c, "allocate memory failed");
        return;
    }
    memcpy(types->block, type->types, count);
    for (uint32_t i = 0; i < n_groups && !c->r.error; i++) {
        uint32_t n = read_leb_u32(&c->r);
        uint8_t value_type = read_u8(&c->r);
        if (n > MAX_LOCALS - (count < MAX_LOCALS ? count : MAX_LOCALS))
            fail(c, "too many locals");
        else if (!c->r.error && !is_value_type(value_type))
            fail(c, "unknown value type");
        else if (!scratch_reserve(types, count + n))
            fail(c, "allocate memory failed");
        else if (n > 0)
            memset((uint8_t *)types->block + count, value_type, n);
        count += n;
    }
    c->n_locals = count;
    c->local_types = types->block;
}

static void finish_function(struct compiler *c, bool with_code)
{
    struct wasm_function *function = c->function;
    uint32_t n_results = function->type->n_results;
    uint32_t slots = c->n_locals + c->max_height;
    if (slots < n_results)
        slots = n_results;
    if (slots >= MAX_FRAME_SLOTS) {
        fail(c, "function needs too many stack slots");
        return;
    }
    function->n_locals = c->n_locals;
    function->frame_slots = slots;
    if (with_code) {
        size_t bytes = c->position * sizeof(union unit);
        union unit *code = arena_alloc(&c->module->arena, bytes);
        if (!code) {
            fail(c, "allocate memory failed");
            return;
        }
        memcpy(code, c->units, bytes);
        function->code = code;
    }
}

bool compile_function(struct wasm_module *module, struct wasm_function *function, bool with_code, const char **error)
{
    struct compiler compiler;
    struct compiler *c = &compiler;
    struct block_type body;
    memset(c, 0, sizeof *c);
    c->r.p = function->body;
    c->r.end = function->body_end;
    c->module = module;
    c->function = function;
    c->scratch = &module->scratch;
    c->operands = c->scratch->operands.block;
    c->labels = c->scratch->labels.block;
    c->units = c->scratch->units.block;
    c->last = NO_POSITION;
    c->live = with_code;
    if (!c->operands && !scratch_reserve(&c->scratch->operands, 64 * sizeof(struct operand))) {
        *error = "allocate memory failed";
        return false;
    }
    c->operands = c->scratch->operands.block;
    read_locals(c);
    memset(&body, 0, sizeof body);
    body.results = function->type->types + function->type->n_params;
    body.n_results = function->type->n_results;
    push_label(c, LABEL_BLOCK, &body);
    while (!c->r.error && c->n_labels > 0) {
        if (c->r.p == c->r.end)
            fail(c, "END opcode expected");
        else
            compile_instruction(c);
    }
    if (!c->r.error && c->r.p != c->r.end)
        fail(c, "END opcode expected");
    if (!c->r.error)
        finish_function(c, with_code);
    *error = c->r.error;
    return c->r.error == NULL;
}
