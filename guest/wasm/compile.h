/* Between compile.c (the walk, control flow) and rows.c (the table of plain instructions). */
#ifndef WASM_COMPILE_H
#define WASM_COMPILE_H

#include "ops.h"
#include "runtime.h"

/* Where the value of an operand stack entry is. */
enum place { IN_SLOT, IN_LOCAL, IN_CONSTANT };

struct operand {
    uint64_t bits; /* IN_CONSTANT */
    uint16_t local;
    uint8_t type;
    uint8_t place;
};

enum label_kind { LABEL_BLOCK, LABEL_LOOP, LABEL_IF, LABEL_ELSE };

struct block_type {
    const uint8_t *params;
    const uint8_t *results;
    uint32_t n_params;
    uint32_t n_results;
};

struct label {
    const uint8_t *params;
    const uint8_t *results;
    uint32_t n_params;
    uint32_t n_results;
    uint32_t height;     /* operand stack below the block's parameters */
    uint32_t start;      /* LOOP: where branches go */
    uint32_t chain;      /* forward references to the end */
    uint32_t else_chain; /* IF: the branch taken when the condition is false */
    uint8_t kind;
    bool is_unreachable; /* an unconditional branch was seen in this block */
    bool was_live;       /* code was emitted at the block's start */
};

struct compiler {
    struct reader r;
    struct wasm_module *module;
    struct wasm_function *function;
    struct compiler_scratch *scratch;
    struct operand *operands;
    struct label *labels;
    struct label *label; /* the innermost */
    union unit *units;
    const uint8_t *local_types;
    uint32_t height;
    uint32_t max_height;
    uint32_t n_labels;
    uint32_t n_locals;
    uint32_t operands_limit; /* entries there is room for */
    uint32_t units_limit;
    uint32_t position;   /* units emitted */
    uint32_t last;       /* position of the last instruction when it may still be changed */
    bool live;           /* emitting */
};

#define NO_POSITION 0xffffffffu

enum { INSTRUCTION_UNITS = 4 }; /* the longest instruction, br_table's list apart */

void fail(struct compiler *c, const char *error);

/* ---- emit.c ---- */

bool scratch_reserve(struct scratch *scratch, uint32_t bytes);
void reserve_units(struct compiler *c, uint32_t units);
/* Start an instruction; with _result operand A is its result's slot: it may be redirected or fused later. */
void emit(struct compiler *c, uint32_t op, uint32_t a);
void emit_result(struct compiler *c, uint32_t op, uint32_t a);
/* Emit whatever brings entry `i` into `slot`, or into its own slot, or all entries from `first` into theirs. */
void emit_move(struct compiler *c, uint32_t slot, uint32_t i);
void settle(struct compiler *c, uint32_t i);
void settle_from(struct compiler *c, uint32_t first);
/* The slot where entry `i` can be read. */
uint32_t slot_for(struct compiler *c, uint32_t i);
/* Entry `i` is the result of the instruction emitted last. */
bool is_last_result(const struct compiler *c, uint32_t i);
uint32_t inverse_compare(uint32_t op);

bool reserve_operands(struct compiler *c);
uint32_t pop_special(struct compiler *c, uint8_t type);
void push_all(struct compiler *c, const uint8_t *types, uint32_t count);
void pop_all(struct compiler *c, const uint8_t *types, uint32_t count);
/* Check the top entries without consuming them: their places, and unknown types, stay. */
void check_top(struct compiler *c, const uint8_t *types, uint32_t count);

/* Units of the instruction begun last; emit() made room for them. */
static inline void put_word(struct compiler *c, uint32_t word)
{
    if (c->live)
        c->units[c->position++].w = word;
}

static inline void put_pair(struct compiler *c, uint32_t low, uint32_t high)
{
    put_word(c, low | high << 16);
}

static inline uint32_t slot_of(const struct compiler *c, uint32_t entry)
{
    return c->n_locals + entry;
}

static inline struct operand *push(struct compiler *c, uint8_t type)
{
    if (c->height >= c->operands_limit && !reserve_operands(c))
        return c->operands;
    struct operand *operand = &c->operands[c->height++];
    operand->type = type;
    operand->place = IN_SLOT;
    if (c->height > c->max_height)
        c->max_height = c->height;
    return operand;
}

/* Pop one entry and return its index; TYPE_ANY takes any type. */
static inline uint32_t pop(struct compiler *c, uint8_t type)
{
    uint32_t top = c->height - 1; /* of an empty stack: no index, but above any label */
    if (c->height > c->label->height && c->operands[top].type == type)
        return c->height = top;
    return pop_special(c, type);
}

/* ---- control.c ---- */

void push_label(struct compiler *c, enum label_kind kind, const struct block_type *type);
void compile_block(struct compiler *c, enum label_kind kind);
void compile_else(struct compiler *c);
void compile_end(struct compiler *c);
void compile_br(struct compiler *c);
void compile_br_if(struct compiler *c);
void compile_br_table(struct compiler *c);
void compile_return(struct compiler *c);
/* The rest of the block cannot be reached. */
void stop(struct compiler *c);

/* ---- compile.c, rows.c ---- */

void compile_unary(struct compiler *c, uint32_t op, uint8_t in, uint8_t out);
void compile_binary(struct compiler *c, uint32_t op, uint8_t in, uint8_t out, uint32_t imm_distance);
void compile_retype(struct compiler *c, uint8_t in, uint8_t out);
void compile_load(struct compiler *c, uint32_t op, uint8_t type, uint32_t natural);
void compile_store(struct compiler *c, uint32_t op, uint8_t type, uint32_t natural);

enum form {
    FORM_NONE, /* not a plain instruction */
    FORM_UNARY,
    FORM_BINARY,
    FORM_BINARY_IMM, /* has a variant with a constant right operand */
    FORM_COMPARE,    /* likewise */
    FORM_RETYPE,
    FORM_LOAD,
    FORM_STORE
};

struct op_row {
    uint8_t form;
    uint8_t in;  /* operand type; of loads and stores: log2 of the natural alignment */
    uint8_t out; /* result type; of stores: the stored type */
    uint16_t op;
};

extern const struct op_row op_rows[256];
/* Handle a plain instruction. */
void compile_row(struct compiler *c, const struct op_row *row);

#endif
