/*
 * A module that offends: each of its applications breaks one rule of the switch's API.
 * The stand-in must end the process, or report what was left, and name the function; a check
 * that never fails proves nothing about the module that passes it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../../include/freeswitch_api.h"

static switch_event_t *kept;
static switch_event_node_t *node;
static volatile int called;

static switch_event_t *event(void) {
  switch_event_t *made = NULL;
  switch_event_create_subclass_detailed("offender", "event", 0, &made, SWITCH_EVENT_CUSTOM, "offender::event");
  return made;
}

static void keep_event(switch_event_t *given) {
  kept = given;
  called = 1;
}

static void unbind_inside(switch_event_t *given) {
  (void)given;
  switch_event_unbind(&node);
}

static switch_channel_t *rung;

static void ring_inside(switch_event_t *given) {
  (void)given;
  switch_channel_perform_ring_ready_value(rung, SWITCH_RING_READY_RINGING, "", "", 0);
}

static void *expand_on_timer(void *channel) {
  pthread_setname_np(pthread_self(), "cti-deadlines");
  switch_channel_expand_variables_check(channel, "${x}", NULL, NULL, 0);
  return NULL;
}

static switch_status_t answer_inside(switch_core_session_t *session) {
  switch_channel_perform_answer(switch_core_session_get_channel(session), "", "", 0);
  return SWITCH_STATUS_SUCCESS;
}

static switch_status_t on_key(switch_core_session_t *session, void *key, switch_input_type_t type, void *data, unsigned int size) {
  (void)session, (void)key, (void)type, (void)data, (void)size;
  return SWITCH_STATUS_SUCCESS;
}

static const switch_state_handler_table_t answering = {.on_init = answer_inside};

static void deliver_to(switch_event_callback_t callback) {
  switch_event_bind_removable("offender", SWITCH_EVENT_CUSTOM, NULL, callback, NULL, &node);
  switch_event_t *made = event();
  switch_event_fire_detailed("offender", "deliver_to", 0, &made, NULL);
}

static switch_dial_handle_t *handle_to(const char *where, int legs) {
  switch_dial_handle_t *made = NULL;
  switch_dial_leg_list_t *list = NULL;
  switch_dial_handle_create(&made);
  switch_dial_handle_add_leg_list(made, &list);
  for (int i = 0; i < legs; i++) switch_dial_leg_list_add_leg(list, NULL, where);
  return made;
}

static switch_dial_handle_t *handle(int legs) { return handle_to("error/user_busy", legs); }

static switch_core_session_t *made(switch_core_session_t *session, switch_dial_handle_t *legs,
                                   const switch_state_handler_table_t *table) {
  switch_core_session_t *peer = NULL;
  switch_call_cause_t cause = SWITCH_CAUSE_NONE;
  switch_ivr_originate(session, &peer, &cause, NULL, 0, table, NULL, NULL, NULL, NULL, SOF_NOBLOCK, NULL, legs);
  return peer;
}

static void originate(switch_core_session_t *session, switch_dial_handle_t *legs) { made(session, legs, NULL); }

static switch_core_session_t *leg(switch_core_session_t *session) { return made(session, handle_to("null/x", 1), NULL); }

static switch_status_t on_message(switch_core_session_t *session, switch_core_session_message_t *message) {
  (void)session, (void)message;
  return SWITCH_STATUS_SUCCESS;
}

static switch_xml_t tree(void) {
  switch_xml_t user = NULL;
  switch_xml_locate_user_merged("id", "1002", "pbx.invalid", NULL, &user, NULL);
  return user;
}

static void offend(switch_core_session_t *session, const char *how) {
  switch_channel_t *channel = switch_core_session_get_channel(session);
  if (!strcmp(how, "null_channel")) switch_channel_get_state(NULL);
  if (!strcmp(how, "null_name")) switch_event_add_header_string(event(), SWITCH_STACK_BOTTOM, NULL, "x");
  if (!strcmp(how, "wild_session")) switch_core_session_get_uuid((switch_core_session_t *)(uintptr_t)0x1230);
  if (!strcmp(how, "channel_as_session")) switch_core_session_get_uuid((switch_core_session_t *)channel);
  if (!strcmp(how, "unlock_unlocked")) switch_core_session_rwunlock(session);
  if (!strcmp(how, "lock_kept")) switch_core_session_perform_locate(switch_core_session_get_uuid(session), "", "", 0);
  if (!strcmp(how, "event_kept")) event();
  if (!strcmp(how, "event_after_fire")) {
    switch_event_t *fired = event(), *same = fired;
    switch_event_fire_detailed("offender", "offend", 0, &fired, NULL);
    switch_event_set_body(same, "late");
  }
  if (!strcmp(how, "event_destroyed_twice")) {
    switch_event_t *fired = event(), *same = fired;
    switch_event_destroy(&fired);
    switch_event_destroy(&same);
  }
  if (!strcmp(how, "event_after_callback")) {
    deliver_to(keep_event);
    while (!called) switch_ivr_sleep(session, 10, SWITCH_TRUE, NULL);
    switch_ivr_sleep(session, 50, SWITCH_TRUE, NULL);
    switch_event_get_header_idx(kept, "Unique-ID", -1);
  }
  if (!strcmp(how, "unbind_in_callback")) {
    deliver_to(unbind_inside);
    switch_ivr_sleep(session, 500, SWITCH_TRUE, NULL);
  }
  if (!strcmp(how, "binding_kept")) switch_event_bind_removable("offender", SWITCH_EVENT_CUSTOM, NULL, keep_event, NULL, &node);
  if (!strcmp(how, "subclass_kept")) switch_event_reserve_subclass_detailed("offender", "offender::kept");
  if (!strcmp(how, "completion_kept")) switch_console_set_complete("add offend");
  if (!strcmp(how, "leg_129")) handle(129);
  if (!strcmp(how, "handle_kept")) handle(1);
  if (!strcmp(how, "handle_twice")) {
    switch_dial_handle_t *legs = handle(1);
    originate(session, legs);
    originate(session, legs);
  }
  if (!strcmp(how, "handle_after_destroy")) {
    switch_dial_handle_t *legs = handle(1), *same = legs;
    switch_dial_handle_destroy(&legs);
    originate(session, same);
  }
  if (!strcmp(how, "waits_for_legs")) {
    switch_core_session_t *peer = NULL;
    switch_call_cause_t cause = SWITCH_CAUSE_NONE;
    switch_ivr_originate(session, &peer, &cause, NULL, 5, NULL, NULL, NULL, NULL, NULL, 0, NULL, handle(1));
  }
  if (!strcmp(how, "leg_not_launched")) switch_core_session_rwunlock(leg(session));
  if (!strcmp(how, "launched_twice")) {
    switch_core_session_t *peer = leg(session);
    switch_core_session_thread_launch(peer);
    switch_core_session_thread_launch(peer);
  }
  if (!strcmp(how, "destroyed_running")) {
    switch_core_session_t *peer = leg(session);
    switch_core_session_thread_launch(peer);
    switch_core_session_perform_destroy(&peer, "", "", 0);
  }
  if (!strcmp(how, "hook_twice")) {
    switch_core_event_hook_add_receive_message(session, on_message);
    switch_core_event_hook_add_receive_message(session, on_message);
  }
  if (!strcmp(how, "hook_kept")) {
    switch_core_session_t *peer = leg(session);
    switch_core_event_hook_add_receive_message(peer, on_message);
    switch_core_session_thread_launch(peer);
    switch_channel_perform_hangup(switch_core_session_get_channel(peer), "", "", 0, SWITCH_CAUSE_NORMAL_CLEARING);
    switch_core_session_rwunlock(peer);
    switch_ivr_sleep(session, 500, SWITCH_TRUE, NULL);
  }
  if (!strcmp(how, "ring_in_callback")) {
    rung = channel;
    deliver_to(ring_inside);
    switch_ivr_sleep(session, 500, SWITCH_TRUE, NULL);
  }
  if (!strcmp(how, "answer_in_state_handler")) {
    switch_core_session_thread_launch(made(session, handle_to("null/x", 1), &answering));
    switch_ivr_sleep(session, 500, SWITCH_TRUE, NULL);
  }
  if (!strcmp(how, "bridge_data_of_a_moment")) {
    switch_core_session_t *peer = leg(session);
    char keys[] = "#";
    switch_ivr_multi_threaded_bridge(session, peer, on_key, keys, NULL);
  }
  if (!strcmp(how, "expand_on_timer")) {
    pthread_t thread;
    pthread_create(&thread, NULL, expand_on_timer, channel);
    pthread_join(thread, NULL);
  }
  if (!strcmp(how, "tree_kept")) tree();
  if (!strcmp(how, "tree_after_free")) {
    switch_xml_t user = tree(), params = switch_xml_child(user, "params");
    switch_xml_free(user);
    switch_xml_child(params, "param");
  }
  if (!strcmp(how, "string_kept")) switch_core_get_domain(SWITCH_TRUE);
  if (!strcmp(how, "endpoint_kept")) switch_loadable_module_get_endpoint_interface("sofia");
  if (!strcmp(how, "format")) switch_log_printf(SWITCH_CHANNEL_ID_LOG, "", "", 0, NULL, SWITCH_LOG_INFO, how);
  if (!strcmp(how, "session_line")) switch_log_printf(3, "", "", 0, switch_core_session_get_uuid(session), SWITCH_LOG_INFO, "%s", "");
  if (!strcmp(how, "cause_of_nothing")) switch_channel_perform_hangup(channel, "", "", 0, (switch_call_cause_t)603);
  if (!strcmp(how, "crash")) *(volatile int *)(uintptr_t)8 = 1;
}

static switch_status_t load(switch_loadable_module_interface_t **interface, switch_memory_pool_t *pool) {
  *interface = switch_loadable_module_create_module_interface(pool, "offender");
  switch_application_interface_t *made = switch_loadable_module_create_interface(*interface, SWITCH_APPLICATION_INTERFACE);
  made->interface_name = "offend";
  made->application_function = offend;
  return SWITCH_STATUS_SUCCESS;
}

extern const switch_loadable_module_function_table_t mod_cti_module_interface;
const switch_loadable_module_function_table_t mod_cti_module_interface = {.switch_api_version = SWITCH_API_VERSION, .load = load};
