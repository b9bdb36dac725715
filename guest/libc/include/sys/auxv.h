#ifndef _SYS_AUXV_H
#define _SYS_AUXV_H
#include <stdint.h>
#define AT_NULL 0
#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_BASE 7
#define AT_ENTRY 9
#define AT_HWCAP 16
#define AT_CLKTCK 17
#define AT_SECURE 23
#define AT_RANDOM 25
#define AT_HWCAP2 26
#define AT_EXECFN 31
#define AT_MINSIGSTKSZ 51
#define AT_CHERI_EXEC_RW_CAP 60
#define AT_CHERI_EXEC_RX_CAP 61
#define AT_CHERI_INTERP_RW_CAP 62
#define AT_CHERI_INTERP_RX_CAP 63
#define AT_CHERI_STACK_CAP 64
#define AT_CHERI_SEAL_CAP 65
#define AT_CHERI_CID_CAP 66
#define AT_ARGC 80
#define AT_ARGV 81
#define AT_ENVC 82
#define AT_ENVP 83
unsigned long getauxval(unsigned long type);
uintptr_t getauxptr(unsigned long type);
#endif
