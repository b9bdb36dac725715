/* The compiler's simulated operand stack, where its values are, and the output of instructions. See compile.c. */
#include "compile.h"

/* ---- scratch buffers ---- */

bool scratch_reserve(struct scratch *scratch, uint32_t bytes)
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

/* Nothing is emitted any more: what the emitting functions rely on has not been checked. */
void fail(struct compiler *c, const char *error)
{
    reader_fail(&c->r, error);
    c->live = false;
}

/* ---- emission ---- */

/* Room for one instruction of `units`; without memory nothing more is emitted. */
void reserve_units(struct compiler *c, uint32_t units)
{
    if (scratch_reserve(&c->scratch->units, (c->position + units) * (uint32_t)sizeof(union unit))) {
        c->units = c->scratch->units.block;
        c->units_limit = c->scratch->units.capacity / (uint32_t)sizeof(union unit);
    } else {
        fail(c, "allocate memory failed");
    }
}

void emit(struct compiler *c, uint32_t op, uint32_t a)
{
    if (!c->live)
        return;
    if (c->position + INSTRUCTION_UNITS > c->units_limit)
        reserve_units(c, INSTRUCTION_UNITS);
    if (c->live)
        c->units[c->position++].w = op | a << 16;
    c->last = NO_POSITION;
}

void emit_result(struct compiler *c, uint32_t op, uint32_t a)
{
    uint32_t position = c->position;
    if (!c->live)
        return;
    emit(c, op, a);
    c->last = position;
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

void emit_move(struct compiler *c, uint32_t slot, uint32_t i)
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

void settle(struct compiler *c, uint32_t i)
{
    emit_move(c, slot_of(c, i), i);
    c->operands[i].place = IN_SLOT;
}

void settle_from(struct compiler *c, uint32_t first)
{
    for (uint32_t i = first; i < c->height; i++)
        if (c->operands[i].place != IN_SLOT)
            settle(c, i);
}

uint32_t slot_for(struct compiler *c, uint32_t i)
{
    if (c->operands[i].place == IN_LOCAL)
        return c->operands[i].local;
    if (c->operands[i].place == IN_CONSTANT)
        settle(c, i);
    return slot_of(c, i);
}

uint32_t inverse_compare(uint32_t op)
{
    return COMPARE_FIRST + ((op - COMPARE_FIRST) ^ 1);
}

bool is_last_result(const struct compiler *c, uint32_t i)
{
    return c->live && c->last != NO_POSITION && c->operands[i].place == IN_SLOT
           && c->units[c->last].h[1] == slot_of(c, i);
}

/* ---- the operand stack ---- */

/* Room for `height` entries and the unknown one that pop() may write behind them. */
bool reserve_operands(struct compiler *c)
{
    uint32_t bytes = (c->height + 2) * (uint32_t)sizeof(struct operand);
    if (!scratch_reserve(&c->scratch->operands, bytes)) {
        fail(c, "allocate memory failed");
        return false;
    }
    c->operands = c->scratch->operands.block;
    c->operands_limit = c->scratch->operands.capacity / (uint32_t)sizeof(struct operand) - 1;
    return true;
}

/* Nothing of the block is left, or the type is not the expected one. */
uint32_t pop_special(struct compiler *c, uint8_t type)
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

void pop_all(struct compiler *c, const uint8_t *types, uint32_t count)
{
    while (count > 0)
        pop(c, types[--count]);
}

void push_all(struct compiler *c, const uint8_t *types, uint32_t count)
{
    for (uint32_t i = 0; i < count && !c->r.error; i++)
        push(c, types[i]);
}

void check_top(struct compiler *c, const uint8_t *types, uint32_t count)
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

