/*
 * What keeps time on a busy node: a timer descriptor (timerfd, CLOCK_MONOTONIC: setting the clock does not move it),
 * the thread's scheduling class, and datagrams together with the hops that they had left. System calls only.
 */
#include "addon.h"
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

/* One slot of the buffer: the datagram, then who sent it (struct sockaddr_in or _in6). */
enum { PAYLOAD_BYTES = 64, SLOT_BYTES = PAYLOAD_BYTES + 32, SLOTS_MAX = 64, META_INTS = 3, CONTROL_BYTES = 128 };

/* openTimer(): descriptor, readable when it has expired; close() closes it */
static napi_value open_timer(napi_env env, napi_callback_info info) {
  napi_value result;
  (void)info;
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) return fail(env, "timerfd_create", errno);
  if (!adopt(env, fd)) return fail(env, "timerfd_create", ENOMEM);
  napi_create_int32(env, fd, &result);
  return result;
}

/* armTimer(descriptor, microseconds from now): once; at least 1; 0 disarms. An expiry not looked at is forgotten. */
static napi_value arm_timer(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int micros;
  arguments(env, info, argv, 2);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "timerfd_settime", EBADF);
  if (!int_of(env, argv[1], &micros) || micros < 0) return fail(env, "timerfd_settime", EINVAL);
  struct itimerspec when = {.it_value = {micros / 1000000, (long)(micros % 1000000) * 1000}};
  if (timerfd_settime(entry->fd, 0, &when, NULL) < 0) return fail(env, "timerfd_settime", errno);
  return NULL;
}

/* scheduleFifo(priority): the calling thread alone; threads that it starts are ordinary ones */
static napi_value schedule_fifo(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int priority;
  arguments(env, info, argv, 1);
  if (!int_of(env, argv[0], &priority)) return fail(env, "sched_setscheduler", EINVAL);
  struct sched_param parameter = {.sched_priority = priority};
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter) < 0)
    return fail(env, "sched_setscheduler", errno);
  return NULL;
}

static void read_control(struct msghdr *message, int32_t *hops, int32_t *link) {
  for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
    bool is_ttl = at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_TTL;
    bool is_hop_limit = at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_HOPLIMIT;
    if (is_ttl || is_hop_limit) {
      memcpy(hops, CMSG_DATA(at), sizeof *hops);
    } else if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo where;
      memcpy(&where, CMSG_DATA(at), sizeof where);
      *link = where.ipi_ifindex;
    } else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo where;
      memcpy(&where, CMSG_DATA(at), sizeof where);
      *link = where.ipi6_ifindex;
    }
  }
}

/*
 * receiveDatagrams(descriptor, buffer of whole slots, Int32Array of 3 a slot): how many came, 0 when none waits; for
 * each its full length, hops left and link index, both -1 where the socket does not tell. Never blocks.
 */
static napi_value receive_datagrams(napi_env env, napi_callback_info info) {
  napi_value argv[3], result;
  struct mmsghdr messages[SLOTS_MAX];
  struct iovec parts[SLOTS_MAX];
  char control[SLOTS_MAX][CONTROL_BYTES] __attribute__((aligned(8)));
  void *bytes, *data;
  size_t length, ints;
  napi_typedarray_type type;
  arguments(env, info, argv, 3);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "recvmmsg", EBADF);
  if (!bytes_of(env, argv[1], &bytes, &length)) return fail(env, "recvmmsg", EINVAL);
  size_t slots = length / SLOT_BYTES;
  if (napi_get_typedarray_info(env, argv[2], &type, &ints, &data, NULL, NULL) != napi_ok ||
      type != napi_int32_array || slots == 0 || slots > SLOTS_MAX || ints < slots * META_INTS)
    return fail(env, "recvmmsg", EINVAL);
  memset(messages, 0, slots * sizeof *messages);
  for (size_t i = 0; i < slots; i++) {
    uint8_t *slot = (uint8_t *)bytes + i * SLOT_BYTES;
    parts[i] = (struct iovec){.iov_base = slot, .iov_len = PAYLOAD_BYTES};
    messages[i].msg_hdr = (struct msghdr){.msg_name = slot + PAYLOAD_BYTES, .msg_namelen = SLOT_BYTES - PAYLOAD_BYTES,
                                          .msg_iov = &parts[i], .msg_iovlen = 1,
                                          .msg_control = control[i], .msg_controllen = CONTROL_BYTES};
  }
  int got = recvmmsg(entry->fd, messages, slots, MSG_DONTWAIT | MSG_TRUNC, NULL);
  if (got < 0 && errno != EAGAIN && errno != EINTR) return fail(env, "recvmmsg", errno);
  for (int i = 0; i < got; i++) {
    int32_t *meta = (int32_t *)data + i * META_INTS;
    meta[0] = messages[i].msg_len;
    meta[1] = meta[2] = -1;
    read_control(&messages[i].msg_hdr, &meta[1], &meta[2]);
  }
  napi_create_int32(env, got < 0 ? 0 : got, &result);
  return result;
}

const napi_property_descriptor timer_functions[] = {
    {"openTimer", NULL, open_timer, NULL, NULL, NULL, napi_enumerable, NULL},
    {"armTimer", NULL, arm_timer, NULL, NULL, NULL, napi_enumerable, NULL},
    {"scheduleFifo", NULL, schedule_fifo, NULL, NULL, NULL, napi_enumerable, NULL},
    {"receiveDatagrams", NULL, receive_datagrams, NULL, NULL, NULL, napi_enumerable, NULL},
};
const size_t timer_function_count = sizeof timer_functions / sizeof *timer_functions;
