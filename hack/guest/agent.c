/*
 * The guest's first process: runs commands for the host over its ports, many at a time. A port is a virtio serial port
 * of qemu or a serial line of a user-mode Linux (relay.c); the argument says which devices they are: '/dev/vport*'.
 * One process per port, so that a host that reads slowly on one port does not hold up another; the first process
 * only reaps. Built by cc on the host (cache.ts), which shares its root with the guest.
 *
 * Frame, both directions, little endian:  u32 length of the payload | u32 job | u32 type | payload
 * Host to guest: START (strings, each ended by NUL: network namespace or "", directory, number of arguments,
 *   arguments, environment), INPUT, INPUT_END, SIGNAL (u32), HELLO, SYNC.
 * Guest to host: OUTPUT, ERRORS (standard error), EXIT (u32 code, 128 + signal), HELLO, SYNCED.
 * When the host hangs up, the jobs of that port are killed with their process groups.
 *
 * A serial line has neither flow control to rely on nor a way to hang up. There the relay sends only as many bytes as
 * CREDIT frames (u32) gave it room for, and a HANGUP, answered by one: after it comes nothing of the jobs before it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { START = 1, INPUT, INPUT_END, SIGNAL, HELLO, SYNC, OUTPUT, ERRORS, EXIT, SYNCED, HANGUP, CREDIT };
enum { MAX_JOBS = 256, CHUNK = 64 * 1024, MAX_FRAME = 1 << 20 };

struct job {
  uint32_t id;
  pid_t pid; /* 0: this entry is free */
  int in, out, err;
  char *queue; /* input that the command has not read yet */
  size_t queued;
  int ended; /* no more input after the queue */
  int forgotten; /* its host has hung up */
};

static struct job jobs[MAX_JOBS];
static int port;
static int is_line; /* port is a serial line */

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void hang_up(void) {
  for (int i = 0; i < MAX_JOBS; i++) {
    if (!jobs[i].pid) continue;
    kill(-jobs[i].pid, SIGKILL);
    jobs[i].forgotten = 1;
    jobs[i].queued = 0;
    close_fd(&jobs[i].in);
    close_fd(&jobs[i].out);
    close_fd(&jobs[i].err);
  }
}

static void write_all(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(port, bytes, length);
    if (n > 0) {
      bytes += n;
      length -= n;
      continue;
    }
    struct pollfd wait = {.fd = port, .events = POLLOUT};
    poll(&wait, 1, 1000);
    if (wait.revents & POLLHUP) return;
  }
}

static void send_frame(uint32_t id, uint32_t type, const void *payload, uint32_t length) {
  static char frame[12 + CHUNK];
  memcpy(frame, &length, 4);
  memcpy(frame + 4, &id, 4);
  memcpy(frame + 8, &type, 4);
  memcpy(frame + 12, payload, length);
  write_all(frame, 12 + length);
}

/* Passes on one chunk of output; 0 = nothing there now, -1 = the end. */
static int forward(struct job *job, int *fd, uint32_t type) {
  static char chunk[CHUNK];
  ssize_t n = read(*fd, chunk, sizeof chunk);
  if (n > 0) {
    send_frame(job->id, type, chunk, n);
    return 1;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  close_fd(fd);
  return -1;
}

static void finish(struct job *job, int status) {
  /* What is in the pipes already belongs to the command; a daemon that it left behind may hold them open for ever. */
  while (job->out >= 0 && forward(job, &job->out, OUTPUT) > 0);
  while (job->err >= 0 && forward(job, &job->err, ERRORS) > 0);
  close_fd(&job->in);
  close_fd(&job->out);
  close_fd(&job->err);
  free(job->queue);
  uint32_t code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (!job->forgotten) send_frame(job->id, EXIT, &code, 4);
  memset(job, 0, sizeof *job);
}

static void refuse(uint32_t id, const char *what, const char *name) {
  char text[512];
  int n = snprintf(text, sizeof text, "agent: %s %s: %s\n", what, name, strerror(errno));
  uint32_t code = 127;
  send_frame(id, ERRORS, text, n);
  send_frame(id, EXIT, &code, 4);
}

static void run(char *payload, size_t length, int in, int out, int err) {
  char *strings[1024];
  size_t count = 0;
  for (char *s = payload; s < payload + length && count < 1023; s += strlen(s) + 1) strings[count++] = s;
  strings[count] = NULL;
  size_t arguments = atoi(strings[2]);
  char **argv = calloc(arguments + 1, sizeof *argv);
  memcpy(argv, strings + 3, arguments * sizeof *argv);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  if (strings[0][0]) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", strings[0]);
    int netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0 || setns(netns, CLONE_NEWNET) < 0) {
      dprintf(2, "agent: network namespace %s: %s\n", strings[0], strerror(errno));
      _exit(127);
    }
  }
  if (chdir(strings[1]) < 0) dprintf(2, "agent: directory %s: %s\n", strings[1], strerror(errno));
  environ = strings + 3 + arguments;
  execvp(argv[0], argv);
  dprintf(2, "agent: %s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

static void start(uint32_t id, char *payload, size_t length) {
  struct job *job = NULL;
  for (int i = 0; i < MAX_JOBS && !job; i++)
    if (!jobs[i].pid) job = &jobs[i];
  int in[2], out[2], err[2];
  errno = EAGAIN;
  if (!job || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
    refuse(id, "start", "of a job");
    return;
  }
  pid_t pid = fork();
  if (pid == 0) run(payload, length, in[0], out[1], err[1]);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  fcntl(in[1], F_SETFL, O_NONBLOCK);
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  *job = (struct job){.id = id, .pid = pid, .in = in[1], .out = out[0], .err = err[0]};
}

static struct job *find(uint32_t id) {
  for (int i = 0; i < MAX_JOBS; i++)
    if (jobs[i].pid && jobs[i].id == id && !jobs[i].forgotten) return &jobs[i];
  return NULL;
}

static void flush_input(struct job *job) {
  while (job->in >= 0 && job->queued > 0) {
    ssize_t n = write(job->in, job->queue, job->queued);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      close_fd(&job->in);
      return;
    }
    job->queued -= n;
    memmove(job->queue, job->queue + n, job->queued);
  }
  if (job->ended) close_fd(&job->in);
}

static void handle(uint32_t id, uint32_t type, char *payload, size_t length) {
  struct job *job = find(id);
  if (type == START) {
    start(id, payload, length);
  } else if (type == HELLO) {
    send_frame(id, HELLO, "", 0);
  } else if (type == HANGUP) {
    hang_up();
    send_frame(id, HANGUP, "", 0);
  } else if (type == SYNC) {
    sync();
    send_frame(id, SYNCED, "", 0);
  } else if (job && type == INPUT) {
    job->queue = realloc(job->queue, job->queued + length);
    memcpy(job->queue + job->queued, payload, length);
    job->queued += length;
    flush_input(job);
  } else if (job && type == INPUT_END) {
    job->ended = 1;
    flush_input(job);
  } else if (job && type == SIGNAL && length == 4) {
    int number;
    memcpy(&number, payload, 4);
    kill(-job->pid, number);
  }
}

/* Reads what the host sent and handles the whole frames in it; -1 when the host hung up. */
static int receive(void) {
  static char buffer[MAX_FRAME + 12];
  static size_t filled;
  ssize_t n = read(port, buffer + filled, sizeof buffer - filled);
  if (n <= 0) {
    if (n < 0 && errno == EAGAIN) return 0;
    filled = 0;
    return -1;
  }
  filled += n;
  uint32_t room = n;
  if (is_line) send_frame(0, CREDIT, &room, 4);
  size_t at = 0;
  uint32_t header[3];
  while (filled - at >= 12) {
    memcpy(header, buffer + at, 12);
    if (header[0] > MAX_FRAME) {
      filled = 0;
      return -1;
    }
    if (filled - at < 12 + header[0]) break;
    handle(header[1], header[2], buffer + at + 12, header[0]);
    at += 12 + header[0];
  }
  memmove(buffer, buffer + at, filled - at);
  filled -= at;
  return 0;
}

static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    for (int i = 0; i < MAX_JOBS; i++)
      if (jobs[i].pid == pid) finish(&jobs[i], status);
}

static void serve(const char *path) {
  port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (port < 0) return;
  struct termios raw;
  is_line = tcgetattr(port, &raw) == 0;
  if (is_line) {
    cfmakeraw(&raw);
    tcsetattr(port, TCSANOW, &raw);
  }
  signal(SIGPIPE, SIG_IGN);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  int signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
  int connected = 1;
  for (;;) {
    struct pollfd set[2 + 3 * MAX_JOBS];
    struct job *owner[2 + 3 * MAX_JOBS];
    int count = 2;
    set[0] = (struct pollfd){.fd = connected ? port : -1, .events = POLLIN};
    set[1] = (struct pollfd){.fd = signals, .events = POLLIN};
    for (int i = 0; i < MAX_JOBS; i++) {
      struct job *job = &jobs[i];
      if (!job->pid) continue;
      int fds[3] = {job->out, job->err, job->queued ? job->in : -1};
      for (int k = 0; k < 3; k++) {
        owner[count] = job;
        set[count++] = (struct pollfd){.fd = fds[k], .events = k == 2 ? POLLOUT : POLLIN};
      }
    }
    /* A port without a host is always "hung up": look at it now and then instead of spinning. */
    poll(set, count, connected ? -1 : 100);
    for (int i = 2; i < count; i++) {
      if (!set[i].revents || !owner[i]->pid) continue;
      if ((i - 2) % 3 == 0 && owner[i]->out >= 0) forward(owner[i], &owner[i]->out, OUTPUT);
      if ((i - 2) % 3 == 1 && owner[i]->err >= 0) forward(owner[i], &owner[i]->err, ERRORS);
      if ((i - 2) % 3 == 2) flush_input(owner[i]);
    }
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) > 0);
    reap();
    struct pollfd look = {.fd = port, .events = POLLIN};
    poll(&look, 1, 0);
    if ((look.revents & POLLHUP) && connected) hang_up();
    connected = !(look.revents & POLLHUP);
    if (look.revents & POLLIN && receive() < 0 && connected) hang_up();
  }
}

int main(int argc, char **argv) {
  glob_t ports;
  if (getpid() == 1 && argc == 2 && glob(argv[1], 0, NULL, &ports) == 0)
    for (size_t i = 0; i < ports.gl_pathc; i++)
      if (fork() == 0) {
        serve(ports.gl_pathv[i]);
        _exit(1);
      }
  for (;;)
    if (wait(NULL) < 0) sleep(1);
}
