/*
 * The part of FreeSWITCH's C API that mod_cti calls, declared in our own words
 * for machines that have no FreeSWITCH headers. Names, numbers and field order
 * are facts of FreeSWITCH 1.10.12 and 1.11.2; `tests/layout.rs` compares them
 * with the real headers wherever those are found.
 */
#ifndef MOD_CTI_FREESWITCH_API_H
#define MOD_CTI_FREESWITCH_API_H

#include <stddef.h>
#include <stdint.h>

#define SWITCH_API_VERSION 5

/* ---- numbers ---------------------------------------------------------- */

typedef enum { SWITCH_FALSE = 0, SWITCH_TRUE = 1 } switch_bool_t;

typedef enum {
  SWITCH_STATUS_SUCCESS = 0,
  SWITCH_STATUS_FALSE = 1,
  SWITCH_STATUS_GENERR = 9,
  SWITCH_STATUS_INUSE = 10,
  SWITCH_STATUS_BREAK = 11,
  SWITCH_STATUS_NOUNLOAD = 16,
  SWITCH_STATUS_TOO_SMALL = 18,
  SWITCH_STATUS_TERM = 21
} switch_status_t;

typedef enum {
  SWITCH_LOG_DISABLE = -1,
  SWITCH_LOG_CONSOLE = 0,
  SWITCH_LOG_ALERT = 1,
  SWITCH_LOG_CRIT = 2,
  SWITCH_LOG_ERROR = 3,
  SWITCH_LOG_WARNING = 4,
  SWITCH_LOG_NOTICE = 5,
  SWITCH_LOG_INFO = 6,
  SWITCH_LOG_DEBUG = 7
} switch_log_level_t;

typedef enum { SWITCH_CHANNEL_ID_LOG = 0 } switch_text_channel_t;

typedef enum { SWITCH_STACK_BOTTOM = 1 } switch_stack_t;

typedef enum {
  SWITCH_ENDPOINT_INTERFACE = 0,
  SWITCH_APPLICATION_INTERFACE = 4,
  SWITCH_API_INTERFACE = 5
} switch_module_interface_name_t;

typedef enum { SAF_SUPPORT_NOMEDIA = 1, SAF_SUPPORT_TEXT_ONLY = 32 } switch_application_flag_enum_t;
typedef enum { SMODF_NONE = 0 } switch_module_flag_enum_t;
typedef uint32_t switch_module_flag_t;
typedef enum { SOF_NOBLOCK = 1 } switch_originate_flag_enum_t;
typedef uint32_t switch_originate_flag_t;

typedef enum {
  SWITCH_EVENT_CUSTOM = 0,
  SWITCH_EVENT_CHANNEL_ANSWER = 6,
  SWITCH_EVENT_CHANNEL_PROGRESS = 15,
  SWITCH_EVENT_CHANNEL_PROGRESS_MEDIA = 16,
  SWITCH_EVENT_REQUEST_PARAMS = 62,
  SWITCH_EVENT_CHANNEL_DATA = 63
} switch_event_types_t;

typedef enum {
  CS_NEW = 0,
  CS_ROUTING = 2,
  CS_EXECUTE = 4,
  CS_HANGUP = 10,
  CS_REPORTING = 11,
  CS_DESTROY = 12
} switch_channel_state_t;

typedef enum {
  CF_ANSWERED = 1,
  CF_EARLY_MEDIA = 3,
  CF_TRANSFER = 6,
  CF_REDIRECT = 8,
  CF_BRIDGED = 9,
  CF_SERVICE = 12,
  CF_TAGGED = 13,
  CF_PROXY_MODE = 17,
  CF_RING_READY = 22,
  CF_BREAK = 23,
  CF_ORIGINATING = 30,
  CF_PROXY_MEDIA = 32,
  CF_ORIGINATOR = 43,
  CF_XFER_ZOMBIE = 44,
  CF_DISABLE_RINGBACK = 47,
  CF_BYPASS_MEDIA_AFTER_BRIDGE = 51,
  CF_LAZY_ATTENDED_TRANSFER = 67,
  CF_INTERCEPTED = 72
} switch_channel_flag_t;

typedef enum { SWITCH_RING_READY_RINGING = 1 } switch_ring_ready_t;
typedef enum { SWITCH_SIG_NONE = 0, SWITCH_SIG_KILL = 1, SWITCH_SIG_XFER = 2, SWITCH_SIG_BREAK = 3 } switch_signal_t;
typedef enum { SWITCH_IO_FLAG_NONE = 0 } switch_io_flag_enum_t;
typedef uint32_t switch_io_flag_t;

typedef enum {
  SWITCH_MESSAGE_ANSWER_EVENT = 54,
  SWITCH_MESSAGE_PROGRESS_EVENT = 55,
  SWITCH_MESSAGE_RING_EVENT = 56
} switch_core_session_message_types_t;

typedef enum {
  SWITCH_CAUSE_NONE = 0,
  SWITCH_CAUSE_NORMAL_CLEARING = 16,
  SWITCH_CAUSE_SUCCESS = 142
} switch_call_cause_t;

/* ---- things the switch owns ------------------------------------------- */

typedef struct switch_core_session switch_core_session_t;
typedef struct switch_channel switch_channel_t;
typedef struct switch_event switch_event_t;
typedef struct switch_event_node switch_event_node_t;
typedef struct switch_dial_handle_s switch_dial_handle_t;
typedef struct switch_dial_leg_list_s switch_dial_leg_list_t;
typedef struct switch_dial_leg_s switch_dial_leg_t;
typedef struct fspr_pool_t switch_memory_pool_t;
typedef struct fspr_thread_rwlock_t switch_thread_rwlock_t;
typedef struct fspr_thread_mutex_t switch_mutex_t;
typedef struct switch_console_callback_match switch_console_callback_match_t;
typedef struct profile_node_s profile_node_t;
typedef struct switch_caller_extension switch_caller_extension_t;
typedef struct switch_io_routines switch_io_routines_t;
typedef struct switch_frame switch_frame_t;
typedef struct switch_codec switch_codec_t;
typedef struct cJSON cJSON;
typedef size_t switch_size_t;
typedef int64_t switch_time_t;

typedef struct switch_loadable_module_interface switch_loadable_module_interface_t;
typedef struct switch_state_handler_table switch_state_handler_table_t;
typedef struct switch_stream_handle switch_stream_handle_t;
typedef struct switch_application_interface switch_application_interface_t;
typedef struct switch_api_interface switch_api_interface_t;
typedef struct switch_endpoint_interface switch_endpoint_interface_t;
typedef struct switch_caller_profile switch_caller_profile_t;
typedef struct switch_channel_timetable switch_channel_timetable_t;

/* ---- callbacks -------------------------------------------------------- */

typedef enum { SWITCH_INPUT_TYPE_DTMF = 0 } switch_input_type_t;
typedef enum { DTMF_FLAG_SKIP_PROCESS = 1 } dtmf_flag_t;
typedef struct {
  char digit;
  uint32_t duration;
  int32_t flags;
  uint32_t source;
} switch_dtmf_t;

typedef void (*switch_application_function_t)(switch_core_session_t *, const char *);
typedef switch_status_t (*switch_api_function_t)(const char *, switch_core_session_t *, switch_stream_handle_t *);
typedef switch_status_t (*switch_state_handler_t)(switch_core_session_t *);
/* Only how it begins: the switch alone makes one. */
typedef struct switch_core_session_message {
  char *from;
  switch_core_session_message_types_t message_id;
} switch_core_session_message_t;
typedef switch_status_t (*switch_receive_message_hook_t)(switch_core_session_t *, switch_core_session_message_t *);
typedef switch_status_t (*switch_kill_channel_hook_t)(switch_core_session_t *, int);
typedef void (*switch_event_callback_t)(switch_event_t *);
typedef switch_status_t (*switch_console_complete_callback_t)(const char *, const char *,
                                                              switch_console_callback_match_t **);
typedef switch_status_t (*switch_input_callback_function_t)(switch_core_session_t *, void *, switch_input_type_t,
                                                            void *, unsigned int);
typedef uint8_t *(*switch_stream_handle_read_function_t)(switch_stream_handle_t *, int *);
typedef switch_status_t (*switch_stream_handle_write_function_t)(switch_stream_handle_t *, const char *, ...);
typedef switch_status_t (*switch_stream_handle_raw_write_function_t)(switch_stream_handle_t *, uint8_t *,
                                                                     switch_size_t);
typedef switch_status_t (*switch_module_load_t)(switch_loadable_module_interface_t **, switch_memory_pool_t *);
typedef switch_status_t (*switch_module_runtime_t)(void);
typedef switch_status_t (*switch_module_shutdown_t)(void);
typedef int (*switch_core_recover_callback_t)(switch_core_session_t *);

/* ---- structures whose fields we read or fill --------------------------- */

typedef struct switch_loadable_module_function_table {
  int switch_api_version;
  switch_module_load_t load;
  switch_module_shutdown_t shutdown;
  switch_module_runtime_t runtime;
  switch_module_flag_t flags;
} switch_loadable_module_function_table_t;

struct switch_loadable_module_interface {
  const char *module_name;
  void *tables[17]; /* one list for each kind of interface; never read by us */
  switch_thread_rwlock_t *rwlock;
  int refs;
  switch_memory_pool_t *pool;
};

struct switch_state_handler_table {
  switch_state_handler_t on_init;
  switch_state_handler_t on_routing;
  switch_state_handler_t on_execute;
  switch_state_handler_t on_hangup;
  switch_state_handler_t on_exchange_media;
  switch_state_handler_t on_soft_execute;
  switch_state_handler_t on_consume_media;
  switch_state_handler_t on_hibernate;
  switch_state_handler_t on_reset;
  switch_state_handler_t on_park;
  switch_state_handler_t on_reporting;
  switch_state_handler_t on_destroy;
  int flags;
  void *padding[10];
};

struct switch_stream_handle {
  switch_stream_handle_read_function_t read_function;
  switch_stream_handle_write_function_t write_function;
  switch_stream_handle_raw_write_function_t raw_write_function;
  void *data;
  void *end;
  switch_size_t data_size;
  switch_size_t data_len;
  switch_size_t alloc_len;
  switch_size_t alloc_chunk;
  switch_event_t *param_event;
};

struct switch_application_interface {
  const char *interface_name;
  switch_application_function_t application_function;
  const char *long_desc;
  const char *short_desc;
  const char *syntax;
  uint32_t flags;
  switch_thread_rwlock_t *rwlock;
  int refs;
  switch_mutex_t *reflock;
  switch_loadable_module_interface_t *parent;
  struct switch_application_interface *next;
};

struct switch_api_interface {
  const char *interface_name;
  const char *desc;
  switch_api_function_t function;
  const char *syntax;
  switch_thread_rwlock_t *rwlock;
  int refs;
  switch_mutex_t *reflock;
  switch_loadable_module_interface_t *parent;
  struct switch_api_interface *next;
};

/* Makes an outgoing channel; the first argument is the caller's session or NULL. */
typedef switch_call_cause_t (*switch_io_outgoing_channel_t)(switch_core_session_t *, switch_event_t *,
                                                            switch_caller_profile_t *, switch_core_session_t **,
                                                            switch_memory_pool_t **, switch_originate_flag_t,
                                                            switch_call_cause_t *);

/* What an endpoint can do; of its functions the module names only the first. */
struct switch_io_routines {
  switch_io_outgoing_channel_t outgoing_channel;
  void *read_frame;
  void *write_frame;
  void *kill_channel;
  void *send_dtmf;
  void *receive_message;
  void *receive_event;
  void *state_change;
  void *read_video_frame;
  void *write_video_frame;
  void *read_text_frame;
  void *write_text_frame;
  void *state_run;
  void *get_jb;
  void *padding[10];
};

struct switch_endpoint_interface {
  const char *interface_name;
  switch_io_routines_t *io_routines;
  switch_state_handler_table_t *state_handler;
  void *private_info;
  switch_thread_rwlock_t *rwlock;
  int refs;
  switch_mutex_t *reflock;
  switch_loadable_module_interface_t *parent;
  struct switch_endpoint_interface *next;
  switch_core_recover_callback_t recover_callback;
};

typedef struct switch_xml *switch_xml_t;
struct switch_xml {
  char *name;
  char **attr;
  char *txt;
  char *free_path;
  switch_size_t off;
  switch_xml_t next;
  switch_xml_t sibling;
  switch_xml_t ordered;
  switch_xml_t child;
  switch_xml_t parent;
  uint32_t flags;
  switch_bool_t is_switch_xml_root_t;
  uint32_t refs;
  const char *open;
  const char *close;
};

typedef enum { SWITCH_CALL_DIRECTION_INBOUND = 0, SWITCH_CALL_DIRECTION_OUTBOUND = 1 } switch_call_direction_t;
typedef uint32_t switch_caller_profile_flag_t;

/* Times are microseconds since the epoch, 0 where it has not happened. */
struct switch_channel_timetable {
  switch_time_t profile_created;
  switch_time_t created;
  switch_time_t answered;
  switch_time_t progress;
  switch_time_t progress_media;
  switch_time_t hungup;
  switch_time_t transferred;
  switch_time_t resurrected;
  switch_time_t bridged;
  switch_time_t last_hold;
  switch_time_t hold_accum;
  struct switch_channel_timetable *next;
};

struct switch_caller_profile {
  const char *username;
  const char *dialplan;
  const char *caller_id_name;
  const char *caller_id_number;
  const char *orig_caller_id_name;
  const char *orig_caller_id_number;
  const char *callee_id_name;
  const char *callee_id_number;
  uint8_t caller_ton;
  uint8_t caller_numplan;
  const char *network_addr;
  const char *ani;
  uint8_t ani_ton;
  uint8_t ani_numplan;
  const char *aniii;
  const char *rdnis;
  uint8_t rdnis_ton;
  uint8_t rdnis_numplan;
  char *destination_number;
  uint8_t destination_number_ton;
  uint8_t destination_number_numplan;
  const char *source;
  char *chan_name;
  char *uuid;
  const char *context;
  const char *profile_index;
  switch_caller_profile_flag_t flags;
  struct switch_caller_profile *originator_caller_profile;
  struct switch_caller_profile *originatee_caller_profile;
  struct switch_caller_profile *origination_caller_profile;
  struct switch_caller_profile *hunt_caller_profile;
  struct switch_channel_timetable *times;
  struct switch_channel_timetable *old_times;
  struct switch_caller_extension *caller_extension;
  switch_memory_pool_t *pool;
  struct switch_caller_profile *next;
  switch_call_direction_t direction;
  switch_call_direction_t logical_direction;
  profile_node_t *soft;
  char *uuid_str;
  char *clone_of;
  char *transfer_source;
};

/* what goes on while something is played to a session: keys and frames that arrive */
typedef struct switch_frame switch_frame_t;
typedef struct switch_ivr_dmachine switch_ivr_dmachine_t;
typedef struct switch_file_handle switch_file_handle_t;
typedef switch_status_t (*switch_read_frame_callback_function_t)(switch_core_session_t *, switch_frame_t *, void *);
typedef struct {
  switch_input_callback_function_t input_callback;
  void *buf;
  uint32_t buflen;
  switch_read_frame_callback_function_t read_frame_callback;
  void *user_data;
  switch_ivr_dmachine_t *dmachine;
  int loops;
} switch_input_args_t;

/* ---- functions -------------------------------------------------------- */

/* modules and interfaces */
switch_loadable_module_interface_t *switch_loadable_module_create_module_interface(switch_memory_pool_t *pool,
                                                                                   const char *name);
void *switch_loadable_module_create_interface(switch_loadable_module_interface_t *mod,
                                              switch_module_interface_name_t iname);
switch_endpoint_interface_t *switch_loadable_module_get_endpoint_interface(const char *name);
switch_status_t switch_thread_rwlock_trywrlock(switch_thread_rwlock_t *rwlock);
switch_status_t switch_thread_rwlock_unlock(switch_thread_rwlock_t *rwlock);
switch_status_t switch_mutex_lock(switch_mutex_t *lock);
switch_status_t switch_mutex_unlock(switch_mutex_t *lock);

/* console and log */
void switch_log_printf(switch_text_channel_t channel, const char *file, const char *func, int line,
                       const char *userdata, switch_log_level_t level, const char *fmt, ...);
switch_status_t switch_console_set_complete(const char *string);
switch_status_t switch_console_add_complete_func(const char *name, switch_console_complete_callback_t cb);
switch_status_t switch_console_del_complete_func(const char *name);
void switch_console_push_match(switch_console_callback_match_t **matches, const char *new_val);

/* events */
switch_status_t switch_event_create_subclass_detailed(const char *file, const char *func, int line,
                                                      switch_event_t **event, switch_event_types_t event_id,
                                                      const char *subclass_name);
switch_status_t switch_event_add_header_string(switch_event_t *event, switch_stack_t stack, const char *header_name,
                                               const char *data);
char *switch_event_get_header_idx(switch_event_t *event, const char *header_name, int idx);
switch_status_t switch_event_set_body(switch_event_t *event, const char *body);
switch_status_t switch_event_fire_detailed(const char *file, const char *func, int line, switch_event_t **event,
                                           void *user_data);
switch_status_t switch_event_serialize(switch_event_t *event, char **text, switch_bool_t encode);
void switch_event_destroy(switch_event_t **event);
switch_status_t switch_event_reserve_subclass_detailed(const char *owner, const char *subclass_name);
switch_status_t switch_event_free_subclass_detailed(const char *owner, const char *subclass_name);
switch_status_t switch_event_bind_removable(const char *id, switch_event_types_t event, const char *subclass_name,
                                            switch_event_callback_t callback, void *user_data,
                                            switch_event_node_t **node);
switch_status_t switch_event_unbind(switch_event_node_t **node);
char *switch_event_expand_headers_check(switch_event_t *event, const char *in, switch_event_t *var_list,
                                        switch_event_t *api_list, uint32_t recur);

/* configuration and directory */
switch_xml_t switch_xml_open_cfg(const char *file_path, switch_xml_t *node, switch_event_t *params);
switch_xml_t switch_xml_child(switch_xml_t xml, const char *name);
const char *switch_xml_attr(switch_xml_t xml, const char *attr);
void switch_xml_free(switch_xml_t xml);
switch_status_t switch_xml_locate_group(const char *group_name, const char *domain_name, switch_xml_t *root,
                                        switch_xml_t *domain, switch_xml_t *group, switch_event_t *params);
switch_status_t switch_xml_locate_user_merged(const char *key, const char *user_name, const char *domain_name,
                                              const char *ip, switch_xml_t *user, switch_event_t *params);
char *switch_core_get_domain(switch_bool_t dup);
const char *switch_version_full(void);

/* sessions and channels */
switch_core_session_t *switch_core_session_perform_locate(const char *uuid_str, const char *file, const char *func,
                                                          int line);
switch_core_session_t *switch_core_session_perform_force_locate(const char *uuid_str, const char *file,
                                                                const char *func, int line);
void switch_core_session_rwunlock(switch_core_session_t *session);
switch_channel_t *switch_core_session_get_channel(switch_core_session_t *session);
switch_codec_t *switch_core_session_get_read_codec(switch_core_session_t *session);
char *switch_core_session_get_uuid(switch_core_session_t *session);
const char *switch_channel_get_variable_dup(switch_channel_t *channel, const char *varname, switch_bool_t dup,
                                            int idx);
switch_status_t switch_channel_set_variable_var_check(switch_channel_t *channel, const char *varname,
                                                      const char *value, switch_bool_t var_check);
switch_status_t switch_channel_set_profile_var(switch_channel_t *channel, const char *name, const char *val);
char *switch_channel_expand_variables_check(switch_channel_t *channel, const char *in, switch_event_t *var_list,
                                            switch_event_t *api_list, uint32_t recur);
switch_status_t switch_core_session_thread_launch(switch_core_session_t *session);
void switch_core_session_perform_destroy(switch_core_session_t **session, const char *file, const char *func, int line);
switch_status_t switch_core_session_perform_kill_channel(switch_core_session_t *session, const char *file,
                                                         const char *func, int line, switch_signal_t sig);
switch_status_t switch_core_event_hook_add_receive_message(switch_core_session_t *session,
                                                           switch_receive_message_hook_t receive_message);
switch_status_t switch_core_event_hook_remove_receive_message(switch_core_session_t *session,
                                                              switch_receive_message_hook_t receive_message);
switch_status_t switch_core_event_hook_add_kill_channel(switch_core_session_t *session,
                                                        switch_kill_channel_hook_t kill_channel);
switch_status_t switch_core_event_hook_remove_kill_channel(switch_core_session_t *session,
                                                           switch_kill_channel_hook_t kill_channel);
switch_status_t switch_ivr_parse_all_events(switch_core_session_t *session);
switch_status_t switch_core_session_read_frame(switch_core_session_t *session, switch_frame_t **frame,
                                               switch_io_flag_t flags, int stream_id);
switch_status_t switch_core_session_write_frame(switch_core_session_t *session, switch_frame_t *frame,
                                                switch_io_flag_t flags, int stream_id);
switch_status_t switch_core_session_execute_application_get_flags(switch_core_session_t *session, const char *app,
                                                                  const char *arg, int32_t *flags);
switch_status_t switch_channel_perform_pre_answer(switch_channel_t *channel, const char *file, const char *func,
                                                  int line);
void switch_channel_perform_audio_sync(switch_channel_t *channel, const char *file, const char *func, int line);
void switch_channel_wait_for_state_timeout(switch_channel_t *other_channel, switch_channel_state_t want_state,
                                           uint32_t timeout);
switch_status_t switch_channel_set_timestamps(switch_channel_t *channel);
switch_status_t switch_ivr_read(switch_core_session_t *session, uint32_t min_digits, uint32_t max_digits,
                                const char *prompt_audio_file, const char *var_name, char *digit_buffer,
                                switch_size_t digit_buffer_length, uint32_t timeout, const char *valid_terminators,
                                uint32_t digit_timeout);
switch_status_t switch_ivr_generate_xml_cdr(switch_core_session_t *session, switch_xml_t *xml_cdr);
char *switch_xml_toxml_ex(switch_xml_t xml, switch_bool_t prn_header, switch_bool_t use_utf8_encoding);
switch_status_t switch_ivr_generate_json_cdr(switch_core_session_t *session, cJSON **json_cdr, switch_bool_t urlencode);
char *cJSON_PrintUnformatted(const cJSON *item);
void cJSON_Delete(cJSON *c);
int switch_channel_test_ready(switch_channel_t *channel, switch_bool_t check_ready, switch_bool_t check_media);
uint32_t switch_channel_test_flag(switch_channel_t *channel, switch_channel_flag_t flag);
void switch_channel_set_flag_value(switch_channel_t *channel, switch_channel_flag_t flag, uint32_t value);
void switch_channel_clear_flag(switch_channel_t *channel, switch_channel_flag_t flag);
switch_channel_state_t switch_channel_get_state(switch_channel_t *channel);
switch_call_cause_t switch_channel_get_cause(switch_channel_t *channel);
switch_call_cause_t switch_channel_str2cause(const char *str);
const char *switch_channel_cause2str(switch_call_cause_t cause);
switch_channel_state_t switch_channel_perform_hangup(switch_channel_t *channel, const char *file, const char *func,
                                                     int line, switch_call_cause_t hangup_cause);
void switch_channel_handle_cause(switch_channel_t *channel, switch_call_cause_t cause);
switch_status_t switch_channel_perform_answer(switch_channel_t *channel, const char *file, const char *func, int line);
switch_status_t switch_channel_perform_ring_ready_value(switch_channel_t *channel, switch_ring_ready_t rv,
                                                        const char *file, const char *func, int line);
switch_status_t switch_channel_pass_callee_id(switch_channel_t *channel, switch_channel_t *other_channel);
switch_caller_profile_t *switch_channel_get_caller_profile(switch_channel_t *channel);
switch_caller_profile_t *switch_caller_profile_clone(switch_core_session_t *session, switch_caller_profile_t *tocopy);
void switch_channel_set_originatee_caller_profile(switch_channel_t *channel, switch_caller_profile_t *caller_profile);
void switch_process_import(switch_core_session_t *session, switch_channel_t *peer_channel, const char *varname,
                           const char *prefix);
switch_size_t switch_channel_has_dtmf(switch_channel_t *channel);
switch_status_t switch_channel_dequeue_dtmf(switch_channel_t *channel, switch_dtmf_t *dtmf);
switch_status_t switch_channel_queue_dtmf(switch_channel_t *channel, const switch_dtmf_t *dtmf);
switch_status_t switch_channel_execute_on(switch_channel_t *channel, const char *variable_prefix);
switch_status_t switch_channel_api_on(switch_channel_t *channel, const char *variable_prefix);
switch_status_t switch_channel_get_variables(switch_channel_t *channel, switch_event_t **event);

/* placing and joining calls */
switch_status_t switch_dial_handle_create(switch_dial_handle_t **handle);
void switch_dial_handle_destroy(switch_dial_handle_t **handle);
void switch_dial_handle_add_global_var(switch_dial_handle_t *handle, const char *var, const char *val);
void switch_dial_handle_add_leg_list(switch_dial_handle_t *handle, switch_dial_leg_list_t **leg_listP);
void switch_dial_leg_list_add_leg(switch_dial_leg_list_t *parent, switch_dial_leg_t **legP, const char *dial_string);
switch_status_t switch_dial_handle_add_leg_var(switch_dial_leg_t *leg, const char *var, const char *val);
switch_status_t switch_ivr_originate(switch_core_session_t *session, switch_core_session_t **bleg,
                                     switch_call_cause_t *cause, const char *bridgeto, uint32_t timelimit_sec,
                                     const switch_state_handler_table_t *table, const char *cid_name_override,
                                     const char *cid_num_override, switch_caller_profile_t *caller_profile_override,
                                     switch_event_t *ovars, switch_originate_flag_t flags,
                                     switch_call_cause_t *cancel_cause, switch_dial_handle_t *dh);
switch_status_t switch_ivr_multi_threaded_bridge(switch_core_session_t *session, switch_core_session_t *peer_session,
                                                 switch_input_callback_function_t dtmf_callback, void *session_data,
                                                 void *peer_session_data);
switch_status_t switch_ivr_uuid_bridge(const char *originator_uuid, const char *originatee_uuid);
switch_status_t switch_channel_caller_extension_masquerade(switch_channel_t *orig_channel, switch_channel_t *new_channel,
                                                           uint32_t offset);
void switch_channel_restart(switch_channel_t *channel);
switch_status_t switch_ivr_signal_bridge(switch_core_session_t *session, switch_core_session_t *peer_session);
switch_status_t switch_ivr_sleep(switch_core_session_t *session, uint32_t ms, switch_bool_t sync,
                                 switch_input_args_t *args);
switch_status_t switch_ivr_session_transfer(switch_core_session_t *session, const char *extension, const char *dialplan,
                                            const char *context);
switch_status_t switch_ivr_gentones(switch_core_session_t *session, const char *script, int32_t loops,
                                    switch_input_args_t *args);
switch_status_t switch_ivr_play_file(switch_core_session_t *session, switch_file_handle_t *fh, const char *file,
                                     switch_input_args_t *args);

#endif
