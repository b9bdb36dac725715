/* Structured control: labels, branches and their distances, blocks. See compile.c. */
#include "compile.h"

/* ---- labels ---- */

static void label_types(const struct label *label, const uint8_t **types, uint32_t *count)
{
    bool is_loop = label->kind == LABEL_LOOP;
    *types = is_loop ? label->params : label->results;
    *count = is_loop ? label->n_params : label->n_results;
}

void push_label(struct compiler *c, enum label_kind kind, const struct block_type *type)
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

void stop(struct compiler *c)
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

void compile_br(struct compiler *c)
{
    struct label *label = label_at(c, read_leb_u32(&c->r));
    const uint8_t *types;
    uint32_t count;
    label_types(label, &types, &count);
    check_top(c, types, count);
    emit_branch(c, label);
    stop(c);
}

void compile_return(struct compiler *c)
{
    check_top(c, c->labels[0].results, c->labels[0].n_results);
    emit_return(c);
    stop(c);
}

void compile_br_if(struct compiler *c)
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
void compile_br_table(struct compiler *c)
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
        reserve_units(c, n_targets + 2);
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
void compile_block(struct compiler *c, enum label_kind kind)
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

void compile_else(struct compiler *c)
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
    c->live = label->was_live && !c->r.error;
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

void compile_end(struct compiler *c)
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
    c->live = label->was_live && !c->r.error;
    struct label ended = *label;
    c->label = &c->labels[--c->n_labels - 1];
    push_all(c, ended.results, ended.n_results);
}

