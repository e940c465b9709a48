/*
 * ${variable}, ${variable:offset:length}, ${variable[index]} and ${function(arguments)} in a
 * text, for a channel or for the headers of an event; a result that differs from the input
 * is the caller's to free.
 */
#define _GNU_SOURCE
#include "standin.h"

#include <stdlib.h>
#include <string.h>

/* The switch's own test: a '$' before '{', or an escape it would remove. */
bool needs_expansion(const char *in) {
  if (strstr(in, "${")) return true;
  for (const char *slash = strchr(in, '\\'); slash; slash = strchr(slash + 1, '\\'))
    if (slash[1] && strchr("\\nst'", slash[1])) return true;
  return false;
}

/* Past the bracket that closes the one at `open`; NULL if none does. */
static const char *closing(const char *open, char opens, char closes) {
  int depth = 0;
  for (const char *at = open; *at; at++) {
    if (*at == opens) depth++;
    else if (*at == closes && --depth == 0) return at;
  }
  return NULL;
}

static void add_part(struct text *out, const char *from, size_t length) {
  char *part = strndup(from, length);
  text_add(out, part);
  free(part);
}

static void add_variable(struct text *out, switch_channel_t *channel, switch_event_t *event, char *name, int depth) {
  char *colon = strchr(name, ':');
  long offset = 0, length = 0;
  if (colon) {
    *colon++ = 0;
    offset = strtol(colon, &colon, 10);
    if (*colon == ':') length = strtol(colon + 1, NULL, 10);
  }
  char *bracket = strchr(name, '[');
  long index = -1;
  if (bracket && strchr(bracket, ']')) {
    index = strtol(bracket + 1, NULL, 10);
    *bracket = 0;
  }
  struct header *header = event_find(channel ? channel->variables : event, name);
  const char *value = channel ? channel_get(channel, name) : event_get(event, name);
  if (index >= 0) value = header && index < header->count ? header->items[index] : NULL;
  if (!value && !channel) value = global_variable(name);
  if (!value) return;
  char *whole = expand(channel, event, value, depth + 1);
  size_t size = strlen(whole), from = 0;
  if (offset > 0) from = (size_t)offset > size ? size : (size_t)offset;
  else if (offset < 0 && (size_t)-offset <= size) from = size - (size_t)-offset;
  size -= from;
  if (length > 0 && (size_t)length < size) size = (size_t)length;
  add_part(out, whole + from, size);
  free(whole);
}

static void add_call(struct text *out, switch_channel_t *channel, switch_event_t *event, char *name, char *argument, int depth) {
  char *expanded = expand(channel, event, argument, depth + 1);
  /* A function that does not exist, or fails, leaves nothing behind. */
  char *result = directory_function(channel, event, name, expanded);
  if (result) text_add(out, result);
  free(result);
  free(expanded);
}

/* Always a fresh string; under the big lock. */
char *expand(switch_channel_t *channel, switch_event_t *event, const char *in, int depth) {
  if (depth > 100 || !needs_expansion(in)) return strdup(in);
  struct text out = {0};
  text_add(&out, "");
  for (const char *at = in; *at;) {
    if (*at == '\\' && at[1] == '$') {
      add_part(&out, at + 1, 1);
      at += 2;
      if (at[0] == '{') add_part(&out, at++, 1);
    } else if (*at == '\\' && at[1] == '\'') {
      at += 2; /* the switch drops both */
    } else if (*at == '\\' && at[1] == '\\') {
      add_part(&out, at, 1);
      at += 2;
    } else if (*at == '$' && at[1] == '{') {
      const char *end = closing(at + 1, '{', '}');
      char *inside = end ? strndup(at + 2, (size_t)(end - at - 2)) : strdup(at + 2);
      size_t name = strcspn(inside, " (");
      if (inside[name] && strncmp(inside, "${", 2)) {
        char *argument = inside + name + 1, *last = NULL;
        if (inside[name] == '(') last = strrchr(argument, ')');
        if (last) *last = 0;
        inside[name] = 0;
        add_call(&out, channel, event, inside, argument, depth);
      } else {
        char *meant = expand(channel, event, inside, depth + 1);
        add_variable(&out, channel, event, meant, depth);
        free(meant);
      }
      free(inside);
      at = end ? end + 1 : at + strlen(at);
    } else {
      add_part(&out, at++, 1);
    }
  }
  return out.data;
}

static char *expanded_for_module(switch_channel_t *channel, switch_event_t *event, const char *in, const char *function) {
  if (is_empty(in) || !needs_expansion(in)) return (char *)in;
  big_lock();
  char *result = expand(channel, event, in, 0);
  char *given = give_string(result, function);
  free(result);
  big_unlock();
  return given;
}

char *switch_channel_expand_variables_check(switch_channel_t *channel, const char *in, switch_event_t *variables,
                                            switch_event_t *functions, uint32_t depth) {
  may_wait(__func__);
  object_check(channel, A_CHANNEL, __func__);
  if (variables || functions || depth) fatal(__func__, "the stand-in knows no permission lists");
  return expanded_for_module(channel, NULL, in, __func__);
}

char *switch_event_expand_headers_check(switch_event_t *event, const char *in, switch_event_t *variables,
                                        switch_event_t *functions, uint32_t depth) {
  may_wait(__func__);
  event_check(event, __func__);
  if (variables || functions || depth) fatal(__func__, "the stand-in knows no permission lists");
  return expanded_for_module(NULL, event, in, __func__);
}
