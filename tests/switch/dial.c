/*
 * Dial handles: the legs of one originate with their variables.
 * As in FreeSWITCH a list holds 128 legs and checks nothing, so one more ends the test; and a
 * handle serves one originate, which cuts the dial strings at their first '/'.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "standin.h"

enum { MAX_PEERS = 128 };

struct switch_dial_leg_s {
  char *dial_string;
  switch_event_t *variables;
};
struct switch_dial_leg_list_s {
  int count;
  switch_dial_leg_t *legs[MAX_PEERS];
};
struct switch_dial_handle_s {
  int count;
  switch_dial_leg_list_t *lists[MAX_PEERS];
  switch_event_t *globals;
  bool used;
};

switch_status_t switch_dial_handle_create(switch_dial_handle_t **handle) {
  need(handle, __func__, "the place for the handle");
  *handle = object_new(A_DIAL_HANDLE, sizeof **handle);
  return SWITCH_STATUS_SUCCESS;
}

void switch_dial_handle_destroy(switch_dial_handle_t **handle) {
  need(handle, __func__, "the place of the handle");
  switch_dial_handle_t *gone = *handle;
  *handle = NULL;
  if (!gone) return;
  object_check(gone, A_DIAL_HANDLE, __func__);
  big_lock();
  for (int i = 0; i < gone->count; i++) {
    switch_dial_leg_list_t *list = gone->lists[i];
    for (int k = 0; k < list->count; k++) {
      if (list->legs[k]->variables) event_free(list->legs[k]->variables);
      free(list->legs[k]->dial_string);
      object_end(list->legs[k], A_LEG);
    }
    object_end(list, A_LEG_LIST);
  }
  if (gone->globals) event_free(gone->globals);
  object_end(gone, A_DIAL_HANDLE);
  big_unlock();
}

void switch_dial_handle_add_leg_list(switch_dial_handle_t *handle, switch_dial_leg_list_t **list) {
  object_check(handle, A_DIAL_HANDLE, __func__);
  need(list, __func__, "the place for the list");
  if (handle->count >= MAX_PEERS) fatal(__func__, "list %d is written past the array of %d", handle->count + 1, MAX_PEERS);
  *list = handle->lists[handle->count++] = object_new(A_LEG_LIST, sizeof **list);
}

void switch_dial_leg_list_add_leg(switch_dial_leg_list_t *list, switch_dial_leg_t **place, const char *dial_string) {
  object_check(list, A_LEG_LIST, __func__);
  need(dial_string, __func__, "the dial string");
  if (list->count >= MAX_PEERS) fatal(__func__, "leg %d is written past the array of %d", list->count + 1, MAX_PEERS);
  switch_dial_leg_t *leg = object_new(A_LEG, sizeof *leg);
  leg->dial_string = strdup(dial_string);
  list->legs[list->count++] = leg;
  if (place) *place = leg;
}

static void add(switch_event_t **variables, const char *name, const char *value) {
  big_lock();
  if (!*variables) *variables = event_new(SWITCH_EVENT_CHANNEL_DATA);
  if (value) event_add(*variables, name, value);
  big_unlock();
}

void switch_dial_handle_add_global_var(switch_dial_handle_t *handle, const char *name, const char *value) {
  object_check(handle, A_DIAL_HANDLE, __func__);
  need(name, __func__, "the variable's name");
  add(&handle->globals, name, value);
}

switch_status_t switch_dial_handle_add_leg_var(switch_dial_leg_t *leg, const char *name, const char *value) {
  object_check(leg, A_LEG, __func__);
  need(name, __func__, "the variable's name");
  add(&leg->variables, name, value);
  return SWITCH_STATUS_SUCCESS;
}

/* ---- for originate ---- */

void dial_use(switch_dial_handle_t *handle, const char *function) {
  object_check(handle, A_DIAL_HANDLE, function);
  if (handle->used) fatal(function, "a dial handle is used twice: originate has cut its dial strings");
  handle->used = true;
}

int dial_lists(switch_dial_handle_t *handle) { return handle->count; }

int dial_peers(switch_dial_handle_t *handle, int list, char **strings, switch_event_t **variables) {
  switch_dial_leg_list_t *legs = handle->lists[list];
  for (int i = 0; i < legs->count; i++) {
    strings[i] = legs->legs[i]->dial_string;
    variables[i] = legs->legs[i]->variables;
  }
  return legs->count;
}

switch_event_t *dial_globals(switch_dial_handle_t *handle) { return handle->globals; }
