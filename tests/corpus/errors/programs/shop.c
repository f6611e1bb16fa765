// @SHIFT@
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int seed;

__attribute__((noinline)) int check_stock(int count) {
    // @SHIFT@
    assert(count >= 0);
    return count;
}

__attribute__((noinline)) void free_order(char *order) {
    // @SHIFT@
    free(order);
}

__attribute__((noinline)) int read_order(int *order) {
    // @SHIFT@
    return order[0];
}

__attribute__((noinline)) void write_name(char *name, int length) {
    // @SHIFT@
    for (int i = 0; i <= length; i++) name[i] = 'x';
}

__attribute__((noinline)) int add_price(int price) {
    // @SHIFT@
    return price + 2147483647;
}

__attribute__((noinline)) void smash(int length) {
    volatile char buffer[8];
    for (int i = 0; i < length; i++) buffer[i] = (char)i;
    // @SHIFT@
}

int main(int argc, char **argv) {
    seed = atoi(argv[2]);
    if (!strcmp(argv[1], "assertion")) check_stock(-seed);
    if (!strcmp(argv[1], "double_free")) {
        char *order = malloc(24 + seed % 8);
        free_order(order);
        free_order(order);
    }
    if (!strcmp(argv[1], "asan_use_after_free")) {
        int *order = malloc(64 + seed % 64);
        free(order);
        return read_order(order);
    }
    if (!strcmp(argv[1], "asan_overflow")) write_name(malloc(10 + seed % 20), 10 + seed % 20);
    if (!strcmp(argv[1], "ubsan_overflow")) return add_price(1 + seed);
    if (!strcmp(argv[1], "smash")) smash(64 + seed % 64);
    return argc;
}
