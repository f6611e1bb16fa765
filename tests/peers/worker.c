/* The process under supervision: it writes numbered lines and keeps, out of the supervisor's reach, the truth
 * about them.
 *
 *     worker DIR NAME ROLE INTERVAL_US [CODE [AT]]
 *
 * It writes `out NAME/INSTANCE K` to stdout and `err NAME/INSTANCE K` to stderr, K = 1, 2, 3, …, each line with one
 * write. INSTANCE counts the starts of this worker. The truth is a shared mapping of DIR/NAME.INSTANCE, so that it
 * outlasts every way to die: `tried` is counted before a write and `done` after it.
 *
 * Roles:
 *   steady    ends with status 1 when a write fails, as most programs do
 *   stubborn  goes on when a write fails, as programs do whose logging swallows errors
 *   exiter    as steady, and exits with CODE after AT lines on each stream
 *   once      is silent until SIGUSR1, then writes LAST_WORDS lines on each stream and exits with CODE
 *   forker    as steady, with a child in its process group and a double-forked descendant in a session of its own
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LAST_WORDS 20
#define MAGIC 0x52454550u

struct stream {
    uint64_t tried, done;
};

/* truth.py reads this layout. */
struct truth {
    uint64_t magic, pid, start;
    struct stream out, err;
    uint64_t refused;     /* writes that failed */
    uint64_t longest_us;  /* the longest write */
    uint64_t code;        /* exit code + 1, once it is about to exit by itself */
    uint64_t child, child_start, daemon, daemon_start;
};

static struct truth *truth;
static char self[256];
static int stubborn;

static void fail(const char *what) {
    perror(what);
    exit(120);
}

/* A pid alone may be given out again; with the time of its start it is not. */
static uint64_t start_time(void) {
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0) fail("/proc/self/stat");
    close(fd);
    text[n] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

static void open_truth(const char *dir, const char *name) {
    char path[512];
    int fd = -1;
    for (int instance = 1; fd < 0; instance++) {
        snprintf(path, sizeof path, "%s/%s.%d", dir, name, instance);
        snprintf(self, sizeof self, "%s/%d", name, instance);
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) fail(path);
    }
    if (ftruncate(fd, sizeof *truth) != 0) fail("ftruncate");
    truth = mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (truth == MAP_FAILED) fail("mmap");
    close(fd);
    truth->pid = (uint64_t)getpid();
    truth->start = start_time();
}

static void leave(int code) {
    truth->code = (uint64_t)code + 1;
    _exit(code);
}

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static ssize_t whole_write(int fd, const char *line, size_t size) {
    for (;;) {
        ssize_t n = write(fd, line, size);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN)) return n;
        struct pollfd ready = {fd, POLLOUT, 0};
        if (errno == EAGAIN) poll(&ready, 1, -1);
    }
}

/* Writes the next line. One that was refused keeps its number for the next try. */
static void say(int fd, const char *word, struct stream *stream) {
    char line[320];
    int size = snprintf(line, sizeof line, "%s %s %llu\n", word, self, (unsigned long long)stream->done + 1);
    stream->tried = stream->done + 1;
    uint64_t begin = now_us();
    ssize_t n = whole_write(fd, line, (size_t)size);
    uint64_t took = now_us() - begin;
    if (took > truth->longest_us) truth->longest_us = took;
    if (n == size) {
        stream->done++;
        return;
    }
    truth->refused++;
    if (!stubborn) leave(1);
}

static void say_both(void) {
    say(1, "out", &truth->out);
    say(2, "err", &truth->err);
}

static void rest(uint64_t *pid, uint64_t *start) {
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    close(null);
    *start = start_time();
    *pid = (uint64_t)getpid();
    for (;;) pause();
}

static void fork_descendants(void) {
    if (fork() == 0) rest(&truth->child, &truth->child_start);
    pid_t between = fork();
    if (between == 0) {
        setsid();
        if (fork() == 0) rest(&truth->daemon, &truth->daemon_start);
        _exit(0);
    }
    waitpid(between, NULL, 0);
}

static void wait_for_order(sigset_t *order) {
    int got;
    while (sigwait(order, &got) != 0) {}
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: worker DIR NAME ROLE INTERVAL_US [CODE [AT]]\n");
        return 2;
    }
    const char *role = argv[3];
    unsigned interval = (unsigned)atoi(argv[4]);
    int code = argc > 5 ? atoi(argv[5]) : 0;
    uint64_t at = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
    int once = strcmp(role, "once") == 0;
    stubborn = once || strcmp(role, "stubborn") == 0;
    if (stubborn) signal(SIGPIPE, SIG_IGN);
    sigset_t order;
    sigemptyset(&order);
    sigaddset(&order, SIGUSR1);
    if (once) sigprocmask(SIG_BLOCK, &order, NULL);

    open_truth(argv[1], argv[2]);
    if (strcmp(role, "forker") == 0) fork_descendants();
    truth->magic = MAGIC; /* from here on it counts as started */

    if (once) {
        wait_for_order(&order);
        for (int line = 0; line < LAST_WORDS; line++) say_both();
        leave(code);
    }
    unsigned chance = (unsigned)getpid();
    for (;;) {
        say_both();
        if (at && truth->out.done >= at) leave(code);
        /* From half to one and a half intervals: workers should not march in step. */
        chance = chance * 1103515245u + 12345u;
        usleep(interval / 2 + (chance >> 8) % (interval + 1));
    }
}
