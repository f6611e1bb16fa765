/* What health checks cost without anything that makes sense of them: a server, and the same requests made bare.
 *
 *   http serve                  listens on a free port of the loopback, writes it in a line, answers each request with 200
 *   http ask PORT RATE SECONDS  asks RATE times a second, a new connection each time; writes in a line how many requests
 *                               were answered with 200, and the CPU time of this process in nanoseconds
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n";
static const char REQUEST[] = "GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int serve(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1024)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        char request[4096];
        ssize_t got = 0, more;
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) continue;
        while ((more = read(connection, request + got, sizeof request - 1 - (size_t)got)) > 0) {
            request[got += more] = 0;
            if (strstr(request, "\r\n\r\n")) {
                if (write(connection, ANSWER, sizeof ANSWER - 1) < 0) perror("write");
                break;
            }
        }
        close(connection);
    }
}

static int is_answered(int port) {
    char answer[4096];
    ssize_t got = 0, more;
    struct sockaddr_in address = loopback(port);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == 0 &&
        write(connection, REQUEST, sizeof REQUEST - 1) > 0)
        while ((more = read(connection, answer + got, sizeof answer - (size_t)got)) > 0) got += more;
    close(connection);
    return got >= 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;
}

static int ask(int port, int rate, int seconds) {
    int64_t next = clock_ns(CLOCK_MONOTONIC), answered = 0;
    for (int number = 0; number < rate * seconds; number++) {
        struct timespec due = {next / 1000000000, next % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        answered += is_answered(port);
        next += 1000000000 / rate;
    }
    printf("%lld %lld\n", (long long)answered, (long long)clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "serve") == 0) return serve();
    if (argc == 5 && strcmp(argv[1], "ask") == 0) return ask(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
    return 2;
}
