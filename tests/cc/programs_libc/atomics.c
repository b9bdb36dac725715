/* __sync, __atomic and <stdatomic.h> on every width and on pointers. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

static _Atomic int counter = 5;
static atomic_uchar small = 250;
static int plain = 10;
static long wide = 1L << 40;
static short sh = -3;
static int cells[4];
static int *_Atomic cursor = cells;
static atomic_flag flag = ATOMIC_FLAG_INIT;

int main(void) {
  counter++;
  counter += 4;
  counter -= 1;
  counter |= 0x40;
  printf("%d ", atomic_fetch_add(&counter, 6));
  small += 10;
  printf("%d ", atomic_exchange(&small, 7));
  printf("%d %d\n", counter, small);
  printf("%d ", __sync_fetch_and_add(&plain, 5));
  printf("%d ", __sync_add_and_fetch(&plain, 5));
  printf("%d ", __sync_fetch_and_sub(&plain, 1));
  printf("%d ", __sync_bool_compare_and_swap(&plain, 19, 100));
  printf("%d ", __sync_val_compare_and_swap(&plain, 19, 200));
  printf("%d\n", plain);
  printf("%ld ", __atomic_fetch_or(&wide, 15, __ATOMIC_SEQ_CST));
  printf("%ld ", __atomic_and_fetch(&wide, ~1L, __ATOMIC_RELAXED));
  printf("%ld ", __atomic_fetch_xor(&wide, 3, __ATOMIC_ACQ_REL));
  printf("%ld ", __atomic_nand_fetch(&wide, 7, __ATOMIC_SEQ_CST));
  printf("%ld\n", __atomic_load_n(&wide, __ATOMIC_ACQUIRE));
  short want = -3;
  printf("%d ", __atomic_compare_exchange_n(&sh, &want, 9, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  printf("%d ", __atomic_compare_exchange_n(&sh, &want, 10, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  printf("%d %d\n", want, __atomic_sub_fetch(&sh, 20, __ATOMIC_SEQ_CST));
  int *old = cursor;
  int *next = cells + 2;
  printf("%d ", atomic_compare_exchange_strong(&cursor, &old, next));
  printf("%d ", atomic_compare_exchange_strong(&cursor, &old, cells));
  *cursor = 8;
  printf("%d %d\n", (int)(old - cells), cells[2]);
  old = atomic_exchange(&cursor, cells + 3);
  *old += 1;
  printf("%d ", cells[2]);
  cursor--;
  *cursor = 77;
  printf("%d\n", cells[2]);
  printf("%d ", atomic_flag_test_and_set(&flag));
  printf("%d ", atomic_flag_test_and_set(&flag));
  atomic_flag_clear(&flag);
  printf("%d\n", atomic_flag_test_and_set(&flag));
  __sync_synchronize();
  atomic_thread_fence(memory_order_seq_cst);
  __atomic_store_n(&plain, 3, __ATOMIC_RELEASE);
  int loaded;
  __atomic_load(&plain, &loaded, __ATOMIC_SEQ_CST);
  return loaded;
}
