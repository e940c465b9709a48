/*
 * The stand-in for libfreeswitch: what its parts share, and what the tests may ask of it.
 * Every object the module can hold is registered; a call with NULL, with an unknown object
 * or with one already released ends the process with a message that names the function.
 */
#ifndef MOD_CTI_STANDIN_H
#define MOD_CTI_STANDIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../include/freeswitch_api.h"

/* Numbers of FreeSWITCH that only the switch's own side needs. */
enum {
  CS_INIT = 1,
  CS_SOFT_EXECUTE = 3,
  CS_EXCHANGE_MEDIA = 5,
  CS_PARK = 6,
  CS_CONSUME_MEDIA = 7,
  CS_HIBERNATE = 8,
  CS_RESET = 9
};
enum {
  FLAG_BLOCK_STATE = 200, /* flags that the module never names, under numbers of our own */
  FLAG_INTERCEPTED,
  FLAGS
};
enum {
  CAUSE_UNALLOCATED_NUMBER = 1,
  CAUSE_NO_ROUTE_DESTINATION = 3,
  CAUSE_USER_BUSY = 17,
  CAUSE_NO_USER_RESPONSE = 18,
  CAUSE_NO_ANSWER = 19,
  CAUSE_SUBSCRIBER_ABSENT = 20,
  CAUSE_CALL_REJECTED = 21,
  CAUSE_REDIRECTION_TO_NEW_DESTINATION = 23,
  CAUSE_EXCHANGE_ROUTING_ERROR = 25,
  CAUSE_DESTINATION_OUT_OF_ORDER = 27,
  CAUSE_NORMAL_UNSPECIFIED = 31,
  CAUSE_NORMAL_TEMPORARY_FAILURE = 41,
  CAUSE_REQUESTED_CHAN_UNAVAIL = 44,
  CAUSE_CHAN_NOT_IMPLEMENTED = 66,
  CAUSE_INCOMPATIBLE_DESTINATION = 88,
  CAUSE_MANDATORY_IE_MISSING = 96,
  CAUSE_RECOVERY_ON_TIMER_EXPIRE = 102,
  CAUSE_ORIGINATOR_CANCEL = 487,
  CAUSE_LOSE_RACE = 702,
  CAUSE_MANAGER_REQUEST = 703,
  CAUSE_ATTENDED_TRANSFER = 801,
  CAUSE_ALLOTTED_TIMEOUT = 802,
  CAUSE_PICKED_OFF = 805,
  CAUSE_USER_NOT_REGISTERED = 806,
  CAUSE_PROGRESS_TIMEOUT = 807,
  CAUSE_INVALID_PROFILE = 811,
  CAUSE_INVALID_GATEWAY = 812
};
enum {
  EVENT_CHANNEL_CREATE = 2,
  EVENT_CHANNEL_DESTROY = 3,
  EVENT_CHANNEL_HANGUP = 7,
  EVENT_CHANNEL_HANGUP_COMPLETE = 8,
  EVENT_CHANNEL_BRIDGE = 13,
  EVENT_CHANNEL_UNBRIDGE = 14,
  EVENT_CHANNEL_OUTGOING = 17,
  EVENT_CHANNEL_ORIGINATE = 21,
  EVENT_ALL = 91
};

/* ---- registered objects (object.c) -------------------------------------- */

enum kind {
  A_SESSION, A_CHANNEL, AN_EVENT, A_BINDING, A_DIAL_HANDLE, A_LEG_LIST, A_LEG, AN_XML_TREE, AN_XML_NODE, A_PROFILE,
  A_RWLOCK, A_MUTEX, A_POOL, A_MODULE, AN_INTERFACE, AN_ENDPOINT, A_STREAM
};

/* One lock for the whole stand-in; never held while the module's code runs. */
void big_lock(void);
void big_unlock(void);
/* Wait for any change, at most this long; the lock is held before and after. */
void big_wait(int milliseconds);
void big_changed(void);

void fatal(const char *function, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
void *object_new(enum kind kind, size_t size);
void object_check(const void *object, enum kind kind, const char *function);
bool object_alive(const void *object, enum kind kind);
void object_end(void *object, enum kind kind);
size_t object_count(enum kind kind);
void object_each(enum kind kind, void (*visit)(void *object, void *data), void *data);
void need(const void *pointer, const char *function, const char *what);

/* A string given away: the module frees it with free(). */
char *give_string(const char *text, const char *function);

/* Around a callback of the module's: this thread is the host's, and whatever it waits for waits for the whole switch. */
void host_enter(const char *callback);
void host_leave(void);
/* What runs applications, looks things up or plays: never on a thread of the host's, nor on the module's own timer. */
void may_wait(const char *function);

/* Growing text for reports and expansions. */
struct text {
  char *data;
  size_t length;
};
void text_add(struct text *text, const char *more);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct fspr_pool_t {
  struct pool_block *blocks;
};
switch_memory_pool_t *pool_new(void);
void pool_end(switch_memory_pool_t *pool);
void *pool_alloc(switch_memory_pool_t *pool, size_t size);
char *pool_copy(switch_memory_pool_t *pool, const char *text);
bool pool_holds(const switch_memory_pool_t *pool, const void *address);

struct fspr_thread_rwlock_t {
  int readers;
  bool writer;
  const char *of;
};
struct fspr_thread_mutex_t {
  pthread_t holder;
  int held;
};
switch_thread_rwlock_t *rwlock_new(const char *of);
switch_mutex_t *mutex_new(void);

/* Where threads may meet in any order: a random pause, if the test asks for it; the lock is let go of. */
void jitter(void);

int64_t now_us(void);  /* since the epoch, as timetables count */
int64_t now_ms(void);  /* monotonic */
int64_t began_ms(void);
bool is_true(const char *text);
bool is_empty(const char *text);

/* ---- events (event.c) ---------------------------------------------------- */

struct header {
  char *name, *value;
  char **items;
  int count;
  struct header *next;
};
struct switch_event {
  int id;
  char *subclass, *body;
  struct header *headers, *last;
  bool unique;
  bool modules;     /* belongs to the module, which must fire or destroy it */
  bool delivering;  /* lent to a callback on `reader` */
  pthread_t reader;
  struct switch_event *next;
};
switch_event_t *event_new(int id);
void event_free(switch_event_t *event);
void event_add(switch_event_t *event, const char *name, const char *value);
void event_push(switch_event_t *event, const char *name, const char *value);
void event_delete(switch_event_t *event, const char *name);
const char *event_get(switch_event_t *event, const char *name);
struct header *event_find(switch_event_t *event, const char *name);
void event_merge(switch_event_t *into, switch_event_t *from);
switch_event_t *event_copy(switch_event_t *event);
void event_fire(switch_event_t *event);
void event_check(switch_event_t *event, const char *function);
void event_report(struct text *report);
bool events_idle(void);

/* ---- channels and sessions (channel.c, session.c) ------------------------- */

enum { MAX_TABLES = 30 };
struct table {
  const switch_state_handler_table_t *table;
  switch_state_handler_table_t as_added;
};
struct switch_channel {
  switch_core_session_t *session;
  switch_event_t *variables;
  int state, running_state;
  int cause;
  bool hangup_claimed;
  bool left; /* this side hangs up by itself */
  int unheard, unheard_cause; /* signals of a hangup that the session's own thread has not taken in yet */
  uint32_t flags[FLAGS];
  switch_caller_profile_t *profile;
  switch_call_direction_t direction;
  char *name;
  char keys[32];
  int key_count;
};
struct switch_core_session {
  switch_channel_t *channel; /* first: the address of the uuid must not be that of the session */
  char uuid[64];
  switch_memory_pool_t *pool;
  int module_locks, core_locks;
  pthread_t thread;
  bool launched, destroyed, is_caller, originating;
  struct table tables[MAX_TABLES];
  int table_count;
  struct dialog *dialog;
  const char *driver;
  int64_t stays_joined; /* how long the scenario's caller talks; -1: until somebody else ends it */
  switch_core_session_t *signal_peer;
  switch_receive_message_hook_t on_message; /* the module's hooks */
  switch_kill_channel_hook_t on_signal;
  int64_t codec_from; /* a leg in early media can be read from then on */
  bool broken;  /* the next read, or the one under way, ends at once */
  bool reading;
  switch_core_session_t *next;
};
switch_core_session_t *session_new(const char *driver, switch_call_direction_t direction);
switch_core_session_t *session_find(const char *uuid);
bool session_rename(switch_core_session_t *session, const char *uuid);
void session_add_table(switch_core_session_t *session, const switch_state_handler_table_t *table);
void session_launch(switch_core_session_t *session);
void session_run(switch_core_session_t *session);
void session_check(switch_core_session_t *session, const char *function);
bool session_has_codec(const switch_core_session_t *session);
void session_report(struct text *report);
void session_delay(int milliseconds);
void event_delay(int milliseconds);
void session_key(switch_core_session_t *session, char digit);
void session_end(switch_core_session_t *session);
/* The module's hooks, called as by the switch: the lock is let go of meanwhile. */
void session_message(switch_core_session_t *session, switch_core_session_message_types_t message);
void session_signal(switch_core_session_t *session, switch_signal_t signal);
void hear_all(switch_channel_t *channel);

const char *channel_get(switch_channel_t *channel, const char *name);
void channel_set(switch_channel_t *channel, const char *name, const char *value);
bool channel_ready(switch_channel_t *channel);
bool channel_up(switch_channel_t *channel);
void channel_hangup(switch_channel_t *channel, int cause);
void channel_answered(switch_channel_t *channel);
void channel_ringing(switch_channel_t *channel);
void channel_early(switch_channel_t *channel);
bool channel_answer(switch_channel_t *channel);
bool channel_pre_answer(switch_channel_t *channel);
bool channel_ring_ready(switch_channel_t *channel);
void channel_event(switch_channel_t *channel, int id);
switch_event_t *channel_event_new(switch_channel_t *channel, int id);
void channel_export(switch_channel_t *channel, switch_event_t *into, switch_channel_t *peer, const char *list_name);
void channel_import(switch_channel_t *caller, switch_channel_t *peer, const char *list_name, const char *prefix);
void channel_pass_callee(switch_channel_t *from, switch_channel_t *to);
void channel_handle_cause(switch_channel_t *channel, int cause);
void channel_transfer(switch_channel_t *channel, const char *to);
char *channel_key(switch_channel_t *channel);
void channel_run_hooks(switch_channel_t *channel, const char *prefix);
const char *cause_name(int cause);
int cause_number(const char *name);
/* A cause as the module is given it, and one that it gives. */
switch_call_cause_t cause_out(int cause);
int cause_in(switch_call_cause_t given);
void causes_are_old(bool old);
switch_caller_profile_t *profile_copy(switch_memory_pool_t *pool, switch_caller_profile_t *from);
switch_caller_profile_t *profile_new(switch_memory_pool_t *pool);
void profiles_end(switch_memory_pool_t *pool);
const char *profile_get(switch_caller_profile_t *profile, const char *name);

/* Expansion of ${…} for a channel, or for the headers of an event. */
char *expand(switch_channel_t *channel, switch_event_t *event, const char *in, int depth);
bool needs_expansion(const char *in);

/* ---- the directory and the phones (directory.c, phone.c) ------------------ */

enum behaviour { ANSWERS, RINGS, REJECTS, RINGS_THEN_REJECTS, ANNOUNCES, ANNOUNCES_THEN_ANSWERS, ANNOUNCES_THEN_REJECTS,
                 DEAD, STALE, SAYS, CHALLENGES };
/* One of the replies that a phone which SAYS has; Contacts of a redirection, one a line. */
enum sdp { NO_SDP, GOOD_SDP, UNUSABLE_SDP };
struct reply {
  int64_t at;
  int status; /* 0: it hangs up what it has answered */
  enum sdp sdp;
  char *contacts;
  struct reply *next;
};
struct phone {
  char name[64], user[64], contact[200];
  int port;
  enum behaviour does;
  int status;
  int64_t after;
  struct reply *replies;
  struct phone *next;
};
struct dialog {
  struct phone *phone;
  switch_core_session_t *session;
  char uuid[64];
  int64_t from, ringing, answered, to;
  bool over, confirmed, joined;
  const char *told;
  char reason[96];
  int status;
  switch_event_t *headers;
  struct dialog *next;
};
struct phone *phone_at(const char *address);
struct phone *phone_of(const char *user, int index);
struct dialog *wire_dialog(switch_core_session_t *session, struct phone *phone);
void wire_invite(switch_core_session_t *session, struct phone *phone);
void wire_hangup(switch_core_session_t *session);
void wire_joined(switch_core_session_t *session);
void wire_hang_up_caller(switch_core_session_t *session, int64_t after);
void wire_answer_leg(switch_core_session_t *session, int64_t after);
void wire_hang_up_leg(switch_core_session_t *session, int cause);
void caller_told(switch_core_session_t *session, const char *what);
void caller_refused(switch_core_session_t *session);
const char *directory_domain(void);
const char *directory_dial_string(const char *user);
bool directory_has_user(const char *user, const char *domain);
char *directory_function(switch_channel_t *channel, switch_event_t *event, const char *name, const char *argument);
const char *global_variable(const char *name);
switch_endpoint_interface_t *endpoint_find(const char *name);
switch_endpoint_interface_t *module_endpoint(const char *name); /* one that the module has registered */
int dial_peers(switch_dial_handle_t *handle, int list, char **strings, switch_event_t **variables);
int dial_lists(switch_dial_handle_t *handle);
switch_event_t *dial_globals(switch_dial_handle_t *handle);
void dial_use(switch_dial_handle_t *handle, const char *function);

/* Make one outgoing channel, as an endpoint does; CAUSE SUCCESS and *made, or why not. */
int outgoing(switch_core_session_t *session, switch_event_t *variables, const char *type, switch_caller_profile_t *profile,
             uint32_t overrides, switch_core_session_t **made);
enum { OWN_NAME = 1, OWN_NUMBER = 2, OWN_ANI = 4 };

void report_endpoints(struct text *report);
void endpoint_unlocking(const switch_thread_rwlock_t *lock);
bool load_fails(void);
void report_modules(struct text *report, bool loaded);
void event_report_unloaded(struct text *report);
switch_application_function_t application_enter(const char *name, switch_application_interface_t **entered);
void application_leave(switch_application_interface_t *application);

/* ---- what the tests call --------------------------------------------------- */

void standin_begin(void);
const char *standin_load(const char *path);
bool standin_fail(int nth);
void standin_version(const char *full);
const char *standin_unload(bool force);
void standin_add_phone(const char *name, const char *user, int does, int status, int64_t after);
void standin_phone_says(const char *name, int64_t at, int status, int sdp, const char *contacts);
char *standin_phone_place(const char *name);
void standin_add_loopback(const char *extension, int64_t after, const char *cause);
void standin_add_group(const char *name, const char *users);
void standin_add_user_item(const char *user, const char *kind, const char *name, const char *value);
void standin_forget_contacts(void);
void standin_set_config(const char *name, const char *value);
void standin_set_global(const char *name, const char *value);
switch_core_session_t *standin_caller(const char *number, const char *name, bool answered);
void standin_caller_variable(switch_core_session_t *caller, const char *name, const char *value);
void standin_caller_hangs_up(switch_core_session_t *caller, int64_t after, int64_t after_join);
void standin_caller_presses(switch_core_session_t *caller, char key, int64_t after);
void standin_run_without_session(const char *application, const char *data);
void standin_jitter(int milliseconds, unsigned seed);
void standin_clock_ahead(int seconds); /* the switch's clock, of the system's */
void standin_delay(int legs_ms, int events_ms);
void standin_stray_leg(const char *user, const char *variable, const char *value);
bool standin_run(switch_core_session_t *caller, const char *application, const char *data);
char *standin_finish(switch_core_session_t *caller);
char *standin_api(const char *command, const char *arguments, bool with_stream);
char *standin_complete(const char *function, const char *line, const char *cursor);
char *standin_completions(void);
char *standin_diary(void);
char *standin_log(void);
char *standin_events(void);
char *standin_leftovers(bool module_loaded);
bool standin_quiet(int milliseconds);
void standin_forget(void);
void standin_release(char *text);

#endif
