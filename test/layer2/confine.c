/*
 * Starts a program under a seccomp filter, as a container runtime does: confine RULES COMMAND...
 * RULES is a file of lines, made of a profile by confine.ts:
 *   default ERRNO
 *   allow NAME [INDEX eq VALUE | INDEX masked MASK VALUE]
 *   errno ERRNO NAME
 *   report FILE
 * With a report, each call that the default refuses gets a line in FILE: NAME and its first argument, once for a process. It is
 * refused with the same errno then; a child that dies with the program answers for it (seccomp_unotify(2)).
 * With the command "probe" it tries instead what no speaker needs, and writes "NAME ERRNO" for each; 0 is a success. The
 * arguments are such that nothing happens where a filter lets a call through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what, const char *about) {
  fprintf(stderr, "confine: %s: %s\n", what, about);
  exit(125);
}

static void add(scmp_filter_ctx filter, char *line) {
  char verb[16], name[64], op[16];
  unsigned index, number;
  unsigned long long value, second;
  int count = sscanf(line, "allow %63s %u %15s %llu %llu", name, &index, op, &value, &second);
  if (count >= 1) {
    int call = seccomp_syscall_resolve_name(name);
    /* Newer than this library, or of another architecture. */
    if (call == __NR_SCMP_ERROR) return;
    int result;
    if (count == 1)
      result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
    else if (strcmp(op, "eq") == 0 && count == 4)
      result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_CMP(index, SCMP_CMP_EQ, value));
    else if (strcmp(op, "masked") == 0 && count == 5)
      result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_CMP(index, SCMP_CMP_MASKED_EQ, value, second));
    else
      fail("not understood", line);
    if (result < 0) fail(line, strerror(-result));
    return;
  }
  if (sscanf(line, "errno %u %63s", &number, name) == 2) {
    int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR) return;
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(number), call, 0);
    if (result < 0) fail(line, strerror(-result));
    return;
  }
  if (sscanf(line, "%15s", verb) == 1) fail("not understood", line);
}

#define TRY(name, ...) printf("%s %d\n", name, syscall(__VA_ARGS__) < 0 ? errno : 0)

static void probe(void) {
  TRY("unshare", SYS_unshare, 0);
  TRY("clone", SYS_clone, CLONE_NEWUSER | CLONE_FS, 0, 0, 0, 0);
  TRY("clone3", SYS_clone3, 0, 0);
  TRY("setns", SYS_setns, -1, 0);
  TRY("mount", SYS_mount, 0, 0, 0, 0, 0);
  TRY("pivot_root", SYS_pivot_root, 0, 0);
  TRY("chroot", SYS_chroot, "/");
  TRY("ptrace", SYS_ptrace, 16, -1, 0, 0);
  TRY("process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0, 0, 0);
  TRY("bpf", SYS_bpf, 0, 0, 0);
  TRY("perf_event_open", SYS_perf_event_open, 0, 0, 0, 0, 0);
  TRY("keyctl", SYS_keyctl, 0, 0, 0, 0, 0);
  TRY("init_module", SYS_init_module, 0, 0, "");
  TRY("finit_module", SYS_finit_module, -1, "", 0);
  TRY("open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0);
  TRY("userfaultfd", SYS_userfaultfd, 0);
  TRY("io_uring_setup", SYS_io_uring_setup, 1, 0);
  TRY("settimeofday", SYS_settimeofday, 0, 0);
  TRY("sethostname", SYS_sethostname, 0, -1);
  TRY("reboot", SYS_reboot, 0, 0, 0, 0);
  TRY("socket of AF_ALG", SYS_socket, AF_ALG, SOCK_SEQPACKET, 0);
  TRY("socket of AF_VSOCK", SYS_socket, AF_VSOCK, SOCK_STREAM, 0);
  TRY("socket of AF_INET", SYS_socket, AF_INET, SOCK_STREAM, 0);
  TRY("socket of AF_NETLINK", SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}

/* Of a child that is not under the filter. */
static void answer(int notices, int report, unsigned number) {
  static char known[1024];
  struct seccomp_notif *request = NULL;
  struct seccomp_notif_resp *response = NULL;
  if (seccomp_notify_alloc(&request, &response) < 0) _exit(1);
  for (;;) {
    memset(request, 0, sizeof *request);
    if (seccomp_notify_receive(notices, request) < 0) continue;
    int call = request->data.nr;
    if (call < 0 || call >= (int)sizeof known || !known[call]) {
      if (call >= 0 && call < (int)sizeof known) known[call] = 1;
      char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
      dprintf(report, "%s %llu\n", name == NULL ? "?" : name, (unsigned long long)request->data.args[0]);
      free(name);
    }
    response->id = request->id;
    response->val = 0;
    response->error = -(int)number;
    response->flags = 0;
    seccomp_notify_respond(notices, response);
  }
}

union handed {
  struct cmsghdr header;
  char room[CMSG_SPACE(sizeof(int))];
};

/* Starts the child; the answer is where it waits for the file of notices. */
static int start_answering(int report, unsigned number) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) fail("socketpair", strerror(errno));
  pid_t program = getpid();
  pid_t child = fork();
  if (child < 0) fail("fork", strerror(errno));
  if (child > 0) {
    close(ends[1]);
    return ends[0];
  }
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != program) _exit(1);
  /* A reader of the program's output waits until nobody has it open. */
  for (int file = 0; file <= 2; file += 1) close(file);
  close(ends[0]);
  union handed room;
  char byte;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room};
  if (recvmsg(ends[1], &message, 0) != 1) _exit(1);
  struct cmsghdr *control = CMSG_FIRSTHDR(&message);
  if (control == NULL || control->cmsg_type != SCM_RIGHTS) _exit(1);
  int notices;
  memcpy(&notices, CMSG_DATA(control), sizeof notices);
  answer(notices, report, number);
  return -1;
}

/* Under the filter, and nobody answers yet: sendmsg and close have to be allowed by it. */
static void hand_over(int channel, int notices) {
  union handed room;
  memset(&room, 0, sizeof room);
  char byte = 0;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room};
  room.header.cmsg_level = SOL_SOCKET;
  room.header.cmsg_type = SCM_RIGHTS;
  room.header.cmsg_len = CMSG_LEN(sizeof notices);
  memcpy(CMSG_DATA(&room.header), &notices, sizeof notices);
  if (sendmsg(channel, &message, 0) != 1) fail("sendmsg", strerror(errno));
  close(notices);
  close(channel);
}

int main(int argc, char **argv) {
  if (argc < 3) fail("usage", "confine RULES COMMAND...");
  FILE *rules = fopen(argv[1], "re");
  if (rules == NULL) fail(argv[1], strerror(errno));
  char line[256];
  unsigned number;
  if (fgets(line, sizeof line, rules) == NULL || sscanf(line, "default %u", &number) != 1)
    fail("the first line is not the default", argv[1]);
  char path[200] = "";
  long first = ftell(rules);
  if (fgets(line, sizeof line, rules) == NULL || sscanf(line, "report %199s", path) != 1) fseek(rules, first, SEEK_SET);
  int report = path[0] == 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (path[0] != 0 && report < 0) fail(path, strerror(errno));
  scmp_filter_ctx filter = seccomp_init(report < 0 ? SCMP_ACT_ERRNO(number) : SCMP_ACT_NOTIFY);
  if (filter == NULL) fail("seccomp_init", "no filter");
  while (fgets(line, sizeof line, rules) != NULL) add(filter, line);
  fclose(rules);
  int channel = report < 0 ? -1 : start_answering(report, number);
  if (report >= 0) close(report);
  int result = seccomp_load(filter);
  if (result < 0) fail("seccomp_load", strerror(-result));
  if (channel >= 0) hand_over(channel, seccomp_notify_fd(filter));
  seccomp_release(filter);
  if (strcmp(argv[2], "probe") == 0) {
    probe();
    return 0;
  }
  // A suite's own: what it would write there is no call of a speaker.
  unsetenv("NODE_COMPILE_CACHE");
  execvp(argv[2], argv + 2);
  fail(argv[2], strerror(errno));
}
