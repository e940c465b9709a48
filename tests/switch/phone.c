/*
 * The wire: one thread that plays every phone and the caller, by the clock.
 * Each INVITE is a dialog in the diary: when it came, with which headers, when it was over
 * and what the phone was told, as a real phone would write it down.
 */
#define _GNU_SOURCE
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum step { STEP_RING, STEP_MEDIA, STEP_ANSWER, STEP_REJECT, STEP_REPLY, STEP_BYE, STEP_CALLER_HANGUP, STEP_KEY, STEP_LEG_ANSWER, STEP_LEG_HANGUP };
struct timer {
  int64_t at;
  enum step step;
  struct dialog *dialog;
  switch_core_session_t *session; /* of steps that belong to no dialog */
  char key;
  int status;
  const struct reply *reply;
  struct timer *next;
};

static struct timer *timers;
static struct dialog *diary, **diary_end = &diary;
static struct phone *phones;
static bool started;
static struct text caller_diary;
static char joined[64];

/* ---- phones ---- */

void standin_add_phone(const char *name, const char *user, int does, int status, int64_t after) {
  static int port = 40001;
  struct phone *phone = calloc(1, sizeof *phone);
  snprintf(phone->name, sizeof phone->name, "%s", name);
  snprintf(phone->user, sizeof phone->user, "%s", user);
  phone->does = (enum behaviour)does;
  phone->status = status;
  phone->after = after;
  phone->port = port++;
  snprintf(phone->contact, sizeof phone->contact, "sofia/internal/sip:%s@127.0.0.1:%d;transport=udp;ob", user, phone->port);
  big_lock();
  struct phone **place = &phones;
  while (*place) place = &(*place)->next;
  *place = phone;
  switch_event_t *event = event_new(SWITCH_EVENT_CUSTOM);
  event->subclass = strdup("sofia::register");
  event_add(event, "profile-name", "internal");
  event_add(event, "from-user", user);
  event_add(event, "from-host", directory_domain());
  event_fire(event);
  big_unlock();
}

static struct phone *phone_named(const char *name) {
  struct phone *phone = phones;
  while (phone && strcmp(phone->name, name)) phone = phone->next;
  return phone;
}

/* What it says so long after an INVITE, and then; in the order of the calls. */
void standin_phone_says(const char *name, int64_t at, int status, int sdp, const char *contacts) {
  struct reply *reply = calloc(1, sizeof *reply);
  *reply = (struct reply){.at = at, .status = status, .sdp = (enum sdp)sdp, .contacts = strdup(contacts)};
  big_lock();
  struct phone *phone = phone_named(name);
  if (!phone) fatal(__func__, "there is no phone %s", name);
  struct reply **place = &phone->replies;
  while (*place) place = &(*place)->next;
  *place = reply;
  big_unlock();
}

/* Where it is, as a URI without its scheme. */
char *standin_phone_place(const char *name) {
  struct text place = {0};
  big_lock();
  struct phone *phone = phone_named(name);
  if (!phone) fatal(__func__, "there is no phone %s", name);
  text_format(&place, "%s@127.0.0.1:%d", phone->user, phone->port);
  big_unlock();
  return place.data;
}

struct phone *phone_of(const char *user, int index) {
  for (struct phone *phone = phones; phone; phone = phone->next)
    if (!strcasecmp(phone->user, user) && index-- == 0) return phone;
  return NULL;
}

/* "sip:1002@127.0.0.1:40001;…" → the phone behind that port. */
struct phone *phone_at(const char *address) {
  const char *host = strrchr(address, '@');
  const char *colon = strchr(host ? host : address, ':');
  int port = colon ? atoi(colon + 1) : 0;
  for (struct phone *phone = phones; phone; phone = phone->next)
    if (phone->port == port) return phone;
  return NULL;
}

/* ---- time ---- */

static int status_cause(int status) {
  static const int map[][2] = {{401, 21}, {402, 21}, {403, 21}, {404, 1},   {405, 63},  {406, 79},  {407, 21}, {408, 102},
                               {410, 22}, {413, 127}, {414, 127}, {415, 79}, {416, 127}, {420, 127}, {421, 127}, {423, 127},
                               {480, 18}, {481, 41}, {482, 25}, {483, 25}, {484, 28},  {485, 3},   {486, 17}, {487, 487},
                               {488, 88}, {500, 41}, {501, 79}, {502, 38}, {503, 41},  {504, 102}, {505, 127}, {513, 127},
                               {400, 41}, {600, 17}, {603, 21}, {604, 3},  {606, 88},  {607, 819}, {608, 21}};
  for (size_t i = 0; i < sizeof map / sizeof *map; i++)
    if (map[i][0] == status) return map[i][1];
  return CAUSE_NORMAL_UNSPECIFIED;
}

/* The other way round, for a caller who is refused. */
static int cause_status(int cause) {
  static const int map[][2] = {{1, 404}, {2, 404}, {3, 404}, {17, 486}, {18, 408}, {19, 480}, {20, 480}, {21, 603}, {22, 410},
                               {23, 410}, {25, 483}, {27, 502}, {28, 484}, {29, 501}, {34, 503}, {38, 503}, {41, 503}, {42, 503},
                               {44, 503}, {52, 403}, {54, 403}, {57, 403}, {58, 503}, {65, 488}, {69, 501}, {79, 501}, {88, 488},
                               {102, 504}, {487, 487}, {607, 607}, {808, 484}, {810, 484}, {811, 502}, {812, 484}};
  for (size_t i = 0; i < sizeof map / sizeof *map; i++)
    if (map[i][0] == cause) return map[i][1];
  return 480;
}

static void fail_leg(switch_core_session_t *session, int status) {
  char text[32];
  snprintf(text, sizeof text, "sip:%d", status);
  channel_set(session->channel, "proto_specific_hangup_cause", text);
  snprintf(text, sizeof text, "%d", status);
  channel_set(session->channel, "sip_term_status", text);
  channel_set(session->channel, "sip_invite_failure_status", text);
  snprintf(text, sizeof text, "%d", status_cause(status));
  channel_set(session->channel, "sip_term_cause", text);
  channel_hangup(session->channel, status_cause(status));
}

/* Contact number `nth`, "<sip:user@host;parameters>;q=1", as the variables that mod_sofia makes of it. */
static void redirect_variables(switch_channel_t *channel, const char *contact, int nth) {
  char name[64], *uri = strdup(contact), *scheme = strstr(uri, "sip:"), *user = scheme ? scheme + 4 : uri;
  user[strcspn(user, ">")] = 0;
  char *parameters = strchr(user, ';'), *host = strchr(user, '@');
  if (parameters) *parameters++ = 0;
  if (host) *host++ = 0, host[strcspn(host, ":")] = 0;
  const char *const parts[][2] = {{"", contact}, {"user_", user}, {"host_", host}, {"params_", parameters}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    snprintf(name, sizeof name, "sip_redirect_contact_%s%d", parts[i][0], nth);
    channel_set(channel, name, parts[i][1]);
  }
  if (!nth) channel_set(channel, "sip_redirected_to", contact);
  free(uri);
}

/* A redirection takes the caller along, unless it is to be fatal; then it is the leg's business alone. */
static void redirect_leg(switch_core_session_t *session, const struct reply *reply) {
  switch_channel_t *channel = session->channel;
  channel_set(channel, "sip_local_network_addr", "127.0.0.1");
  bool fatal_one = is_true(channel_get(channel, "outbound_redirect_fatal"));
  switch_core_session_t *caller = session_find(channel_get(channel, "originator"));
  char *copy = strdup(reply->contacts), *rest = copy, *contact;
  for (int nth = 0; (contact = strsep(&rest, "\n"));) {
    if (!*contact) continue;
    redirect_variables(channel, contact, nth);
    if (!fatal_one && caller) redirect_variables(caller->channel, contact, nth);
    nth++;
  }
  free(copy);
  const char *to = channel_get(channel, "sip_redirect_contact_user_0");
  if (fatal_one) {
    char status[16];
    snprintf(status, sizeof status, "sip:%d", reply->status);
    channel_set(channel, "proto_specific_hangup_cause", status);
    channel_hangup(channel, CAUSE_REQUESTED_CHAN_UNAVAIL);
  } else if (to && caller) {
    channel_transfer(caller->channel, to);
    channel_hangup(channel, CAUSE_REDIRECTION_TO_NEW_DESTINATION);
  } else {
    fail_leg(session, reply->status);
  }
}

static void act_on_session(struct timer *timer) {
  switch_channel_t *channel = timer->session->channel;
  switch (timer->step) {
    case STEP_CALLER_HANGUP:
      caller_told(timer->session, "gone");
      channel->left = true;
      /* A CANCEL is three signals: it came, the call's state, its end. */
      channel->unheard = channel->flags[CF_ANSWERED] ? 1 : 3;
      channel->unheard_cause = channel->flags[CF_ANSWERED] ? SWITCH_CAUSE_NORMAL_CLEARING : CAUSE_ORIGINATOR_CANCEL;
      for (int signals = channel->unheard; signals--;) session_signal(timer->session, SWITCH_SIG_BREAK);
      break;
    case STEP_KEY:
      session_key(timer->session, timer->key);
      break;
    case STEP_LEG_ANSWER:
      channel_answered(channel);
      break;
    default:
      channel_hangup(channel, timer->status);
  }
}

/* Where the switch does not touch the media, an answer is passed straight on. */
static void answer_for_proxy(switch_channel_t *channel) {
  if (!channel->flags[CF_PROXY_MODE]) return;
  switch_core_session_t *caller = session_find(channel_get(channel, "originator"));
  if (caller) channel_answer(caller->channel);
}

/* … and so is early media, whatever originate makes of it. */
static void early_for_proxy(switch_channel_t *channel) {
  if (!channel->flags[CF_PROXY_MODE]) return;
  switch_core_session_t *caller = session_find(channel_get(channel, "originator"));
  if (caller) channel_pre_answer(caller->channel);
}

/* Provisional replies without SDP are ringing if they say so (180), else nothing; with SDP they are early media. */
static void provisional(struct dialog *dialog, const struct reply *reply) {
  switch_channel_t *channel = dialog->session->channel;
  if (reply->status > 100) dialog->ringing = now_ms() - began_ms();
  if (reply->status == 180) channel_ringing(channel);
  if (reply->sdp == NO_SDP) return;
  channel_early(channel);
  early_for_proxy(channel);
}

/* An answer needs media, in it or before it. */
static bool usable(const struct phone *phone, const struct reply *answer) {
  if (answer->sdp != NO_SDP) return answer->sdp == GOOD_SDP;
  for (const struct reply *reply = phone->replies; reply != answer; reply = reply->next)
    if (reply->sdp == GOOD_SDP) return true;
  return false;
}

static void act(struct timer *timer) {
  struct dialog *dialog = timer->dialog;
  if (timer->session) {
    if (object_alive(timer->session, A_SESSION) && channel_up(timer->session->channel)) act_on_session(timer);
    return;
  }
  switch_core_session_t *session = dialog->session;
  if (timer->step == STEP_BYE && dialog->confirmed && session && !dialog->over) {
    session->core_locks++;
    channel_hangup(session->channel, SWITCH_CAUSE_NORMAL_CLEARING);
    session->core_locks--;
    return;
  }
  if (dialog->over || dialog->confirmed || !session) return;
  int64_t now = now_ms() - began_ms();
  session->core_locks++; /* the module's hooks are called meanwhile, and the leg may end */
  /* A leg that the switch is hanging up gets its CANCEL in a moment: the phone's reply
   * crosses it only if it is the final one. */
  switch (timer->step) {
    case STEP_RING:
      dialog->ringing = now;
      channel_ringing(session->channel);
      break;
    case STEP_MEDIA:
      dialog->ringing = now;
      channel_early(session->channel);
      early_for_proxy(session->channel);
      break;
    case STEP_ANSWER:
      dialog->answered = dialog->to = now;
      dialog->confirmed = true;
      dialog->status = 200;
      if (timer->reply && !usable(dialog->phone, timer->reply)) {
        /* An answer all the same on the wire, and the end of the leg: of the switch's for a wrong SDP, of the SIP stack's for none. */
        dialog->over = true;
        dialog->told = "Incompatible";
        if (timer->reply->sdp == NO_SDP) fail_leg(session, 500);
        else channel_hangup(session->channel, CAUSE_INCOMPATIBLE_DESTINATION);
        break;
      }
      if (timer->reply && timer->reply->next && !timer->reply->next->status && timer->reply->next->at == timer->reply->at) {
        /* Its BYE comes with it: the leg ends before its answer has come to anything. */
        dialog->over = true;
        dialog->told = "Joined";
        channel_set(session->channel, "proto_specific_hangup_cause", "sip:200");
        channel_hangup(session->channel, SWITCH_CAUSE_NORMAL_CLEARING);
        break;
      }
      channel_answered(session->channel);
      answer_for_proxy(session->channel);
      break;
    case STEP_REJECT:
      dialog->over = true;
      if (dialog->phone->does == STALE || dialog->phone->does == DEAD) {
        dialog->told = "Nothing";
      } else {
        dialog->told = "ItsOwn";
        dialog->status = timer->status;
      }
      dialog->to = now;
      /* Without credentials for a challenge the leg ends of the switch's own accord. */
      if (dialog->phone->does == CHALLENGES) channel_hangup(session->channel, CAUSE_MANDATORY_IE_MISSING);
      else fail_leg(session, timer->status);
      break;
    case STEP_REPLY:
      if (timer->reply->status < 200) {
        provisional(dialog, timer->reply);
        break;
      }
      dialog->over = true;
      dialog->told = "ItsOwn";
      dialog->status = timer->reply->status;
      dialog->to = now;
      if (dialog->status >= 300 && dialog->status < 400) redirect_leg(session, timer->reply);
      else fail_leg(session, dialog->status);
      break;
    default:
      break;
  }
  session->core_locks--;
}

static void *wire(void *nothing) {
  (void)nothing;
  big_lock();
  for (;;) {
    int64_t now = now_ms();
    if (timers && timers->at <= now) {
      struct timer *timer = timers;
      timers = timer->next;
      act(timer);
      free(timer);
      big_changed();
      continue;
    }
    int64_t pause = timers ? timers->at - now : 1000;
    big_wait(pause < 1000 ? (int)pause : 1000);
  }
  return NULL;
}

static struct timer *later(int64_t after, enum step step) {
  if (!started) {
    pthread_t thread;
    started = true;
    if (pthread_create(&thread, NULL, wire, NULL)) fatal("stand-in", "no thread");
    pthread_detach(thread);
  }
  struct timer *timer = calloc(1, sizeof *timer);
  timer->at = now_ms() + after;
  timer->step = step;
  struct timer **place = &timers;
  while (*place && (*place)->at <= timer->at) place = &(*place)->next;
  timer->next = *place;
  *place = timer;
  big_changed();
  return timer;
}

/* ---- legs on the wire ---- */

static void headers_of(struct dialog *dialog, switch_channel_t *channel) {
  dialog->headers = event_new(SWITCH_EVENT_CHANNEL_DATA);
  event_add(dialog->headers, "From-User", channel->profile->caller_id_number);
  event_add(dialog->headers, "From-Name", channel->profile->caller_id_name);
  /* What a gateway has made of the From, if it says more than the profile does. */
  const char *full = channel_get(channel, "sip_force_full_from"), *host = channel_get(channel, "sip_invite_domain");
  if (full) event_add(dialog->headers, "From", full);
  if (host) event_add(dialog->headers, "From-Host", host);
  const char *forwards = channel_get(channel, "max_forwards");
  if (forwards) event_add(dialog->headers, "Max-Forwards", forwards);
  for (struct header *variable = channel->variables->headers; variable; variable = variable->next)
    if (!strncasecmp(variable->name, "sip_h_", 6)) event_add(dialog->headers, variable->name + 6, variable->value);
}

void wire_invite(switch_core_session_t *session, struct phone *phone) {
  struct dialog *dialog = session->dialog;
  /* Where a network card would need its time. */
  const int64_t wire_ms = 1;
  dialog->from = now_ms() - began_ms();
  dialog->to = dialog->ringing = dialog->answered = -1;
  snprintf(dialog->uuid, sizeof dialog->uuid, "%s", session->uuid);
  headers_of(dialog, session->channel);
  struct timer *final;
  switch (phone->does) {
    case ANSWERS:
      later(wire_ms, STEP_RING)->dialog = dialog;
      later(phone->after + wire_ms, STEP_ANSWER)->dialog = dialog;
      break;
    case RINGS:
      later(wire_ms, STEP_RING)->dialog = dialog;
      break;
    case RINGS_THEN_REJECTS:
      later(wire_ms, STEP_RING)->dialog = dialog;
      final = later(phone->after + wire_ms, STEP_REJECT);
      final->dialog = dialog;
      final->status = phone->status;
      break;
    case REJECTS:
      final = later(phone->after + wire_ms, STEP_REJECT);
      final->dialog = dialog;
      final->status = phone->status;
      break;
    case ANNOUNCES:
      later(wire_ms, STEP_MEDIA)->dialog = dialog;
      break;
    case ANNOUNCES_THEN_ANSWERS:
      later(wire_ms, STEP_MEDIA)->dialog = dialog;
      later(phone->after + wire_ms, STEP_ANSWER)->dialog = dialog;
      break;
    case ANNOUNCES_THEN_REJECTS:
      later(wire_ms, STEP_MEDIA)->dialog = dialog;
      final = later(phone->after + wire_ms, STEP_REJECT);
      final->dialog = dialog;
      final->status = phone->status;
      break;
    case DEAD:
      final = later(32000, STEP_REJECT); /* SIP's timer B */
      final->dialog = dialog;
      final->status = 408;
      break;
    case STALE:
      final = later(wire_ms, STEP_REJECT); /* the port is closed: ICMP says so at once */
      final->dialog = dialog;
      final->status = 503;
      break;
    case SAYS:
      for (const struct reply *reply = phone->replies; reply; reply = reply->next) {
        struct timer *timer = later(reply->at + wire_ms, reply->status == 200 ? STEP_ANSWER : reply->status ? STEP_REPLY : STEP_BYE);
        timer->dialog = dialog;
        timer->reply = reply;
      }
      break;
    case CHALLENGES:
      /* Whoever has credentials calls again within the same leg. */
      if (channel_get(session->channel, "sip_auth_username")) {
        later(wire_ms, STEP_RING)->dialog = dialog;
        later(phone->after + wire_ms, STEP_ANSWER)->dialog = dialog;
        break;
      }
      final = later(wire_ms, STEP_REJECT);
      final->dialog = dialog;
      final->status = phone->status;
      break;
  }
}

static void reason_of(int cause, char *reason, size_t size) {
  if (cause == CAUSE_LOSE_RACE || cause == CAUSE_PICKED_OFF) snprintf(reason, size, "SIP;cause=200;text=\"Call completed elsewhere\"");
  else snprintf(reason, size, "%s;cause=%d;text=\"%s\"", cause < 128 ? "Q.850" : "SIP", cause, cause_name(cause));
}

/* What the switch sends when a leg hangs up: nothing, BYE or CANCEL with its Reason. */
void wire_hangup(switch_core_session_t *session) {
  struct dialog *dialog = session->dialog;
  if (!dialog) return;
  dialog->session = NULL;
  if (dialog->over) return;
  int cause = session->channel->cause;
  dialog->over = true;
  if (!dialog->headers) return; /* hung up before its INVITE went out */
  reason_of(cause, dialog->reason, sizeof dialog->reason);
  if (dialog->confirmed) {
    /* An acknowledged answer is a call for the phone, unless its BYE says otherwise. */
    dialog->told = cause == CAUSE_LOSE_RACE ? "TooLate" : "Joined";
    return;
  }
  dialog->to = now_ms() - began_ms();
  switch (dialog->phone->does) {
    case DEAD:
    case STALE:
      dialog->told = "Nothing";
      return;
    default:
      dialog->told = cause == CAUSE_LOSE_RACE           ? "Elsewhere"
                     : cause == CAUSE_NO_ANSWER         ? "NoAnswer"
                     : cause == CAUSE_ORIGINATOR_CANCEL ? "CallerGone"
                                                        : "Unclear";
  }
}

void wire_joined(switch_core_session_t *session) {
  struct dialog *dialog = session->dialog;
  if (!dialog) return;
  snprintf(joined, sizeof joined, "%s", dialog->phone->name);
  dialog->joined = true;
}

struct dialog *wire_dialog(switch_core_session_t *session, struct phone *phone) {
  struct dialog *dialog = calloc(1, sizeof *dialog);
  dialog->phone = phone;
  dialog->session = session;
  *diary_end = dialog;
  diary_end = &dialog->next;
  return dialog;
}

/* ---- the caller on the wire ---- */

void caller_told(switch_core_session_t *session, const char *what) {
  text_format(&caller_diary, "C\x1f%s\x1f%s\x1f%lld\x1e", session->uuid, what, (long long)(now_ms() - began_ms()));
}

/* The final reply to a caller who was not answered: of his channel's cause, unless the last leg had a status of its own. */
void caller_refused(switch_core_session_t *session) {
  switch_channel_t *channel = session->channel;
  if (channel->direction != SWITCH_CALL_DIRECTION_INBOUND || channel->flags[CF_ANSWERED]) return;
  char status[16], reason[96] = "";
  const char *of_leg = channel_get(channel, "last_bridge_proto_specific_hangup_cause");
  const char *ignored = channel_get(channel, "sip_ignore_remote_cause");
  if (channel->left) { /* his CANCEL was replied to when it came */
    snprintf(status, sizeof status, "487");
  } else {
    snprintf(status, sizeof status, "%d", cause_status(channel->cause));
    if (of_leg && !strncmp(of_leg, "sip:", 4) && !is_true(ignored)) snprintf(status, sizeof status, "%s", of_leg + 4);
    if (atoi(status) < 300) snprintf(status, sizeof status, "500"); /* the SIP stack answers nobody without media */
    reason_of(channel->cause, reason, sizeof reason);
  }
  text_format(&caller_diary, "C\x1f%s\x1f%s\x1f%lld\x1f%s\x1e", session->uuid, status, (long long)(now_ms() - began_ms()), reason);
}

static struct timer *for_session(switch_core_session_t *session, int64_t after, enum step step) {
  struct timer *timer = later(after, step);
  timer->session = session;
  return timer;
}

void wire_hang_up_caller(switch_core_session_t *session, int64_t after) { for_session(session, after, STEP_CALLER_HANGUP); }

/* Legs without a phone: what is behind loopback. */
void wire_answer_leg(switch_core_session_t *session, int64_t after) { for_session(session, after, STEP_LEG_ANSWER); }

void wire_hang_up_leg(switch_core_session_t *session, int cause) { for_session(session, 1, STEP_LEG_HANGUP)->status = cause; }

void standin_caller_presses(switch_core_session_t *caller, char key, int64_t after) {
  big_lock();
  for_session(caller, after, STEP_KEY)->key = key;
  big_unlock();
}

/* ---- for the tests ---- */

char *standin_diary(void) {
  struct text out = {0};
  text_add(&out, "");
  big_lock();
  for (struct dialog *dialog = diary; dialog; dialog = dialog->next) {
    if (!dialog->headers || dialog->phone->does == STALE) continue; /* nothing reached a phone */
    const char *told = dialog->told ? dialog->told : dialog->confirmed && dialog->joined ? "Joined" : "Unclear";
    text_format(&out, "R\x1f%s\x1f%lld\x1f%lld\x1f%lld\x1f%lld\x1f%s\x1f%d\x1f%s", dialog->phone->name, (long long)dialog->from,
                (long long)dialog->ringing, (long long)dialog->answered, (long long)dialog->to, told, dialog->status,
                dialog->reason);
    for (struct header *header = dialog->headers->headers; header; header = header->next)
      text_format(&out, "\x1f%s\x1d%s", header->name, header->value);
    text_add(&out, "\x1e");
  }
  if (*joined) text_format(&out, "J\x1f%s\x1e", joined);
  if (caller_diary.data) text_add(&out, caller_diary.data);
  big_unlock();
  return out.data;
}

/* Forget the phones and their diary: the next scenario starts with an empty world. */
void standin_forget(void) {
  big_lock();
  for (struct timer *timer = timers, *next; timer; timer = next) {
    next = timer->next;
    free(timer);
  }
  timers = NULL;
  for (struct dialog *dialog = diary, *next; dialog; dialog = next) {
    next = dialog->next;
    if (dialog->session) fatal("stand-in", "a leg outlives its scenario");
    if (dialog->headers) event_free(dialog->headers);
    free(dialog);
  }
  diary = NULL;
  diary_end = &diary;
  for (struct phone *phone = phones, *next; phone; phone = next) {
    next = phone->next;
    for (struct reply *reply = phone->replies, *after; reply; reply = after) {
      after = reply->next;
      free(reply->contacts);
      free(reply);
    }
    free(phone);
  }
  phones = NULL;
  *joined = 0;
  free(caller_diary.data);
  memset(&caller_diary, 0, sizeof caller_diary);
  big_unlock();
}
