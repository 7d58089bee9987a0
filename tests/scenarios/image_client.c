/* What runs in the images of tests: a runtime of its own, without anything of the host. It answers
 * an event like "read /etc/x" with a text. */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char said[8192];

static void say(const char *text) {
    if (strlen(said) + strlen(text) + 2 < sizeof said) {
        strcat(said, *said ? " " : "");
        strcat(said, text);
    }
}

static void list(const char *path) {
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    if (count < 0)
        say(strerror(errno));
    for (int i = 0; i < count; i++)
        if (names[i]->d_name[0] != '.')
            say(names[i]->d_name);
}

static void act(char *deed, char *what, char **arguments) {
    static char content[4096];
    if (!strcmp(deed, "arguments")) {
        while (*arguments)
            say(*arguments++);
    } else if (!strcmp(deed, "variable")) {
        say(getenv(what) ? getenv(what) : "(none)");
    } else if (!strcmp(deed, "folder")) {
        say(getcwd(content, sizeof content) ? content : strerror(errno));
    } else if (!strcmp(deed, "list")) {
        list(what);
    } else if (!strcmp(deed, "mode")) {
        struct stat found;
        if (lstat(what, &found) < 0) {
            say(strerror(errno));
        } else {
            snprintf(content, sizeof content, "%o", found.st_mode);
            say(content);
        }
    } else if (!strcmp(deed, "read") || !strcmp(deed, "write")) {
        int file = open(what, *deed == 'r' ? O_RDONLY : O_WRONLY | O_CREAT, 0600);
        ssize_t length = file < 0 ? -1 : *deed == 'r' ? read(file, content, sizeof content - 1)
                                                      : write(file, "x", 1);
        content[*deed == 'r' && length > 0 ? length : 0] = '\0';
        say(length < 0 ? strerror(errno) : *deed == 'r' ? content : "written");
        close(file);
    }
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

int main(int count, char **arguments) {
    static char request[16384], event[65536], reply[4096];
    const char *next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n";
    (void)count;
    while (talk(next, event, sizeof event)) {
        char id[64] = "", deed[64] = "", what[1024] = "";
        sscanf(strstr(event, "Lambda-Runtime-Aws-Request-Id: "), "%*s %63s", id);
        sscanf(strstr(event, "\r\n\r\n") + 4, "\"%63[a-z] %1023[^\"]\"", deed, what);
        said[0] = '\0';
        act(deed, what, arguments);
        for (char *c = said; *c; c++)
            if (*c == '"' || *c == '\\' || *c < ' ')
                *c = '?';
        snprintf(request, sizeof request,
                 "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: %zu\r\n\r\n\"%s\"",
                 id, strlen(said) + 2, said);
        talk(request, reply, sizeof reply);
    }
    return 0;
}
