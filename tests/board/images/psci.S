// PSCI calls through SMC, from EL1 or EL2. Arm DEN0022: PSCI_VERSION, PSCI_FEATURES, AFFINITY_INFO, CPU_ON,
// MIGRATE_INFO_TYPE, unknown functions; SMCCC_VERSION of Arm DEN0028; SYSTEM_OFF ends the run.
        .include "device.inc"

        .macro  CALL number, function, argument, result
        MOVL    x0, \function
        MOVL    x1, \argument
        mov     x2, #0
        mov     x3, #0
        smc     #0
        CHECK   \number, x0, \result
        .endm

        .globl  main
main:
        mov     x28, x30
        CALL    1, 0x84000000, 0, 0x10001
        CALL    2, 0x8400000a, 0xc4000003, 0
        CALL    3, 0x8400000a, 0x84000008, 0
        CALL    4, 0x8400000a, 0x84000015, -1
        CALL    5, 0xc4000004, 0, 0
        CALL    6, 0xc4000003, 0, -4
        CALL    7, 0xc4000003, 0x100, -2
        CALL    8, 0x84000006, 0, 2
        CALL    9, 0x8400001f, 0, -1
        CALL    10, 0x12345678, 0, -1
        CALL    11, 0x80000000, 0, 0x10001
        mov     x0, #0
        ret     x28
irq_entry:
fiq_entry:
        mov     x26, #97
        b       fail
