/*
 * Channels: variables, flags, states, ringing, answer, hangup, and the events they send.
 * Functions named channel_… run under the big lock; those of the C API take it.
 */
#define _GNU_SOURCE
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- variables ---- */

const char *channel_get(switch_channel_t *channel, const char *name) {
  if (is_empty(name)) return NULL;
  const char *value = event_get(channel->variables, name);
  if (value) return value;
  switch_caller_profile_t *profile = channel->profile;
  if (profile && !strncmp(name, "aleg_", 5)) profile = profile->originator_caller_profile, name += 5;
  else if (profile && !strncmp(name, "bleg_", 5)) profile = profile->originatee_caller_profile, name += 5;
  if (profile && (value = profile_get(profile, name))) return value;
  return global_variable(name);
}

void channel_set(switch_channel_t *channel, const char *name, const char *value) {
  if (is_empty(name)) return;
  if (is_empty(value)) event_delete(channel->variables, name);
  else event_add(channel->variables, name, value);
}

/* Where the test asks for it, a variable takes its time: between two of them another thread may come. */
static void take_time(void) {
  const char *most = global_variable("standin_slow_variables");
  if (!most) return;
  int64_t until = now_ms() + rand() % (atoi(most) + 1);
  for (int64_t left; (left = until - now_ms()) > 0;) big_wait((int)left);
}

const char *switch_channel_get_variable_dup(switch_channel_t *channel, const char *name, switch_bool_t dup, int index) {
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  take_time();
  const char *value = channel_get(channel, name);
  struct header *header = name ? event_find(channel->variables, name) : NULL;
  if (header && index >= 0) value = index < header->count ? header->items[index] : NULL;
  /* Without a copy the value may be freed by the next setter: the module must ask for one. */
  if (value && !dup) fatal(__func__, "a variable is read without SWITCH_TRUE: another thread may free the value");
  if (value) value = pool_copy(channel->session->pool, value);
  big_unlock();
  return value;
}

switch_status_t switch_channel_set_variable_var_check(switch_channel_t *channel, const char *name, const char *value,
                                                      switch_bool_t check) {
  object_check(channel, A_CHANNEL, __func__);
  if (is_empty(name)) return SWITCH_STATUS_FALSE;
  if (value && check && strstr(value, "${")) return SWITCH_STATUS_SUCCESS; /* refused, in silence as there */
  big_lock();
  take_time();
  channel_set(channel, name, value);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

void channel_export(switch_channel_t *channel, switch_event_t *into, switch_channel_t *peer, const char *list_name) {
  const char *list = channel_get(channel, list_name);
  if (is_empty(list)) return;
  if (into) event_delete(into, list_name), event_add(into, list_name, list);
  if (peer) channel_set(peer, list_name, list);
  char *names = strdup(list), *rest = names, *name;
  while ((name = strsep(&rest, ","))) {
    while (*name == ' ') name++;
    const char *value = channel_get(channel, name);
    if (!value) continue;
    if (!strncasecmp(name, "nolocal:", 8)) name += 8;
    else if (!strncasecmp(name, "_nolocal_", 9)) name += 9;
    if (into) event_delete(into, name), event_add(into, name, value);
    if (peer) channel_set(peer, name, value);
  }
  free(names);
}

void channel_import(switch_channel_t *caller, switch_channel_t *peer, const char *list_name, const char *prefix) {
  const char *list = channel_get(caller, list_name);
  if (is_empty(list)) return;
  char *names = strdup(list), *rest = names, *name;
  while ((name = strsep(&rest, ","))) {
    const char *value = channel_get(peer, name);
    if (!value) continue;
    char full[256];
    snprintf(full, sizeof full, "%s%s", prefix ? prefix : "", name);
    channel_set(caller, full, value);
  }
  free(names);
}

void switch_process_import(switch_core_session_t *session, switch_channel_t *peer, const char *name, const char *prefix) {
  session_check(session, __func__);
  object_check(peer, A_CHANNEL, __func__);
  need(name, __func__, "the variable's name");
  big_lock();
  channel_import(session->channel, peer, name, prefix);
  big_unlock();
}

/* ---- states and flags ---- */

bool channel_up(switch_channel_t *channel) { return channel->state < CS_HANGUP; }

/* What this side has sent waits for the session's own thread, which takes in one signal a look. */
static bool hear(switch_channel_t *channel) {
  if (!channel->unheard || !pthread_equal(channel->session->thread, pthread_self())) return false;
  if (!--channel->unheard) channel_hangup(channel, channel->unheard_cause);
  return true;
}

void hear_all(switch_channel_t *channel) {
  if (!channel->unheard) return;
  channel->unheard = 0;
  channel_hangup(channel, channel->unheard_cause);
}

/* All that waits, whichever thread asks. */
switch_status_t switch_ivr_parse_all_events(switch_core_session_t *session) {
  may_wait(__func__);
  session_check(session, __func__);
  big_lock();
  hear_all(session->channel);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

bool channel_ready(switch_channel_t *channel) {
  hear(channel);
  return !channel->cause && channel->state > CS_ROUTING && channel->state < CS_HANGUP && channel->state != CS_RESET &&
         !channel->flags[CF_TRANSFER];
}

int switch_channel_test_ready(switch_channel_t *channel, switch_bool_t check_ready, switch_bool_t check_media) {
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  bool media = (channel->flags[CF_ANSWERED] || channel->flags[CF_EARLY_MEDIA]) && !channel->flags[CF_PROXY_MODE];
  bool ready = channel_ready(channel);
  big_unlock();
  if (check_media && !media) return 0;
  return check_ready ? ready : check_media;
}

uint32_t switch_channel_test_flag(switch_channel_t *channel, switch_channel_flag_t flag) {
  object_check(channel, A_CHANNEL, __func__);
  if ((int)flag < 0 || (int)flag >= FLAG_BLOCK_STATE) fatal(__func__, "there is no flag %d", (int)flag);
  return channel->flags[flag];
}

void switch_channel_set_flag_value(switch_channel_t *channel, switch_channel_flag_t flag, uint32_t value) {
  object_check(channel, A_CHANNEL, __func__);
  if ((int)flag < 0 || (int)flag >= FLAG_BLOCK_STATE) fatal(__func__, "there is no flag %d", (int)flag);
  big_lock();
  channel->flags[flag] = value;
  big_changed();
  big_unlock();
}

void switch_channel_clear_flag(switch_channel_t *channel, switch_channel_flag_t flag) {
  switch_channel_set_flag_value(channel, flag, 0);
}

switch_channel_state_t switch_channel_get_state(switch_channel_t *channel) {
  object_check(channel, A_CHANNEL, __func__);
  return (switch_channel_state_t)channel->state;
}

switch_call_cause_t switch_channel_get_cause(switch_channel_t *channel) {
  object_check(channel, A_CHANNEL, __func__);
  return cause_out(channel->cause);
}

/* ---- events of a channel ---- */

switch_event_t *channel_event_new(switch_channel_t *channel, int id) {
  switch_event_t *event = event_new(id);
  char number[16], name[512];
  snprintf(number, sizeof number, "%d", channel->state);
  event_add(event, "Channel-State-Number", number);
  event_add(event, "Channel-Name", channel->name ? channel->name : "");
  event_add(event, "Unique-ID", channel->session->uuid);
  event_add(event, "Call-Direction", channel->direction == SWITCH_CALL_DIRECTION_OUTBOUND ? "outbound" : "inbound");
  const char *call = channel_get(channel, "call_uuid");
  event_add(event, "Channel-Call-UUID", call ? call : channel->session->uuid);
  event_add(event, "Answer-State",
            !channel_up(channel)             ? "hangup"
            : channel->flags[CF_ANSWERED]    ? "answered"
            : channel->flags[CF_EARLY_MEDIA] ? "early"
                                             : "ringing");
  if (channel->cause) event_add(event, "Hangup-Cause", cause_name(channel->cause));
  if (channel->profile) {
    event_add(event, "Caller-Caller-ID-Name", channel->profile->caller_id_name);
    event_add(event, "Caller-Caller-ID-Number", channel->profile->caller_id_number);
    event_add(event, "Caller-Destination-Number", channel->profile->destination_number);
    event_add(event, "Caller-Unique-ID", channel->session->uuid);
  }
  for (struct header *variable = channel->variables->headers; variable; variable = variable->next) {
    snprintf(name, sizeof name, "variable_%s", variable->name);
    event_add(event, name, variable->value);
  }
  return event;
}

void channel_event(switch_channel_t *channel, int id) { event_fire(channel_event_new(channel, id)); }

/* ---- ringing, early media, answer ---- */

/* Whoever waits in a read for this leg is woken. */
static void wake_originator(switch_channel_t *channel) {
  switch_core_session_t *other = session_find(channel_get(channel, "originator"));
  if (other && channel_up(other->channel)) session_signal(other, SWITCH_SIG_BREAK);
}

/* The times of a leg are passed on to the caller's profile and to the leg's copy of it. */
static void pass_time(switch_channel_t *channel, size_t at, bool only_first) {
  switch_time_t *mine = (switch_time_t *)((char *)channel->profile->times + at);
  if (only_first && *mine) return;
  *mine = now_us();
  switch_caller_profile_t *originator = channel->profile->originator_caller_profile;
  if (!originator) return;
  *(switch_time_t *)((char *)originator->times + at) = *mine;
  switch_core_session_t *other = originator->uuid ? session_find(originator->uuid) : NULL;
  if (!other || !channel_up(other->channel)) return;
  switch_time_t *theirs = (switch_time_t *)((char *)other->channel->profile->times + at);
  if (!only_first || !*theirs) *theirs = *mine;
}

void channel_ringing(switch_channel_t *channel) {
  if (channel->flags[CF_RING_READY] || channel->flags[CF_ANSWERED] || !channel_up(channel)) return;
  channel->flags[CF_RING_READY] = SWITCH_RING_READY_RINGING;
  pass_time(channel, offsetof(switch_channel_timetable_t, progress), true);
  channel_event(channel, SWITCH_EVENT_CHANNEL_PROGRESS);
  big_changed();
  session_message(channel->session, SWITCH_MESSAGE_RING_EVENT);
}

void channel_early(switch_channel_t *channel) {
  if (channel->flags[CF_EARLY_MEDIA] || channel->flags[CF_ANSWERED] || !channel_up(channel)) return;
  channel->flags[CF_EARLY_MEDIA] = 1;
  channel_set(channel, "endpoint_disposition", "EARLY MEDIA");
  pass_time(channel, offsetof(switch_channel_timetable_t, progress_media), false);
  channel_event(channel, SWITCH_EVENT_CHANNEL_PROGRESS_MEDIA);
  /* As sofia: a phone's early media is told before its codec is known. */
  if (!channel->session->is_caller) channel->session->codec_from = now_ms() + 8;
  big_changed();
  wake_originator(channel);
  session_message(channel->session, SWITCH_MESSAGE_PROGRESS_EVENT);
}

void channel_answered(switch_channel_t *channel) {
  if (channel->flags[CF_ANSWERED] || channel->cause || !channel_up(channel)) return;
  channel->profile->times->answered = now_us();
  channel->flags[CF_ANSWERED] = 1;
  /* Hooks are not run here, but the application of one is the channel's last. */
  if (channel->session->is_caller && channel_get(channel, "execute_on_answer")) channel_set(channel, "current_application", "log");
  channel_event(channel, SWITCH_EVENT_CHANNEL_ANSWER);
  channel_set(channel, "endpoint_disposition", "ANSWER");
  big_changed();
  wake_originator(channel);
  session_message(channel->session, SWITCH_MESSAGE_ANSWER_EVENT);
}

bool channel_answer(switch_channel_t *channel) {
  if (channel->direction == SWITCH_CALL_DIRECTION_OUTBOUND) return true;
  if (channel->cause || !channel_up(channel)) return false;
  if (!channel->flags[CF_ANSWERED]) {
    caller_told(channel->session, "200");
    channel_answered(channel);
  }
  return true;
}

/* The application of a caller's hook that takes so many milliseconds: `sleep 500`. */
static void hook_takes_time(switch_channel_t *channel, const char *hook) {
  const char *application = channel->session->is_caller ? channel_get(channel, hook) : NULL;
  if (!application || strncmp(application, "sleep ", 6)) return;
  int64_t until = now_ms() + atoi(application + 6);
  while (channel_up(channel) && now_ms() < until) big_wait(10);
}

bool channel_pre_answer(switch_channel_t *channel) {
  if (channel->cause || !channel_up(channel)) return false;
  if (channel->flags[CF_ANSWERED] || channel->flags[CF_EARLY_MEDIA]) return true;
  if (channel->direction == SWITCH_CALL_DIRECTION_INBOUND) caller_told(channel->session, "183");
  channel_early(channel);
  hook_takes_time(channel, "execute_on_media");
  return true;
}

bool channel_ring_ready(switch_channel_t *channel) {
  if (channel->cause || !channel_up(channel)) return false;
  if (channel->flags[CF_ANSWERED] || channel->flags[CF_EARLY_MEDIA]) return true;
  if (channel->direction == SWITCH_CALL_DIRECTION_INBOUND && !channel->flags[CF_RING_READY])
    caller_told(channel->session, "180");
  channel_ringing(channel);
  hook_takes_time(channel, "execute_on_ring");
  return true;
}

switch_status_t switch_channel_perform_answer(switch_channel_t *channel, const char *file, const char *func, int line) {
  may_wait(__func__);
  (void)file, (void)func, (void)line;
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  bool done = channel_answer(channel);
  big_unlock();
  return done ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

switch_status_t switch_channel_perform_pre_answer(switch_channel_t *channel, const char *file, const char *func, int line) {
  may_wait(__func__);
  (void)file, (void)func, (void)line;
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  bool done = channel_pre_answer(channel);
  big_unlock();
  return done ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

void switch_channel_perform_audio_sync(switch_channel_t *channel, const char *file, const char *func, int line) {
  (void)file, (void)func, (void)line;
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  /* A message to the session itself, which wakes its thread as any other. */
  if (channel->flags[CF_ANSWERED] || channel->flags[CF_EARLY_MEDIA]) session_signal(channel->session, SWITCH_SIG_BREAK);
  big_unlock();
}

switch_status_t switch_channel_set_timestamps(switch_channel_t *channel) {
  object_check(channel, A_CHANNEL, __func__);
  return SWITCH_STATUS_SUCCESS;
}

void switch_channel_wait_for_state_timeout(switch_channel_t *channel, switch_channel_state_t state, uint32_t timeout) {
  may_wait(__func__);
  object_check(channel, A_CHANNEL, __func__);
  int64_t until = now_ms() + timeout;
  big_lock();
  /* One that is hung up is waited for no longer, whatever was asked for. */
  while (channel->state < (int)state && channel_up(channel) && now_ms() < until) big_wait(20);
  big_unlock();
}

switch_status_t switch_channel_perform_ring_ready_value(switch_channel_t *channel, switch_ring_ready_t value,
                                                        const char *file, const char *func, int line) {
  may_wait(__func__);
  (void)value, (void)file, (void)func, (void)line;
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  bool done = channel_ring_ready(channel);
  big_unlock();
  return done ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

/* ---- the end ---- */

/* Whoever is tied to a channel that ends keeps its cause, and its status on the wire if it had one. */
static void tell_partner(switch_channel_t *channel) {
  const char *uuid = channel_get(channel, "signal_bond"), *status = channel_get(channel, "proto_specific_hangup_cause");
  switch_core_session_t *partner = session_find(uuid ? uuid : channel_get(channel, "originate_signal_bond"));
  if (!partner || !channel_up(partner->channel)) return;
  channel_set(partner->channel, "last_bridge_hangup_cause", cause_name(channel->cause));
  if (status) channel_set(partner->channel, "last_bridge_proto_specific_hangup_cause", status);
}

void channel_hangup(switch_channel_t *channel, int cause) {
  if (channel->hangup_claimed) return;
  channel->hangup_claimed = true;
  channel->flags[FLAG_BLOCK_STATE] = 0;
  if (!channel_up(channel)) return;
  channel->state = CS_HANGUP;
  channel->cause = cause;
  tell_partner(channel);
  if (!channel->session->launched) session_launch(channel->session);
  channel_event(channel, EVENT_CHANNEL_HANGUP);
  big_changed();
  session_signal(channel->session, SWITCH_SIG_KILL);
}

switch_channel_state_t switch_channel_perform_hangup(switch_channel_t *channel, const char *file, const char *func,
                                                     int line, switch_call_cause_t cause) {
  (void)file, (void)func, (void)line;
  object_check(channel, A_CHANNEL, __func__);
  /* Out on the wire goes a Reason made from this number: it must be one that exists. */
  if ((int)cause == SWITCH_CAUSE_NONE || !strcmp(cause_name(cause_in(cause)), "UNKNOWN"))
    fatal(__func__, "hung up with cause %d, which does not exist", (int)cause);
  big_lock();
  channel_hangup(channel, cause_in(cause));
  int state = channel->state;
  big_unlock();
  return (switch_channel_state_t)state;
}

void channel_transfer(switch_channel_t *channel, const char *to) {
  channel_set(channel, "standin_transferred_to", to);
  channel->flags[CF_TRANSFER] = 1;
  channel->state = CS_ROUTING;
  session_signal(channel->session, SWITCH_SIG_BREAK);
}

switch_status_t switch_ivr_session_transfer(switch_core_session_t *session, const char *extension, const char *dialplan,
                                            const char *context) {
  (void)dialplan, (void)context;
  session_check(session, __func__);
  need(extension, __func__, "the extension");
  big_lock();
  channel_transfer(session->channel, extension);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

static bool names_cause(const char *list, int cause) {
  char number[16];
  snprintf(number, sizeof number, "%d", cause);
  char *copy = strdup(list), *rest = copy, *name;
  bool found = false;
  while (!found && (name = strsep(&rest, ",")))
    found = !strcasecmp(name, cause_name(cause)) || !strcasecmp(name, number);
  free(copy);
  return found;
}

/* transfer_on_fail is "<causes> <extension> [<dialplan> [<context>]]": a value that reads as
 * true goes on instead, and with failure_causes set a cause outside of it goes on as well. */
void channel_handle_cause(switch_channel_t *channel, int cause) {
  if (!channel_up(channel)) return;
  if (cause != CAUSE_ATTENDED_TRANSFER) {
    const char *go_on = channel_get(channel, "continue_on_fail"), *fails = channel_get(channel, "failure_causes");
    if (go_on || fails) {
      if (fails && !names_cause(fails, cause)) return;
      if (go_on && (is_true(go_on) || names_cause(go_on, cause))) return;
    } else if (cause == CAUSE_NO_ANSWER || cause == CAUSE_NO_USER_RESPONSE || cause == CAUSE_ORIGINATOR_CANCEL) {
      return;
    }
    const char *transfer = channel_get(channel, "transfer_on_fail");
    if (!is_empty(transfer)) {
      char *copy = strdup(transfer), *rest = copy;
      char *causes = strsep(&rest, " "), *extension = strsep(&rest, " ");
      if (is_true(causes)) {
        free(copy);
        return;
      }
      if (names_cause(causes, cause))
        channel_transfer(channel, !extension || !strcasecmp(extension, "auto_cause") ? cause_name(cause) : extension);
      free(copy);
    }
  }
  if (!channel->flags[CF_TRANSFER] && channel->state != CS_ROUTING) channel_hangup(channel, cause);
}

void switch_channel_handle_cause(switch_channel_t *channel, switch_call_cause_t cause) {
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  channel_handle_cause(channel, cause_in(cause));
  big_unlock();
}

char *channel_key(switch_channel_t *channel) {
  static __thread char key[2];
  if (!channel->key_count) return NULL;
  key[0] = channel->keys[0];
  memmove(channel->keys, channel->keys + 1, (size_t)--channel->key_count);
  return key;
}

/* What a hook's variables name is not run, only counted: `ran_` and the variable's name. */
void channel_run_hooks(switch_channel_t *channel, const char *prefix) {
  for (struct header *variable = channel->variables->headers; variable; variable = variable->next) {
    if (strncasecmp(variable->name, prefix, strlen(prefix))) continue;
    struct text name = {0}, count = {0};
    text_format(&name, "ran_%s", variable->name);
    const char *before = channel_get(channel, name.data);
    text_format(&count, "%d", before ? atoi(before) + 1 : 1);
    channel_set(channel, name.data, count.data);
    free(name.data);
    free(count.data);
  }
}

switch_status_t switch_channel_execute_on(switch_channel_t *channel, const char *prefix) {
  may_wait(__func__);
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  channel_run_hooks(channel, prefix);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_channel_api_on(switch_channel_t *channel, const char *prefix) {
  return switch_channel_execute_on(channel, prefix);
}

switch_status_t switch_channel_get_variables(switch_channel_t *channel, switch_event_t **event) {
  object_check(channel, A_CHANNEL, __func__);
  big_lock();
  *event = event_new(SWITCH_EVENT_CHANNEL_DATA);
  (*event)->modules = true;
  for (struct header *variable = channel->variables->headers; variable; variable = variable->next)
    event_add(*event, variable->name, variable->value);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}
