	.file "walk.c"
	.arch morello+c64
	.file 1 "walk.c"
	.section .text.fill,"ax",%progbits
	.p2align 2
	.globl fill
	.type fill, %function
fill:
	.loc 1 8 6
.Lfill.entry:
	.loc 1 11 12
	movz w10, #0
	.loc 1 11 5
	b .Lfill.test.3
.Lfill.loop.1:
	.loc 1 12 15
	movz w11, #120
	strb w11, [c0, w10, sxtw]
	.loc 1 11 29
	add w10, w10, #1
.Lfill.test.3:
	.loc 1 11 19
	cmp w10, w1
	b.lt .Lfill.loop.1
.Lfill.endloop.4:
	ret c30
.Lend.fill:
	.size fill, . - fill
	.section .text.narrow,"ax",%progbits
	.p2align 2
	.globl narrow
	.type narrow, %function
narrow:
	.loc 1 15 7
.Lnarrow.entry:
	.loc 1 17 12
	scbndse c0, c0, x1
	.loc 1 17 5
	ret c30
.Lend.narrow:
	.size narrow, . - narrow
	.section .text.forget,"ax",%progbits
	.p2align 2
	.globl forget
	.type forget, %function
forget:
	.loc 1 20 6
.Lforget.entry:
	.loc 1 22 11
	str xzr, [c0]
	.loc 1 22 5
	ret c30
.Lend.forget:
	.size forget, . - forget
	.section .text.begin,"ax",%progbits
	.p2align 2
	.globl begin
	.type begin, %function
begin:
	.loc 1 25 6
.Lbegin.entry:
	stp c29, c30, [csp, #-64]!
	mov c29, csp
	stp c19, c20, [csp, #32]
	mov w19, w0
	.loc 1 27 20
	movz x0, #4096
	bl map_pages
	mov c20, c0
	.loc 1 28 14
	str c20, [c20]
	.loc 1 29 37
	add c0, c20, #64
	.loc 1 29 16
	movz x1, #16
	bl narrow
	.loc 1 29 14
	str c0, [c20, #16]
	.loc 1 30 15
	ldr c0, [c20, #16]
	.loc 1 30 5
	movz x1, #8
	bl fill
	.loc 1 31 28
	mov c0, c20
	.loc 1 31 5
	bl forget
	.loc 1 32 15
	ldr c0, [c20, #16]
	.loc 1 32 23
	add w1, w19, #15
	.loc 1 32 5
	bl fill
	.loc 1 33 5
	movz x0, #3
	bl end
	ldp c19, c20, [csp, #32]
	ldp c29, c30, [csp], #64
	ret c30
.Lend.begin:
	.size begin, . - begin
	.section .debug_abbrev,"",%progbits
.Ldebug_abbrev:
	.section .debug_line,"",%progbits
.Ldebug_line:
	.section .debug_ranges,"",%progbits
.Ldebug_ranges:
	.xword .Lfill.entry, .Lend.fill
	.xword .Lnarrow.entry, .Lend.narrow
	.xword .Lforget.entry, .Lend.forget
	.xword .Lbegin.entry, .Lend.begin
	.xword 0, 0
	.section .debug_abbrev,"",%progbits
	.byte 1,17,1,37,8,19,11,3,8,16,23,17,1,85,23,0,0,2,46,1,3,8,17,1,18,7,64,24,59,15,63,11,0,0,3,52,0,3,8,73,19,2,24,0,0,4,52,0,3,8,73,19,0,0,5,5,0,3,8,73,19,2,24,0,0,6,5,0,3,8,73,19,0,0,7,36,0,3,8,11,15,62,11,0,0,8,15,0,11,15,73,19,0,0,9,15,0,11,15,0,0,10,1,1,73,19,0,0,11,33,0,55,15,0,0,12,19,1,3,8,11,15,0,0,13,23,1,3,8,11,15,0,0,14,13,0,3,8,73,19,56,15,0,0,15,13,0,3,8,73,19,107,15,13,15,0,0,16,4,1,3,8,11,15,0,0,17,40,0,3,8,28,13,0,0,18,21,1,73,19,0,0,19,21,1,0,0,20,5,0,73,19,0,0,21,52,0,3,8,73,19,63,11,2,24,0,0,0
	.section .debug_info,"",%progbits
.Ldebug_info:
	.word .Ldebug_info_end-.Ldebug_info_start
.Ldebug_info_start:
	.hword 4
	.word .Ldebug_abbrev
	.byte 8,1,109,111,114,101,108,108,111,32,99,99,0,12,119,97,108,107,46,99,0
	.word .Ldebug_line
	.xword 0
	.word .Ldebug_ranges
.Ltype0:
	.byte 7,99,104,97,114,0,1,8
.Ltype1:
	.byte 8,16
	.word .Ltype0-.Ldebug_info
.Ltype2:
	.byte 7,105,110,116,0,4,5
.Ltype3:
	.byte 7,117,110,115,105,103,110,101,100,32,108,111,110,103,0,8,7
.Ltype4:
	.byte 8,16
	.word .Ltype3-.Ldebug_info
.Ltype5:
	.byte 8,16
	.word .Ltype1-.Ldebug_info
	.byte 2,102,105,108,108,0
	.xword .Lfill.entry
	.xword .Lend.fill-.Lfill.entry
	.byte 1,111,8,1,5,116,111,0
	.word .Ltype1-.Ldebug_info
	.byte 3,144,198,1,5,99,111,117,110,116,0
	.word .Ltype2-.Ldebug_info
	.byte 1,81,3,105,0
	.word .Ltype2-.Ldebug_info
	.byte 1,90,0,2,110,97,114,114,111,119,0
	.xword .Lnarrow.entry
	.xword .Lend.narrow-.Lnarrow.entry
	.byte 1,111,15,1,5,102,114,111,109,0
	.word .Ltype1-.Ldebug_info
	.byte 3,144,198,1,5,115,105,122,101,0
	.word .Ltype3-.Ldebug_info
	.byte 1,81,0,2,102,111,114,103,101,116,0
	.xword .Lforget.entry
	.xword .Lend.forget-.Lforget.entry
	.byte 1,111,20,1,5,115,108,111,116,0
	.word .Ltype4-.Ldebug_info
	.byte 3,144,198,1,0,2,98,101,103,105,110,0
	.xword .Lbegin.entry
	.xword .Lend.begin-.Lbegin.entry
	.byte 1,111,25,1,5,97,114,103,99,0
	.word .Ltype2-.Ldebug_info
	.byte 1,99,3,115,108,111,116,115,0
	.word .Ltype5-.Ldebug_info
	.byte 3,144,218,1,0,0
.Ldebug_info_end:
