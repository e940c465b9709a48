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

/* Of those that still live; NULL where none does. */
switch_console_callback_match_t *switch_core_session_findall(void) {
  switch_console_callback_match_t *all = NULL;
  big_lock();
  for (switch_core_session_t *session = sessions; session; session = session->next)
    if (channel_up(session->channel)) switch_console_push_match(&all, session->uuid);
  big_unlock();
  return all;
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
      if (session->is_caller) caller_refused(session);
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
  session_end(session);
}

void session_end(switch_core_session_t *session) {
  switch_channel_t *channel = session->channel;
  if (session->on_message || session->on_signal)
    fatal("on_destroy", "a hook of the module's is left on the session %s", session->uuid);
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
  if (session->dialog) session->dialog->session = NULL;
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

switch_status_t switch_core_session_thread_launch(switch_core_session_t *session) {
  session_check(session, __func__);
  big_lock();
  bool runs = session->launched; /* as one does that was hung up before */
  if (runs && channel_up(session->channel)) fatal(__func__, "the session %s runs already", session->uuid);
  if (!runs) session_launch(session);
  big_unlock();
  return runs ? SWITCH_STATUS_INUSE : SWITCH_STATUS_SUCCESS;
}

void switch_core_session_perform_destroy(switch_core_session_t **session, const char *file, const char *func, int line) {
  (void)file, (void)func, (void)line;
  need(session, __func__, "the session");
  session_check(*session, __func__);
  big_lock();
  if ((*session)->launched) fatal(__func__, "the session %s has a thread, which ends it", (*session)->uuid);
  if ((*session)->module_locks) fatal(__func__, "the session %s is still locked", (*session)->uuid);
  session_end(*session);
  *session = NULL;
  big_unlock();
}

/* ---- hooks ---- */

static switch_status_t add_hook(switch_core_session_t *session, bool there, const char *function) {
  if (there) fatal(function, "the session %s has this hook already", session->uuid);
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_core_event_hook_add_receive_message(switch_core_session_t *session, switch_receive_message_hook_t hook) {
  session_check(session, __func__);
  big_lock();
  switch_status_t status = add_hook(session, session->on_message, __func__);
  session->on_message = hook;
  big_unlock();
  return status;
}

switch_status_t switch_core_event_hook_remove_receive_message(switch_core_session_t *session,
                                                              switch_receive_message_hook_t hook) {
  session_check(session, __func__);
  big_lock();
  bool there = session->on_message == hook;
  if (there) session->on_message = NULL;
  big_unlock();
  return there ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

switch_status_t switch_core_event_hook_add_kill_channel(switch_core_session_t *session, switch_kill_channel_hook_t hook) {
  session_check(session, __func__);
  big_lock();
  switch_status_t status = add_hook(session, session->on_signal, __func__);
  session->on_signal = hook;
  big_unlock();
  return status;
}

switch_status_t switch_core_event_hook_remove_kill_channel(switch_core_session_t *session, switch_kill_channel_hook_t hook) {
  session_check(session, __func__);
  big_lock();
  bool there = session->on_signal == hook;
  if (there) session->on_signal = NULL;
  big_unlock();
  return there ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

void session_message(switch_core_session_t *session, switch_core_session_message_types_t message) {
  switch_receive_message_hook_t hook = session->on_message;
  if (!hook) return;
  switch_core_session_message_t told = {.message_id = message};
  session->core_locks++;
  jitter();
  big_unlock();
  host_enter("a hook for messages");
  hook(session, &told);
  host_leave();
  big_lock();
  session->core_locks--;
  big_changed();
}

void session_signal(switch_core_session_t *session, switch_signal_t signal) {
  switch_kill_channel_hook_t hook = session->on_signal;
  session->broken = true;
  big_changed();
  if (!hook) return;
  session->core_locks++;
  big_unlock();
  host_enter("a hook for signals");
  hook(session, (int)signal);
  host_leave();
  big_lock();
  session->core_locks--;
  big_changed();
}

switch_status_t switch_core_session_perform_kill_channel(switch_core_session_t *session, const char *file, const char *func,
                                                         int line, switch_signal_t signal) {
  (void)file, (void)func, (void)line;
  session_check(session, __func__);
  big_lock();
  session_signal(session, signal);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

/* ---- media ---- */

bool session_has_codec(const switch_core_session_t *session) {
  return session->channel->flags[CF_ANSWERED] || (session->channel->flags[CF_EARLY_MEDIA] && session->codec_from <= now_ms());
}

switch_codec_t *switch_core_session_get_read_codec(switch_core_session_t *session) {
  static char codec;
  session_check(session, __func__);
  return session_has_codec(session) ? (switch_codec_t *)(void *)&codec : NULL;
}

/* A frame takes 20 ms to come; a signal ends the wait. Whoever reads a session without a codec loses it. */
switch_status_t switch_core_session_read_frame(switch_core_session_t *session, switch_frame_t **frame, switch_io_flag_t flags,
                                               int stream) {
  static char silence[2];
  may_wait(__func__);
  (void)flags, (void)stream;
  session_check(session, __func__);
  need(frame, __func__, "the place for the frame");
  big_lock();
  uint32_t *has = session->channel->flags;
  bool media = channel_up(session->channel) && (has[CF_ANSWERED] || has[CF_EARLY_MEDIA]) && !has[CF_PROXY_MODE];
  if (media && !session_has_codec(session)) {
    channel_hangup(session->channel, CAUSE_INCOMPATIBLE_DESTINATION);
    media = false;
  }
  if (media) {
    if (session->reading) fatal(__func__, "two threads read the session %s", session->uuid);
    session->reading = true;
    int64_t until = now_ms() + 20;
    for (int64_t left; !session->broken && channel_up(session->channel) && (left = until - now_ms()) > 0;) big_wait((int)left);
    session->reading = session->broken = false;
    *frame = (switch_frame_t *)(void *)silence;
  }
  big_unlock();
  return media ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

switch_status_t switch_core_session_write_frame(switch_core_session_t *session, switch_frame_t *frame, switch_io_flag_t flags,
                                                int stream) {
  (void)flags, (void)stream;
  session_check(session, __func__);
  need(frame, __func__, "the frame");
  uint32_t *has = session->channel->flags;
  return has[CF_ANSWERED] || has[CF_EARLY_MEDIA] ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

/* Keys as they come, until there are enough or the time is over. */
switch_status_t switch_ivr_read(switch_core_session_t *session, uint32_t least, uint32_t most, const char *prompt,
                                const char *variable, char *buffer, switch_size_t size, uint32_t timeout,
                                const char *terminators, uint32_t digit_timeout) {
  may_wait(__func__);
  (void)variable, (void)terminators, (void)digit_timeout;
  session_check(session, __func__);
  need(prompt, __func__, "the prompt");
  need(buffer, __func__, "the place for the keys");
  if (strstr(prompt, "missing")) return SWITCH_STATUS_FALSE;
  big_lock();
  if (!session->channel->flags[CF_TAGGED]) fatal(__func__, "a leg is asked while its own thread may read its media");
  int64_t until = now_ms() + timeout;
  size_t count = 0;
  while (count < most && count + 1 < size && channel_up(session->channel) && now_ms() < until) {
    char *key = channel_key(session->channel);
    if (key) buffer[count++] = *key;
    else big_wait(20);
  }
  buffer[count] = 0;
  bool up = channel_up(session->channel);
  big_unlock();
  return !up ? SWITCH_STATUS_FALSE : count < least ? SWITCH_STATUS_TOO_SMALL : SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_core_session_execute_application_get_flags(switch_core_session_t *session, const char *application,
                                                                  const char *data, int32_t *flags) {
  may_wait(__func__);
  (void)flags;
  session_check(session, __func__);
  need(application, __func__, "the application's name");
  big_lock();
  channel_set(session->channel, "current_application", application);
  if (!strcmp(application, "sleep") && data)
    for (int64_t until = now_ms() + atoi(data), left; channel_up(session->channel) && (left = until - now_ms()) > 0;) big_wait((int)left);
  big_unlock();
  return strstr(application, "missing") ? SWITCH_STATUS_FALSE : SWITCH_STATUS_SUCCESS;
}

/* ---- attended transfers: there are none here ---- */

switch_status_t switch_ivr_uuid_bridge(const char *one, const char *other) {
  (void)one, (void)other;
  fatal(__func__, "nobody transfers a caller here");
}

switch_status_t switch_channel_caller_extension_masquerade(switch_channel_t *from, switch_channel_t *to, uint32_t offset) {
  (void)from, (void)to, (void)offset;
  fatal(__func__, "nobody transfers a caller here");
}

void switch_channel_restart(switch_channel_t *channel) {
  (void)channel;
  fatal(__func__, "nobody transfers a caller here");
}

/* ---- CDRs: there are none here ---- */

switch_status_t switch_ivr_generate_xml_cdr(switch_core_session_t *session, switch_xml_t *cdr) {
  session_check(session, __func__);
  *cdr = NULL;
  return SWITCH_STATUS_FALSE;
}

switch_status_t switch_ivr_generate_json_cdr(switch_core_session_t *session, cJSON **cdr, switch_bool_t encoded) {
  session_check(session, __func__);
  (void)encoded;
  *cdr = NULL;
  return SWITCH_STATUS_FALSE;
}

char *switch_xml_toxml_ex(switch_xml_t xml, switch_bool_t header, switch_bool_t utf8) {
  (void)xml, (void)header, (void)utf8;
  fatal(__func__, "there is no CDR");
}

char *cJSON_PrintUnformatted(const cJSON *item) {
  (void)item;
  fatal(__func__, "there is no CDR");
}

void cJSON_Delete(cJSON *item) {
  (void)item;
  fatal(__func__, "there is no CDR");
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

/* A look-up may outlast its call, and keeps what it has asked with. */
static bool events_left(void) {
  struct text left = {0};
  event_report(&left);
  bool any = left.data;
  free(left.data);
  return any;
}

/* Wait until every session is gone and every event delivered or destroyed. */
bool standin_quiet(int milliseconds) {
  int64_t until = now_ms() + milliseconds;
  big_lock();
  while ((sessions || !events_idle() || events_left()) && now_ms() < until) big_wait(20);
  bool quiet = !sessions && events_idle();
  big_unlock();
  return quiet;
}
