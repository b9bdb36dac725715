/*
 * One walk over a function body: full validation, and translation to the register code of ops.h. Translating costs about
 * a tenth of the walk, so it is done for every function when the module is loaded.
 *
 * The operand stack is simulated. An entry is a value in its own slot (n_locals + position), or, not yet copied
 * anywhere, a local or a constant; instructions then name the local's slot directly. Entries are brought to their own
 * slots where control flow meets. A local about to be overwritten is first copied for the entries which still mean it.
 *
 * Code after an unconditional branch is validated but not emitted (`live` is false there).
 */
#include "compile.h"

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

static void compile_select(struct compiler *c, uint8_t type)
{
    uint32_t condition = pop(c, TYPE_I32);
    uint32_t second = pop(c, type);
    uint8_t second_type = c->operands[second].type;
    uint32_t first = pop(c, type);
    uint8_t first_type = c->operands[first].type;
    if (type == TYPE_ANY) {
        if (is_reference_type(first_type) || is_reference_type(second_type)
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
        if (!is_reference_type(type))
            fail(c, "unknown value type");
        push_constant(c, type, 0);
    } else if (opcode == 0xd1) {
        uint32_t i = pop(c, TYPE_ANY);
        uint8_t type = c->operands[i].type;
        if (!is_reference_type(type) && type != TYPE_ANY)
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

static void compile_instruction(struct compiler *c, uint8_t opcode)
{
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
    case 0x0c:
        compile_br(c);
        break;
    case 0x0d:
        compile_br_if(c);
        break;
    case 0x0e:
        compile_br_table(c);
        break;
    case 0x0f:
        compile_return(c);
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

/* All instructions up to the end of the function. The most frequent ones come first. */
static void compile_body(struct compiler *c)
{
    while (c->n_labels > 0 && c->r.p < c->r.end) { /* an error moves the cursor to the end */
        uint8_t opcode = *c->r.p++;
        const struct op_row *row = &op_rows[opcode];
        if (opcode == 0x20)
            compile_local_get(c);
        else if (opcode == 0x41)
            push_constant(c, TYPE_I32, (uint32_t)read_leb_i32(&c->r));
        else if (row->form != FORM_NONE)
            compile_row(c, row);
        else
            compile_instruction(c, opcode);
    }
    if (!c->r.error && (c->n_labels > 0 || c->r.p != c->r.end))
        fail(c, "END opcode expected");
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

static void finish_function(struct compiler *c)
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
    size_t bytes = c->position * sizeof(union unit);
    union unit *code = arena_alloc(&c->module->arena, bytes);
    if (!code) {
        fail(c, "allocate memory failed");
        return;
    }
    memcpy(code, c->units, bytes);
    function->code = code;
}

bool compile_function(struct wasm_module *module, struct wasm_function *function, const char **error)
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
    c->last = NO_POSITION;
    c->live = true;
    reserve_units(c, INSTRUCTION_UNITS);
    reserve_operands(c);
    read_locals(c);
    memset(&body, 0, sizeof body);
    body.results = function->type->types + function->type->n_params;
    body.n_results = function->type->n_results;
    push_label(c, LABEL_BLOCK, &body);
    compile_body(c);
    if (!c->r.error)
        finish_function(c);
    *error = c->r.error;
    return c->r.error == NULL;
}
