// Writes lines as fast as it is read, or one from time to time:
//
//   pour CORPUS LINES write|block STAMP [LAST]   lines of a file, over and over: with a write for each, or 64 KiB at once.
//                                                STAMP gets the monotonic times of its begin and end, nanoseconds;
//                                                LAST is one more line, the last.
//   pour - LINES PAUSE_US                        after each pause a line that is the time at which it is written
//   pour - BYTES                                 one line of so many bytes, and "after" as a line behind it
//
// A line has its line feed in the corpus. Nothing is allocated while it writes.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 64 << 10 };
static char block[BLOCK];
static size_t filled;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void put(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(1, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) exit(3);
        bytes += written;
        length -= (size_t)written;
    }
}

static void gather(const char *bytes, size_t length) {
    while (length > 0) {
        size_t part = length < BLOCK - filled ? length : BLOCK - filled;
        memcpy(block + filled, bytes, part);
        filled += part, bytes += part, length -= part;
        if (filled == BLOCK) put(block, filled), filled = 0;
    }
}

static int one_by_one(long lines, long pause_us) {
    struct timespec pause = {pause_us / 1000000, pause_us % 1000000 * 1000};
    char line[32];
    for (long n = 0; n < lines; n++) {
        nanosleep(&pause, NULL);
        put(line, (size_t)snprintf(line, sizeof line, "%lld\n", (long long)now()));
    }
    return 0;
}

static int one_line(long bytes) {
    memset(block, 'x', BLOCK);
    for (; bytes > 0; bytes -= BLOCK) put(block, bytes < BLOCK ? (size_t)bytes : BLOCK);
    put("\nafter\n", 7);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "-") == 0) return one_line(atol(argv[2]));
    if (argc == 4 && strcmp(argv[1], "-") == 0) return one_by_one(atol(argv[2]), atol(argv[3]));
    if (argc < 5) return 2;
    long lines = atol(argv[2]);
    void (*out)(const char *, size_t) = strcmp(argv[3], "write") == 0 ? put : gather;
    int file = open(argv[1], O_RDONLY);
    struct stat meta;
    if (file < 0 || fstat(file, &meta) != 0 || meta.st_size == 0) return 2;
    const char *corpus = mmap(NULL, (size_t)meta.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (corpus == MAP_FAILED) return 2;
    const char *end = corpus + meta.st_size, *at = corpus;
    int64_t begin = now();
    for (long n = 0; n < lines; n++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        if (!next) return 2;
        out(at, (size_t)(next + 1 - at));
        at = next + 1 < end ? next + 1 : corpus;
    }
    if (argc > 5) out(argv[5], strlen(argv[5])), out("\n", 1);
    if (filled) put(block, filled);
    int64_t done = now();
    FILE *stamp = fopen(argv[4], "w");
    if (!stamp || fprintf(stamp, "%lld %lld\n", (long long)begin, (long long)done) < 0 || fclose(stamp) != 0) return 3;
    return 0;
}
