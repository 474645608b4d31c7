/*
 * Sockets that Node has none of: netlink, packet, raw. System calls and readiness only: no protocol, no parsing,
 * no retry, no thread (a thread of ours in a worker kills the process when the worker ends).
 *
 * Every socket belongs to the environment (main thread or worker) that opened it and is closed when that
 * environment ends: an open poll handle at that moment would crash the process, hence the asynchronous hook.
 * A descriptor that this environment did not open is refused with EBADF.
 *
 * Every failure is thrown as an Error with `syscall`, `code` ("EPERM") and `errno` (positive).
 */
#include "addon.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH_MAX = 256, ADDRESS_BYTES = sizeof(struct sockaddr_storage) };

struct receiver {
  uv_poll_t *poll;
  napi_env env;
  struct environment *owner;
  napi_ref callback, buffer, lengths, addresses; /* every buffer handed to the kernel is held */
  napi_async_context context;
  uint8_t *bytes, *from;
  uint32_t *length;
  uint32_t slots, slot_bytes;
  int fd;
};

napi_value fail(napi_env env, const char *syscall, int error) {
  char text[128];
  napi_value message, code, value, object;
  const char *name = uv_err_name(-error);
  snprintf(text, sizeof text, "%s: %s (%s)", syscall, name, strerror(error));
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code);
  napi_create_error(env, code, message, &object);
  napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, object, "syscall", value);
  napi_create_int32(env, error, &value);
  napi_set_named_property(env, object, "errno", value);
  napi_throw(env, object);
  return NULL;
}

struct environment *environment_of(napi_env env) {
  void *data = NULL;
  napi_get_instance_data(env, &data);
  return data;
}

void arguments(napi_env env, napi_callback_info info, napi_value *values, size_t wanted) {
  size_t count = wanted;
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

bool int_of(napi_env env, napi_value value, int *out) {
  int32_t number;
  if (napi_get_value_int32(env, value, &number) != napi_ok) return false;
  *out = number;
  return true;
}

bool bytes_of(napi_env env, napi_value value, void **bytes, size_t *length) {
  bool is = false;
  *bytes = NULL;
  *length = 0;
  if (napi_is_buffer(env, value, &is) != napi_ok || !is) return false;
  return napi_get_buffer_info(env, value, bytes, length) == napi_ok;
}

struct opened *find(napi_env env, napi_value value) {
  int fd;
  if (!int_of(env, value, &fd)) return NULL;
  for (struct opened *at = environment_of(env)->sockets; at; at = at->next)
    if (at->fd == fd) return at;
  return NULL;
}

struct opened *adopt(napi_env env, int fd) {
  struct opened *entry = calloc(1, sizeof *entry);
  if (!entry) {
    close(fd);
    return NULL;
  }
  struct environment *own = environment_of(env);
  entry->fd = fd;
  entry->next = own->sockets;
  own->sockets = entry;
  return entry;
}

/* open(domain, type, protocol): descriptor, non-blocking and close-on-exec */
static napi_value open_socket(napi_env env, napi_callback_info info) {
  napi_value argv[3], result;
  int domain, type, protocol;
  arguments(env, info, argv, 3);
  if (!int_of(env, argv[0], &domain) || !int_of(env, argv[1], &type) || !int_of(env, argv[2], &protocol))
    return fail(env, "socket", EINVAL);
  int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return fail(env, "socket", errno);
  if (!adopt(env, fd)) return fail(env, "socket", ENOMEM);
  napi_create_int32(env, fd, &result);
  return result;
}

void poll_closed(struct environment *own) {
  own->closing--;
  if (own->ending && own->closing == 0) {
    napi_remove_async_cleanup_hook(own->hook);
    free(own);
  }
}

static void closed(uv_handle_t *handle) {
  struct receiver *receiver = uv_handle_get_data(handle);
  struct environment *own = receiver->owner;
  if (!own->ending) { /* at the end of the environment its references go by themselves */
    napi_handle_scope scope;
    napi_open_handle_scope(receiver->env, &scope);
    napi_delete_reference(receiver->env, receiver->callback);
    napi_delete_reference(receiver->env, receiver->buffer);
    napi_delete_reference(receiver->env, receiver->lengths);
    napi_delete_reference(receiver->env, receiver->addresses);
    napi_async_destroy(receiver->env, receiver->context);
    napi_close_handle_scope(receiver->env, scope);
  }
  free(receiver->poll);
  free(receiver);
  poll_closed(own);
}

static void stop(struct opened *entry) {
  struct receiver *receiver = entry->receiver;
  if (!receiver) return;
  entry->receiver = NULL;
  receiver->owner->closing++;
  uv_poll_stop(receiver->poll);
  uv_close((uv_handle_t *)receiver->poll, closed);
}

void forget(napi_env env, struct opened *entry) {
  struct environment *own = environment_of(env);
  for (struct opened **at = &own->sockets; *at; at = &(*at)->next)
    if (*at == entry) {
      *at = entry->next;
      break;
    }
  stop(entry);
  stop_watching(entry);
  free(entry);
}

/* close(descriptor) */
static napi_value close_socket(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  arguments(env, info, argv, 1);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "close", EBADF);
  int fd = entry->fd;
  forget(env, entry);
  close(fd);
  return NULL;
}

/* bind(descriptor, sockaddr) */
static napi_value bind_socket(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  void *address;
  size_t length;
  arguments(env, info, argv, 2);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "bind", EBADF);
  if (!bytes_of(env, argv[1], &address, &length)) return fail(env, "bind", EINVAL);
  if (bind(entry->fd, address, length) < 0) return fail(env, "bind", errno);
  return NULL;
}

/* name(descriptor): sockaddr that the kernel gave it */
static napi_value socket_name(napi_env env, napi_callback_info info) {
  napi_value argv[1], result;
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  arguments(env, info, argv, 1);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "getsockname", EBADF);
  if (getsockname(entry->fd, (struct sockaddr *)&address, &length) < 0) return fail(env, "getsockname", errno);
  napi_create_buffer_copy(env, length, &address, NULL, &result);
  return result;
}

/* setOption(descriptor, level, name, value bytes) */
static napi_value set_option(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  int level, name;
  void *value;
  size_t length;
  arguments(env, info, argv, 4);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "setsockopt", EBADF);
  if (!int_of(env, argv[1], &level) || !int_of(env, argv[2], &name) || !bytes_of(env, argv[3], &value, &length))
    return fail(env, "setsockopt", EINVAL);
  if (setsockopt(entry->fd, level, name, value, length) < 0) return fail(env, "setsockopt", errno);
  return NULL;
}

/* attachFilter(descriptor, classic BPF program of 8-byte instructions) */
static napi_value attach_filter(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  void *code;
  size_t length;
  arguments(env, info, argv, 2);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "SO_ATTACH_FILTER", EBADF);
  if (!bytes_of(env, argv[1], &code, &length) || length == 0 || length % sizeof(struct sock_filter))
    return fail(env, "SO_ATTACH_FILTER", EINVAL);
  struct sock_fprog program = {.len = length / sizeof(struct sock_filter), .filter = code};
  if (setsockopt(entry->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
    return fail(env, "SO_ATTACH_FILTER", errno);
  return NULL;
}

/* receive(descriptor, buffer): bytes of one message (more than the buffer holds: it was cut), -1 when none waits */
static napi_value receive(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  void *bytes;
  size_t length;
  arguments(env, info, argv, 2);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "recv", EBADF);
  if (!bytes_of(env, argv[1], &bytes, &length)) return fail(env, "recv", EINVAL);
  ssize_t got;
  do got = recv(entry->fd, bytes, length, MSG_DONTWAIT | MSG_TRUNC);
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno != EAGAIN) return fail(env, "recv", errno);
  napi_create_int64(env, got, &result);
  return result;
}

/* send(descriptor, messages, addresses | undefined): how many left; throws only when the first could not */
static napi_value send_batch(napi_env env, napi_callback_info info) {
  napi_value argv[3], item, result;
  struct mmsghdr messages[BATCH_MAX];
  struct iovec parts[BATCH_MAX];
  uint32_t count = 0, named = 0;
  bool has_addresses = false;
  arguments(env, info, argv, 3);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "sendmmsg", EBADF);
  if (napi_get_array_length(env, argv[1], &count) != napi_ok || count > BATCH_MAX)
    return fail(env, "sendmmsg", EINVAL);
  napi_is_array(env, argv[2], &has_addresses);
  if (has_addresses && (napi_get_array_length(env, argv[2], &named) != napi_ok || named != count))
    return fail(env, "sendmmsg", EINVAL);
  memset(messages, 0, count * sizeof *messages);
  for (uint32_t i = 0; i < count; i++) {
    size_t length;
    napi_get_element(env, argv[1], i, &item);
    if (!bytes_of(env, item, &parts[i].iov_base, &parts[i].iov_len)) return fail(env, "sendmmsg", EINVAL);
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    if (!has_addresses) continue;
    napi_get_element(env, argv[2], i, &item);
    if (!bytes_of(env, item, &messages[i].msg_hdr.msg_name, &length)) return fail(env, "sendmmsg", EINVAL);
    messages[i].msg_hdr.msg_namelen = length;
  }
  int sent = count == 0 ? 0 : sendmmsg(entry->fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return fail(env, "sendmmsg", errno);
  napi_create_int32(env, sent, &result);
  return result;
}

void call_number(napi_env env, napi_ref callback, napi_async_context context, int number) {
  napi_handle_scope scope;
  napi_value function, global, argument, exception;
  napi_open_handle_scope(env, &scope);
  napi_get_reference_value(env, callback, &function);
  napi_get_global(env, &global);
  napi_create_int32(env, number, &argument);
  napi_status status = napi_make_callback(env, context, global, function, 1, &argument, NULL);
  if (status == napi_pending_exception && napi_get_and_clear_last_exception(env, &exception) == napi_ok)
    napi_fatal_exception(env, exception);
  napi_close_handle_scope(env, scope);
}

static void call(struct receiver *receiver, int count) {
  call_number(receiver->env, receiver->callback, receiver->context, count);
}

static void readable(uv_poll_t *poll, int status, int events) {
  struct receiver *receiver = uv_handle_get_data((uv_handle_t *)poll);
  struct mmsghdr messages[BATCH_MAX];
  struct iovec parts[BATCH_MAX];
  (void)events;
  if (status < 0) {
    call(receiver, status);
    return;
  }
  memset(messages, 0, receiver->slots * sizeof *messages);
  for (uint32_t i = 0; i < receiver->slots; i++) {
    parts[i].iov_base = receiver->bytes + (size_t)i * receiver->slot_bytes;
    parts[i].iov_len = receiver->slot_bytes;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = receiver->from + (size_t)i * ADDRESS_BYTES;
    messages[i].msg_hdr.msg_namelen = ADDRESS_BYTES;
  }
  int got = recvmmsg(receiver->fd, messages, receiver->slots, MSG_DONTWAIT | MSG_TRUNC, NULL);
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) call(receiver, -errno);
    return;
  }
  for (int i = 0; i < got; i++) receiver->length[i] = messages[i].msg_len;
  call(receiver, got);
}

/*
 * startReceiving(descriptor, {buffer, lengths: Uint32Array, addresses: Buffer, callback}): from now on
 * callback(count) runs when messages wait: message i lies at i * (buffer / slots), its full length in lengths[i],
 * its sender at i * 128 in addresses. A negative count is an error number.
 */
static napi_value start_receiving(napi_env env, napi_callback_info info) {
  napi_value argv[5], name;
  void *bytes, *from, *length;
  size_t bytes_length, from_length, slots;
  napi_typedarray_type type;
  uv_loop_t *loop;
  arguments(env, info, argv, 5);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "uv_poll", EBADF);
  if (entry->receiver) return fail(env, "uv_poll", EEXIST);
  if (!bytes_of(env, argv[1], &bytes, &bytes_length) || !bytes_of(env, argv[3], &from, &from_length) ||
      napi_get_typedarray_info(env, argv[2], &type, &slots, &length, NULL, NULL) != napi_ok ||
      type != napi_uint32_array || slots == 0 || slots > BATCH_MAX || bytes_length < slots ||
      from_length < slots * ADDRESS_BYTES)
    return fail(env, "uv_poll", EINVAL);
  struct receiver *receiver = calloc(1, sizeof *receiver);
  if (!receiver) return fail(env, "uv_poll", ENOMEM);
  receiver->poll = calloc(1, uv_handle_size(UV_POLL_TYPE));
  if (!receiver->poll) {
    free(receiver);
    return fail(env, "uv_poll", ENOMEM);
  }
  napi_get_uv_event_loop(env, (struct uv_loop_s **)&loop);
  int status = uv_poll_init(loop, receiver->poll, entry->fd);
  if (status < 0) {
    free(receiver->poll);
    free(receiver);
    return fail(env, "uv_poll", -status);
  }
  receiver->env = env;
  receiver->owner = environment_of(env);
  receiver->fd = entry->fd;
  receiver->bytes = bytes;
  receiver->from = from;
  receiver->length = length;
  receiver->slots = slots;
  receiver->slot_bytes = bytes_length / slots;
  napi_create_reference(env, argv[1], 1, &receiver->buffer);
  napi_create_reference(env, argv[2], 1, &receiver->lengths);
  napi_create_reference(env, argv[3], 1, &receiver->addresses);
  napi_create_reference(env, argv[4], 1, &receiver->callback);
  napi_create_string_utf8(env, "genkan:socket", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &receiver->context);
  uv_handle_set_data((uv_handle_t *)receiver->poll, receiver);
  uv_poll_start(receiver->poll, UV_READABLE_EVENT, readable);
  entry->receiver = receiver;
  return NULL;
}

/* unref(descriptor): a waiting receiver alone does not keep the process alive */
static napi_value unref(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  arguments(env, info, argv, 1);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "uv_unref", EBADF);
  if (entry->receiver) uv_unref((uv_handle_t *)entry->receiver->poll);
  return NULL;
}

/* The environment ends: close everything, and say so only after libuv has let go of the last handle. */
static void end(napi_async_cleanup_hook_handle hook, void *data) {
  struct environment *own = data;
  own->ending = true;
  own->hook = hook;
  own->closing++; /* held while we walk the list */
  for (struct opened *at = own->sockets, *next; at; at = next) {
    next = at->next;
    stop(at);
    stop_watching(at);
    close(at->fd);
    free(at);
  }
  own->sockets = NULL;
  if (--own->closing == 0) {
    napi_remove_async_cleanup_hook(hook);
    free(own);
  }
}

NAPI_MODULE_INIT() {
  struct environment *own = calloc(1, sizeof *own);
  if (!own) return fail(env, "calloc", ENOMEM);
  napi_set_instance_data(env, own, NULL, NULL);
  napi_add_async_cleanup_hook(env, end, own, &own->hook);
  const napi_property_descriptor functions[] = {
      {"open", NULL, open_socket, NULL, NULL, NULL, napi_enumerable, NULL},
      {"close", NULL, close_socket, NULL, NULL, NULL, napi_enumerable, NULL},
      {"bind", NULL, bind_socket, NULL, NULL, NULL, napi_enumerable, NULL},
      {"name", NULL, socket_name, NULL, NULL, NULL, napi_enumerable, NULL},
      {"setOption", NULL, set_option, NULL, NULL, NULL, napi_enumerable, NULL},
      {"attachFilter", NULL, attach_filter, NULL, NULL, NULL, napi_enumerable, NULL},
      {"receive", NULL, receive, NULL, NULL, NULL, napi_enumerable, NULL},
      {"send", NULL, send_batch, NULL, NULL, NULL, napi_enumerable, NULL},
      {"startReceiving", NULL, start_receiving, NULL, NULL, NULL, napi_enumerable, NULL},
      {"unref", NULL, unref, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  napi_define_properties(env, exports, tcp_function_count, tcp_functions);
  napi_define_properties(env, exports, timer_function_count, timer_functions);
  return exports;
}
