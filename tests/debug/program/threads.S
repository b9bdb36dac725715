/* Two threads: the second counts in memory until the first has seen 40, and both end. */
	.text
	.globl _start
	.type _start, %function
_start:
	sub csp, csp, #4080
	mov c20, csp
	add c21, csp, #2048
	/* struct clone_args: VM, FS, FILES, SIGHAND, SYSVSEM, THREAD, SETTLS */
	movz x1, #0x0f00
	movk x1, #0xd, lsl #16
	str x1, [c20]
	stp xzr, xzr, [c20, #64]
	mov x3, #1024
	scbnds c2, c21, x3
	str c2, [c20, #80]
	mov x3, #1024
	str x3, [c20, #96]
	str c21, [c20, #112]
	str xzr, [c20, #144]
	str xzr, [c20, #1024]
	mov c0, c20
	mov x1, #160
	mov x8, #435
	svc #0
	cbz x0, second
first:
	ldr x1, [c20, #1024]
	cmp x1, #40
	b.lt first
	mov x0, x1
	mov x8, #94
	svc #0
	.size _start, . - _start

	.globl second
	.type second, %function
second:
	mov x4, #0
count:
	add x4, x4, #1
	str x4, [c20, #1024]
	cmp x4, #40
	b.lt count
	mov x0, #0
	mov x8, #93
	svc #0
	.size second, . - second
