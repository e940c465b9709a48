/*
 * The caller: a session on a thread of its own that runs an application, as the dialplan would.
 * If the call goes on after it, went_on is set, and the call is hung up as at a dialplan's end.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "standin.h"

switch_core_session_t *standin_caller(const char *number, const char *name, bool answered) {
  big_lock();
  /* One who was answered before was called by us: such a channel goes out. */
  switch_core_session_t *session = session_new("sofia", answered ? SWITCH_CALL_DIRECTION_OUTBOUND : SWITCH_CALL_DIRECTION_INBOUND);
  switch_channel_t *channel = session->channel;
  session->is_caller = session->launched = true;
  session->stays_joined = -1;
  session->core_locks = 1;
  channel->profile->caller_id_number = pool_copy(session->pool, number);
  channel->profile->caller_id_name = pool_copy(session->pool, name);
  channel->profile->destination_number = pool_copy(session->pool, "22222");
  channel->profile->uuid = channel->profile->uuid_str = pool_copy(session->pool, session->uuid);
  channel->profile->context = pool_copy(session->pool, "default");
  channel->profile->dialplan = pool_copy(session->pool, "XML");
  channel->profile->times->created = now_us();
  struct text full = {0};
  text_format(&full, "sofia/internal/%s@%s", number, directory_domain());
  channel->name = full.data;
  channel_set(channel, "domain_name", directory_domain());
  channel->state = channel->running_state = CS_EXECUTE;
  if (answered) {
    channel->flags[CF_ANSWERED] = 1;
    channel->profile->times->answered = now_us();
  }
  big_unlock();
  return session;
}

void standin_caller_variable(switch_core_session_t *caller, const char *name, const char *value) {
  big_lock();
  channel_set(caller->channel, name, value);
  big_unlock();
}

/* `after` the call began, or `after_join`; -1 for never. */
void standin_caller_hangs_up(switch_core_session_t *caller, int64_t after, int64_t after_join) {
  big_lock();
  caller->stays_joined = after_join;
  if (after >= 0) wire_hang_up_caller(caller, after);
  big_unlock();
}

/* Run the application on this thread. False if no module offers it. */
bool standin_run(switch_core_session_t *caller, const char *application, const char *data) {
  switch_application_interface_t *entered = NULL;
  big_lock();
  caller->thread = pthread_self();
  channel_set(caller->channel, "current_application", application);
  switch_application_function_t function = application_enter(application, &entered);
  big_unlock();
  if (!function) return false;
  char *copy = data ? strdup(data) : NULL;
  function(caller, copy);
  if (copy) memset(copy, 0xdb, strlen(copy));
  free(copy);
  big_lock();
  application_leave(entered);
  big_unlock();
  return true;
}

/* As no switch would, but a module has no way to know. */
void standin_run_without_session(const char *application, const char *data) {
  switch_application_interface_t *entered = NULL;
  big_lock();
  switch_application_function_t function = application_enter(application, &entered);
  big_unlock();
  if (!function) return;
  function(NULL, data);
  big_lock();
  application_leave(entered);
  big_unlock();
}

void standin_delay(int legs_ms, int events_ms) {
  big_lock();
  session_delay(legs_ms);
  event_delay(events_ms);
  big_unlock();
}

/* A leg that somebody else made: it rings like any other and carries this variable. */
void standin_stray_leg(const char *user, const char *variable, const char *value) {
  big_lock();
  struct phone *phone = phone_of(user, 0);
  if (!phone) fatal(__func__, "no phone of %s", user);
  switch_core_session_t *session = session_new("sofia", SWITCH_CALL_DIRECTION_OUTBOUND);
  session->channel->name = strdup("sofia/stray");
  session->channel->state = CS_INIT;
  session->originating = true;
  session->dialog = wire_dialog(session, phone);
  channel_set(session->channel, variable, value);
  session_launch(session);
  big_unlock();
}

static void wait_for_signal_bridge(switch_core_session_t *caller) {
  switch_core_session_t *peer = caller->signal_peer;
  int64_t until = now_ms() + 10000;
  while (channel_ready(caller->channel) && channel_up(peer->channel)) {
    if (now_ms() > until) fatal("stand-in", "two that are tied together without media never part");
    big_wait(20);
  }
  channel_hangup(peer->channel, caller->channel->cause ? caller->channel->cause : SWITCH_CAUSE_NORMAL_CLEARING);
  channel_hangup(caller->channel, peer->channel->cause);
  peer->core_locks--;
  big_changed();
}

/* End the call and give its variables: name, value, name, value, …. The session is gone then. */
char *standin_finish(switch_core_session_t *caller) {
  struct text out = {0};
  text_add(&out, "");
  big_lock();
  caller->thread = pthread_self();
  switch_channel_t *channel = caller->channel;
  channel_set(channel, "current_application", NULL);
  if (caller->signal_peer) wait_for_signal_bridge(caller);
  if (channel_ready(channel)) {
    channel_set(channel, "went_on", "true");
    channel_hangup(channel, SWITCH_CAUSE_NORMAL_CLEARING);
  } else if (channel_up(channel)) {
    channel_hangup(channel, SWITCH_CAUSE_NORMAL_CLEARING); /* transferred: its new dialplan is not ours */
  }
  channel_set(channel, "hangup_cause", cause_name(channel->cause));
  for (struct header *variable = channel->variables->headers; variable; variable = variable->next)
    text_format(&out, "%s\x1f%s\x1e", variable->name, variable->value);
  caller->core_locks--;
  session_run(caller);
  big_unlock();
  return out.data;
}
