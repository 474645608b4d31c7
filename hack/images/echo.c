/*
 * What the demo's and the tests' pods run, small since many start at once in an emulated kernel. On one port:
 *   - a request that begins like HTTP is answered with who answers and whom it saw, as JSON;
 *   - any other bytes are echoed as they came (a long flow that must survive), UDP datagrams too.
 * Environment: PORT (8080), POD_NAME, NODE_NAME. A process for each connection.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(int signal) { (void)signal; _exit(0); }

static const char *setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value == NULL || *value == '\0' ? otherwise : value;
}

/* A dual-stack socket: an IPv4 client is seen as ::ffff:a.b.c.d. */
static int bound(int type) {
  int on = 1, off = 0;
  int file = socket(AF_INET6, type, 0);
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)atoi(setting("PORT", "8080")))};
  setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(file, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (file < 0 || bind(file, (struct sockaddr *)&any, sizeof any) != 0) {
    perror("echo: bind");
    exit(1);
  }
  return file;
}

/* Until all is sent; 0 when the other side is gone. */
static int sent(int file, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t count = write(file, bytes, length);
    if (count <= 0) return 0;
    bytes += count;
    length -= (size_t)count;
  }
  return 1;
}

static void answer_http(int file, const struct sockaddr_in6 *from) {
  char client[INET6_ADDRSTRLEN] = "", body[512], head[160];
  inet_ntop(AF_INET6, &from->sin6_addr, client, sizeof client);
  const char *plain = strncmp(client, "::ffff:", 7) == 0 ? client + 7 : client;
  int length = snprintf(body, sizeof body, "{\"pod\":\"%s\",\"node\":\"%s\",\"client\":\"%s\"}\n",
                        setting("POD_NAME", "unknown"), setting("NODE_NAME", "unknown"), plain);
  int before = snprintf(head, sizeof head,
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n",
                        length);
  if (!sent(file, head, (size_t)before) || !sent(file, body, (size_t)length)) return;
  /* The rest of the request is read, or closing would reset the connection. */
  shutdown(file, SHUT_WR);
  while (read(file, body, sizeof body) > 0) {}
}

static int is_http(const char *bytes, ssize_t count) {
  return (count >= 4 && memcmp(bytes, "GET ", 4) == 0) || (count >= 5 && memcmp(bytes, "HEAD ", 5) == 0) ||
         (count >= 5 && memcmp(bytes, "POST ", 5) == 0);
}

static void serve(int file, const struct sockaddr_in6 *from) {
  char bytes[16384];
  ssize_t count = read(file, bytes, sizeof bytes);
  if (is_http(bytes, count)) {
    answer_http(file, from);
    return;
  }
  while (count > 0 && sent(file, bytes, (size_t)count)) count = read(file, bytes, sizeof bytes);
}

static void echo_datagrams(void) {
  char bytes[65536];
  int file = bound(SOCK_DGRAM);
  for (;;) {
    struct sockaddr_in6 from;
    socklen_t size = sizeof from;
    ssize_t count = recvfrom(file, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);
    if (count >= 0) sendto(file, bytes, (size_t)count, 0, (struct sockaddr *)&from, size);
  }
}

int main(void) {
  signal(SIGTERM, end);
  signal(SIGINT, end);
  signal(SIGPIPE, SIG_IGN);
  /* Nobody waits for the processes of connections. */
  signal(SIGCHLD, SIG_IGN);
  int file = bound(SOCK_STREAM);
  if (listen(file, 128) != 0) return 1;
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    echo_datagrams();
  }
  for (;;) {
    struct sockaddr_in6 from;
    socklen_t size = sizeof from;
    int connection = accept(file, (struct sockaddr *)&from, &size);
    if (connection < 0) continue;
    if (fork() == 0) {
      close(file);
      serve(connection, &from);
      _exit(0);
    }
    close(connection);
  }
}
