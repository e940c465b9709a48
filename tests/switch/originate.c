/*
 * Originate: ring the legs of a dial handle until one wins, all fail, the time is over, the
 * caller is gone or a cause appears in the cancel cell. Order of tests, causes and variables
 * are those of FreeSWITCH, mistakes included: the module must live with them.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "standin.h"

enum { MAX_PEERS = 128, POLL_MS = 20, DEFAULT_TIMEOUT = 60 };
enum { NOBODY = -1, TIMED_OUT = -2, CANCELLED = -3, KEY_PRESSED = -4 };
enum early { TAKE_IT = 0, IGNORE = 1, RING_READY = 2, RELAY = 3, CONSUME = 4 };

struct leg {
  switch_core_session_t *session;
  switch_channel_t *channel;
  int timeout, progress_timeout, delay;
  bool required, early;
};

struct originate {
  switch_core_session_t *session; /* the caller's, or NULL */
  switch_channel_t *caller;
  switch_event_t *variables;
  struct leg legs[MAX_PEERS];
  int count;
  int winner;
  int hung_up;
  enum early early;
  bool early_ok, continue_on_timeout, ignore_ring_ready, return_ring_ready, instant_ringback;
  bool ring_ready, sent_ring, progress;
  int relayed, ringback_ok, sending_ringback;
  const char *ringback, *cancel_key, *fail_on_reject;
  int fail_mode; /* 1: any reject ends it; -1: those that are named */
  bool hangup_on_reject;
  int timeout, progress_timeout, retries;
  int force_cause, cause;
  bool timed_out;
  volatile switch_call_cause_t *cell;
  time_t started;
};

static int elapsed(const struct originate *o) { return (int)(time(NULL) - o->started); }

static void pause_ms(int milliseconds) {
  int64_t until = now_ms() + milliseconds;
  for (int64_t left; (left = until - now_ms()) > 0;) big_wait((int)left);
}

/* ---- settings ---- */

static bool yes(struct originate *o, const char *name) { return is_true(event_get(o->variables, name)); }

static int number(struct originate *o, const char *name, int otherwise) {
  const char *text = event_get(o->variables, name);
  int value = text ? atoi(text) : 0;
  return value > 0 ? value : otherwise;
}

/* These of the caller's variables count where the plan does not say otherwise. */
static const char *const FROM_CALLER[] = {
    "group_confirm_key",      "group_confirm_file", "group_confirm_read_timeout", "group_confirm_cancel_timeout",
    "group_confirm_timeout",  "forked_dial",        "fail_on_single_reject",      "hangup_on_single_reject",
    "ignore_early_media",     "bridge_early_media", "originate_continue_on_timeout", "ignore_ring_ready",
    "monitor_early_media_ring", "monitor_early_media_fail", "return_ring_ready",  "ring_ready",
    "instant_ringback",       "progress_timeout",   "language"};

static void read_settings(struct originate *o, uint32_t limit) {
  for (size_t i = 0; o->caller && i < sizeof FROM_CALLER / sizeof *FROM_CALLER; i++) {
    const char *value = event_get(o->caller->variables, FROM_CALLER[i]);
    if (value && !event_get(o->variables, FROM_CALLER[i])) event_add(o->variables, FROM_CALLER[i], value);
  }
  o->early_ok = true;
  o->relayed = -1;
  if (o->caller) {
    o->cancel_key = channel_get(o->caller, "origination_cancel_key");
    if (o->caller->flags[CF_ANSWERED]) o->ringback = channel_get(o->caller, "transfer_ringback");
    if (!o->ringback) o->ringback = channel_get(o->caller, "ringback");
    if (o->caller->flags[CF_PROXY_MODE] || o->caller->flags[CF_PROXY_MEDIA]) o->ringback = NULL;
    channel_set(o->caller, "originate_disposition", "failure");
    channel_set(o->caller, "DIALSTATUS", "INVALIDARGS");
  }
  o->hangup_on_reject = yes(o, "hangup_on_single_reject");
  o->fail_on_reject = event_get(o->variables, "fail_on_single_reject");
  if (o->fail_on_reject || o->hangup_on_reject) o->fail_mode = is_true(o->fail_on_reject) ? 1 : -1;
  if (yes(o, "bridge_early_media")) o->early = RELAY;
  const char *ignore = event_get(o->variables, "ignore_early_media");
  if (is_true(ignore)) o->early = IGNORE;
  else if (ignore && !strcmp(ignore, "consume")) o->early = CONSUME;
  else if (ignore && !strcmp(ignore, "ring_ready")) o->early = RING_READY;
  if (o->early != TAKE_IT) o->early_ok = false;
  /* A 183 that outruns its leg's media ends the relay and takes the call: core's race, at will. */
  if (o->early == RELAY && global_variable("standin_early_race")) o->early_ok = true;
  const char *confirm = event_get(o->variables, "group_confirm_early_ok");
  if (confirm && o->early == TAKE_IT) o->early_ok = is_true(confirm);
  o->continue_on_timeout = yes(o, "originate_continue_on_timeout");
  o->ignore_ring_ready = yes(o, "ignore_ring_ready");
  o->return_ring_ready = yes(o, "return_ring_ready");
  o->ring_ready = yes(o, "ring_ready");
  o->instant_ringback = yes(o, "instant_ringback");
  if (o->caller && channel_get(o->caller, "call_timeout")) limit = (uint32_t)atoi(channel_get(o->caller, "call_timeout"));
  o->timeout = number(o, "originate_timeout", (int)limit > 0 ? (int)limit : DEFAULT_TIMEOUT);
  o->progress_timeout = number(o, "progress_timeout", o->timeout);
  o->retries = number(o, "originate_retries", 1);
  if (o->retries > 100) o->retries = 1;
}

/* ---- legs ---- */

static void install(switch_channel_t *channel, switch_event_t *variables) {
  for (struct header *header = variables ? variables->headers : NULL; header; header = header->next)
    if (!strstr(header->value, "${")) channel_set(channel, header->name, header->value);
}

static void own_id(switch_event_t *variables, const char *name, const char **field, switch_memory_pool_t *pool,
                   uint32_t *overrides, uint32_t bit) {
  const char *value = event_get(variables, name);
  if (!value) return;
  *field = pool_copy(pool, value);
  *overrides |= bit;
}

static void leg_settings(struct originate *o, struct leg *leg, const char *type) {
  switch_channel_t *channel = leg->channel;
  const char *value;
  leg->required = is_true(channel_get(channel, "leg_required"));
  leg->timeout = (value = channel_get(channel, "leg_timeout")) ? atoi(value) : 0;
  leg->progress_timeout = (value = channel_get(channel, "leg_progress_timeout")) ? atoi(value) : 0;
  leg->delay = (value = channel_get(channel, "leg_delay_start")) ? atoi(value) : 0;
  if (leg->delay > 0 && leg->timeout) leg->timeout += leg->delay;
  if (leg->delay > 0 && leg->progress_timeout) leg->progress_timeout += leg->delay;
  if ((value = channel_get(channel, "origination_callee_id_name")))
    channel->profile->callee_id_name = pool_copy(leg->session->pool, value);
  if ((value = channel_get(channel, "origination_callee_id_number")))
    channel->profile->callee_id_number = pool_copy(leg->session->pool, value);
  switch_core_session_t *a_leg = o->session;
  if ((value = event_get(o->variables, "ent_originate_aleg_uuid")) && session_find(value)) a_leg = session_find(value);
  if (a_leg) {
    struct text entry = {0};
    const char *name = channel->profile->callee_id_name, *dialled = channel->profile->callee_id_number;
    text_format(&entry, "%s;%s;%s", leg->session->uuid, name ? name : "", dialled ? dialled : "");
    channel_set(channel, "originating_leg_uuid", a_leg->uuid);
    event_push(a_leg->channel->variables, "originated_legs", entry.data);
    free(entry.data);
  }
  channel_set(channel, "originate_endpoint", type);
}

/* One leg's channel; its cause if there is none. */
static int create(struct originate *o, struct leg *leg, char *dial_string, switch_event_t *own,
                  const switch_state_handler_table_t *table, switch_caller_profile_t *base, switch_memory_pool_t *pool) {
  while (*dial_string == ' ') dial_string++;
  char *data = strchr(dial_string, '/');
  if (data) *data++ = 0; /* this is why a handle serves once */
  switch_event_t *both = event_copy(o->variables);
  if (own) event_merge(both, own);
  switch_caller_profile_t *profile = base ? profile_copy(pool, base) : profile_new(pool);
  if (!base) {
    profile->caller_id_name = pool_copy(pool, "");
    profile->caller_id_number = pool_copy(pool, "0000000000");
  }
  uint32_t overrides = 0;
  profile->destination_number = pool_copy(pool, is_empty(data) ? "service" : data);
  profile->callee_id_name = pool_copy(pool, "Outbound Call");
  profile->callee_id_number = pool_copy(pool, profile->destination_number);
  profile->uuid = profile->chan_name = pool_copy(pool, "");
  own_id(both, "origination_caller_id_name", &profile->caller_id_name, pool, &overrides, OWN_NAME);
  own_id(both, "origination_caller_id_number", &profile->caller_id_number, pool, &overrides, OWN_NUMBER);
  own_id(both, "origination_ani", &profile->ani, pool, &overrides, OWN_ANI);
  event_add(o->variables, "originate_early_media", o->early_ok ? "true" : "false");
  int cause = outgoing(o->session, both, dial_string, profile, overrides, &leg->session);
  event_free(both);
  if (cause != SWITCH_CAUSE_SUCCESS) return cause;
  leg->channel = leg->session->channel;
  leg->session->core_locks++;
  leg->session->originating = true;
  leg->channel->flags[FLAG_ORIGINATING] = 1;
  if (o->caller) channel_set(leg->channel, "call_uuid", channel_get(o->caller, "call_uuid"));
  bool globals_last = !yes(o, "local_var_clobber");
  if (!globals_last) install(leg->channel, o->variables);
  install(leg->channel, own);
  if (globals_last) install(leg->channel, o->variables);
  leg_settings(o, leg, dial_string);
  if (table) session_add_table(leg->session, table);
  if (leg->delay > 0) leg->channel->flags[FLAG_BLOCK_STATE] = 1;
  if (!leg->session->launched) session_launch(leg->session);
  return cause;
}

static bool eligible(switch_channel_t *channel) {
  return channel && !(channel->flags[CF_TRANSFER] || channel->flags[CF_REDIRECT] || channel->flags[FLAG_BRIDGED] ||
                      channel->state == CS_RESET || !channel->flags[FLAG_ORIGINATING]);
}

/* Whole seconds, compared as the switch does: a leg_timeout fires up to one second late. */
static void leg_timeouts(struct originate *o) {
  int now = elapsed(o), active = 0, delayed = 0, first = 0;
  for (int i = 0; i < o->count; i++) {
    struct leg *leg = &o->legs[i];
    if (!leg->channel || !channel_up(leg->channel)) continue;
    if (!leg->delay) {
      active++;
      continue;
    }
    delayed++;
    if (!first || leg->delay < first) first = leg->delay;
  }
  for (int i = 0; i < o->count; i++) {
    struct leg *leg = &o->legs[i];
    if (!leg->channel || !channel_up(leg->channel)) continue;
    if (leg->delay && (now > leg->delay || (!active && delayed))) {
      int early = active ? 0 : first - now;
      if (!active && leg->timeout) leg->timeout = leg->timeout > early ? leg->timeout - early : 1;
      leg->delay = active ? 0 : leg->delay - first;
      if (!leg->delay) {
        leg->channel->flags[FLAG_BLOCK_STATE] = 0;
        big_changed();
      }
    }
    uint32_t *flags = leg->channel->flags;
    if (leg->progress_timeout && now > leg->progress_timeout && !flags[CF_RING_READY] && !flags[CF_ANSWERED] && !flags[CF_EARLY_MEDIA]) {
      channel_hangup(leg->channel, CAUSE_PROGRESS_TIMEOUT);
      o->force_cause = CAUSE_PROGRESS_TIMEOUT;
    }
    if (leg->timeout && now > leg->timeout) channel_hangup(leg->channel, CAUSE_ALLOTTED_TIMEOUT);
  }
}

/* ---- waiting ---- */

/* Nobody can be waited for before one leg has left its first state. */
static bool wait_for_routing(struct originate *o) {
  for (;;) {
    int alive = 0;
    for (int i = 0; i < o->count; i++) {
      if (!o->legs[i].channel) continue;
      if (o->legs[i].channel->state >= CS_HANGUP) continue;
      alive++;
      if (o->legs[i].channel->state >= CS_ROUTING) return true;
      if (o->caller && !channel_ready(o->caller)) return true;
      if (elapsed(o) > o->timeout) {
        o->timed_out = true;
        o->winner = TIMED_OUT;
        return true;
      }
    }
    leg_timeouts(o);
    if (!alive) return false;
    big_wait(1);
  }
}

static void relay_ringing(struct originate *o, struct leg *leg, int *ringback) {
  if (o->sending_ringback == 1) {
    ++*ringback;
  } else if (!o->ring_ready) {
    o->ring_ready = true;
    if (o->caller && !o->ignore_ring_ready) {
      if (o->count == 1) channel_pass_callee(leg->channel, o->caller);
      channel_ring_ready(o->caller);
      o->sent_ring = true;
    }
  }
}

static void take_early_media(struct originate *o, struct leg *leg, int index, int *ringback) {
  if (o->early == RELAY && o->relayed < 0) {
    o->relayed = index;
    o->ringback_ok = 1;
  }
  if (o->sending_ringback == 1) {
    ++*ringback;
  } else if (!o->sent_ring && o->early == RING_READY && o->count == 1 && o->caller && !o->ignore_ring_ready) {
    channel_pass_callee(leg->channel, o->caller);
    channel_ring_ready(o->caller);
    o->sent_ring = true;
  }
  o->progress = true;
  if (!o->ignore_ring_ready) o->ring_ready = true;
}

/* True while there is something to wait for; o->winner says who won. */
static bool still_ringing(struct originate *o) {
  int ringback = 0;
  o->hung_up = 0;
  o->winner = NOBODY;
  for (int i = 0; i < o->count; i++) {
    struct leg *leg = &o->legs[i];
    if (leg->required && leg->channel && !channel_up(leg->channel)) {
      for (int k = 0; k < o->count; k++) {
        if (!o->legs[k].channel)
          fatal("switch_ivr_originate", "leg_required with a leg that was never made: FreeSWITCH crashes here");
        channel_hangup(o->legs[k].channel, leg->channel->cause);
      }
      return false;
    }
    if (!leg->channel) {
      o->hung_up++;
      continue;
    }
    uint32_t *flags = leg->channel->flags;
    if (flags[CF_RING_READY]) relay_ringing(o, leg, &ringback);
    if (flags[CF_EARLY_MEDIA]) take_early_media(o, leg, i, &ringback);
    if (!channel_up(leg->channel) || leg->channel->state == CS_RESET || flags[CF_TRANSFER] || flags[CF_REDIRECT] ||
        flags[FLAG_BRIDGED] || !flags[FLAG_ORIGINATING]) {
      o->hung_up++;
    } else if ((flags[CF_ANSWERED] || (o->early_ok && flags[CF_EARLY_MEDIA]) ||
                (o->ring_ready && o->return_ring_ready && o->count == 1 && flags[CF_RING_READY])) &&
               !flags[FLAG_TAGGED]) {
      /* Somebody must press the key of group_confirm; no phone of the stand-in ever does. */
      if (channel_get(leg->channel, "group_confirm_key")) {
        flags[FLAG_TAGGED] = 1;
        continue;
      }
      o->winner = i;
      break;
    }
  }
  if (ringback) o->sending_ringback++;
  return o->winner == NOBODY && o->hung_up < o->count;
}

static bool reject_is_named(struct originate *o, int cause) {
  const char *named = o->fail_on_reject;
  if (!named) fatal("switch_ivr_originate", "hangup_on_single_reject without fail_on_single_reject: FreeSWITCH crashes here");
  bool match = strcasestr(named, cause_name(cause));
  return *named == '!' ? !match : match;
}

/* Has a leg failed in a way that fail_on_single_reject means? */
static bool rejected(struct originate *o) {
  if (!o->fail_mode || !o->hung_up) return false;
  if (o->fail_on_reject && is_true(o->fail_on_reject)) return true;
  for (int i = 0; i < o->count; i++)
    if (o->legs[i].channel && !channel_up(o->legs[i].channel) && reject_is_named(o, o->legs[i].channel->cause)) return true;
  return false;
}

/* The caller hears ringback, or a leg's early media: that needs his media up. */
static void let_caller_hear(struct originate *o) {
  if (!o->caller || !channel_up(o->caller)) return;
  char *key;
  uint32_t *flags = o->caller->flags;
  bool hears = o->ringback_ok || flags[CF_ANSWERED] || flags[CF_EARLY_MEDIA];
  if (hears && o->cancel_key && (key = channel_key(o->caller)) && *key == *o->cancel_key) {
    o->winner = KEY_PRESSED;
    return;
  }
  if (o->ringback_ok == 1 && (o->ring_ready || o->instant_ringback || o->sending_ringback > 1 || o->relayed >= 0)) {
    channel_pre_answer(o->caller);
    o->ringback_ok++;
  }
}

static void wait_for_a_winner(struct originate *o) {
  o->sending_ringback = o->ringback ? 1 : 0;
  o->ringback_ok = o->ringback ? 1 : 0;
  while (o->winner != TIMED_OUT && (!o->caller || channel_ready(o->caller)) && still_ringing(o)) {
    if (o->cell && *o->cell > 0) {
      if (!o->force_cause) o->force_cause = cause_in(*o->cell);
      o->winner = CANCELLED;
      return;
    }
    leg_timeouts(o);
    if (!o->sent_ring && !o->progress && elapsed(o) > o->progress_timeout) {
      o->winner = TIMED_OUT;
      if (!o->force_cause) o->force_cause = CAUSE_PROGRESS_TIMEOUT;
      return;
    }
    bool over = elapsed(o) >= o->timeout;
    if (over) o->timed_out = true;
    if (over || rejected(o)) {
      o->winner = TIMED_OUT;
      return;
    }
    jitter();
    let_caller_hear(o);
    if (o->winner == KEY_PRESSED) return;
    pause_ms(POLL_MS);
  }
}

/* ---- the end of one round ---- */

static void hang_up_losers(struct originate *o) {
  for (int i = 0; i < o->count; i++) {
    switch_channel_t *channel = o->legs[i].channel;
    if (i == o->winner || !eligible(channel)) continue;
    if (o->winner == TIMED_OUT || o->timed_out) o->cause = CAUSE_NO_ANSWER;
    else if (o->winner == CANCELLED) o->cause = CAUSE_ORIGINATOR_CANCEL;
    else if (o->count > 1) o->cause = CAUSE_LOSE_RACE;
    else if (!channel_up(channel)) o->cause = channel->cause;
    else o->cause = CAUSE_NO_ANSWER;
    if (!channel_up(channel)) continue;
    int cause = o->force_cause ? o->force_cause : o->cause;
    if (!strcmp(cause_name(cause), "UNKNOWN")) fatal("switch_ivr_originate", "the cancel cell holds %d, which is no cause", cause);
    if (cause == CAUSE_LOSE_RACE) channel_set(channel, "group_dial_status", "loser");
    channel_hangup(channel, cause);
  }
}

static int failure_cause(struct originate *o) {
  int cause = o->winner >= 0 && o->legs[o->winner].channel ? o->legs[o->winner].channel->cause : 0;
  for (int i = 0; i < o->count && !cause; i++) {
    if (!o->legs[i].channel) continue;
    cause = o->legs[i].channel->cause;
    break;
  }
  if (!cause) cause = o->cause;
  if (!cause && o->caller) cause = o->caller->cause;
  if (!cause && !o->caller) cause = CAUSE_DESTINATION_OUT_OF_ORDER;
  if (!cause || cause == SWITCH_CAUSE_SUCCESS) cause = CAUSE_ORIGINATOR_CANCEL;
  if (o->winner == CANCELLED) cause = CAUSE_ORIGINATOR_CANCEL;
  else if (o->winner == TIMED_OUT) cause = CAUSE_NO_ANSWER;
  return cause;
}

static void tell_caller(struct originate *o, int cause) {
  channel_set(o->caller, "originate_disposition", cause_name(cause));
  const char *status = cause_name(cause);
  switch (cause) {
    case CAUSE_ORIGINATOR_CANCEL: status = "CANCEL"; break;
    case CAUSE_USER_BUSY: status = "BUSY"; break;
    case CAUSE_NO_ANSWER: status = "NOANSWER"; break;
    case CAUSE_DESTINATION_OUT_OF_ORDER:
    case CAUSE_INVALID_PROFILE: status = "INVALIDARGS"; break;
    case CAUSE_CALL_REJECTED: status = "DONTCALL"; break;
    default: break;
  }
  channel_set(o->caller, "DIALSTATUS", status);
}

/* Let go of every leg but the winner. */
static void release(struct originate *o, bool won, int cause) {
  for (int i = 0; i < o->count; i++) {
    struct leg *leg = &o->legs[i];
    if (!leg->channel) continue;
    if (o->caller) {
      struct text entry = {0};
      text_format(&entry, "%s;%s", leg->session->uuid, cause_name(leg->channel->cause));
      event_push(o->caller->variables, "originate_causes", entry.data);
      free(entry.data);
    }
    bool winner = won && i == o->winner;
    if (!won && channel_up(leg->channel) && leg->channel->flags[FLAG_ORIGINATING]) channel_hangup(leg->channel, cause);
    leg->channel->flags[FLAG_ORIGINATING] = 0;
    leg->session->core_locks--;
    if (winner) leg->session->module_locks++;
    else leg->channel = NULL, leg->session = NULL;
  }
  big_changed();
}

/* Ring one list of legs. True if one of them won. */
static bool ring(struct originate *o, char **strings, switch_event_t **own, const switch_state_handler_table_t *table,
                 switch_caller_profile_t *base, switch_memory_pool_t *pool, int *cause, bool *stop) {
  bool won = false;
  o->winner = NOBODY;
  o->hung_up = 0;
  o->sent_ring = o->progress = o->timed_out = false;
  o->cause = 0;
  o->relayed = -1;
  for (int i = 0; i < o->count; i++) {
    memset(&o->legs[i], 0, sizeof o->legs[i]);
    if (o->caller && !channel_ready(o->caller)) {
      o->count = i;
      goto done;
    }
    o->cause = create(o, &o->legs[i], strings[i], own[i], table, base, pool);
    if (o->cause != SWITCH_CAUSE_SUCCESS && o->fail_on_reject && (o->fail_mode == 1 || reject_is_named(o, o->cause))) {
      if (i) fatal("switch_ivr_originate", "fail_on_single_reject, and leg %d can not be made: FreeSWITCH leaves the legs before it ringing for ever", i + 1);
      o->force_cause = o->cause;
      o->count = 0;
      *stop = true;
      goto done;
    }
  }
  o->started = time(NULL);
  if (!wait_for_routing(o)) goto done;
  wait_for_a_winner(o);
  if (o->caller && !channel_ready(o->caller)) o->winner = CANCELLED;
  hang_up_losers(o);
  if (o->winner < 0) goto done;
  switch_channel_t *peer = o->legs[o->winner].channel;
  won = true;
  if (o->caller && peer->flags[CF_ANSWERED]) {
    channel_pass_callee(peer, o->caller);
    if (!o->caller->flags[CF_PROXY_MODE]) won = channel_answer(o->caller);
  } else if (o->caller && peer->flags[CF_EARLY_MEDIA] && !o->caller->flags[CF_PROXY_MODE]) {
    channel_pass_callee(peer, o->caller);
    won = channel_pre_answer(o->caller);
  }
  won = won && (peer->flags[CF_ANSWERED] || (o->early_ok && peer->flags[CF_EARLY_MEDIA]) || o->return_ring_ready);
done:
  if (o->caller && !channel_ready(o->caller)) won = false;
  *cause = won ? SWITCH_CAUSE_SUCCESS : failure_cause(o);
  if (won && o->caller) channel_import(o->caller, o->legs[o->winner].channel, "import", NULL);
  if (o->caller) tell_caller(o, *cause);
  bool named_reject = !won && o->fail_mode == -1 && rejected(o);
  release(o, won, *cause);
  if (!won && (o->timed_out ? !o->continue_on_timeout : named_reject)) *stop = true;
  return won;
}

static switch_event_t *variables_for(struct originate *o, switch_event_t *ovars, switch_dial_handle_t *handle) {
  switch_event_t *variables = ovars ? ovars : event_new(SWITCH_EVENT_CHANNEL_DATA);
  if (o->caller) channel_export(o->caller, variables, NULL, "export_vars");
  if (!dial_globals(handle)) return variables;
  /* The handle's globals replace everything, exports too. */
  if (variables != ovars) event_free(variables);
  return event_copy(dial_globals(handle));
}

switch_status_t switch_ivr_originate(switch_core_session_t *session, switch_core_session_t **bleg, switch_call_cause_t *cause,
                                     const char *bridgeto, uint32_t limit, const switch_state_handler_table_t *table,
                                     const char *cid_name, const char *cid_number, switch_caller_profile_t *profile,
                                     switch_event_t *ovars, switch_originate_flag_t flags, switch_call_cause_t *cell,
                                     switch_dial_handle_t *handle) {
  may_wait(__func__);
  (void)bridgeto;
  need(bleg, __func__, "the place for the peer");
  need(cause, __func__, "the place for the cause");
  if (!handle) fatal(__func__, "the stand-in originates by dial handle alone");
  dial_use(handle, __func__);
  if (flags) fatal(__func__, "the stand-in knows no flags of originate (%u)", flags);
  if (session) {
    session_check(session, __func__);
    if (!pthread_equal(session->thread, pthread_self())) fatal(__func__, "a session originates on a thread that is not its own");
  }
  if (profile) object_check(profile, A_PROFILE, __func__);
  if (ovars) event_check(ovars, __func__);
  struct originate *o = calloc(1, sizeof *o);
  bool won = false, stop = false;
  int why = (int)*cause;
  big_lock();
  o->session = session;
  o->caller = session ? session->channel : NULL;
  o->cell = cell;
  if (o->caller && !is_true(channel_get(o->caller, "preserve_originated_vars"))) {
    /* Only an explicit false clears them there. */
    const char *keep = channel_get(o->caller, "preserve_originated_vars");
    if (keep) channel_set(o->caller, "originated_legs", NULL), channel_set(o->caller, "originate_causes", NULL);
  }
  if (o->caller && is_true(channel_get(o->caller, "bypass_media")) && !o->caller->flags[CF_ANSWERED])
    o->caller->flags[CF_PROXY_MODE] = 1;
  if (o->caller) channel_run_hooks(o->caller, "execute_on_pre_originate"), channel_run_hooks(o->caller, "api_on_pre_originate");
  o->variables = variables_for(o, ovars, handle);
  if (cid_name && !event_get(o->variables, "origination_caller_id_name"))
    event_add(o->variables, "origination_caller_id_name", cid_name);
  if (cid_number && !event_get(o->variables, "origination_caller_id_number"))
    event_add(o->variables, "origination_caller_id_number", cid_number);
  read_settings(o, limit);
  if (o->retries > 1) fatal(__func__, "originate_retries with a dial handle: FreeSWITCH would dial the strings it has cut");
  switch_memory_pool_t *pool = pool_new();
  switch_caller_profile_t *base = profile ? profile : o->caller ? o->caller->profile : NULL;
  if (base) base = profile_copy(pool, base);
  for (int list = 0; list < dial_lists(handle) && !won && !stop && (!o->cell || !*o->cell); list++) {
    char *strings[MAX_PEERS];
    switch_event_t *own[MAX_PEERS];
    o->count = dial_peers(handle, list, strings, own);
    won = ring(o, strings, own, table, base, pool, &why, &stop);
  }
  *bleg = NULL;
  if (won) {
    struct leg *winner = &o->legs[o->winner];
    *bleg = winner->session;
    if (o->caller) {
      o->caller->profile->originatee_caller_profile = profile_copy(session->pool, winner->channel->profile);
      channel_set(o->caller, "signal_bond", winner->session->uuid);
      channel_set(o->caller, "originate_signal_bond", NULL);
    }
  }
  jitter();
  *cause = cause_out(o->force_cause ? o->force_cause : why);
  if (o->caller) channel_run_hooks(o->caller, "execute_on_post_originate"), channel_run_hooks(o->caller, "api_on_post_originate");
  if (o->hangup_on_reject && o->caller) channel_hangup(o->caller, (int)*cause);
  if (o->variables != ovars) event_free(o->variables);
  pool_end(pool);
  big_unlock();
  free(o);
  return won ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}
