/*
 * TCP sockets prepared before they connect or listen. System calls and readiness only; which option has which value
 * is tcp.ts's business. A descriptor is ours until release(); then it is the net.Socket's that was made of it.
 */
#include "addon.h"
#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct watcher {
  uv_poll_t *poll;
  napi_env env;
  struct environment *owner;
  napi_ref callback;
  napi_async_context context;
};

static void closed(uv_handle_t *handle) {
  struct watcher *watcher = uv_handle_get_data(handle);
  struct environment *own = watcher->owner;
  if (!own->ending) { /* at the end of the environment its references go by themselves */
    napi_handle_scope scope;
    napi_open_handle_scope(watcher->env, &scope);
    napi_delete_reference(watcher->env, watcher->callback);
    napi_async_destroy(watcher->env, watcher->context);
    napi_close_handle_scope(watcher->env, scope);
  }
  free(watcher->poll);
  free(watcher);
  poll_closed(own);
}

void stop_watching(struct opened *entry) {
  struct watcher *watcher = entry->watcher;
  if (!watcher) return;
  entry->watcher = NULL;
  watcher->owner->closing++;
  uv_poll_stop(watcher->poll);
  uv_close((uv_handle_t *)watcher->poll, closed);
}

static void ready(uv_poll_t *poll, int status, int events) {
  struct watcher *watcher = uv_handle_get_data((uv_handle_t *)poll);
  (void)events;
  call_number(watcher->env, watcher->callback, watcher->context, status);
}

/* watch(descriptor, is for writing, callback): callback(0 or a negative error number) whenever it is ready */
static napi_value watch(napi_env env, napi_callback_info info) {
  napi_value argv[3], name;
  bool writing = false;
  uv_loop_t *loop;
  arguments(env, info, argv, 3);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "uv_poll", EBADF);
  if (entry->watcher || entry->receiver) return fail(env, "uv_poll", EEXIST);
  if (napi_get_value_bool(env, argv[1], &writing) != napi_ok) return fail(env, "uv_poll", EINVAL);
  struct watcher *watcher = calloc(1, sizeof *watcher);
  if (!watcher) return fail(env, "uv_poll", ENOMEM);
  watcher->poll = calloc(1, uv_handle_size(UV_POLL_TYPE));
  if (!watcher->poll) {
    free(watcher);
    return fail(env, "uv_poll", ENOMEM);
  }
  napi_get_uv_event_loop(env, (struct uv_loop_s **)&loop);
  int status = uv_poll_init(loop, watcher->poll, entry->fd);
  if (status < 0) {
    free(watcher->poll);
    free(watcher);
    return fail(env, "uv_poll", -status);
  }
  watcher->env = env;
  watcher->owner = environment_of(env);
  napi_create_reference(env, argv[2], 1, &watcher->callback);
  napi_create_string_utf8(env, "genkan:tcp", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &watcher->context);
  uv_handle_set_data((uv_handle_t *)watcher->poll, watcher);
  entry->watcher = watcher;
  uv_poll_start(watcher->poll, writing ? UV_WRITABLE_EVENT : UV_READABLE_EVENT, ready);
  return NULL;
}

/* unwatch(descriptor): its callback is not called any more; it may be watched again */
static napi_value unwatch(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  arguments(env, info, argv, 1);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "uv_poll", EBADF);
  stop_watching(entry);
  return NULL;
}

/* connect(descriptor, sockaddr): true when connected at once, false: it becomes writable */
static napi_value connect_socket(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  void *address;
  size_t length;
  arguments(env, info, argv, 2);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "connect", EBADF);
  if (!bytes_of(env, argv[1], &address, &length)) return fail(env, "connect", EINVAL);
  int status = connect(entry->fd, address, length);
  if (status < 0 && errno != EINPROGRESS) return fail(env, "connect", errno);
  napi_get_boolean(env, status == 0, &result);
  return result;
}

/* connectError(descriptor): throws what became of the connection, if it failed */
static napi_value connect_error(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int error = 0;
  socklen_t length = sizeof error;
  arguments(env, info, argv, 1);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "connect", EBADF);
  if (getsockopt(entry->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
  return error == 0 ? NULL : fail(env, "connect", error);
}

/* listen(descriptor, backlog) */
static napi_value listen_socket(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int backlog;
  arguments(env, info, argv, 2);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "listen", EBADF);
  if (!int_of(env, argv[1], &backlog)) return fail(env, "listen", EINVAL);
  if (listen(entry->fd, backlog) < 0) return fail(env, "listen", errno);
  return NULL;
}

/* accept(descriptor, sockaddr buffer): a descriptor, -1 when nobody waits; the buffer holds the peer */
static napi_value accept_socket(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  void *address;
  size_t room;
  arguments(env, info, argv, 2);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "accept", EBADF);
  if (!bytes_of(env, argv[1], &address, &room)) return fail(env, "accept", EINVAL);
  socklen_t length = room;
  int fd = accept4(entry->fd, address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  /* A peer that gave up while it waited is nobody (accept(2), Linux). */
  bool nobody = fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED || errno == EPROTO);
  if (fd < 0 && !nobody) return fail(env, "accept", errno);
  if (fd >= 0 && !adopt(env, fd)) return fail(env, "accept", ENOMEM);
  napi_create_int32(env, fd, &result);
  return result;
}

/* release(descriptor): open, but no longer ours: whoever reads from it closes it */
static napi_value release(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  arguments(env, info, argv, 1);
  struct opened *entry = find(env, argv[0]);
  if (!entry) return fail(env, "release", EBADF);
  forget(env, entry);
  return NULL;
}

/* setTcpOption(descriptor of any TCP socket, a released one too, level, name, value bytes) */
static napi_value set_tcp_option(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  int fd, level, name, protocol = 0;
  void *value;
  size_t length;
  socklen_t size = sizeof protocol;
  arguments(env, info, argv, 4);
  if (!int_of(env, argv[0], &fd) || !int_of(env, argv[1], &level) || !int_of(env, argv[2], &name) ||
      !bytes_of(env, argv[3], &value, &length))
    return fail(env, "setsockopt", EINVAL);
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0) return fail(env, "setsockopt", errno);
  if (protocol != IPPROTO_TCP) return fail(env, "setsockopt", ENOPROTOOPT);
  if (setsockopt(fd, level, name, value, length) < 0) return fail(env, "setsockopt", errno);
  return NULL;
}

/* getTcpOption(descriptor of any TCP socket, a released one too, level, name, buffer): how many bytes of it were filled */
static napi_value get_tcp_option(napi_env env, napi_callback_info info) {
  napi_value argv[4], result;
  int fd, level, name, protocol = 0;
  void *value;
  size_t room;
  socklen_t size = sizeof protocol;
  arguments(env, info, argv, 4);
  if (!int_of(env, argv[0], &fd) || !int_of(env, argv[1], &level) || !int_of(env, argv[2], &name) ||
      !bytes_of(env, argv[3], &value, &room))
    return fail(env, "getsockopt", EINVAL);
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0) return fail(env, "getsockopt", errno);
  if (protocol != IPPROTO_TCP) return fail(env, "getsockopt", ENOPROTOOPT);
  size = room;
  if (getsockopt(fd, level, name, value, &size) < 0) return fail(env, "getsockopt", errno);
  napi_create_uint32(env, size, &result);
  return result;
}

const napi_property_descriptor tcp_functions[] = {
    {"watch", NULL, watch, NULL, NULL, NULL, napi_enumerable, NULL},
    {"unwatch", NULL, unwatch, NULL, NULL, NULL, napi_enumerable, NULL},
    {"connect", NULL, connect_socket, NULL, NULL, NULL, napi_enumerable, NULL},
    {"connectError", NULL, connect_error, NULL, NULL, NULL, napi_enumerable, NULL},
    {"listen", NULL, listen_socket, NULL, NULL, NULL, napi_enumerable, NULL},
    {"accept", NULL, accept_socket, NULL, NULL, NULL, napi_enumerable, NULL},
    {"release", NULL, release, NULL, NULL, NULL, napi_enumerable, NULL},
    {"setTcpOption", NULL, set_tcp_option, NULL, NULL, NULL, napi_enumerable, NULL},
    {"getTcpOption", NULL, get_tcp_option, NULL, NULL, NULL, napi_enumerable, NULL},
};
const size_t tcp_function_count = sizeof tcp_functions / sizeof *tcp_functions;
