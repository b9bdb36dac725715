/* Every block has exactly its size (or the next representable one), and its neighbours are out of reach. */
#include <cheriintrin.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf recovery;
static volatile int fault_code;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    fault_code = info->si_code;
    longjmp(recovery, 1);
}

static const char *touch(volatile char *where, int write)
{
    if (setjmp(recovery) != 0)
        return fault_code == SEGV_CAPBOUNDSERR ? "bounds" : fault_code == SEGV_CAPTAGERR ? "tag" : "other";
    if (write)
        *where = 1;
    else
        (void)*where;
    return "ok";
}

int main(void)
{
    static const size_t sizes[] = {1, 16, 17, 100, 4096, 16383, 16384, 100001, 1048577};
    struct sigaction action;
    size_t i;
    char *freed;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, NULL);
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *block = malloc(sizes[i]);
        size_t length = cheri_length_get(block);
        printf("%zu: length %s, offset %zu, last %s, past %s, before %s\n", sizes[i],
               length == cheri_representable_length(sizes[i]) ? "representable" : "wrong",
               cheri_address_get(block) - cheri_base_get(block), touch(block + length - 1, 1),
               touch(block + length, 1), touch(block - 1, 0));
        free(block);
    }
    freed = realloc(malloc(10), 1000);
    printf("%zu %s %s\n", cheri_length_get(freed), touch(freed + 999, 1), touch(freed + 1000, 1));
    printf("%s\n", touch(cheri_tag_clear(freed), 0));
    printf("%d\n", (cheri_perms_get(freed) & CHERI_PERM_EXECUTE) != 0);
    return 0;
}
