/* The measured child: its very first act is to look at the clock.
 *
 *   stamp FIFO   writes that time and its pid into the FIFO, then sleeps until it is ended
 *   stamp -      writes one line to its standard output, then sleeps: a supervised process at rest
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (argc < 2) return 2;
    if (strcmp(argv[1], "-") == 0) {
        if (write(1, "at rest\n", 8) != 8) return 1;
    } else {
        int64_t record[2] = {now.tv_sec * INT64_C(1000000000) + now.tv_nsec, getpid()};
        int fifo = open(argv[1], O_WRONLY | O_CLOEXEC);
        if (fifo < 0 || write(fifo, record, sizeof record) != sizeof record) return 1;
        close(fifo);
    }
    for (;;) pause();
}
