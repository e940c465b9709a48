/*
 * Events of the stand-in: ordered headers with case-insensitive names, subclasses, bindings,
 * and the one thread that delivers. An event is the module's until it is fired or destroyed;
 * one lent to a callback may be read on that thread, during that call, and never after.
 */
#define _GNU_SOURCE
#include "standin.h"

#include <stdio.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct switch_event_node {
  int event;
  char *id, *subclass;
  switch_event_callback_t callback;
  void *user_data;
  struct switch_event_node *next;
};
struct subclass {
  char *owner, *name;
  bool bound;
  struct subclass *next;
};

static struct switch_event_node *bindings;
static struct subclass *subclasses;
static switch_event_t *queue, *queue_last;
static bool delivering, dispatcher_started;
static __thread bool in_callback;
static int delay; /* how long an event is under way before its callbacks run */

void event_delay(int milliseconds) { delay = milliseconds; }

static struct text seen; /* CUSTOM events, for the tests */

static const struct {
  int id;
  const char *name;
} NAMES[] = {{SWITCH_EVENT_CUSTOM, "CUSTOM"},
             {EVENT_CHANNEL_CREATE, "CHANNEL_CREATE"},
             {EVENT_CHANNEL_DESTROY, "CHANNEL_DESTROY"},
             {SWITCH_EVENT_CHANNEL_ANSWER, "CHANNEL_ANSWER"},
             {EVENT_CHANNEL_HANGUP, "CHANNEL_HANGUP"},
             {EVENT_CHANNEL_HANGUP_COMPLETE, "CHANNEL_HANGUP_COMPLETE"},
             {EVENT_CHANNEL_BRIDGE, "CHANNEL_BRIDGE"},
             {EVENT_CHANNEL_UNBRIDGE, "CHANNEL_UNBRIDGE"},
             {SWITCH_EVENT_CHANNEL_PROGRESS, "CHANNEL_PROGRESS"},
             {SWITCH_EVENT_CHANNEL_PROGRESS_MEDIA, "CHANNEL_PROGRESS_MEDIA"},
             {EVENT_CHANNEL_OUTGOING, "CHANNEL_OUTGOING"},
             {EVENT_CHANNEL_ORIGINATE, "CHANNEL_ORIGINATE"},
             {SWITCH_EVENT_REQUEST_PARAMS, "REQUEST_PARAMS"},
             {SWITCH_EVENT_CHANNEL_DATA, "CHANNEL_DATA"}};

/* ---- headers ---- */

switch_event_t *event_new(int id) {
  switch_event_t *event = object_new(AN_EVENT, sizeof *event);
  event->id = id;
  event->unique = id == SWITCH_EVENT_REQUEST_PARAMS || id == SWITCH_EVENT_CHANNEL_DATA;
  for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
    if (NAMES[i].id == id) event_add(event, "Event-Name", NAMES[i].name);
  /* A bare list of variables carries no header of its own. */
  if (event->unique) event_delete(event, "Event-Name");
  return event;
}

static void header_free(struct header *header) {
  for (int i = 0; i < header->count; i++) free(header->items[i]);
  free(header->items);
  free(header->name);
  free(header->value);
  free(header);
}

void event_free(switch_event_t *event) {
  for (struct header *header = event->headers, *next; header; header = next) {
    next = header->next;
    header_free(header);
  }
  free(event->subclass);
  free(event->body);
  object_end(event, AN_EVENT);
}

struct header *event_find(switch_event_t *event, const char *name) {
  for (struct header *header = event->headers; header; header = header->next)
    if (!strcasecmp(header->name, name)) return header;
  return NULL;
}

const char *event_get(switch_event_t *event, const char *name) {
  struct header *header = event_find(event, name);
  return header ? header->value : NULL;
}

void event_delete(switch_event_t *event, const char *name) {
  struct header **place = &event->headers;
  event->last = NULL;
  while (*place) {
    struct header *header = *place;
    if (!strcasecmp(header->name, name)) {
      *place = header->next;
      header_free(header);
    } else {
      event->last = header;
      place = &header->next;
    }
  }
}

static struct header *header_append(switch_event_t *event, const char *name) {
  struct header *header = calloc(1, sizeof *header);
  header->name = strdup(name);
  if (event->last) event->last->next = header;
  else event->headers = header;
  event->last = header;
  return header;
}

/* The value of a list is one string of all its items, as the real switch shows it. */
static void header_join(struct header *header) {
  struct text value = {0};
  text_add(&value, header->count > 1 ? "ARRAY::" : "");
  for (int i = 0; i < header->count; i++) {
    if (i) text_add(&value, "|:");
    text_add(&value, header->items[i]);
  }
  free(header->value);
  header->value = value.data;
}

static void header_item(struct header *header, int index, const char *value) {
  if (header->value && !header->count) {
    header->items = malloc(sizeof(char *));
    header->items[0] = header->value;
    header->value = NULL;
    header->count = 1;
  }
  while (header->count <= index) {
    header->items = realloc(header->items, sizeof(char *) * (size_t)(header->count + 1));
    header->items[header->count++] = strdup("");
  }
  free(header->items[index]);
  header->items[index] = strdup(value);
  header_join(header);
}

void event_push(switch_event_t *event, const char *name, const char *value) {
  struct header *header = event_find(event, name);
  if (!header) header = header_append(event, name);
  header_item(header, header->count ? header->count : header->value ? 1 : 0, value);
}

void event_add(switch_event_t *event, const char *name, const char *value) {
  const char *bracket = strchr(name, '[');
  if (bracket) {
    char *plain = strndup(name, (size_t)(bracket - name));
    int index = atoi(bracket + 1);
    struct header *header = event_find(event, plain);
    if (index >= 0 && index <= 4000) header_item(header ? header : header_append(event, plain), index, value);
    free(plain);
    return;
  }
  if (is_empty(value)) {
    event_delete(event, name);
    return;
  }
  if (event->unique) event_delete(event, name);
  struct header *header = header_append(event, name);
  if (strncmp(value, "ARRAY::", 7)) {
    header->value = strdup(value);
    return;
  }
  char *copy = strdup(value + 7), *item = copy, *end;
  int count = 0;
  while ((end = strstr(item, "|:"))) {
    *end = 0;
    header_item(header, count++, item);
    item = end + 2;
  }
  header_item(header, count, item);
  free(copy);
}

void event_merge(switch_event_t *into, switch_event_t *from) {
  for (struct header *header = from->headers; header; header = header->next) event_add(into, header->name, header->value);
}

switch_event_t *event_copy(switch_event_t *event) {
  switch_event_t *copy = event_new(event->id);
  event_delete(copy, "Event-Name");
  for (struct header *header = event->headers; header; header = header->next) {
    if (header->count > 1)
      for (int i = 0; i < header->count; i++) event_push(copy, header->name, header->items[i]);
    else
      event_add(copy, header->name, header->value);
  }
  if (event->body) copy->body = strdup(event->body);
  if (event->subclass) copy->subclass = strdup(event->subclass);
  return copy;
}

/* ---- the module's side of events ---- */

void event_check(switch_event_t *event, const char *function) {
  object_check(event, AN_EVENT, function);
  if (event->modules) return;
  if (!event->delivering) fatal(function, "the event %p was fired or handed over: it is the switch's now", (void *)event);
  if (!pthread_equal(event->reader, pthread_self())) fatal(function, "an event of a callback is used on another thread");
}

switch_status_t switch_event_create_subclass_detailed(const char *file, const char *func, int line,
                                                      switch_event_t **event, switch_event_types_t id,
                                                      const char *subclass) {
  (void)file, (void)func, (void)line;
  need(event, __func__, "the place for the event");
  *event = NULL;
  if (id != SWITCH_EVENT_CUSTOM && subclass) return SWITCH_STATUS_GENERR;
  big_lock();
  *event = event_new((int)id);
  (*event)->modules = true;
  if (subclass) {
    (*event)->subclass = strdup(subclass);
    event_add(*event, "Event-Subclass", subclass);
  }
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_event_add_header_string(switch_event_t *event, switch_stack_t stack, const char *name,
                                               const char *data) {
  event_check(event, __func__);
  need(name, __func__, "the header's name");
  if (stack != SWITCH_STACK_BOTTOM) fatal(__func__, "the stand-in knows SWITCH_STACK_BOTTOM alone");
  if (!data) return SWITCH_STATUS_GENERR;
  big_lock();
  event_add(event, name, data);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

char *switch_event_get_header_idx(switch_event_t *event, const char *name, int index) {
  event_check(event, __func__);
  if (!name) return NULL;
  struct header *header = event_find(event, name);
  if (!header) return strcmp(name, "_body") ? NULL : event->body;
  if (index < 0) return header->value;
  return index < header->count ? header->items[index] : NULL;
}

/* A line for each header, its value kept to one line if `encode`. */
switch_status_t switch_event_serialize(switch_event_t *event, char **text, switch_bool_t encode) {
  event_check(event, __func__);
  if (!text || !encode) fatal(__func__, "the stand-in writes encoded values, to a place that is given");
  struct text out = {0};
  text_add(&out, "");
  for (struct header *header = event->headers; header; header = header->next) {
    text_format(&out, "%s: ", header->name);
    for (const char *at = header->value; *at; at++)
      text_format(&out, isalnum((unsigned char)*at) ? "%c" : "%%%02X", (unsigned char)*at);
    text_add(&out, "\n");
  }
  *text = out.data;
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_event_set_body(switch_event_t *event, const char *body) {
  event_check(event, __func__);
  free(event->body);
  event->body = body ? strdup(body) : NULL;
  return SWITCH_STATUS_SUCCESS;
}

void switch_event_destroy(switch_event_t **event) {
  need(event, __func__, "the place of the event");
  if (*event) {
    event_check(*event, __func__);
    if (!(*event)->modules) fatal(__func__, "the event of a callback is the switch's");
    big_lock();
    event_free(*event);
    big_unlock();
  }
  *event = NULL;
}

switch_status_t switch_event_fire_detailed(const char *file, const char *func, int line, switch_event_t **event,
                                           void *user_data) {
  (void)file, (void)func, (void)line, (void)user_data;
  need(event, __func__, "the place of the event");
  event_check(*event, __func__);
  if (!(*event)->modules) fatal(__func__, "the event of a callback is fired again");
  big_lock();
  (*event)->modules = false;
  if ((*event)->subclass) {
    text_format(&seen, "E%s", (*event)->subclass);
    for (struct header *header = (*event)->headers; header; header = header->next)
      text_format(&seen, "\x1f%s\x1d%s", header->name, header->value);
    text_format(&seen, "\x1f_body\x1d%s\x1e", (*event)->body ? (*event)->body : "");
  }
  event_fire(*event);
  *event = NULL;
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

/* ---- delivery ---- */

static bool matches(const switch_event_t *event, const struct switch_event_node *node) {
  if (node->event != EVENT_ALL && node->event != event->id) return false;
  if (!node->subclass) return true;
  return event->subclass && !strcmp(event->subclass, node->subclass);
}

static void *dispatch(void *nothing) {
  (void)nothing;
  big_lock();
  for (;;) {
    while (!queue) big_wait(1000);
    switch_event_t *event = queue;
    queue = event->next;
    if (!queue) queue_last = NULL;
    delivering = true;
    event->delivering = true;
    event->reader = pthread_self();
    if (delay) {
      int64_t until = now_ms() + delay;
      while (now_ms() < until) big_wait(20);
    }
    /* Bindings can not change while this runs: bind and unbind wait for `delivering`. */
    for (struct switch_event_node *node = bindings; node; node = node->next) {
      if (!matches(event, node)) continue;
      switch_event_callback_t callback = node->callback;
      jitter();
      big_unlock();
      in_callback = true;
      host_enter("an event callback");
      callback(event);
      host_leave();
      in_callback = false;
      big_lock();
    }
    event_free(event);
    delivering = false;
    big_changed();
  }
  return NULL;
}

void event_fire(switch_event_t *event) {
  if (!dispatcher_started) {
    pthread_t thread;
    dispatcher_started = true;
    if (pthread_create(&thread, NULL, dispatch, NULL)) fatal("stand-in", "no thread");
    pthread_detach(thread);
  }
  if (queue_last) queue_last->next = event;
  else queue = event;
  queue_last = event;
  big_changed();
}

bool events_idle(void) { return !queue && !delivering; }

/* The real switch holds a lock for reading while it delivers, and for writing here. */
static void wait_for_delivery(const char *function) {
  if (in_callback) fatal(function, "called inside an event callback: FreeSWITCH would deadlock here");
  while (delivering) big_wait(1000);
}

switch_status_t switch_event_bind_removable(const char *id, switch_event_types_t event, const char *subclass,
                                            switch_event_callback_t callback, void *user_data,
                                            switch_event_node_t **node) {
  need(id, __func__, "the binding's id");
  if (!callback) fatal(__func__, "the callback is NULL");
  if (load_fails()) return SWITCH_STATUS_GENERR;
  big_lock();
  wait_for_delivery(__func__);
  struct switch_event_node *made = object_new(A_BINDING, sizeof *made);
  made->event = (int)event;
  made->id = strdup(id);
  made->subclass = subclass ? strdup(subclass) : NULL;
  made->callback = callback;
  made->user_data = user_data;
  made->next = bindings;
  bindings = made;
  big_unlock();
  if (node) *node = made;
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_event_unbind(switch_event_node_t **node) {
  need(node, __func__, "the place of the binding");
  if (!*node) return SWITCH_STATUS_FALSE;
  object_check(*node, A_BINDING, __func__);
  big_lock();
  wait_for_delivery(__func__);
  for (struct switch_event_node **place = &bindings; *place; place = &(*place)->next) {
    if (*place != *node) continue;
    *place = (*node)->next;
    free((*node)->id);
    free((*node)->subclass);
    object_end(*node, A_BINDING);
    *node = NULL;
    break;
  }
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_event_reserve_subclass_detailed(const char *owner, const char *name) {
  need(owner, __func__, "the owner");
  need(name, __func__, "the subclass");
  if (load_fails()) return SWITCH_STATUS_INUSE;
  big_lock();
  switch_status_t status = SWITCH_STATUS_SUCCESS;
  for (struct subclass *known = subclasses; known; known = known->next)
    if (!strcmp(known->name, name)) status = SWITCH_STATUS_INUSE;
  if (status == SWITCH_STATUS_SUCCESS) {
    struct subclass *made = calloc(1, sizeof *made);
    made->owner = strdup(owner);
    made->name = strdup(name);
    made->next = subclasses;
    subclasses = made;
  }
  big_unlock();
  return status;
}

switch_status_t switch_event_free_subclass_detailed(const char *owner, const char *name) {
  need(owner, __func__, "the owner");
  need(name, __func__, "the subclass");
  switch_status_t status = SWITCH_STATUS_FALSE;
  big_lock();
  for (struct subclass **place = &subclasses; *place; place = &(*place)->next) {
    struct subclass *found = *place;
    if (strcmp(found->name, name)) continue;
    if (strcmp(found->owner, owner)) fatal(__func__, "the subclass %s was reserved by %s", name, found->owner);
    wait_for_delivery(__func__);
    *place = found->next;
    free(found->owner);
    free(found->name);
    free(found);
    status = SWITCH_STATUS_SUCCESS;
    break;
  }
  big_unlock();
  return status;
}

/* ---- for the tests ---- */

static void report_event(void *object, void *data) {
  switch_event_t *event = object;
  if (!event->modules) return;
  text_format(data, "an event (type %d) was neither fired nor destroyed", event->id);
  for (struct header *header = event->headers; header; header = header->next)
    text_format(data, " %s=%s", header->name, header->value);
  text_add(data, "\n");
}

void event_report(struct text *report) {
  object_each(AN_EVENT, report_event, report);
  if (queue || delivering) text_add(report, "events are still being delivered\n");
}

void event_report_unloaded(struct text *report) {
  for (struct switch_event_node *node = bindings; node; node = node->next)
    text_format(report, "event %d is still bound by %s\n", node->event, node->id);
  for (struct subclass *subclass = subclasses; subclass; subclass = subclass->next)
    text_format(report, "the subclass %s is still reserved by %s\n", subclass->name, subclass->owner);
}

char *standin_events(void) {
  big_lock();
  struct text taken = seen;
  memset(&seen, 0, sizeof seen);
  big_unlock();
  if (!taken.data) text_add(&taken, "");
  return taken.data;
}
