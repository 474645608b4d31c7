/*
 * What a kernel costs its programs:  lab-work compute|syscalls|execs COUNT
 * Prints nanoseconds for each turn of the loop.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

/* A chain of multiplications that no compiler can shorten. */
static uint64_t compute(long count) {
  uint64_t state = 88172645463325252ULL;
  for (long i = 0; i < count; i++) state = state * 6364136223846793005ULL + (state >> 33);
  return state;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long count = atol(argv[2]);
  volatile uint64_t sink = 0;
  double began = now();
  if (!strcmp(argv[1], "compute")) sink = compute(count);
  else if (!strcmp(argv[1], "syscalls")) {
    for (long i = 0; i < count; i++) syscall(SYS_getppid);
  } else if (!strcmp(argv[1], "execs")) {
    for (long i = 0; i < count; i++) {
      pid_t pid = fork();
      if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
      }
      waitpid(pid, NULL, 0);
    }
  } else return 2;
  printf("%.1f\n", (now() - began) / count);
  (void)sink;
  return 0;
}
