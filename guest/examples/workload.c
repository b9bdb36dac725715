/* A program that keeps the processor busy, for `morello bench --programs`: the kinds of work that CoreMark does.
 *
 *     workload [ROUNDS]
 *
 * Each round sorts and reverses a linked list, multiplies matrices of 16-bit numbers, runs a state machine over
 * text with numbers in it, and takes a CRC of all results. The CRC of the last round is printed: it depends on
 * every step, so an engine that computes anything wrong prints something else. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 256, SIZE = 24, TEXT_BYTES = 1024 };

struct item {
    struct item *next;
    int16_t key, value;
};

enum state { START, SIGN, INTEGER, FRACTION, EXPONENT, WORD, STATES };

static struct item items[ITEMS];
static int16_t left[SIZE][SIZE], right[SIZE][SIZE];
static int32_t product[SIZE][SIZE];
static char text[TEXT_BYTES];
static uint32_t seed;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static uint16_t crc16(uint16_t crc, uint32_t data)
{
    for (int bit = 0; bit < 32; bit++) {
        uint16_t feedback = (uint16_t)((crc ^ data) & 1);

        crc >>= 1;
        data >>= 1;
        if (feedback)
            crc ^= 0xa001;
    }
    return crc;
}

/* --- linked list: build, find, reverse, merge sort --------------------------------------------------------- */

static struct item *make_list(void)
{
    struct item *head = NULL;

    for (int i = 0; i < ITEMS; i++) {
        items[i].key = (int16_t)next_random();
        items[i].value = (int16_t)i;
        items[i].next = head;
        head = &items[i];
    }
    return head;
}

static struct item *reverse(struct item *list)
{
    struct item *done = NULL;

    while (list != NULL) {
        struct item *rest = list->next;

        list->next = done;
        done = list;
        list = rest;
    }
    return done;
}

static struct item *merge(struct item *a, struct item *b)
{
    struct item first, *last = &first;

    while (a != NULL && b != NULL) {
        struct item **smaller = a->key <= b->key ? &a : &b;

        last->next = *smaller;
        last = *smaller;
        *smaller = (*smaller)->next;
    }
    last->next = a != NULL ? a : b;
    return first.next;
}

static struct item *sort(struct item *list)
{
    struct item *slow = list, *fast, *second;

    if (list == NULL || list->next == NULL)
        return list;
    for (fast = list->next; fast != NULL && fast->next != NULL; fast = fast->next->next)
        slow = slow->next;
    second = slow->next;
    slow->next = NULL;
    return merge(sort(list), sort(second));
}

static const struct item *find(const struct item *list, int16_t value)
{
    while (list != NULL && list->value != value)
        list = list->next;
    return list;
}

static uint16_t list_work(uint16_t crc)
{
    struct item *list = sort(reverse(make_list()));

    for (int i = 0; i < 16; i++) {
        const struct item *found = find(list, (int16_t)(next_random() % (2 * ITEMS)));

        crc = crc16(crc, found != NULL ? (uint16_t)found->key : 0xffff);
    }
    for (; list != NULL; list = list->next)
        crc = crc16(crc, (uint16_t)list->key);
    return crc;
}

/* --- matrices: multiply, extract bits, sum ----------------------------------------------------------------- */

static uint16_t matrix_work(uint16_t crc)
{
    int32_t sum = 0;

    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = (int16_t)next_random();
            right[i][j] = (int16_t)next_random();
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            int32_t total = 0;

            for (int k = 0; k < SIZE; k++) {
                int32_t term = left[i][k] * right[k][j];

                total += (term >> 2 & 0xf) * (term >> 5 & 0x7f);
            }
            product[i][j] = total;
        }
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++)
            sum += product[i][j] > sum ? 10 : product[i][j];
        crc = crc16(crc, (uint32_t)sum);
    }
    return crc;
}

/* --- state machine: what kinds of numbers stand in a text -------------------------------------------------- */

static void make_text(void)
{
    static const char *const samples[] = { "5012", "-374", "+12.5", "35.54400", ".1234500", "5.500e+3",
                                           "-.123e-2", "T0.3e-1F", "12a", "e+5", "--7", "1.2.3" };
    int length = 0;

    while (length < TEXT_BYTES) {
        const char *sample = samples[next_random() % (sizeof samples / sizeof samples[0])];

        while (*sample != '\0' && length < TEXT_BYTES)
            text[length++] = *sample++;
        if (length < TEXT_BYTES)
            text[length++] = ',';
    }
}

static enum state step(enum state state, char c)
{
    int is_digit = c >= '0' && c <= '9';

    switch (state) {
    case START:
        if (is_digit)
            return INTEGER;
        return c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : WORD;
    case SIGN:
        return is_digit ? INTEGER : c == '.' ? FRACTION : WORD;
    case INTEGER:
        return is_digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : WORD;
    case FRACTION:
        return is_digit ? FRACTION : c == 'e' ? EXPONENT : WORD;
    case EXPONENT:
        return is_digit || c == '+' || c == '-' ? EXPONENT : WORD;
    default:
        return WORD;
    }
}

static uint16_t text_work(uint16_t crc)
{
    uint32_t ends[STATES] = { 0 }, visits[STATES] = { 0 };
    enum state state = START;

    make_text();
    for (int i = 0; i < TEXT_BYTES; i++) {
        if (text[i] == ',') {
            ends[state]++;
            state = START;
        } else {
            state = step(state, text[i]);
            visits[state]++;
        }
    }
    for (int i = 0; i < STATES; i++)
        crc = crc16(crc16(crc, ends[i]), visits[i]);
    return crc;
}

static void print_result(uint16_t crc)
{
    char line[] = "crc 0000";

    for (int i = 0; i < 4; i++)
        line[7 - i] = "0123456789abcdef"[crc >> 4 * i & 15];
    puts(line);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    uint16_t crc = 0;

    if (rounds < 1) {
        fputs("workload: ROUNDS must be a positive number\n", stderr);
        return 2;
    }
    seed = 1;
    for (int i = 0; i < rounds; i++)
        crc = text_work(matrix_work(list_work(crc)));
    print_result(crc);
    return 0;
}
