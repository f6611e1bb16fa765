// @SHIFT@
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
struct pump { int id; char *label; struct pump *next; };
// @SHIFT@
static int level(struct pump *p) {
    // @SHIFT@
    assert(p->id > 1000);
    return p->id;
}
static void fill(char *to, size_t n) {
    // @SHIFT@
    memset(to, 'x', n);
}
static struct pump *find(struct pump *p, int id) {
    // @SHIFT@
    while (p->id != id) p = p->next;
    return p;
}
static int shared;
static void *turn(void *n) {
    // @SHIFT@
    for (int i = 0; i < 100; i++) shared += *(int *)n;
    return 0;
}
static int depth(int n) {
    // @SHIFT@
    volatile char pad[4096]; pad[0] = n;
    return n < 0 ? 0 : depth(n + 1) + pad[0];
}
int main(int argc, char **argv) {
    const char *f = argv[1]; int seed = atoi(argv[2]);
    // @SHIFT@
    struct pump one = {seed, 0, 0};
    if (!strcmp(f, "level")) return level(&one);
    if (!strcmp(f, "asan_fill")) { char *b = malloc(8); fill(b, 9 + seed); return b[0]; }
    if (!strcmp(f, "asan_find")) return find(&one, seed + 1)->id;
    if (!strcmp(f, "asan_twice")) { char *b = strdup(argv[2]); free(b); free(b); }
    if (!strcmp(f, "asan_deep")) return depth(seed);
    if (!strcmp(f, "asan_stack")) { int a[4] = {0}; return a[4 + seed % 2]; }
    if (!strcmp(f, "tsan_turn")) { pthread_t a, b; int n = 1; pthread_create(&a, 0, turn, &n); pthread_create(&b, 0, turn, &n); pthread_join(a, 0); pthread_join(b, 0); }
    if (!strcmp(f, "ubsan_add")) { int n = 0x7fffffff; n += seed; return n == 3; }
    if (!strcmp(f, "twice")) { void *b = malloc(9000 + seed); void *c = b; free(b); free(c); void *d = malloc(24); free(d); free(d); }
    return 0;
}
