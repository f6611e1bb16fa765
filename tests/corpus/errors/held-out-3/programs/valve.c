// @SHIFT@
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int seed;
static const char *keeper;
typedef struct { char name[8]; int *readings; size_t count; } valve;

// @SHIFT@
__attribute__((noinline)) static int reading(valve *v, size_t at) { return v->readings[at]; }
// @SHIFT@
__attribute__((noinline)) static valve *made(size_t count) {
    valve *v = malloc(sizeof *v);
    v->readings = malloc(count * sizeof(int));
    v->count = count;
    memset(v->readings, 0, count * sizeof(int));
    return v;
}
// @SHIFT@
__attribute__((noinline)) static void named(valve *v, const char *name) { strcpy(v->name, name); }
// @SHIFT@
__attribute__((noinline)) static void dropped(valve *v) { free(v->readings); free(v); }
// @SHIFT@
__attribute__((noinline)) static int average(valve *v) {
    int sum = 0;
    for (size_t i = 0; i < v->count; i++) sum += v->readings[i];
    return sum / (int)(v->count - v->count);
}
static int compare(const void *a, const void *b) {
    // @SHIFT@
    return **(int *const *)a - **(int *const *)b;
}
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, two = PTHREAD_MUTEX_INITIALIZER;
static void *open_valve(void *x) {
    // @SHIFT@
    pthread_mutex_lock(&one); pthread_mutex_lock(&two); pthread_mutex_unlock(&two); pthread_mutex_unlock(&one); return x;
}
static void *close_valve(void *x) {
    // @SHIFT@
    pthread_mutex_lock(&two); pthread_mutex_lock(&one); pthread_mutex_unlock(&one); pthread_mutex_unlock(&two); return x;
}
static void through(void (*job)(void)) { if (seed % 2) { job(); } else { void (*volatile j)(void) = job; j(); } }
static void invalid_pointer(void) {
    // @SHIFT@
    char *p = malloc(64 + seed); free(p + 8);
}
static void corrupted_size(void) {
    // @SHIFT@
    size_t *p = malloc(24); p[3] = 0x1111; void *volatile q = malloc(1 << 16); (void)q;
}
static void invalid_realloc(void) {
    // @SHIFT@
    char *p = malloc(40); (void)!realloc(p + 16, 100 + seed);
}
// @SHIFT@
int main(int argc, char **argv) {
    const char *fault = argv[1];
    seed = atoi(argv[2]);
    keeper = (const char *[]){"anders", "birgit", "corin", "d.vos", "eva", "flor"}[seed % 6];
    // @SHIFT@
    if (!strcmp(fault, "invalid_pointer")) through(invalid_pointer);
    if (!strcmp(fault, "corrupted_size")) through(corrupted_size);
    if (!strcmp(fault, "invalid_realloc")) through(invalid_realloc);
    // @SHIFT@
    if (!strcmp(fault, "fortified")) { valve v; char name[40]; snprintf(name, 40, "%s-%d-%s", keeper, seed, "northern"); named(&v, name); printf("%s", v.name); }
    // @SHIFT@
    if (!strcmp(fault, "asan_freed_valve")) { valve *v = made(4); dropped(v); return reading(v, 1); }
    if (!strcmp(fault, "asan_beyond")) { valve *v = made(4 + seed); return reading(v, 4 + seed); }
    if (!strcmp(fault, "asan_null_valve")) return reading(NULL, seed);
    if (!strcmp(fault, "asan_sorted")) { int *list[] = {&seed, NULL, &seed}; qsort(list, 3, sizeof *list, compare); }
    if (!strcmp(fault, "asan_overlap")) { char *p = malloc(100); memcpy(p + 1, p, 10 + seed); }
    if (!strcmp(fault, "asan_negative")) { char *p = malloc(100); int n = -seed; memset(p, 0, n); }
    if (!strcmp(fault, "asan_lost")) { valve *v = made(8 + seed); v = NULL; }
    if (!strcmp(fault, "asan_divided")) return average(made(4));
    // @SHIFT@
    if (!strcmp(fault, "ubsan_index")) { int table[4] = {0}; volatile int at = seed; return table[at & 7 | 4]; }
    if (!strcmp(fault, "ubsan_divide")) { volatile int zero = 0; return seed / zero; }
    if (!strcmp(fault, "ubsan_bool")) { char b = 7; volatile _Bool *p = (_Bool *)&b; return *p; }
    // @SHIFT@
    if (!strcmp(fault, "tsan_order")) {
        pthread_t t;
        pthread_create(&t, 0, open_valve, 0); pthread_join(t, 0);
        pthread_create(&t, 0, close_valve, 0); pthread_join(t, 0);
    }
    // @SHIFT@
    if (!strcmp(fault, "err_open")) { char path[64]; sprintf(path, "/var/lib/valve/%s.dat", keeper); if (!fopen(path, "r")) err(1, "cannot open %s", path); }
    if (!strcmp(fault, "err_bind")) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof at;
        bind(s, (void *)&at, size); listen(s, 1); getsockname(s, (void *)&at, &size);
        if (bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&at, size)) { fprintf(stderr, "valved[%d]: fatal: bind port %d: %s\n", getpid(), ntohs(at.sin_port), strerror(errno)); return 1; }
    }
    if (!strcmp(fault, "perror_connect")) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1)};
        if (connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&at, sizeof at)) { perror("connect"); return 1; }
    }
    if (!strcmp(fault, "stream_full")) { FILE *f = fopen("/dev/full", "w"); fprintf(f, "%d", seed); if (fclose(f)) { fprintf(stderr, "ERROR: write of %d bytes failed: %s (errno=%d)\n", seed, strerror(errno), errno); return 1; } }
    if (!strcmp(fault, "log_oom")) fprintf(stderr, "[%5d.%06d] Out of memory: Killed process %d (valved) total-vm:%dkB, anon-rss:%dkB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:%dkB oom_score_adj:0\n", seed * 99, seed * 977, seed * 31, seed * 99991, seed * 77777, seed * 9);
    if (!strcmp(fault, "log_segv")) fprintf(stderr, "[%5d.%06d] valved[%d]: segfault at %x ip 00005%07xd1e sp 00007ff%07xa0 error 4 in valved[55d0c0e00000+%x000]\n", seed * 99, seed * 977, seed * 31, seed, seed * 99991, seed * 77777, seed % 16);
    return 0;
}
