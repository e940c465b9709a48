/*
 * Caller profiles: who calls, whom, and when things happened.
 * A profile lives in the pool of its session (or the one it was copied into) and dies with it.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "standin.h"

struct profile_node_s {
  char *name, *value;
  profile_node_t *next;
};

/* The fields that go by a name, in both directions. */
static const struct {
  const char *name;
  size_t at;
} FIELDS[] = {{"dialplan", offsetof(switch_caller_profile_t, dialplan)},
              {"username", offsetof(switch_caller_profile_t, username)},
              {"caller_id_name", offsetof(switch_caller_profile_t, caller_id_name)},
              {"caller_id_number", offsetof(switch_caller_profile_t, caller_id_number)},
              {"callee_id_name", offsetof(switch_caller_profile_t, callee_id_name)},
              {"callee_id_number", offsetof(switch_caller_profile_t, callee_id_number)},
              {"ani", offsetof(switch_caller_profile_t, ani)},
              {"aniii", offsetof(switch_caller_profile_t, aniii)},
              {"network_addr", offsetof(switch_caller_profile_t, network_addr)},
              {"rdnis", offsetof(switch_caller_profile_t, rdnis)},
              {"destination_number", offsetof(switch_caller_profile_t, destination_number)},
              {"uuid", offsetof(switch_caller_profile_t, uuid)},
              {"source", offsetof(switch_caller_profile_t, source)},
              {"context", offsetof(switch_caller_profile_t, context)},
              {"chan_name", offsetof(switch_caller_profile_t, chan_name)}};
enum { COUNT = sizeof FIELDS / sizeof *FIELDS };

static char **field(switch_caller_profile_t *profile, int i) { return (char **)((char *)profile + FIELDS[i].at); }

switch_caller_profile_t *profile_new(switch_memory_pool_t *pool) {
  switch_caller_profile_t *profile = object_new(A_PROFILE, sizeof *profile);
  profile->pool = pool;
  profile->times = pool_alloc(pool, sizeof *profile->times);
  profile->times->profile_created = now_us();
  return profile;
}

switch_caller_profile_t *profile_copy(switch_memory_pool_t *pool, switch_caller_profile_t *from) {
  switch_caller_profile_t *copy = profile_new(pool);
  for (int i = 0; i < COUNT; i++) *field(copy, i) = pool_copy(pool, *field(from, i));
  copy->uuid_str = pool_copy(pool, from->uuid_str);
  copy->flags = from->flags;
  copy->direction = from->direction;
  copy->logical_direction = from->logical_direction;
  return copy;
}

struct of_pool {
  switch_memory_pool_t *pool;
  switch_caller_profile_t *found;
};

static void find_of_pool(void *object, void *data) {
  struct of_pool *search = data;
  switch_caller_profile_t *profile = object;
  if (profile->pool == search->pool) search->found = profile;
}

void profiles_end(switch_memory_pool_t *pool) {
  struct of_pool search = {pool, NULL};
  do {
    search.found = NULL;
    object_each(A_PROFILE, find_of_pool, &search);
    if (search.found) object_end(search.found, A_PROFILE);
  } while (search.found);
}

const char *profile_get(switch_caller_profile_t *profile, const char *name) {
  for (int i = 0; i < COUNT; i++)
    if (!strcasecmp(FIELDS[i].name, name)) return *field(profile, i);
  return NULL;
}

switch_caller_profile_t *switch_channel_get_caller_profile(switch_channel_t *channel) {
  object_check(channel, A_CHANNEL, __func__);
  return channel->profile;
}

switch_caller_profile_t *switch_caller_profile_clone(switch_core_session_t *session, switch_caller_profile_t *from) {
  session_check(session, __func__);
  if (!from) return NULL;
  object_check(from, A_PROFILE, __func__);
  big_lock();
  switch_caller_profile_t *copy = profile_copy(session->pool, from);
  big_unlock();
  return copy;
}

switch_caller_profile_t *switch_caller_profile_dup(switch_memory_pool_t *pool, switch_caller_profile_t *from) {
  object_check(pool, A_POOL, __func__);
  object_check(from, A_PROFILE, __func__);
  big_lock();
  switch_caller_profile_t *copy = profile_copy(pool, from);
  big_unlock();
  return copy;
}

static switch_caller_profile_t *own_profile(switch_channel_t *channel, switch_caller_profile_t *other,
                                            const char *function) {
  object_check(channel, A_CHANNEL, function);
  object_check(other, A_PROFILE, function);
  /* A profile of another session's pool would dangle when that session ends. */
  if (other->pool != channel->session->pool) fatal(function, "the profile lives in another session's pool");
  return channel->profile;
}

void switch_channel_set_originatee_caller_profile(switch_channel_t *channel, switch_caller_profile_t *profile) {
  switch_caller_profile_t *own = own_profile(channel, profile, __func__);
  big_lock();
  own->originatee_caller_profile = profile;
  big_unlock();
}

switch_status_t switch_channel_set_profile_var(switch_channel_t *channel, const char *name, const char *value) {
  object_check(channel, A_CHANNEL, __func__);
  need(name, __func__, "the field's name");
  big_lock();
  char *copy = pool_copy(channel->session->pool, value ? value : "");
  for (int i = 0; i < COUNT; i++) {
    if (strcasecmp(FIELDS[i].name, name)) continue;
    *field(channel->profile, i) = copy;
    big_unlock();
    return SWITCH_STATUS_SUCCESS;
  }
  profile_node_t **place = &channel->profile->soft;
  while (*place && strcasecmp((*place)->name, name)) place = &(*place)->next;
  if (!*place) {
    *place = pool_alloc(channel->session->pool, sizeof **place);
    (*place)->name = pool_copy(channel->session->pool, name);
  }
  (*place)->value = copy;
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

void channel_pass_callee(switch_channel_t *from, switch_channel_t *to) {
  switch_memory_pool_t *pool = to->session->pool;
  if (!is_empty(from->profile->callee_id_name)) to->profile->callee_id_name = pool_copy(pool, from->profile->callee_id_name);
  if (!is_empty(from->profile->callee_id_number))
    to->profile->callee_id_number = pool_copy(pool, from->profile->callee_id_number);
}

switch_status_t switch_channel_pass_callee_id(switch_channel_t *channel, switch_channel_t *other) {
  object_check(channel, A_CHANNEL, __func__);
  object_check(other, A_CHANNEL, __func__);
  big_lock();
  channel_pass_callee(channel, other);
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}
