/*
 * Sessions: the table of them, read locks, and the thread that runs a leg through its states
 * with the module's state handlers, in the order of the real state machine.
 * A session that has hung up can not be located any more; it dies when its last lock is gone.
 */
#define _GNU_SOURCE
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static switch_core_session_t *sessions;
static int end_delay; /* how long a leg's end lingers before its handlers run */

void session_delay(int milliseconds) { end_delay = milliseconds; }

static unsigned serial;

switch_core_session_t *session_new(const char *driver, switch_call_direction_t direction) {
  switch_core_session_t *session = object_new(A_SESSION, sizeof *session);
  switch_channel_t *channel = object_new(A_CHANNEL, sizeof *channel);
  serial++;
  snprintf(session->uuid, sizeof session->uuid, "%08x-5ca1-4ab1-8e11-%012x", serial, serial * 7919u);
  session->pool = pool_new();
  session->channel = channel;
  session->driver = driver;
  channel->session = session;
  channel->direction = direction;
  channel->variables = event_new(SWITCH_EVENT_CHANNEL_DATA);
  channel->running_state = -1;
  channel->profile = profile_new(session->pool);
  session->next = sessions;
  sessions = session;
  channel_set(channel, "uuid", session->uuid);
  channel_set(channel, "call_uuid", session->uuid);
  return session;
}

switch_core_session_t *session_find(const char *uuid) {
  if (is_empty(uuid)) return NULL;
  for (switch_core_session_t *session = sessions; session; session = session->next)
    if (!strcmp(session->uuid, uuid)) return session;
  return NULL;
}

bool session_rename(switch_core_session_t *session, const char *uuid) {
  if (is_empty(uuid) || strlen(uuid) >= sizeof session->uuid || session_find(uuid)) return false;
  snprintf(session->uuid, sizeof session->uuid, "%s", uuid);
  channel_set(session->channel, "uuid", uuid);
  return true;
}

/* ---- the module's side ---- */

void session_check(switch_core_session_t *session, const char *function) { object_check(session, A_SESSION, function); }

switch_core_session_t *switch_core_session_perform_locate(const char *uuid, const char *file, const char *func, int line) {
  (void)file, (void)func, (void)line;
  if (!uuid) return NULL;
  big_lock();
  jitter();
  switch_core_session_t *session = session_find(uuid);
  if (session && (session->destroyed || !channel_up(session->channel))) session = NULL;
  if (session) session->module_locks++;
  big_unlock();
  return session;
}

switch_core_session_t *switch_core_session_perform_force_locate(const char *uuid, const char *file, const char *func, int line) {
  (void)file, (void)func, (void)line;
  if (!uuid) return NULL;
  big_lock();
  switch_core_session_t *session = session_find(uuid);
  if (session && session->destroyed) session = NULL;
  if (session) session->module_locks++;
  big_unlock();
  return session;
}

void switch_core_session_rwunlock(switch_core_session_t *session) {
  session_check(session, __func__);
  big_lock();
  if (session->module_locks <= 0) fatal(__func__, "the session %s is not read-locked by the module", session->uuid);
  session->module_locks--;
  big_changed();
  big_unlock();
}

switch_channel_t *switch_core_session_get_channel(switch_core_session_t *session) {
  session_check(session, __func__);
  return session->channel;
}

char *switch_core_session_get_uuid(switch_core_session_t *session) {
  session_check(session, __func__);
  return session->uuid;
}

switch_memory_pool_t *switch_core_session_get_pool(switch_core_session_t *session) {
  session_check(session, __func__);
  return session->pool;
}

/* ---- keys ---- */

switch_size_t switch_channel_has_dtmf(switch_channel_t *channel) {
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  switch_size_t waiting = (switch_size_t)channel->key_count;
  big_unlock();
  return waiting;
}

switch_status_t switch_channel_dequeue_dtmf(switch_channel_t *channel, switch_dtmf_t *dtmf) {
  object_check(channel, A_CHANNEL, __func__);
  if (!dtmf) fatal(__func__, "no place for the key");
  big_lock();
  char *key = channel_key(channel);
  if (key) *dtmf = (switch_dtmf_t){.digit = *key, .duration = 2000};
  big_unlock();
  return key ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

switch_status_t switch_channel_queue_dtmf(switch_channel_t *channel, const switch_dtmf_t *dtmf) {
  object_check(channel, A_CHANNEL, __func__);
  if (!dtmf) fatal(__func__, "no key");
  big_lock();
  session_key(channel->session, dtmf->digit);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

/* A key waits in the channel's queue until somebody takes it. */
void session_key(switch_core_session_t *session, char digit) {
  switch_channel_t *channel = session->channel;
  if (channel->key_count < (int)sizeof channel->keys) channel->keys[channel->key_count++] = digit;
  big_changed();
}

/* ---- the state machine ---- */

void session_add_table(switch_core_session_t *session, const switch_state_handler_table_t *table) {
  for (int i = 0; i < session->table_count; i++)
    if (session->tables[i].table == table) return;
  if (session->table_count >= MAX_TABLES) return;
  session->tables[session->table_count].table = table;
  session->tables[session->table_count++].as_added = *table;
}

/* Where each state's handler stands in the table. */
enum { INIT, ROUTING, EXECUTE, HANGUP, EXCHANGE_MEDIA, SOFT_EXECUTE, CONSUME_MEDIA, HIBERNATE, RESET, PARK, REPORTING, DESTROY };

/* Run the tables' handlers for one state; false if one of them vetoed what follows. */
static bool run_handlers(switch_core_session_t *session, int which) {
  for (int i = 0; i < session->table_count; i++) {
    struct table *table = &session->tables[i];
    if (memcmp(table->table, &table->as_added, sizeof table->as_added))
      fatal("state handlers", "the table %p was changed or freed while legs used it: it must be static", (const void *)table->table);
    switch_state_handler_t handler;
    memcpy(&handler, (const char *)table->table + (size_t)which * sizeof handler, sizeof handler);
    if (!handler) continue;
    jitter();
    big_unlock();
    host_enter("a state handler");
    switch_status_t status = handler(session);
    host_leave();
    big_lock();
    if (status != SWITCH_STATUS_SUCCESS) return false;
  }
  return true;
}

static void run_state(switch_core_session_t *session, int state) {
  switch_channel_t *channel = session->channel;
  switch (state) {
    case CS_INIT:
      if (session->dialog) wire_invite(session, session->dialog->phone);
      if (channel_up(channel)) channel->state = CS_ROUTING;
      run_handlers(session, INIT);
      channel_event(channel, EVENT_CHANNEL_CREATE);
      if (channel->direction == SWITCH_CALL_DIRECTION_OUTBOUND) channel_event(channel, EVENT_CHANNEL_ORIGINATE);
      break;
    case CS_ROUTING:
      /* Originate's own handler comes after the module's table and parks the leg until it is answered. */
      if (run_handlers(session, ROUTING) && session->originating && channel->state == CS_ROUTING)
        channel->state = CS_CONSUME_MEDIA;
      break;
    case CS_CONSUME_MEDIA:
      if (!strcmp(session->driver, "null") && channel_up(channel)) channel_answered(channel);
      run_handlers(session, CONSUME_MEDIA);
      break;
    case CS_EXCHANGE_MEDIA:
      run_handlers(session, EXCHANGE_MEDIA);
      break;
    case CS_HIBERNATE:
      run_handlers(session, HIBERNATE);
      break;
    case CS_HANGUP: {
      char number[16];
      snprintf(number, sizeof number, "%d", channel->cause < 128 ? channel->cause : CAUSE_NORMAL_UNSPECIFIED);
      channel->profile->times->hungup = now_us();
      channel_set(channel, "hangup_cause", cause_name(channel->cause));
      channel_set(channel, "hangup_cause_q850", number);
      wire_hangup(session);
      run_handlers(session, HANGUP);
      channel->state = CS_REPORTING;
      break;
    }
    case CS_REPORTING: {
      const char *wanted = channel_get(channel, "process_cdr");
      if (is_empty(wanted) || is_true(wanted) || !strcmp(wanted, "b_only")) run_handlers(session, REPORTING);
      channel_event(channel, EVENT_CHANNEL_HANGUP_COMPLETE);
      channel->state = CS_DESTROY;
      break;
    }
    default:
      break;
  }
  big_changed();
}

/* Until the channel is destroyed, or (for the caller's own thread) hung up completely. */
void session_run(switch_core_session_t *session) {
  switch_channel_t *channel = session->channel;
  while (channel->state != CS_DESTROY) {
    if (channel->flags[FLAG_BLOCK_STATE]) {
      big_wait(1000);
      continue;
    }
    int state = channel->state;
    if (state == channel->running_state && state < CS_HANGUP) {
      big_wait(1000);
      continue;
    }
    if (state == CS_HANGUP && end_delay && !session->is_caller) {
      int64_t until = now_ms() + end_delay;
      while (now_ms() < until) big_wait(20);
    }
    channel->running_state = state;
    channel->flags[CF_TRANSFER] = channel->flags[CF_REDIRECT] = 0;
    run_state(session, state);
  }
  while (session->module_locks || session->core_locks) big_wait(1000);
  session->destroyed = true;
  for (switch_core_session_t **place = &sessions; *place; place = &(*place)->next) {
    if (*place != session) continue;
    *place = session->next;
    break;
  }
  channel_event(channel, EVENT_CHANNEL_DESTROY);
  run_handlers(session, DESTROY);
  if (session->module_locks)
    fatal("on_destroy", "the session %s was locked while it was destroyed", session->uuid);
  free(channel->name);
  event_free(channel->variables);
  object_end(channel, A_CHANNEL);
  pool_end(session->pool);
  object_end(session, A_SESSION);
  big_changed();
}

static void *leg_thread(void *data) {
  switch_core_session_t *session = data;
  big_lock();
  session->thread = pthread_self();
  session_run(session);
  big_unlock();
  return NULL;
}

void session_launch(switch_core_session_t *session) {
  pthread_t thread;
  session->launched = true;
  if (session->is_caller) return; /* it runs on the thread of its call */
  if (pthread_create(&thread, NULL, leg_thread, session)) fatal("stand-in", "no thread");
  pthread_detach(thread);
}

/* ---- for the tests ---- */

void session_report(struct text *report) {
  for (switch_core_session_t *session = sessions; session; session = session->next) {
    text_format(report, "the session %s (%s) still lives in state %d", session->uuid,
                session->channel->name ? session->channel->name : "caller", session->channel->state);
    if (session->module_locks) text_format(report, ", read-locked %d times by the module", session->module_locks);
    text_add(report, "\n");
  }
}

/* Wait until every session is gone and every event delivered. */
bool standin_quiet(int milliseconds) {
  int64_t until = now_ms() + milliseconds;
  big_lock();
  while ((sessions || !events_idle()) && now_ms() < until) big_wait(20);
  bool quiet = !sessions && events_idle();
  big_unlock();
  return quiet;
}
