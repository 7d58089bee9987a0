/* An external extension that needs nothing but the kernel: registers, and prints what it is told. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char answer[65536];

static int dial(void) {
    char host[64];
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    int port;
    if (!api || sscanf(api, "%63[^:]:%d", host, &port) != 2) exit(2);
    address.sin_port = htons(port);
    inet_pton(AF_INET, host, &address.sin_addr);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address)) exit(3);
    return connection;
}

/* Sends a request and reads its answer, whose body this points to. */
static char *ask(int connection, const char *request) {
    size_t got = 0;
    if (write(connection, request, strlen(request)) < 0) exit(4);
    for (;;) {
        ssize_t some = read(connection, answer + got, sizeof answer - 1 - got);
        if (some <= 0) exit(5);
        got += some;
        answer[got] = 0;
        char *body = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
        if (body && length && got >= (size_t)(body + 4 - answer) + atoi(length + 16)) return body + 4;
    }
}

int main(int count, char **arguments) {
    char request[512], id[64];
    const char *slash = strrchr(arguments[0], '/');
    const char *body = "{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}";
    int connection = dial();
    snprintf(request, sizeof request,
             "POST /2020-01-01/extension/register HTTP/1.1\r\nLambda-Extension-Name: %s\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             slash ? slash + 1 : arguments[0], strlen(body), body);
    ask(connection, request);
    char *given = strstr(answer, "Lambda-Extension-Identifier: ");
    if (!given || sscanf(given, "%*s %63s", id) != 1) return 6;
    snprintf(request, sizeof request,
             "GET /2020-01-01/extension/event/next HTTP/1.1\r\nLambda-Extension-Identifier: %s\r\n\r\n", id);
    for (;;) {
        char *event = ask(connection, request);
        printf("native %s\n", event);
        fflush(stdout);
        if (strstr(event, "SHUTDOWN")) return 0;
    }
}
