/*
 * Starts a user-mode Linux and connects it with this machine: its control channel and its network card.
 *   relay DIRECTORY PORTS TAP KERNEL ARGUMENTS...          (TAP "" = no network card)
 * Each port is a unix socket in DIRECTORY, whose frames (agent.c) go over a serial line of the guest. The card's frames
 * go to and from the tap device; the kernel's own tap transport dereferences NULL, its other transports do not.
 *
 * The guest must not outlive this process, nor any of its programs, which to this machine are processes of root:
 * with Linux 6.12 a killed kernel leaves them running, natively. So they are in a process namespace, whose first process
 * does nothing but wait for the kernel; when it ends everything in there is killed, and it is killed when this process
 * ends. The kernel itself cannot be that first process: it ends a panic by abort(), which a first process survives.
 *
 * A line cannot say that the host has hung up, so a frame does: HANGUP. The agent answers it when nothing of the jobs
 * before it can follow, and only then the next caller is let in. Only whole frames go either way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HANGUP = 11, CREDIT }; /* as in agent.c */
enum { MAX_PORTS = 14, HEADER = 12, MAX_FRAME = 1 << 20, SPACE = MAX_FRAME + HEADER, MAX_PACKET = 1 << 16 };
/* A terminal that was told to wait (at 4 kB) does not always go on: never send more than this ahead of the agent. */
enum { WINDOW = 2048 };
enum { ROOM = 4 << 20 }; /* bytes that a socket to the kernel may hold */

struct port {
  int listener, line, caller;
  int hanging; /* the caller is gone, and the answer to HANGUP has not come */
  size_t credit;
  char out[2 * SPACE]; /* to the guest */
  size_t filled, whole, sent; /* bytes in it, those of whole frames, those sent */
  char in[SPACE]; /* from the guest */
  size_t in_filled;
};

static pid_t first; /* of the process namespace */

static void fail(const char *what) {
  fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint32_t word(const char *bytes, int index) {
  uint32_t value;
  memcpy(&value, bytes + 4 * index, 4);
  return value;
}

/* Bytes of the first frame; 0 when it is not whole yet. A frame beyond the limit ends this process: it is no agent. */
static size_t frame_length(const char *bytes, size_t filled) {
  if (filled < HEADER) return 0;
  size_t length = HEADER + (size_t)word(bytes, 0);
  if (length > SPACE) exit(1);
  return filled >= length ? length : 0;
}

static int send_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    bytes += n;
    length -= n;
  }
  return 0;
}

/* Sends what the agent has room for. */
static void send_on(struct port *port) {
  size_t n = port->whole - port->sent;
  if (n > port->credit) n = port->credit;
  if (n == 0) return;
  if (send_all(port->line, port->out + port->sent, n)) exit(0);
  port->credit -= n;
  port->sent += n;
  if (port->sent < port->whole) return;
  port->filled -= port->sent;
  memmove(port->out, port->out + port->sent, port->filled);
  port->whole = port->sent = 0;
}

/* A frame that the caller had sent in part only is forgotten. */
static void hang_up(struct port *port) {
  uint32_t frame[3] = {0, 0, HANGUP};
  close(port->caller);
  port->caller = -1;
  port->hanging = 1;
  memcpy(port->out + port->whole, frame, sizeof frame);
  port->filled = port->whole += sizeof frame;
  send_on(port);
}

static void from_caller(struct port *port) {
  ssize_t n = read(port->caller, port->out + port->filled, SPACE - port->filled);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) {
    hang_up(port);
    return;
  }
  port->filled += n;
  for (size_t length; (length = frame_length(port->out + port->whole, port->filled - port->whole)) > 0;)
    port->whole += length;
  send_on(port);
}

static void from_guest(struct port *port) {
  ssize_t n = read(port->line, port->in + port->in_filled, SPACE - port->in_filled);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) exit(0);
  port->in_filled += n;
  size_t at = 0;
  for (size_t length; (length = frame_length(port->in + at, port->in_filled - at)) > 0; at += length) {
    const char *frame = port->in + at;
    if (word(frame, 2) == HANGUP) port->hanging = 0;
    else if (word(frame, 2) == CREDIT && length == HEADER + 4) port->credit += word(frame, 3);
    else if (port->caller >= 0 && send_all(port->caller, frame, length)) hang_up(port);
  }
  port->in_filled -= at;
  memmove(port->in, port->in + at, port->in_filled);
  send_on(port);
}

static void serve(struct port *port) {
  for (;;) {
    int is_free = port->caller < 0 && !port->hanging;
    struct pollfd set[3] = {
      {.fd = is_free ? port->listener : -1, .events = POLLIN},
      {.fd = port->filled < SPACE ? port->caller : -1, .events = POLLIN},
      {.fd = port->line, .events = POLLIN},
    };
    if (poll(set, 3, -1) < 0 && errno != EINTR) fail("poll");
    if (set[2].revents) from_guest(port);
    if (set[1].revents && port->caller >= 0) from_caller(port);
    if (set[0].revents) port->caller = accept4(port->listener, NULL, NULL, SOCK_CLOEXEC);
  }
}

/* A frame that the other side has no room for is lost, as on a wire. */
static void carry_frames(int tap, int card) {
  static char frame[MAX_PACKET];
  struct pollfd set[2] = {{.fd = tap, .events = POLLIN}, {.fd = card, .events = POLLIN}};
  for (;;) {
    if (poll(set, 2, -1) < 0 && errno != EINTR) fail("poll");
    ssize_t n;
    if (set[0].revents)
      for (int i = 0; i < 64 && (n = read(tap, frame, sizeof frame)) > 0; i++)
        send(card, frame, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (set[1].revents)
      for (int i = 0; i < 64; i++) {
        n = recv(card, frame, sizeof frame, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) exit(0);
        if (n < 0 || write(tap, frame, n) < 0) break; /* a link that is down takes nothing */
      }
  }
}

/* Two ends of a connection to the kernel: [0] ours, [1] the kernel's, which it inherits. */
static void connect_kernel(int type, int pair[2]) {
  if (socketpair(AF_UNIX, type, 0, pair)) fail("socketpair");
  fcntl(pair[0], F_SETFD, FD_CLOEXEC);
  int room = ROOM;
  for (int i = 0; i < 2; i++) setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
}

static int listen_at(const char *directory, int number) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int length = snprintf(name.sun_path, sizeof name.sun_path, "%s/port%d", directory, number);
  if (length >= (int)sizeof name.sun_path) {
    errno = ENAMETOOLONG;
    fail(directory);
  }
  unlink(name.sun_path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name) || listen(listener, 8))
    fail(name.sun_path);
  return listener;
}

static int open_tap(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tap < 0 || ioctl(tap, TUNSETIFF, &request)) fail(name);
  return tap;
}

/* Memory of the guest's own size, wherever /dev/shm is too small; nobody else sees the mount. */
static void mount_memory(const char *directory) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/memory", directory) >= (int)sizeof path) fail(directory);
  if (mkdir(path, 0700) && errno != EEXIST) fail(path);
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL)) fail("mount --make-rslave /");
  if (mount("memory", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=100%")) fail(path);
  setenv("TMPDIR", path, 1);
}

/* The file of a processor, which one guest at a time has; -1 if another one has it. */
static int claim(int cpu) {
  char path[64];
  snprintf(path, sizeof path, "/run/genkan-guest-processor-%d", cpu);
  int file = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0 || flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  close(file);
  return -1;
}

/*
 * The kernel and its programs stay on one processor: to wake the other one for every system call takes 31 us where
 * 8.5 are enough (measured). It is one that no other guest has, if there is one, else any. Returns its file, to be held
 * as long as the guest runs, or -1.
 */
static int stay_on_one_processor(int chance) {
  cpu_set_t allowed, one;
  if (sched_getaffinity(0, sizeof allowed, &allowed)) return -1;
  int skip = chance % CPU_COUNT(&allowed), chosen = 0, file = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE && file < 0; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    file = claim(cpu);
    if (file >= 0 || skip-- == 0) chosen = cpu;
  }
  CPU_ZERO(&one);
  CPU_SET(chosen, &one);
  sched_setaffinity(0, sizeof one, &one);
  return file;
}

static void end_guest(int signal) {
  (void)signal;
  if (first > 0) kill(first, SIGKILL);
}

/* Forks; the child dies with this process. */
static pid_t fork_bound(void) {
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
  }
  return pid;
}

/* The namespace's first process: starts the kernel and ends with it. */
static void hold_kernel(char **command, int chance) {
  int processor = stay_on_one_processor(chance);
  pid_t kernel = fork_bound();
  if (kernel == 0) {
    execv(command[0], command);
    fail(command[0]);
  }
  if (processor > 3) close_range(3, processor - 1, 0);
  close_range(processor < 3 ? 3 : processor + 1, ~0U, 0);
  pid_t ended;
  do ended = waitpid(-1, NULL, 0);
  while (ended != kernel && (ended > 0 || errno == EINTR));
  _exit(0);
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: relay DIRECTORY PORTS TAP KERNEL ARGUMENTS...\n");
    return 2;
  }
  const char *directory = argv[1], *tap_name = argv[3];
  int count = atoi(argv[2]), words = 0, own = getpid();
  if (count < 1 || count > MAX_PORTS) {
    fprintf(stderr, "relay: %d ports: 1 to %d\n", count, MAX_PORTS);
    return 2;
  }
  char *command[argc + MAX_PORTS];
  for (int i = 4; i < argc; i++) command[words++] = argv[i];
  struct sigaction end = {.sa_handler = end_guest};
  sigaction(SIGTERM, &end, NULL);
  sigaction(SIGINT, &end, NULL);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  if (unshare(CLONE_NEWPID | CLONE_NEWNS)) fail("unshare");
  mount_memory(directory);

  static struct port ports[MAX_PORTS];
  int theirs[MAX_PORTS + 1], used = 0, pair[2];
  for (int i = 0; i < count; i++) {
    connect_kernel(SOCK_STREAM, pair);
    ports[i] = (struct port){.listener = listen_at(directory, i), .line = pair[0], .caller = -1, .credit = WINDOW};
    theirs[used++] = pair[1];
    if (asprintf(&command[words++], "con%d=fd:%d", i + 1, pair[1]) < 0) fail("asprintf");
  }
  int tap = -1, card = -1;
  if (*tap_name) {
    tap = open_tap(tap_name);
    connect_kernel(SOCK_SEQPACKET, pair);
    card = pair[0];
    theirs[used++] = pair[1];
    /* The arguments name the descriptor as fd=CARD. */
    for (int i = 0; i < words; i++) {
      char *mark = strstr(command[i], "fd=CARD");
      if (mark && asprintf(&command[i], "%.*sfd=%d%s", (int)(mark - command[i]), command[i], pair[1], mark + 7) < 0)
        fail("asprintf");
    }
  }
  command[words] = NULL;

  first = fork_bound();
  if (first == 0) hold_kernel(command, own);
  for (int i = 0; i < used; i++) close(theirs[i]);
  /* One process a port: a caller who reads slowly holds up nobody else. */
  for (int i = 0; i < count; i++)
    if (fork_bound() == 0) serve(&ports[i]);
  if (card >= 0 && fork_bound() == 0) carry_frames(tap, card);
  /* The first process ends last: not before all others of its namespace have been waited for, here or there. */
  pid_t ended;
  do ended = waitpid(-1, NULL, 0);
  while (ended != first && (ended > 0 || errno == EINTR));
  return 0;
}
