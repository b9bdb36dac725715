#include <stdlib.h>

#include "internal.h"

#define MAX_EXIT_FUNCTIONS 64

static void (*exit_functions[MAX_EXIT_FUNCTIONS])(void);
static int exit_function_count;

int atexit(void (*function)(void))
{
    if (exit_function_count == MAX_EXIT_FUNCTIONS)
        return -1;
    exit_functions[exit_function_count++] = function;
    return 0;
}

void __run_exit_functions(void)
{
    while (exit_function_count > 0)
        exit_functions[--exit_function_count]();
}
