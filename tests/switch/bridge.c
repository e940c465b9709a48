/*
 * Joining two calls, sleeping, and playing to a caller who waits.
 * A bridge lasts until one side leaves; what the caller is told then, and who is hung up with
 * which cause, follows FreeSWITCH.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "standin.h"

enum { POLL_MS = 20 };

static void own_thread(switch_core_session_t *session, const char *function) {
  session_check(session, function);
  if (!pthread_equal(session->thread, pthread_self())) fatal(function, "a session is used on a thread that is not its own");
}

static void bonds(switch_channel_t *channel, switch_core_session_t *other) {
  channel_set(channel, "bridge_to", other->uuid);
  channel_set(channel, "last_bridge_to", other->uuid);
  channel_set(channel, "bridge_channel", other->channel->name);
  channel_set(channel, "bridge_uuid", other->uuid);
  channel_set(channel, "signal_bond", other->uuid);
}

/* How long the scenario's caller stays once joined; never if he hangs up by himself. */
static void joined(switch_core_session_t *session, switch_core_session_t *peer) {
  wire_joined(peer);
  if (session->stays_joined >= 0) wire_hang_up_caller(session, session->stays_joined);
}

static void answer_caller(switch_core_session_t *session, switch_core_session_t *peer, bool *counted) {
  if (!peer->channel->flags[CF_ANSWERED]) return;
  if (!session->channel->flags[CF_ANSWERED]) {
    channel_pass_callee(peer->channel, session->channel);
    channel_answer(session->channel);
  }
  if (!*counted) joined(session, peer);
  *counted = true;
}

/* The media loop: until one side is gone, or a key callback says so. */
static void talk(switch_core_session_t *session, switch_core_session_t *peer, switch_input_callback_function_t on_key,
                 void *own_data) {
  switch_channel_t *caller = session->channel, *callee = peer->channel;
  bool counted = false;
  while (channel_ready(caller) && channel_ready(callee)) {
    answer_caller(session, peer, &counted);
    char *key = on_key ? channel_key(caller) : NULL;
    if (key) {
      switch_dtmf_t dtmf = {.digit = *key, .duration = 2000};
      big_unlock();
      switch_status_t status = on_key(session, &dtmf, SWITCH_INPUT_TYPE_DTMF, own_data, 0);
      big_lock();
      if (status != SWITCH_STATUS_SUCCESS) break;
    }
    big_wait(POLL_MS);
  }
  if (channel_up(callee)) channel_hangup(callee, callee->flags[CF_ANSWERED] ? SWITCH_CAUSE_NORMAL_CLEARING : CAUSE_ORIGINATOR_CANCEL);
}

static void after_the_bridge(switch_channel_t *caller, switch_channel_t *callee) {
  if (caller->flags[CF_TRANSFER] || caller->flags[CF_REDIRECT]) return;
  int cause = callee->cause ? callee->cause : SWITCH_CAUSE_NORMAL_CLEARING;
  const char *hangup = channel_get(caller, "hangup_after_bridge");
  if (!callee->flags[CF_ANSWERED]) channel_handle_cause(caller, cause);
  if (hangup && !strcasecmp(hangup, "explicit")) channel_hangup(caller, cause);
  if (callee->flags[CF_ANSWERED] && channel_up(caller) && !caller->flags[CF_TRANSFER] && is_true(hangup))
    channel_hangup(caller, cause);
}

switch_status_t switch_ivr_multi_threaded_bridge(switch_core_session_t *session, switch_core_session_t *peer,
                                                 switch_input_callback_function_t on_key, void *own_data, void *peer_data) {
  may_wait(__func__);
  own_thread(session, __func__);
  session_check(peer, __func__);
  /* A side that is busy with a broadcast hands these to its callback after the bridge has returned. */
  if ((own_data && !pool_holds(session->pool, own_data)) || (peer_data && !pool_holds(peer->pool, peer_data)))
    fatal(__func__, "a callback's data does not live as long as its session");
  switch_channel_t *caller = session->channel, *callee = peer->channel;
  if (caller->flags[CF_PROXY_MODE]) return switch_ivr_signal_bridge(session, peer);
  switch_status_t status = SWITCH_STATUS_SUCCESS;
  big_lock();
  if (!peer->module_locks) fatal(__func__, "the peer is joined without a read lock on it");
  peer->core_locks++;
  channel_export(caller, NULL, callee, "bridge_export_vars");
  if (callee->flags[CF_ANSWERED] && !caller->flags[CF_ANSWERED]) {
    channel_pass_callee(callee, caller);
    channel_answer(caller);
  }
  uint32_t *flags = callee->flags;
  if (!flags[CF_ANSWERED] && !flags[CF_EARLY_MEDIA] && !flags[CF_RING_READY]) {
    status = SWITCH_STATUS_FALSE;
    channel_hangup(callee, CAUSE_NO_ANSWER);
  } else if (flags[CF_EARLY_MEDIA] && !session_has_codec(peer)) {
    status = SWITCH_STATUS_FALSE;
    channel_hangup(callee, CAUSE_INCOMPATIBLE_DESTINATION);
  } else if (!channel_ready(caller)) {
    channel_hangup(callee, caller->cause ? caller->cause : CAUSE_ORIGINATOR_CANCEL);
  } else {
    channel_set(callee, "call_uuid", session->uuid);
    caller->profile->times->bridged = callee->profile->times->bridged = now_us();
    bonds(caller, peer);
    bonds(callee, session);
    switch_event_t *event = channel_event_new(caller, EVENT_CHANNEL_BRIDGE);
    event_add(event, "Bridge-A-Unique-ID", session->uuid);
    event_add(event, "Bridge-B-Unique-ID", peer->uuid);
    event_fire(event);
    caller->flags[CF_BRIDGED] = 1;
    if (channel_up(callee)) {
      flags[CF_BRIDGED] = 1;
      callee->state = CS_EXCHANGE_MEDIA;
      big_changed();
    }
    talk(session, peer, on_key, own_data);
    caller->flags[CF_BRIDGED] = 0;
    if (caller->cause) channel_set(callee, "bridge_hangup_cause", cause_name(caller->cause));
    if (callee->cause) channel_set(caller, "bridge_hangup_cause", cause_name(callee->cause));
    if (callee->cause) channel_set(caller, "last_bridge_hangup_cause", cause_name(callee->cause));
    event = channel_event_new(caller, EVENT_CHANNEL_UNBRIDGE);
    event_add(event, "Bridge-A-Unique-ID", session->uuid);
    event_add(event, "Bridge-B-Unique-ID", peer->uuid);
    event_fire(event);
  }
  after_the_bridge(caller, callee);
  peer->core_locks--;
  big_changed();
  big_unlock();
  return status;
}

/* Without media the switch only ties the two together and returns: the call lives on after
 * the application has ended, until one of them hangs up. */
switch_status_t switch_ivr_signal_bridge(switch_core_session_t *session, switch_core_session_t *peer) {
  may_wait(__func__);
  own_thread(session, __func__);
  session_check(peer, __func__);
  switch_status_t status = SWITCH_STATUS_FALSE;
  big_lock();
  if (!peer->module_locks) fatal(__func__, "the peer is joined without a read lock on it");
  if (!channel_up(peer->channel)) {
    channel_hangup(session->channel, peer->channel->cause);
  } else if (!channel_up(session->channel)) {
    channel_hangup(peer->channel, CAUSE_ORIGINATOR_CANCEL);
  } else {
    bonds(session->channel, peer);
    bonds(peer->channel, session);
    channel_set(session->channel, "signal_bridge", "true");
    session->signal_peer = peer;
    peer->core_locks++;
    session->channel->state = peer->channel->state = CS_HIBERNATE;
    if (peer->channel->flags[CF_ANSWERED]) joined(session, peer);
    big_changed();
    status = SWITCH_STATUS_SUCCESS;
  }
  big_unlock();
  return status;
}

/* ---- waiting ---- */

/* Who plays or sleeps looks at this each round, and not at the start. */
static bool told_to_stop(switch_channel_t *channel) {
  if (!channel->flags[CF_BREAK]) return false;
  channel->flags[CF_BREAK] = 0;
  return true;
}

switch_status_t switch_ivr_sleep(switch_core_session_t *session, uint32_t ms, switch_bool_t sync, switch_input_args_t *args) {
  may_wait(__func__);
  (void)sync, (void)args;
  own_thread(session, __func__);
  int64_t until = now_ms() + ms;
  big_lock();
  while (channel_ready(session->channel) && now_ms() < until && !told_to_stop(session->channel)) {
    int64_t left = until - now_ms();
    big_wait(left < POLL_MS ? (int)(left > 0 ? left : 1) : POLL_MS);
  }
  bool ready = channel_ready(session->channel);
  big_unlock();
  return ready ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

/* A tone or a file lasts a second, or for ever where it loops; a hangup ends it, the break flag, or a callback that will
 * not go on. The callbacks run on this thread, keys before frames; a file that a timer paces reads no frames. */
static switch_status_t play(switch_core_session_t *session, bool endless, bool timed, switch_input_args_t *arguments,
                            const char *function) {
  own_thread(session, function);
  int64_t until = now_ms() + 1000;
  switch_status_t status = SWITCH_STATUS_SUCCESS;
  big_lock();
  switch_channel_t *channel = session->channel;
  bool heard = channel_pre_answer(channel);
  while (heard && status == SWITCH_STATUS_SUCCESS && channel_ready(channel) && (endless || now_ms() < until)) {
    if (told_to_stop(channel)) {
      status = SWITCH_STATUS_BREAK;
      break;
    }
    big_wait(POLL_MS);
    char *key = arguments && arguments->input_callback ? channel_key(channel) : NULL;
    switch_dtmf_t pressed = {.digit = key ? *key : 0, .duration = 2000};
    big_unlock();
    if (key)
      status = arguments->input_callback(session, &pressed, SWITCH_INPUT_TYPE_DTMF, arguments->buf, arguments->buflen);
    if (status == SWITCH_STATUS_SUCCESS && arguments && arguments->read_frame_callback && !timed)
      status = arguments->read_frame_callback(session, NULL, arguments->user_data);
    big_lock();
  }
  if (!heard || !channel_ready(channel)) status = SWITCH_STATUS_FALSE;
  big_unlock();
  return status;
}

switch_status_t switch_ivr_gentones(switch_core_session_t *session, const char *script, int32_t loops, switch_input_args_t *args) {
  may_wait(__func__);
  need(script, __func__, "the script");
  return play(session, loops < 0, false, args, __func__);
}

switch_status_t switch_ivr_play_file(switch_core_session_t *session, switch_file_handle_t *fh, const char *file,
                                     switch_input_args_t *args) {
  may_wait(__func__);
  (void)fh;
  need(file, __func__, "the file's name");
  if (strstr(file, "missing")) return SWITCH_STATUS_FALSE;
  if (strstr(file, "empty")) { /* over at once; who plays it in a loop is counted */
    own_thread(session, __func__);
    big_lock();
    const char *before = channel_get(session->channel, "played_empty");
    struct text count = {0};
    text_format(&count, "%d", before ? atoi(before) + 1 : 1);
    channel_set(session->channel, "played_empty", count.data);
    free(count.data);
    channel_pre_answer(session->channel);
    big_unlock();
    return SWITCH_STATUS_SUCCESS;
  }
  big_lock();
  bool timed = channel_get(session->channel, "timer_name") != NULL;
  big_unlock();
  return play(session, strstr(file, "stream://") != NULL, timed, args, __func__);
}
