/* A program without an operating system: it prints over the UART, takes a timer interrupt and a capability
   fault, reports both, and ends with an exit status. Pure-capability C; see README.md for how to build it. */
#include <cheriintrin.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UART0 = 0x2A400000,
    GIC_DISTRIBUTOR = 0x30000000,
    GIC_REDISTRIBUTOR = 0x300C0000,
    TIMER_INTERRUPT = 30,
    CAPABILITY_BOUNDS = 0x2A
};

void start_timer(uint64_t ticks);
void stop_timer(void);
uint64_t acknowledge(void);
void end_interrupt(uint64_t number);
void enable_interrupts(void);
void wait(void);
void interrupt(void);
uint64_t fault(uint64_t syndrome, uint64_t address, uint64_t where);

static volatile uint32_t *uart;
static volatile int interrupts;
static volatile uint64_t fault_status;
static volatile uint64_t fault_address;
static volatile char buffer[16];

static volatile uint32_t *device(void *root, uint64_t address, size_t size)
{
    return cheri_bounds_set(cheri_address_set(root, address), size);
}

static void print(const char *text)
{
    while (*text)
        uart[0] = (unsigned char)*text++;
}

static void print_number(uint64_t value)
{
    char digits[17];
    int n = 16;
    digits[16] = 0;
    do {
        digits[--n] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    print("0x");
    print(digits + n);
}

/* Called by the IRQ vector. */
void interrupt(void)
{
    uint64_t number = acknowledge();
    if (number == TIMER_INTERRUPT) {
        stop_timer();
        interrupts++;
    }
    end_interrupt(number);
}

/* Called by the vector of synchronous exceptions: notes the fault and skips the instruction. */
uint64_t fault(uint64_t syndrome, uint64_t address, uint64_t where)
{
    (void)where;
    fault_status = syndrome & 0x3f;
    fault_address = address;
    return 4;
}

static void prepare_interrupts(void *root)
{
    volatile uint32_t *distributor = device(root, GIC_DISTRIBUTOR, 0x10000);
    volatile uint32_t *redistributor = device(root, GIC_REDISTRIBUTOR, 0x20000);
    distributor[0] = 0x12;                             /* group 1 */
    redistributor[0x14 / 4] = 0;                       /* awake */
    redistributor[0x10080 / 4] = 1u << TIMER_INTERRUPT; /* in group 1 */
    redistributor[0x10100 / 4] = 1u << TIMER_INTERRUPT; /* enabled */
    enable_interrupts();
}

static int check_interrupt(void *root)
{
    prepare_interrupts(root);
    start_timer(1000);
    while (!interrupts)
        wait();
    print("timer interrupt taken\n");
    return interrupts == 1;
}

static int check_fault(void)
{
    volatile char *p = buffer;
    p[16] = 1;
    print("capability fault ");
    print_number(fault_status);
    print(" at ");
    print_number(fault_address - cheri_address_get((void *)buffer));
    print(" bytes from the start of a buffer of ");
    print_number(cheri_length_get((void *)buffer));
    print("\n");
    return fault_status == CAPABILITY_BOUNDS && fault_address == cheri_address_get((void *)buffer) + 16;
}

int main(void *root)
{
    uart = device(root, UART0, 0x1000);
    print("hello from the board\n");
    if (!check_interrupt(root) || !check_fault()) {
        print("FAILED\n");
        return 1;
    }
    print("OK\n");
    return 0;
}
