/* A runtime of its own, without an interpreter between it and the kernel: takes one event after
 * another, and does what the event's text says. */

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char answer[256];

/* A call of the 32-bit interface, which the filters of 64-bit calls know nothing of. */
static int call_of_another_architecture(void) {
#ifdef __x86_64__
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    return result;
#else
    return -1;
#endif
}

/* How a child ended that did what is asked. */
static const char *in_a_child(int (*act)(void)) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        act();
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return strerror(errno);
    if (WIFSIGNALED(status))
        return strsignal(WTERMSIG(status));
    return "returned";
}

static int call_of_x32(void) { return (int)syscall(0x40000000 + 39); }

static const char *executable_memory(void) {
    int rights = PROT_READ | PROT_WRITE | PROT_EXEC;
    void *page = mmap(NULL, 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? strerror(errno) : "allowed";
}

static const char *act_on(const char *event) {
    if (strstr(event, "\"another architecture\""))
        return in_a_child(call_of_another_architecture);
    if (strstr(event, "\"x32\""))
        return in_a_child(call_of_x32);
    if (strstr(event, "\"executable memory\""))
        return executable_memory();
    if (strstr(event, "\"vfork namespaces\"")) {
        long result = syscall(SYS_clone, 0x10000000UL | 0x00020000UL | SIGCHLD, 0, 0, 0, 0);
        return result < 0 ? strerror(errno) : "made";
    }
    if (strstr(event, "\"clone3\"")) {
        long result = syscall(435, 0, 0);
        return result < 0 ? strerror(errno) : "made";
    }
    if (strstr(event, "\"crash\""))
        *(volatile char *)8 = 1;
    if (strstr(event, "\"kill everybody\"")) {
        /* All processes but the caller and the first: none, in a world of its own. */
        return kill(-1, SIGKILL) < 0 ? strerror(errno) : "killed";
    }
    return "no such deed";
}

static int talk(const char *request, char *reply, size_t room) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((unsigned short)atoi(strchr(api, ':') + 1));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) < 0)
        exit(1);
    if (write(connection, request, strlen(request)) < 0)
        exit(1);
    /* An event of these tests comes in one packet. */
    ssize_t length = read(connection, reply, room - 1);
    close(connection);
    reply[length < 0 ? 0 : length] = '\0';
    return length > 0;
}

int main(void) {
    static char request[1024], event[65536], reply[4096];
    const char *next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";
    while (talk(next, event, sizeof event)) {
        char id[64] = "";
        sscanf(strstr(event, "Lambda-Runtime-Aws-Request-Id: "), "%*s %63s", id);
        snprintf(answer, sizeof answer, "\"%s\"", act_on(event));
        snprintf(request, sizeof request,
                 "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 id, strlen(answer), answer);
        talk(request, reply, sizeof reply);
    }
    return 0;
}
