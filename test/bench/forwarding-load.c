/*
 * Load for test/bench/forwarding.ts.
 *   forwarding-load requests from=NETNS to=NETNS source=A address=A port=P listen=P mode=keep|new connections=N ms=N
 *   forwarding-load packets from=NETNS to=NETNS source=A address=A port=P back=A listen=P direction=forth|back ms=N
 *   forwarding-load first from=NETNS to=NETNS source=A address=A port=P source-port=P flows=N
 *   forwarding-load calibrate
 * each with cpu=N to stay on one processor. Namespaces are names below /run/netns. All but `calibrate` say "ready" when
 * they are warm, wait for a line, work, print a line of JSON, and wait for another line.
 *
 * Client and server are one process with sockets in two namespaces: a packet is forwarded inside the system call that
 * sends it, so all the work is done by one process on one processor, and no scheduler is between.
 *
 * `packets` floods one flow that the node knows by a raw socket, a thousand packets to a system call, so that the call
 * costs nothing; who gets them has a rule that drops them, and its devices count them. `first` sends one packet on each
 * of many flows that the node does not know.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 100, REPLY = 200, BATCH = 1024, EVENTS = 256, MOST_CONNECTIONS = 1024, WARM_MS = 20 };
enum { PAYLOAD = 64, UDP_HEADER = 8 };

static void fail(const char *what) {
  fprintf(stderr, "forwarding-load: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* --- arguments: name=value */

static char **words;

static const char *option(const char *name, const char *otherwise) {
  size_t length = strlen(name);
  for (char **word = words; *word; word++)
    if (!strncmp(*word, name, length) && (*word)[length] == '=') return *word + length + 1;
  if (!otherwise) {
    fprintf(stderr, "forwarding-load: %s=... is missing\n", name);
    exit(2);
  }
  return otherwise;
}

static int number(const char *name, const char *otherwise) { return atoi(option(name, otherwise)); }

/* Both families as one: the port is in the same place in both. */
union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static union address address_of(const char *text, int port) {
  union address out = {0};
  int is6 = strchr(text, ':') != NULL;
  out.any.sa_family = is6 ? AF_INET6 : AF_INET;
  out.v4.sin_port = htons(port);
  if (inet_pton(out.any.sa_family, text, is6 ? (void *)&out.v6.sin6_addr : (void *)&out.v4.sin_addr) != 1) fail(text);
  return out;
}

static socklen_t size_of(const union address *address) {
  return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

static void enter(const char *netns) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", netns);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET)) fail(path);
  close(fd);
}

static void stay_on(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  if (cpu >= 0 && sched_setaffinity(0, sizeof one, &one)) fail("sched_setaffinity");
}

/* --- time: microseconds */

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

/*
 * Who measures looks at this process' processor time before and after: it is asked to by a line, when all is warm, and
 * this process waits for a line each time. What the scheduler has counted is exact only while nothing runs.
 */
static void wait_for_line(const char *said) {
  char line[16];
  printf("%s\n", said);
  fflush(stdout);
  if (!fgets(line, sizeof line, stdin)) exit(1);
}

static double begin(void) {
  wait_for_line("ready");
  return now();
}

static void finish(double began, long count, long errors, const char *more) {
  char said[256];
  double us = now() - began;
  snprintf(said, sizeof said, "{\"count\":%ld,\"errors\":%ld,\"wall_us\":%.1f%s}", count, errors, us, more);
  wait_for_line(said);
}

/* --- requests */

struct side {
  int fd, is_client, is_open; /* is_open: connected */
  int got;                    /* bytes of the message that is coming */
  double asked;               /* when the request was sent, by the clock of its turn */
};

static int poller;
static union address target, source;
static int has_source, is_fresh;
static double turn; /* one look at the clock for each turn: in a guest each look is a system call */
static long answers, errors;
/* Latencies by tenths of a power of two, microseconds. */
enum { BUCKETS = 320 };
static long latencies[BUCKETS];

static void record(double us) {
  int bucket = 0;
  for (double limit = 1; limit < us && bucket < BUCKETS - 1; limit *= 1.0717735) bucket++;
  latencies[bucket]++;
}

static double percentile(double share) {
  long total = 0, sum = 0;
  for (int i = 0; i < BUCKETS; i++) total += latencies[i];
  double limit = 1;
  for (int i = 0; i < BUCKETS; i++, limit *= 1.0717735)
    if ((sum += latencies[i]) > share * total) return limit;
  return 0;
}

static void watch(struct side *side, uint32_t events, int how) {
  struct epoll_event event = {.events = events, .data.ptr = side};
  if (epoll_ctl(poller, how, side->fd, &event)) fail("epoll_ctl");
}

static void at_once(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void dial(struct side *side) {
  side->is_open = side->got = 0;
  side->fd = socket(target.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (side->fd < 0) fail("socket");
  at_once(side->fd);
  int late = 1;
  setsockopt(side->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
  if (has_source && bind(side->fd, &source.any, size_of(&source))) fail("bind");
  side->asked = turn;
  if (connect(side->fd, &target.any, size_of(&target)) && errno != EINPROGRESS) fail("connect");
  watch(side, EPOLLOUT, EPOLL_CTL_ADD);
}

/* By a reset, so that nothing of the connection stays with anybody: the next sample finds the node as this one did. */
static void redial(struct side *side) {
  struct linger reset = {.l_onoff = 1};
  setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(side->fd);
  dial(side);
}

static void ask(struct side *side) {
  static const char request[REQUEST] = "request";
  if (!is_fresh) side->asked = turn;
  if (write(side->fd, request, REQUEST) == REQUEST) return;
  errors++;
  redial(side);
}

/* Bytes that came, 0 at the end, -1 when there is nothing or it broke. */
static int take(struct side *side) {
  char bytes[512];
  ssize_t n = read(side->fd, bytes, sizeof bytes);
  if (n > 0) side->got += n;
  return n;
}

static void client_turn(struct side *side, uint32_t events) {
  if (events & EPOLLERR) {
    errors++;
    redial(side);
    return;
  }
  if (!side->is_open) {
    side->is_open = 1;
    watch(side, EPOLLIN, EPOLL_CTL_MOD);
    ask(side);
    return;
  }
  int n = take(side);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0 || side->got > REPLY) {
    errors++;
    redial(side);
    return;
  }
  if (side->got < REPLY) return;
  side->got = 0;
  answers++;
  record(turn - side->asked);
  if (is_fresh) redial(side);
  else ask(side);
}

static void server_turn(struct side *side) {
  static const char reply[REPLY] = "reply";
  int n = take(side);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    close(side->fd);
    free(side);
    return;
  }
  if (side->got < REQUEST) return;
  side->got -= REQUEST;
  if (write(side->fd, reply, REPLY) != REPLY) errors++;
}

static void welcome(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    struct side *side = calloc(1, sizeof *side);
    side->fd = fd;
    at_once(fd);
    watch(side, EPOLLIN, EPOLL_CTL_ADD);
  }
}

static int listen_at(int family, int port) {
  union address any = address_of(family == AF_INET6 ? "::" : "0.0.0.0", port);
  int one = 1, listener = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (listener < 0 || bind(listener, &any.any, size_of(&any)) || listen(listener, MOST_CONNECTIONS)) fail("listen");
  return listener;
}

static void turn_until(double end, int listener) {
  struct epoll_event events[EVENTS];
  while ((turn = now()) < end) {
    int n = epoll_wait(poller, events, EVENTS, (end - turn) / 1000 + 1);
    turn = now();
    for (int i = 0; i < n; i++) {
      struct side *side = events[i].data.ptr;
      if (side->fd == listener) welcome(listener);
      else if (side->is_client) client_turn(side, events[i].events);
      else server_turn(side);
    }
  }
}

/* TCP segments that were sent once more, of a namespace: twelfth in the second of the lines that begin with Tcp. */
static long repeats_in(const char *netns) {
  char line[512];
  long found = 0;
  enter(netns);
  FILE *file = fopen("/proc/thread-self/net/snmp", "r");
  if (!file) fail("/proc/thread-self/net/snmp");
  while (fgets(line, sizeof line, file))
    sscanf(line, "Tcp: %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %ld", &found);
  fclose(file);
  return found;
}

static long repeats(const char *client, const char *pod) {
  long there = repeats_in(pod);
  return repeats_in(client) + there;
}

static int requests(void) {
  static struct side clients[MOST_CONNECTIONS];
  const char *client = option("from", NULL), *pod = option("to", NULL);
  int connections = number("connections", "16");
  if (connections < 1 || connections > MOST_CONNECTIONS) fail("connections");
  is_fresh = !strcmp(option("mode", NULL), "new");
  target = address_of(option("address", NULL), number("port", NULL));
  has_source = *option("source", "") != 0;
  if (has_source) source = address_of(option("source", NULL), 0);
  poller = epoll_create1(0);
  enter(pod);
  struct side server = {.fd = listen_at(target.any.sa_family, number("listen", NULL))};
  watch(&server, EPOLLIN, EPOLL_CTL_ADD);
  enter(client);
  turn = now();
  for (int i = 0; i < connections; i++) {
    clients[i].is_client = 1;
    dial(&clients[i]);
  }
  turn_until(turn + WARM_MS * 1e3, server.fd);
  answers = errors = 0;
  memset(latencies, 0, sizeof latencies);
  long repeated = -repeats(client, pod);
  double began = begin();
  turn_until(began + number("ms", NULL) * 1e3, server.fd);
  repeated += repeats(client, pod);
  /* Who has had no answer in all this time is broken. */
  int silent = 0;
  for (int i = 0; i < connections; i++) silent += clients[i].asked < began;
  char more[96];
  snprintf(more, sizeof more, ",\"repeated\":%ld,\"p50_us\":%.0f,\"p99_us\":%.0f", repeated, percentile(0.5),
           percentile(0.99));
  finish(began, answers, errors + silent, more);
  return 0;
}

/* --- packets */

static uint64_t received_in(const char *netns, const char *back_to) {
  char line[512], device[64];
  unsigned long long bytes, packets, sum = 0;
  enter(netns);
  FILE *file = fopen("/proc/thread-self/net/dev", "r");
  if (!file) fail("/proc/thread-self/net/dev");
  while (fgets(line, sizeof line, file))
    if (sscanf(line, " %63[^:]: %llu %llu", device, &bytes, &packets) == 3 && strcmp(device, "lo")) sum += packets;
  fclose(file);
  enter(back_to);
  return sum;
}

/* A raw socket for UDP: the kernel makes the IP header, we make UDP's. */
static int raw_socket(const char *from, const union address *to) {
  int fd = socket(to->any.sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP), room = 1 << 22, checksum_at = 6;
  if (fd < 0) fail("raw socket");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
  /* IPv6 must have one; in IPv4 it may be left out. */
  if (to->any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &checksum_at, sizeof checksum_at))
    fail("IPV6_CHECKSUM");
  union address own = address_of(*from ? from : "0.0.0.0", 0), peer = *to;
  if (*from && bind(fd, &own.any, size_of(&own))) fail(from);
  peer.v4.sin_port = 0;
  if (connect(fd, &peer.any, size_of(&peer))) fail("connect raw");
  return fd;
}

struct flood {
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  struct {
    uint16_t from, to, length, checksum;
    char payload[PAYLOAD];
  } datagrams[BATCH];
};
static struct flood flood;

static void prepare(int from_port, int to_port) {
  for (int i = 0; i < BATCH; i++) {
    flood.datagrams[i].from = htons(from_port);
    flood.datagrams[i].to = htons(to_port);
    flood.datagrams[i].length = htons(UDP_HEADER + PAYLOAD);
    flood.parts[i] = (struct iovec){&flood.datagrams[i], UDP_HEADER + PAYLOAD};
    flood.messages[i].msg_hdr = (struct msghdr){.msg_iov = &flood.parts[i], .msg_iovlen = 1};
  }
}

/* Returns how many went out; refusals (no room) are left out. */
static int send_batch(int fd, int count) {
  int sent = sendmmsg(fd, flood.messages, count, 0);
  if (sent < 0 && errno != ENOBUFS && errno != EAGAIN) fail("sendmmsg");
  return sent < 0 ? 0 : sent;
}

static void flood_for(int fd, int ms) {
  for (double end = now() + ms * 1e3; now() < end;) send_batch(fd, BATCH);
}

static int watch_packets(int family) {
  int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(family == AF_INET6 ? ETH_P_IPV6 : ETH_P_IP));
  struct timeval patience = {.tv_sec = 1};
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience)) fail("packet socket");
  return fd;
}

/* Whom the pod sees: behind masquerade that is not who asked. */
static union address asker_of(int watched, int family, int port) {
  for (;;) {
    unsigned char packet[256];
    union address out = {0};
    if (recv(watched, packet, sizeof packet, 0) < 0) fail("nothing came to the pod");
    int is6 = family == AF_INET6;
    unsigned char protocol = packet[is6 ? 6 : 9];
    uint16_t ports[2];
    memcpy(ports, packet + (is6 ? 40 : 4 * (packet[0] & 15)), sizeof ports);
    if (protocol != IPPROTO_UDP || ports[1] != htons(port)) continue;
    out.any.sa_family = family;
    out.v4.sin_port = ports[0];
    if (is6) memcpy(&out.v6.sin6_addr, packet + 8, sizeof out.v6.sin6_addr);
    else memcpy(&out.v4.sin_addr, packet + 12, sizeof out.v4.sin_addr);
    return out;
  }
}

static int packets(void) {
  const char *client = option("from", NULL), *pod = option("to", NULL);
  int is_back = !strcmp(option("direction", NULL), "back"), own_port = number("source-port", "40000");
  union address there = address_of(option("address", NULL), number("port", NULL));
  int family = there.any.sa_family, listen = number("listen", NULL);
  enter(pod);
  int watched = watch_packets(family);
  enter(client);
  int fd = raw_socket(option("source", NULL), &there);
  prepare(own_port, number("port", NULL));
  send_batch(fd, 1);
  union address asker = asker_of(watched, family, listen);
  /* While it is open every packet is copied for it. */
  close(watched);
  flood_for(fd, WARM_MS);
  if (is_back) {
    enter(pod);
    fd = raw_socket(option("back", NULL), &asker);
    prepare(listen, ntohs(asker.v4.sin_port));
    flood_for(fd, WARM_MS);
  }
  const char *from = is_back ? pod : client, *to = is_back ? client : pod;
  uint64_t before = received_in(to, from);
  long sent = 0;
  double began = begin();
  for (double end = began + number("ms", NULL) * 1e3; now() < end;) sent += send_batch(fd, BATCH);
  finish(began, sent, sent - (long)(received_in(to, from) - before), "");
  return 0;
}

static int first(void) {
  const char *from = option("from", NULL), *to = option("to", NULL);
  int flows = number("flows", NULL), next = number("source-port", "1024");
  union address there = address_of(option("address", NULL), number("port", NULL));
  if (flows < 1 || next + flows > 65536) fail("flows");
  enter(from);
  int fd = raw_socket(option("source", NULL), &there);
  prepare(next - 1, number("port", NULL));
  flood_for(fd, WARM_MS);
  uint64_t before = received_in(to, from);
  long sent = 0;
  double began = begin();
  while (sent < flows) {
    int count = flows - sent < BATCH ? flows - sent : BATCH;
    for (int i = 0; i < count; i++) flood.datagrams[i].from = htons(next + sent + i);
    sent += send_batch(fd, count);
  }
  finish(began, sent, sent - (long)(received_in(to, from) - before), "");
  return 0;
}

/* --- what the machine itself costs */

/* The best of some: what disturbs can only make it longer. */
static double per_turn(void (*work)(void), int turns) {
  double best = 1e18;
  for (int round = 0; round < 20; round++) {
    double began = now();
    for (int i = 0; i < turns; i++) work();
    double each = (now() - began) / turns;
    if (each < best) best = each;
  }
  return best;
}

static volatile uint32_t state = 1;
static char room[1 << 20];
static void compute(void) {
  uint32_t x = state;
  for (int i = 0; i < 1000000; i++) x = x * 1664525 + (x >> 7);
  state = x;
}
static void call(void) { syscall(SYS_getppid); }
static void draw(void) {
  if (getrandom(room, sizeof room, 0) != sizeof room) fail("getrandom");
}

static int calibrate(void) {
  double compute_us = per_turn(compute, 1), call_us = per_turn(call, 500);
  draw();
  printf("{\"compute_us\":%.1f,\"call_us\":%.3f,\"draw_us\":%.1f}\n", compute_us, call_us, per_turn(draw, 1));
  return 0;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  words = argv + (argc > 1 ? 2 : 1);
  stay_on(number("cpu", "-1"));
  if (!strcmp(what, "requests")) return requests();
  if (!strcmp(what, "packets")) return packets();
  if (!strcmp(what, "first")) return first();
  if (!strcmp(what, "calibrate")) return calibrate();
  fprintf(stderr, "usage: forwarding-load requests|packets|first|calibrate NAME=VALUE...\n");
  return 2;
}
