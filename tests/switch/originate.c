/*
 * Originate, as the module asks for it: one leg of a dial handle, made and given back at once,
 * its thread not yet launched. Variables, profiles and hooks are those of FreeSWITCH, mistakes
 * included: the module must live with them.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "standin.h"

enum { MAX_PEERS = 128 };

struct originate {
  switch_core_session_t *session; /* the caller's */
  switch_channel_t *caller;
  switch_event_t *variables;
  switch_core_session_t *leg;
};

/* ---- settings ---- */

static bool yes(struct originate *o, const char *name) { return is_true(event_get(o->variables, name)); }

/* These of the caller's variables count where the plan does not say otherwise. */
static const char *const FROM_CALLER[] = {
    "group_confirm_key",      "group_confirm_file", "group_confirm_read_timeout", "group_confirm_cancel_timeout",
    "group_confirm_timeout",  "forked_dial",        "fail_on_single_reject",      "hangup_on_single_reject",
    "ignore_early_media",     "bridge_early_media", "originate_continue_on_timeout", "ignore_ring_ready",
    "monitor_early_media_ring", "monitor_early_media_fail", "return_ring_ready",  "ring_ready",
    "instant_ringback",       "progress_timeout",   "language"};

static void read_settings(struct originate *o) {
  for (size_t i = 0; i < sizeof FROM_CALLER / sizeof *FROM_CALLER; i++) {
    const char *value = event_get(o->caller->variables, FROM_CALLER[i]);
    if (value && !event_get(o->variables, FROM_CALLER[i])) event_add(o->variables, FROM_CALLER[i], value);
  }
  channel_set(o->caller, "originate_disposition", "failure");
  channel_set(o->caller, "DIALSTATUS", "INVALIDARGS");
  if (event_get(o->variables, "originate_retries")) fatal("switch_ivr_originate", "originate_retries: core would dial a leg again that cannot be made");
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

static void leg_settings(struct originate *o, const char *type) {
  switch_channel_t *channel = o->leg->channel;
  const char *value;
  if ((value = channel_get(channel, "origination_callee_id_name")))
    channel->profile->callee_id_name = pool_copy(o->leg->pool, value);
  if ((value = channel_get(channel, "origination_callee_id_number")))
    channel->profile->callee_id_number = pool_copy(o->leg->pool, value);
  struct text entry = {0};
  const char *name = channel->profile->callee_id_name, *dialled = channel->profile->callee_id_number;
  text_format(&entry, "%s;%s;%s", o->leg->uuid, name ? name : "", dialled ? dialled : "");
  channel_set(channel, "originating_leg_uuid", o->session->uuid);
  event_push(o->caller->variables, "originated_legs", entry.data);
  free(entry.data);
  channel_set(channel, "originate_endpoint", type);
}

/* One leg's channel; its cause if there is none. */
static int create(struct originate *o, char *dial_string, switch_event_t *own, const switch_state_handler_table_t *table,
                  switch_memory_pool_t *pool) {
  while (*dial_string == ' ') dial_string++;
  char *data = strchr(dial_string, '/');
  if (data) *data++ = 0; /* this is why a handle serves once */
  switch_event_t *both = event_copy(o->variables);
  if (own) event_merge(both, own);
  switch_caller_profile_t *profile = profile_copy(pool, o->caller->profile);
  uint32_t overrides = 0;
  profile->destination_number = pool_copy(pool, is_empty(data) ? "service" : data);
  profile->callee_id_name = pool_copy(pool, "Outbound Call");
  profile->callee_id_number = pool_copy(pool, profile->destination_number);
  profile->uuid = profile->chan_name = pool_copy(pool, "");
  own_id(both, "origination_caller_id_name", &profile->caller_id_name, pool, &overrides, OWN_NAME);
  own_id(both, "origination_caller_id_number", &profile->caller_id_number, pool, &overrides, OWN_NUMBER);
  own_id(both, "origination_ani", &profile->ani, pool, &overrides, OWN_ANI);
  event_add(o->variables, "originate_early_media", "true");
  int cause = outgoing(o->session, both, dial_string, profile, overrides, &o->leg);
  event_free(both);
  if (cause != SWITCH_CAUSE_SUCCESS) return cause;
  switch_channel_t *channel = o->leg->channel;
  o->leg->originating = true;
  channel->flags[CF_ORIGINATING] = 1;
  channel_set(channel, "call_uuid", channel_get(o->caller, "call_uuid"));
  bool globals_last = !yes(o, "local_var_clobber");
  if (!globals_last) install(channel, o->variables);
  install(channel, own);
  if (globals_last) install(channel, o->variables);
  leg_settings(o, dial_string);
  if (table) session_add_table(o->leg, table);
  return cause;
}

static switch_event_t *variables_for(struct originate *o, switch_dial_handle_t *handle) {
  /* The handle's globals replace everything, exports too. */
  if (dial_globals(handle)) return event_copy(dial_globals(handle));
  switch_event_t *variables = event_new(SWITCH_EVENT_CHANNEL_DATA);
  channel_export(o->caller, variables, NULL, "export_vars");
  return variables;
}

switch_status_t switch_ivr_originate(switch_core_session_t *session, switch_core_session_t **bleg, switch_call_cause_t *cause,
                                     const char *bridgeto, uint32_t limit, const switch_state_handler_table_t *table,
                                     const char *cid_name, const char *cid_number, switch_caller_profile_t *profile,
                                     switch_event_t *ovars, switch_originate_flag_t flags, switch_call_cause_t *cell,
                                     switch_dial_handle_t *handle) {
  may_wait(__func__);
  (void)bridgeto, (void)limit, (void)cid_name, (void)cid_number;
  need(bleg, __func__, "the place for the peer");
  need(cause, __func__, "the place for the cause");
  if (!handle) fatal(__func__, "the stand-in originates by dial handle alone");
  dial_use(handle, __func__);
  if (flags != SOF_NOBLOCK) fatal(__func__, "the stand-in does not wait for legs (flags %u)", flags);
  if (ovars && !is_true(event_get(ovars, "origination_nested_vars"))) fatal(__func__, "variables that core would not read");
  if (profile || cell) fatal(__func__, "the stand-in originates for a caller alone");
  session_check(session, __func__);
  struct originate o = {.session = session, .caller = session->channel};
  big_lock();
  if (is_true(channel_get(o.caller, "bypass_media")) && !o.caller->flags[CF_ANSWERED]) o.caller->flags[CF_PROXY_MODE] = 1;
  channel_run_hooks(o.caller, "execute_on_pre_originate"), channel_run_hooks(o.caller, "api_on_pre_originate");
  o.variables = variables_for(&o, handle);
  read_settings(&o);
  switch_memory_pool_t *pool = pool_new();
  char *strings[MAX_PEERS];
  switch_event_t *own[MAX_PEERS];
  if (dial_lists(handle) != 1 || dial_peers(handle, 0, strings, own) != 1) fatal(__func__, "one leg at a time");
  int why = channel_ready(o.caller) ? create(&o, strings[0], own[0], table, pool) : CAUSE_ORIGINATOR_CANCEL;
  *bleg = o.leg;
  if (o.leg) {
    o.leg->module_locks++;
    o.caller->profile->originatee_caller_profile = profile_copy(session->pool, o.leg->channel->profile);
    channel_set(o.caller, "signal_bond", o.leg->uuid);
    channel_set(o.caller, "originate_signal_bond", NULL);
  }
  jitter();
  hear_all(o.caller);
  if (o.leg && (o.caller->flags[CF_ANSWERED] || o.caller->flags[CF_EARLY_MEDIA])) session_signal(session, SWITCH_SIG_BREAK);
  *cause = cause_out(why);
  channel_run_hooks(o.caller, "execute_on_post_originate"), channel_run_hooks(o.caller, "api_on_post_originate");
  if (yes(&o, "hangup_on_single_reject")) channel_hangup(o.caller, why);
  event_free(o.variables);
  pool_end(pool);
  big_unlock();
  return o.leg ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}
