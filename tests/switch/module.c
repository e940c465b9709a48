/*
 * The host of the module: loading and unloading as FreeSWITCH does it, the interfaces it
 * registers, its API commands, its console completions and its log.
 * Every text of the module must come through the format "%s": anything else ends the test.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

struct api_and_app {
  switch_application_interface_t *applications;
  switch_api_interface_t *apis;
  switch_endpoint_interface_t *endpoints;
};
static switch_loadable_module_interface_t *module;
static struct api_and_app interfaces;
static switch_loadable_module_function_table_t *functions;
static switch_memory_pool_t *module_pool;
static void *library;
static bool loading;

/* ---- a load that fails half way ---- */

static int failing; /* which of the calls below fails; 0: none */
static bool has_failed;

/* Whether the switch has no more of it: asked by every call of load's that may fail. */
bool load_fails(void) {
  if (!loading || failing <= 0 || --failing) return false;
  return has_failed = true;
}

/* Fail the call of this number at the next load; whether the one that was asked for before has failed. */
bool standin_fail(int nth) {
  bool failed = has_failed;
  has_failed = false;
  failing = nth;
  return failed;
}

/* No thread is to be had either. Only where this library comes before the C library. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *data) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (!real) real = dlsym(RTLD_NEXT, "pthread_create");
  return load_fails() ? EAGAIN : real(thread, attributes, body, data);
}

/* ---- which switch this is ---- */

static char version[256] = "1.10.12-release-10222002881-a88d069d6f~64bit";

const char *switch_version_full(void) { return version; }

void standin_version(const char *full) {
  snprintf(version, sizeof version, "%s", full);
  causes_are_old(!strncmp(full, "1.10.7", 6) && !(full[6] >= '0' && full[6] <= '9'));
}

/* ---- interfaces ---- */

switch_loadable_module_interface_t *switch_loadable_module_create_module_interface(switch_memory_pool_t *pool, const char *name) {
  object_check(pool, A_POOL, __func__);
  need(name, __func__, "the module's name");
  if (!loading) fatal(__func__, "called outside of load");
  if (module) fatal(__func__, "the module is made twice");
  if (load_fails()) return NULL;
  module = object_new(A_MODULE, sizeof *module);
  module->module_name = pool_copy(pool, name);
  module->pool = pool;
  module->rwlock = rwlock_new("the module");
  return module;
}

void *switch_loadable_module_create_interface(switch_loadable_module_interface_t *mod, switch_module_interface_name_t kind) {
  object_check(mod, A_MODULE, __func__);
  if (!loading) fatal(__func__, "called outside of load");
  if (load_fails()) return NULL;
  if (kind == SWITCH_APPLICATION_INTERFACE) {
    switch_application_interface_t *made = object_new(AN_INTERFACE, sizeof *made), **place = &interfaces.applications;
    made->rwlock = rwlock_new("an application");
    made->reflock = mutex_new();
    made->parent = mod;
    while (*place) place = &(*place)->next;
    return *place = made;
  }
  if (kind == SWITCH_ENDPOINT_INTERFACE) {
    switch_endpoint_interface_t *made = object_new(AN_ENDPOINT, sizeof *made), **place = &interfaces.endpoints;
    made->rwlock = rwlock_new("an endpoint of the module's");
    made->reflock = mutex_new();
    made->parent = mod;
    while (*place) place = &(*place)->next;
    return *place = made;
  }
  if (kind != SWITCH_API_INTERFACE) fatal(__func__, "the stand-in has no interfaces of kind %d", (int)kind);
  switch_api_interface_t *made = object_new(AN_INTERFACE, sizeof *made), **place = &interfaces.apis;
  made->rwlock = rwlock_new("an API command");
  made->reflock = mutex_new();
  made->parent = mod;
  while (*place) place = &(*place)->next;
  return *place = made;
}

/* As the host's own protection: the interface and its module are held while it runs. */
switch_application_function_t application_enter(const char *name, switch_application_interface_t **entered) {
  for (switch_application_interface_t *app = interfaces.applications; app; app = app->next) {
    if (!app->interface_name || strcmp(app->interface_name, name)) continue;
    app->rwlock->readers++;
    module->rwlock->readers++;
    *entered = app;
    return app->application_function;
  }
  return NULL;
}

void application_leave(switch_application_interface_t *app) {
  if (!object_alive(app, AN_INTERFACE)) return; /* forced out while it ran */
  app->rwlock->readers--;
  module->rwlock->readers--;
  big_changed();
}

switch_endpoint_interface_t *module_endpoint(const char *name) {
  for (switch_endpoint_interface_t *endpoint = interfaces.endpoints; endpoint; endpoint = endpoint->next)
    if (!strcmp(endpoint->interface_name, name)) return endpoint;
  return NULL;
}

/* ---- load and unload ---- */

static void close_interfaces(void) {
  while (interfaces.applications) {
    switch_application_interface_t *gone = interfaces.applications;
    interfaces.applications = gone->next;
    object_end(gone->rwlock, A_RWLOCK);
    object_end(gone->reflock, A_MUTEX);
    object_end(gone, AN_INTERFACE);
  }
  while (interfaces.apis) {
    switch_api_interface_t *gone = interfaces.apis;
    interfaces.apis = gone->next;
    object_end(gone->rwlock, A_RWLOCK);
    object_end(gone->reflock, A_MUTEX);
    object_end(gone, AN_INTERFACE);
  }
}

static void close_endpoints(void) {
  while (interfaces.endpoints) {
    switch_endpoint_interface_t *gone = interfaces.endpoints;
    interfaces.endpoints = gone->next;
    object_end(gone->rwlock, A_RWLOCK);
    object_end(gone->reflock, A_MUTEX);
    object_end(gone, AN_ENDPOINT);
  }
}

static void close_module(void) {
  close_interfaces();
  close_endpoints();
  if (module) {
    object_end(module->rwlock, A_RWLOCK);
    object_end(module, A_MODULE);
  }
  module = NULL;
  if (library) dlclose(library);
  library = NULL;
  functions = NULL;
  /* Destroyed last: nothing in the pool may point into the module. */
  if (module_pool) pool_end(module_pool);
  module_pool = NULL;
}

const char *standin_load(const char *path) {
  static char error[512];
  if (library) return "the module is loaded already";
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    snprintf(error, sizeof error, "%s", dlerror());
    return error;
  }
  functions = dlsym(library, "mod_cti_module_interface");
  if (!functions) return "it has no mod_cti_module_interface";
  if (functions->switch_api_version != SWITCH_API_VERSION) return "it was made for another switch";
  if (!functions->load) return "it has no load function";
  switch_loadable_module_interface_t *made = NULL;
  module_pool = pool_new();
  loading = true;
  switch_status_t status = functions->load(&made, module_pool);
  loading = false;
  if (status != SWITCH_STATUS_SUCCESS || !made || made != module) {
    close_module();
    snprintf(error, sizeof error, "load returned %d", (int)status);
    return error;
  }
  for (switch_application_interface_t *app = interfaces.applications; app; app = app->next)
    if (is_empty(app->interface_name) || !app->application_function) fatal("load", "an application without name or function");
  for (switch_api_interface_t *api = interfaces.apis; api; api = api->next)
    if (is_empty(api->interface_name) || !api->function) fatal("load", "an API command without name or function");
  for (switch_endpoint_interface_t *endpoint = interfaces.endpoints; endpoint; endpoint = endpoint->next)
    if (is_empty(endpoint->interface_name) || !endpoint->io_routines) fatal("load", "an endpoint without name or routines");
  return NULL;
}

/* Only those that are in the application now, as far as the switch knows: a hook may have run another meanwhile. */
static void hang_up_callers(void *object, void *data) {
  const switch_application_interface_t *application = data;
  switch_core_session_t *session = object;
  const char *current = channel_get(session->channel, "current_application");
  if (session->is_caller && current && !strcmp(current, application->interface_name))
    channel_hangup(session->channel, CAUSE_MANAGER_REQUEST);
}

enum { PATIENCE_MS = 1000 }; /* ten times as long there */

static bool busy(void) { return module->rwlock->readers > 0; }

/* Without force a module in use stays; with it calls are hung up and waited for, though not for ever: then only the
 * module itself can wait, or keep what it has. */
const char *standin_unload(bool force) {
  if (!module) return "no module is loaded";
  big_lock();
  if (!force && busy()) {
    big_unlock();
    return "Module in use.";
  }
  /* Taken out of the tables first: no new call finds the application. */
  switch_application_interface_t *applications = interfaces.applications;
  interfaces.applications = NULL;
  for (switch_application_interface_t *app = applications; app; app = app->next) object_each(A_SESSION, hang_up_callers, app);
  for (int64_t until = now_ms() + PATIENCE_MS; busy() && now_ms() < until;) big_wait(100);
  interfaces.applications = applications;
  big_unlock();
  switch_status_t status = functions->shutdown ? functions->shutdown() : SWITCH_STATUS_SUCCESS;
  if (status == SWITCH_STATUS_NOUNLOAD) return "the module refuses to be unloaded";
  big_lock();
  if (busy()) fatal("shutdown", "a call still runs the application: FreeSWITCH frees what it uses");
  close_module();
  big_unlock();
  return NULL;
}

/* ---- API commands ---- */

struct stream {
  switch_stream_handle_t handle; /* first */
  struct text text;
};

static switch_status_t stream_write(switch_stream_handle_t *handle, const char *format, ...) {
  object_check(handle, A_STREAM, "write_function");
  if (!format || strcmp(format, "%s")) fatal("write_function", "the format is not the literal \"%%s\"");
  va_list arguments;
  va_start(arguments, format);
  const char *text = va_arg(arguments, const char *);
  va_end(arguments);
  need(text, "write_function", "the text");
  text_add(&((struct stream *)handle)->text, text);
  return SWITCH_STATUS_SUCCESS;
}

static switch_status_t stream_raw(switch_stream_handle_t *handle, uint8_t *data, switch_size_t size) {
  object_check(handle, A_STREAM, "raw_write_function");
  char *text = strndup((char *)data, size);
  text_add(&((struct stream *)handle)->text, text);
  free(text);
  return SWITCH_STATUS_SUCCESS;
}

char *standin_api(const char *command, const char *arguments, bool with_stream) {
  big_lock();
  switch_api_interface_t *api = interfaces.apis;
  while (api && strcmp(api->interface_name, command)) api = api->next;
  if (!api) {
    big_unlock();
    return strdup("-ERR no such command");
  }
  api->rwlock->readers++;
  module->rwlock->readers++;
  big_unlock();
  struct stream *stream = object_new(A_STREAM, sizeof *stream);
  stream->handle.write_function = stream_write;
  stream->handle.raw_write_function = stream_raw;
  text_add(&stream->text, "");
  /* The host hands over a copy that it frees: nobody may keep the pointer. */
  char *copy = arguments ? strdup(arguments) : NULL;
  switch_status_t status = api->function(copy, NULL, with_stream ? &stream->handle : NULL);
  if (copy) memset(copy, 0xdb, strlen(copy));
  free(copy);
  char *reply = stream->text.data;
  object_end(stream, A_STREAM);
  if (status != SWITCH_STATUS_SUCCESS && !*reply) {
    free(reply);
    reply = strdup("-ERR the command failed");
  }
  big_lock();
  api->rwlock->readers--;
  module->rwlock->readers--;
  big_unlock();
  return reply;
}

/* ---- the console ---- */

struct rule {
  char *text;
  switch_console_complete_callback_t callback;
  struct rule *next;
};
static struct rule *rules, *callbacks;

static void rule_remove(struct rule **list, const char *text, bool prefix) {
  while (*list) {
    struct rule *rule = *list;
    size_t length = strlen(text);
    if (strncmp(rule->text, text, length) || (!prefix && rule->text[length]) || (prefix && rule->text[length] && rule->text[length] != ' ')) {
      list = &rule->next;
      continue;
    }
    *list = rule->next;
    free(rule->text);
    free(rule);
  }
}

static void rule_add(struct rule **list, const char *text, switch_console_complete_callback_t callback) {
  struct rule *rule = calloc(1, sizeof *rule);
  rule->text = strdup(text);
  rule->callback = callback;
  while (*list) list = &(*list)->next;
  *list = rule;
}

switch_status_t switch_console_set_complete(const char *string) {
  need(string, __func__, "the rule");
  if (load_fails()) return SWITCH_STATUS_FALSE;
  big_lock();
  if (!strncmp(string, "add ", 4)) rule_add(&rules, string + 4, NULL);
  else if (!strncmp(string, "del ", 4)) rule_remove(&rules, string + 4, true);
  else fatal(__func__, "the rule \"%s\" neither adds nor deletes", string);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_console_add_complete_func(const char *name, switch_console_complete_callback_t callback) {
  need(name, __func__, "the function's name");
  if (!callback) fatal(__func__, "the callback is NULL");
  if (load_fails()) return SWITCH_STATUS_FALSE;
  big_lock();
  rule_add(&callbacks, name, callback);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_console_del_complete_func(const char *name) {
  need(name, __func__, "the function's name");
  big_lock();
  rule_remove(&callbacks, name, false);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

void switch_console_push_match(switch_console_callback_match_t **matches, const char *value) {
  need(matches, __func__, "the place for the matches");
  need(value, __func__, "the value");
  if (!*matches) *matches = calloc(1, sizeof **matches);
  switch_console_callback_match_node_t *node = calloc(1, sizeof *node);
  node->val = strdup(value);
  if ((*matches)->end) (*matches)->end->next = node;
  else (*matches)->head = node;
  (*matches)->end = node;
  (*matches)->count++;
}

void switch_console_free_matches(switch_console_callback_match_t **matches) {
  need(matches, __func__, "the matches");
  switch_console_callback_match_t *list = *matches;
  *matches = NULL;
  if (!list) return;
  for (switch_console_callback_match_node_t *node = list->head, *next; node; node = next) {
    next = node->next;
    free(node->val);
    free(node);
  }
  free(list);
}

/* One match a line, as the callback of that name gives them. */
char *standin_complete(const char *function, const char *line, const char *cursor) {
  struct text out = {0};
  text_add(&out, "");
  struct rule *rule = callbacks;
  while (rule && strcmp(rule->text, function)) rule = rule->next;
  if (!rule) return out.data;
  /* The switch leaves this pointer as it finds it on the stack, and reads it only after a success. */
  switch_console_callback_match_t *matches = (void *)1;
  host_enter("a console completion");
  switch_status_t status = rule->callback(line, cursor, &matches);
  host_leave();
  if (status != SWITCH_STATUS_SUCCESS) return out.data;
  for (switch_console_callback_match_node_t *node = matches->head; node; node = node->next)
    text_format(&out, "%s\n", node->val);
  switch_console_free_matches(&matches);
  return out.data;
}

char *standin_completions(void) {
  struct text out = {0};
  text_add(&out, "");
  big_lock();
  for (struct rule *rule = rules; rule; rule = rule->next) text_format(&out, "%s\n", rule->text);
  big_unlock();
  return out.data;
}

/* ---- the log ---- */

enum { ID_SESSION = 3 };
static struct text lines;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

void switch_log_printf(switch_text_channel_t channel, const char *file, const char *func, int line, const char *userdata,
                       switch_log_level_t level, const char *format, ...) {
  (void)line;
  if (!format || strcmp(format, "%s")) fatal(__func__, "the format is not the literal \"%%s\"");
  need(file, __func__, "the file's name");
  need(func, __func__, "the function's name");
  /* For this channel the switch reads a session at that address, whatever its type says. */
  if ((int)channel == ID_SESSION && userdata) object_check(userdata, A_SESSION, __func__);
  if ((int)level < 0 || (int)level > SWITCH_LOG_DEBUG) fatal(__func__, "there is no level %d", (int)level);
  va_list arguments;
  va_start(arguments, format);
  const char *text = va_arg(arguments, const char *);
  va_end(arguments);
  need(text, __func__, "the text");
  if ((int)channel == ID_SESSION) userdata = userdata ? ((switch_core_session_t *)(uintptr_t)userdata)->uuid : NULL;
  pthread_mutex_lock(&log_lock);
  text_format(&lines, "%lld\x1f%d\x1f%s\x1f%s\x1e", (long long)(now_ms() - began_ms()), (int)level, userdata ? userdata : "", text);
  pthread_mutex_unlock(&log_lock);
}

char *standin_log(void) {
  pthread_mutex_lock(&log_lock);
  struct text taken = lines;
  memset(&lines, 0, sizeof lines);
  pthread_mutex_unlock(&log_lock);
  if (!taken.data) text_add(&taken, "");
  return taken.data;
}

/* ---- what an unloaded module must not leave behind ---- */

void report_modules(struct text *report, bool loaded) {
  report_endpoints(report);
  if (loaded) return;
  event_report_unloaded(report);
  for (struct rule *rule = rules; rule; rule = rule->next) text_format(report, "the completion \"%s\" is still there\n", rule->text);
  for (struct rule *rule = callbacks; rule; rule = rule->next)
    text_format(report, "the completion function %s is still there\n", rule->text);
}
