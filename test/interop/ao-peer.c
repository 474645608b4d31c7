/*
 * A router that signs by TCP-AO, made of nothing but system calls: ao-peer listen|dial|plain OWN_ADDRESS ADDRESS KEY
 * SEND_ID RECEIVE_ID ALGORITHM. It says OPEN (AS 65001) and KEEPALIVE each second, and prints the type of each message that
 * comes. "plain": dials without any signature.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/tcp.h of Linux 6.7; those of older systems have none of it */
enum { ADD_KEY = 38 };
struct add_key {
  struct sockaddr_storage address;
  char algorithm[64];
  int32_t interface;
  uint32_t flags;
  uint16_t reserved;
  uint8_t prefix, send_id, receive_id, mac_length, key_flags, key_length, key[80];
} __attribute__((aligned(8)));

static const uint8_t OPEN[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 29,
    1,    4,    0xfd, 0xe9, 0,    90,   10,   0,    9,    9,    0};
static const uint8_t KEEPALIVE[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,    19,   4};

static int fail(const char *what) {
  perror(what);
  return 1;
}

/* Until the other end closes. */
static int talk(int fd) {
  uint8_t bytes[4096];
  size_t have = 0;
  if (write(fd, OPEN, sizeof OPEN) < 0) return fail("write");
  for (;;) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 1000) == 0 && write(fd, KEEPALIVE, sizeof KEEPALIVE) < 0) return fail("write");
    if (!(wait.revents & (POLLIN | POLLHUP | POLLERR))) continue;
    ssize_t got = read(fd, bytes + have, sizeof bytes - have);
    if (got <= 0) break;
    have += got;
    for (size_t length; have >= 19 && have >= (length = bytes[16] << 8 | bytes[17]); have -= length) {
      printf("message %d\n", bytes[18]);
      if (bytes[18] == 1 && write(fd, KEEPALIVE, sizeof KEEPALIVE) < 0) return fail("write");
      memmove(bytes, bytes + length, have - length);
    }
  }
  printf("closed\n");
  return 0;
}

int main(int count, char **argument) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count != 8) return 2;
  bool is_listening = !strcmp(argument[1], "listen"), is_signed = strcmp(argument[1], "plain");
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in other = {.sin_family = AF_INET}, own = other;
  if (fd < 0 || inet_pton(AF_INET, argument[2], &own.sin_addr) != 1 ||
      inet_pton(AF_INET, argument[3], &other.sin_addr) != 1)
    return fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct add_key key = {.prefix = 32, .mac_length = 12};
  memcpy(&key.address, &other, sizeof other);
  key.send_id = atoi(argument[5]);
  key.receive_id = atoi(argument[6]);
  snprintf(key.algorithm, sizeof key.algorithm, "%s", argument[7]);
  key.key_length = strlen(argument[4]);
  memcpy(key.key, argument[4], key.key_length);
  if (is_signed && setsockopt(fd, IPPROTO_TCP, ADD_KEY, &key, sizeof key) < 0)
    return fail("TCP_AO_ADD_KEY");
  own.sin_port = htons(is_listening ? 179 : 0);
  if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0) return fail("bind");
  if (!is_listening) {
    other.sin_port = htons(179);
    if (connect(fd, (struct sockaddr *)&other, sizeof other) < 0) return fail("connect");
    return talk(fd);
  }
  if (listen(fd, 8) < 0) return fail("listen");
  printf("listening\n");
  for (int one; (one = accept(fd, NULL, NULL)) >= 0; close(one)) talk(one);
  return 0;
}
