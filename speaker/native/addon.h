/*
 * What the parts of the addon share: failures as exceptions, arguments, and the list of the descriptors that an
 * environment (main thread or worker) has open. libuv's types are declared here as opaque, so that building needs
 * nothing but cc and node_api.h.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 9
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of libuv's stable ABI that is used. */
typedef struct uv_loop_s uv_loop_t;
typedef struct uv_poll_s uv_poll_t;
typedef struct uv_handle_s uv_handle_t;
enum { UV_POLL_TYPE = 8, UV_READABLE_EVENT = 1, UV_WRITABLE_EVENT = 2 };
extern size_t uv_handle_size(int type);
extern int uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);
extern int uv_poll_start(uv_poll_t *handle, int events, void (*cb)(uv_poll_t *, int, int));
extern int uv_poll_stop(uv_poll_t *handle);
extern void uv_close(uv_handle_t *handle, void (*cb)(uv_handle_t *));
extern void uv_handle_set_data(uv_handle_t *handle, void *data);
extern void *uv_handle_get_data(const uv_handle_t *handle);
extern void uv_unref(uv_handle_t *handle);
extern const char *uv_err_name(int error);

struct receiver;
struct watcher;
struct opened {
  int fd;
  struct receiver *receiver;
  struct watcher *watcher;
  struct opened *next;
};
struct environment {
  struct opened *sockets;
  int closing; /* poll handles that are not closed yet */
  bool ending;
  napi_async_cleanup_hook_handle hook;
};

/* Throws an Error with `syscall`, `code` ("EPERM") and `errno` (positive); returns NULL. */
napi_value fail(napi_env env, const char *syscall, int error);
struct environment *environment_of(napi_env env);
/* Reads up to `wanted` arguments; missing ones are undefined. */
void arguments(napi_env env, napi_callback_info info, napi_value *values, size_t wanted);
bool int_of(napi_env env, napi_value value, int *out);
bool bytes_of(napi_env env, napi_value value, void **bytes, size_t *length);
/* The open descriptor that a value names; NULL: this environment has not opened it. */
struct opened *find(napi_env env, napi_value value);
/* Enters a descriptor into the list; NULL: no memory, the descriptor is closed. */
struct opened *adopt(napi_env env, int fd);
/* Takes an entry out of the list and stops its polls; the descriptor stays open. */
void forget(napi_env env, struct opened *entry);
/* After a poll handle has closed: lets an ending environment go when it was the last one. */
void poll_closed(struct environment *own);
/* Calls a function of the referenced callback with one number, outside of any other call. */
void call_number(napi_env env, napi_ref callback, napi_async_context context, int number);

void stop_watching(struct opened *entry);
extern const napi_property_descriptor tcp_functions[];
extern const size_t tcp_function_count;
extern const napi_property_descriptor timer_functions[];
extern const size_t timer_function_count;
