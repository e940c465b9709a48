/*
 * Endpoints: what a dial string's first word names, and the channels they make.
 * sofia rings the scenario's phones; error, loopback, null and user do as their namesakes;
 * every other name is no endpoint.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "standin.h"

static const char *const NAMES[] = {"sofia", "error", "loopback", "null", "user", "group"};
enum { COUNT = sizeof NAMES / sizeof *NAMES };
static switch_endpoint_interface_t *endpoints[COUNT];
static switch_loadable_module_interface_t *parent;

static switch_call_cause_t sofia_outgoing(switch_core_session_t *session, switch_event_t *variables,
                                          switch_caller_profile_t *profile, switch_core_session_t **made,
                                          switch_memory_pool_t **pool, switch_originate_flag_t flags, switch_call_cause_t *cell);
static switch_io_routines_t sofia_routines = {.outgoing_channel = sofia_outgoing};

switch_endpoint_interface_t *endpoint_find(const char *name) {
  for (int i = 0; i < COUNT; i++) {
    if (strcmp(NAMES[i], name)) continue;
    if (!parent) {
      parent = object_new(A_MODULE, sizeof *parent);
      parent->module_name = "the switch's endpoints";
      parent->rwlock = rwlock_new("the endpoints' module");
    }
    if (!endpoints[i]) {
      endpoints[i] = object_new(AN_ENDPOINT, sizeof **endpoints);
      endpoints[i]->interface_name = NAMES[i];
      endpoints[i]->rwlock = rwlock_new(NAMES[i]);
      endpoints[i]->reflock = mutex_new();
      endpoints[i]->parent = parent;
      if (!strcmp(name, "sofia")) endpoints[i]->io_routines = &sofia_routines;
    }
    return endpoints[i];
  }
  return module_endpoint(name);
}

switch_endpoint_interface_t *switch_loadable_module_get_endpoint_interface(const char *name) {
  need(name, __func__, "the endpoint's name");
  big_lock();
  switch_endpoint_interface_t *endpoint = endpoint_find(name);
  if (endpoint) {
    endpoint->rwlock->readers++;
    endpoint->parent->rwlock->readers++;
    endpoint->refs++;
    endpoint->parent->refs++;
  }
  big_unlock();
  return endpoint;
}

/*
 * Whoever unloads a module waits for these locks and then frees what they guard: an interface is let go of
 * with its mutex free, and before its module.
 */
void endpoint_unlocking(const switch_thread_rwlock_t *lock) {
  for (int i = 0; i < COUNT; i++) {
    if (!endpoints[i]) continue;
    if (lock == endpoints[i]->rwlock && endpoints[i]->reflock->held &&
        pthread_equal(endpoints[i]->reflock->holder, pthread_self()))
      fatal("switch_thread_rwlock_unlock", "the endpoint %s is let go of while its mutex is held: it may be freed now", NAMES[i]);
    if (lock == parent->rwlock && endpoints[i]->rwlock->readers >= parent->rwlock->readers)
      fatal("switch_thread_rwlock_unlock", "the module of the endpoint %s is let go of before it", NAMES[i]);
  }
}

void report_endpoints(struct text *report) {
  for (int i = 0; i < COUNT; i++)
    if (endpoints[i] && endpoints[i]->refs) text_format(report, "%d references to the endpoint %s\n", endpoints[i]->refs, NAMES[i]);
  if (parent && parent->refs) text_format(report, "%d references to the endpoints' module\n", parent->refs);
}

/* ---- outgoing channels ---- */

static switch_core_session_t *leg_new(const char *driver, const char *address, switch_caller_profile_t *profile) {
  switch_core_session_t *session = session_new(driver, SWITCH_CALL_DIRECTION_OUTBOUND);
  switch_channel_t *channel = session->channel;
  object_end(channel->profile, A_PROFILE);
  channel->profile = profile_copy(session->pool, profile);
  channel->profile->times->created = now_us();
  channel->profile->uuid = channel->profile->uuid_str = pool_copy(session->pool, session->uuid);
  struct text name = {0};
  text_format(&name, "%s/%s", driver, address);
  channel->name = name.data;
  channel->state = CS_INIT;
  return session;
}

/* What the caller's own INVITE brought goes along. */
static void callers_headers(switch_core_session_t *session, switch_core_session_t *leg) {
  if (!session) return;
  for (struct header *variable = session->channel->variables->headers; variable; variable = variable->next)
    if (!strncmp(variable->name, "sip_h_", 6)) channel_set(leg->channel, variable->name, variable->value);
}

/* profile/sip:user@host:port;…, or profile/user@domain and profile/user%domain of a registration. */
/*
 * gateway/name/user: the phone of that user, behind a gateway. The gateways auto-full and auto-domain
 * take their From from the caller's channel, as from-domain=auto-aleg-full and auto-aleg-domain say.
 */
static int gateway(switch_core_session_t *session, const char *address, switch_caller_profile_t *profile,
                   switch_core_session_t **made) {
  const char *user = strchr(address, '/');
  bool full = !strncmp(address, "auto-full/", 10), domain = !strncmp(address, "auto-domain/", 12);
  if (!user || (!full && !domain && strncmp(address, "plain/", 6))) return CAUSE_INVALID_GATEWAY;
  struct phone *phone = phone_of(user + 1, 0);
  if (!phone) return CAUSE_USER_NOT_REGISTERED;
  if ((full || domain) && !session)
    fatal("sofia_outgoing_channel", "the gateway asks for the caller's channel, and there is none: FreeSWITCH aborts here");
  *made = leg_new("sofia", address, profile);
  const char *from = !session ? NULL : full ? channel_get(session->channel, "sip_full_from") : domain ? channel_get(session->channel, "sip_from_host") : NULL;
  if (from) channel_set((*made)->channel, full ? "sip_force_full_from" : "sip_invite_domain", from);
  (*made)->dialog = wire_dialog(*made, phone);
  callers_headers(session, *made);
  return SWITCH_CAUSE_SUCCESS;
}

static int sofia(switch_core_session_t *session, const char *address, switch_caller_profile_t *profile,
                 switch_core_session_t **made) {
  if (!strncasecmp(address, "gateway/", 8)) return gateway(session, address + 8, profile, made);
  const char *slash = strchr(address, '/'), *uri = slash ? slash + 1 : address;
  if (!slash || strncmp(address, "internal/", 9)) return CAUSE_INVALID_PROFILE;
  struct phone *phone = phone_at(uri);
  if (!phone) {
    char *user = strndup(uri, strcspn(uri, "@%"));
    phone = phone_of(strncmp(user, "sip:", 4) ? user : user + 4, 0);
    free(user);
  }
  if (!phone) return CAUSE_USER_NOT_REGISTERED;
  *made = leg_new("sofia", address, profile);
  (*made)->dialog = wire_dialog(*made, phone);
  callers_headers(session, *made);
  return SWITCH_CAUSE_SUCCESS;
}

/* As another endpoint asks sofia for a leg. */
static switch_call_cause_t sofia_outgoing(switch_core_session_t *session, switch_event_t *variables,
                                          switch_caller_profile_t *profile, switch_core_session_t **made,
                                          switch_memory_pool_t **pool, switch_originate_flag_t flags, switch_call_cause_t *cell) {
  (void)pool, (void)flags, (void)cell;
  if (session) session_check(session, __func__);
  event_check(variables, __func__);
  object_check(profile, A_PROFILE, __func__);
  need(made, __func__, "the place for the leg");
  big_lock();
  *made = NULL;
  int cause = sofia(session, profile->destination_number, profile, made);
  big_unlock();
  return cause_out(cause);
}

/* The module's own endpoint: held while it works, and handed what the switch lends it. */
static int modules_own(switch_endpoint_interface_t *endpoint, switch_core_session_t *session, switch_event_t *variables,
                       switch_caller_profile_t *profile, switch_core_session_t **made) {
  switch_event_t *lent = variables ? event_copy(variables) : event_new(SWITCH_EVENT_CHANNEL_DATA);
  lent->delivering = true;
  lent->reader = pthread_self();
  endpoint->rwlock->readers++;
  endpoint->parent->rwlock->readers++;
  big_unlock();
  switch_call_cause_t cell = SWITCH_CAUSE_NONE;
  switch_call_cause_t cause = endpoint->io_routines->outgoing_channel(session, lent, profile, made, NULL, 0, &cell);
  big_lock();
  endpoint->rwlock->readers--;
  endpoint->parent->rwlock->readers--;
  event_free(lent);
  big_changed();
  if (cause == SWITCH_CAUSE_SUCCESS && !*made) fatal("outgoing_channel", "an endpoint of the module's succeeds without a leg");
  return cause_in(cause);
}

/* The dialplan behind loopback is a list: an extension answers after a while, or hangs up. */
static struct loopback {
  char extension[64];
  int64_t after;
  int cause;
  struct loopback *next;
} *loopbacks;

void standin_add_loopback(const char *extension, int64_t after, const char *cause) {
  struct loopback *loopback = calloc(1, sizeof *loopback);
  snprintf(loopback->extension, sizeof loopback->extension, "%s", extension);
  loopback->after = after;
  loopback->cause = cause ? cause_number(cause) : 0;
  big_lock();
  loopback->next = loopbacks;
  loopbacks = loopback;
  big_unlock();
}

static int loopback(const char *address, switch_caller_profile_t *profile, switch_core_session_t **made) {
  char extension[64];
  snprintf(extension, sizeof extension, "%.*s", (int)strcspn(address, "/"), address);
  *made = leg_new("loopback", address, profile);
  struct loopback *found = loopbacks;
  while (found && strcmp(found->extension, extension)) found = found->next;
  if (found && !found->cause) wire_answer_leg(*made, found->after);
  else wire_hang_up_leg(*made, found ? found->cause : CAUSE_NO_ROUTE_DESTINATION);
  return SWITCH_CAUSE_SUCCESS;
}

/* user/ originates to the user's first contact: what a nested fork does (it does not block). */
static int user(switch_core_session_t *session, switch_event_t *variables, const char *address,
                switch_caller_profile_t *profile, uint32_t overrides, switch_core_session_t **made) {
  char *name = strndup(address, strcspn(address, "@"));
  const char *domain = strchr(address, '@');
  if (!directory_has_user(name, domain ? domain + 1 : directory_domain())) {
    free(name);
    return CAUSE_SUBSCRIBER_ABSENT;
  }
  switch_event_t *own = variables ? event_copy(variables) : event_new(SWITCH_EVENT_CHANNEL_DATA);
  event_add(own, "dialed_user", name);
  event_add(own, "dialed_domain", directory_domain());
  char *dialled = expand(NULL, own, directory_dial_string(name), 0);
  dialled[strcspn(dialled, ",|")] = 0;
  char *rest = strchr(dialled, '/');
  int cause = CAUSE_DESTINATION_OUT_OF_ORDER;
  if (rest) {
    *rest++ = 0;
    profile->destination_number = pool_copy(profile->pool, rest);
    cause = outgoing(session, own, dialled, profile, overrides, made);
  }
  free(dialled);
  event_free(own);
  free(name);
  return cause;
}

static void join_profiles(switch_core_session_t *session, switch_core_session_t *leg) {
  switch_channel_t *caller = session->channel, *channel = leg->channel;
  channel_set(channel, "originator", session->uuid);
  channel_set(channel, "signal_bond", session->uuid);
  channel_set(caller, "originate_signal_bond", leg->uuid);
  if (caller->flags[CF_PROXY_MODE]) channel->flags[CF_PROXY_MODE] = 1;
  if (caller->flags[CF_PROXY_MEDIA]) channel->flags[CF_PROXY_MEDIA] = 1;
  channel->profile->originator_caller_profile = profile_copy(leg->pool, caller->profile);
  channel->profile->originator_caller_profile->uuid = pool_copy(leg->pool, session->uuid);
}

int outgoing(switch_core_session_t *session, switch_event_t *variables, const char *type, switch_caller_profile_t *profile,
             uint32_t overrides, switch_core_session_t **made) {
  const char *address = profile->destination_number ? profile->destination_number : "";
  if (!endpoint_find(type)) return CAUSE_CHAN_NOT_IMPLEMENTED;
  const char *forwards = session ? channel_get(session->channel, "max_forwards") : NULL;
  int hops = forwards ? atoi(forwards) - 1 : 70;
  if (hops <= 0) return CAUSE_EXCHANGE_ROUTING_ERROR;
  if (session) {
    const char *name = channel_get(session->channel, "effective_caller_id_name");
    const char *number = channel_get(session->channel, "effective_caller_id_number");
    const char *ani = channel_get(session->channel, "effective_ani");
    if (name && !(overrides & OWN_NAME)) profile->caller_id_name = pool_copy(profile->pool, name);
    if (number && !(overrides & OWN_NUMBER)) profile->caller_id_number = pool_copy(profile->pool, number);
    if (ani && !(overrides & OWN_ANI)) profile->ani = pool_copy(profile->pool, ani);
  }
  if (!strcmp(type, "error")) {
    int cause = cause_number(address);
    return cause ? cause : CAUSE_DESTINATION_OUT_OF_ORDER;
  }
  if (!strcmp(type, "group")) return CAUSE_DESTINATION_OUT_OF_ORDER;
  if (!strcmp(type, "user")) return user(session, variables, address, profile, overrides, made);
  int cause = SWITCH_CAUSE_SUCCESS;
  const char *uuid = variables ? event_get(variables, "origination_uuid") : NULL;
  if (uuid && session_find(uuid)) return CAUSE_DESTINATION_OUT_OF_ORDER; /* two channels cannot have one name */
  if (module_endpoint(type)) cause = modules_own(module_endpoint(type), session, variables, profile, made);
  else if (!strcmp(type, "sofia")) cause = sofia(session, address, profile, made);
  else if (!strcmp(type, "loopback")) cause = loopback(address, profile, made);
  else if (!strncmp(address, "cause-", 6)) cause = cause_number(address + 6);
  else *made = leg_new("null", address, profile);
  if (cause != SWITCH_CAUSE_SUCCESS) return cause;
  if (session && !strcmp(type, "null")) channel_pre_answer(session->channel); /* as the real one does */
  if (uuid && session_rename(*made, uuid)) (*made)->channel->profile->uuid = pool_copy((*made)->pool, uuid);
  const char *a_leg = variables ? event_get(variables, "origination_aleg_uuid") : NULL;
  if (!session && a_leg) session = session_find(a_leg);
  if (session) join_profiles(session, *made);
  char left[16];
  snprintf(left, sizeof left, "%d", hops);
  channel_set((*made)->channel, "max_forwards", left);
  channel_event((*made)->channel, EVENT_CHANNEL_OUTGOING);
  return cause;
}
