/* The program of `make demo`: plain C for WASI, compiled to hello.wasm by any clang (see guest/Makefile). */
#include <stdio.h>

int main(void)
{
    printf("Hello from WebAssembly inside a Morello compartment\n");
    return 0;
}
