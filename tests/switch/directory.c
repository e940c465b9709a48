/*
 * The directory, the configuration and the functions that dial strings call:
 * users 1001 to 1009, groups, registered contacts, cti.conf, and the trees in which the
 * module receives them. Every node is watched: a tree is freed once and not read afterwards.
 */
#define _GNU_SOURCE
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DOMAIN "pbx.invalid"
#define DIAL_STRING "${sofia_contact(*/${dialed_user}@${dialed_domain})}"

struct item {
  char *of, *kind, *name, *value;
  struct item *next;
};
static struct item *items; /* users' params and variables, groups, settings and global variables */

static void item_add(const char *of, const char *kind, const char *name, const char *value) {
  struct item *item = calloc(1, sizeof *item), **place = &items;
  item->of = strdup(of);
  item->kind = strdup(kind);
  item->name = strdup(name);
  item->value = strdup(value);
  while (*place) place = &(*place)->next;
  *place = item;
}

static struct item *item_find(const char *of, const char *kind, const char *name) {
  for (struct item *item = items; item; item = item->next)
    if (!strcasecmp(item->of, of) && !strcmp(item->kind, kind) && !strcasecmp(item->name, name)) return item;
  return NULL;
}

void standin_add_group(const char *name, const char *users) {
  big_lock();
  item_add(name, "group", "users", users);
  big_unlock();
}

void standin_add_user_item(const char *user, const char *kind, const char *name, const char *value) {
  big_lock();
  item_add(user, kind, name, value);
  big_unlock();
}

static void replace(const char *of, const char *kind, const char *name, const char *value) {
  big_lock();
  struct item *item = item_find(of, kind, name);
  if (item) free(item->value), item->value = strdup(value);
  else item_add(of, kind, name, value);
  big_unlock();
}

void standin_set_config(const char *name, const char *value) { replace("cti.conf", "setting", name, value); }

static char *elements;

void standin_set_config_elements(const char *xml) {
  big_lock();
  free(elements);
  elements = strdup(xml);
  big_unlock();
}

void standin_set_global(const char *name, const char *value) { replace("global", "variable", name, value); }

const char *global_variable(const char *name) {
  if (!strcasecmp(name, "domain") || !strcasecmp(name, "domain_name")) return DOMAIN;
  struct item *item = item_find("global", "variable", name);
  return item ? item->value : NULL;
}

const char *directory_domain(void) { return DOMAIN; }

bool directory_has_user(const char *user, const char *domain) {
  if (strcasecmp(domain, DOMAIN)) return false;
  return (strlen(user) == 4 && !strncmp(user, "100", 3) && user[3] >= '0' && user[3] <= '9') || item_find(user, "user", "id");
}

const char *directory_dial_string(const char *user) {
  struct item *own = item_find(user, "param", "dial-string");
  return own ? own->value : DIAL_STRING;
}

char *switch_core_get_domain(switch_bool_t dup) {
  /* Without a copy the string may be freed under the module when the domain changes. */
  if (!dup) fatal(__func__, "the domain is asked for without SWITCH_TRUE");
  return give_string(DOMAIN, __func__);
}

void standin_forget_contacts(void) {
  big_lock();
  for (struct item *item = items; item; item = item->next)
    if (!strcmp(item->kind, "contact")) item->kind[0] = '-';
  big_unlock();
}

/* ---- functions of dial strings ---- */

static char *contacts(const char *argument) {
  const char *slash = strchr(argument, '/'), *user = slash ? slash + 1 : argument;
  char *name = strndup(user, strcspn(user, "@"));
  struct text out = {0};
  for (int i = 0; phone_of(name, i); i++) {
    if (i) text_add(&out, ",");
    text_add(&out, phone_of(name, i)->contact);
  }
  /* What a hostile phone has registered, as it did. */
  for (struct item *item = items; item; item = item->next)
    if (!strcasecmp(item->of, name) && !strcmp(item->kind, "contact")) {
      if (out.data) text_add(&out, ",");
      text_add(&out, item->value);
    }
  free(name);
  if (!out.data) text_add(&out, "error/user_not_registered");
  return out.data;
}

/* A directory that takes its time. */
static void take_ms(int ms) {
  for (int64_t until = now_ms() + ms, left; (left = until - now_ms()) > 0;) big_wait((int)left);
}

char *directory_function(switch_channel_t *channel, switch_event_t *event, const char *name, const char *argument) {
  (void)channel, (void)event;
  if (!strcasecmp(name, "sofia_contact")) return contacts(argument);
  if (!strcasecmp(name, "msleep")) take_ms(atoi(argument));
  return NULL;
}

/* ---- trees ---- */

struct tree_text {
  char *text;
  struct tree_text *next;
};
struct tree {
  struct switch_xml root; /* first, so that the tree is its root node */
  struct tree_text *texts;
};

static switch_xml_t root_of(switch_xml_t node) {
  while (node->parent) node = node->parent;
  return node;
}

static char *keep(switch_xml_t root, const char *text) {
  struct tree *tree = (struct tree *)root;
  struct tree_text *kept = calloc(1, sizeof *kept);
  kept->text = strdup(text);
  kept->next = tree->texts;
  tree->texts = kept;
  return kept->text;
}

static switch_xml_t tree_new(const char *name) {
  struct tree *tree = object_new(AN_XML_TREE, sizeof *tree);
  tree->root.name = keep(&tree->root, name);
  tree->root.is_switch_xml_root_t = SWITCH_TRUE;
  return &tree->root;
}

static void attribute(switch_xml_t node, const char *name, const char *value) {
  switch_xml_t root = root_of(node);
  size_t count = 0;
  while (node->attr && node->attr[count]) count++;
  node->attr = realloc(node->attr, (count + 3) * sizeof(char *));
  node->attr[count] = keep(root, name);
  node->attr[count + 1] = keep(root, value);
  node->attr[count + 2] = NULL;
}

static switch_xml_t child_add(switch_xml_t parent, const char *name) {
  switch_xml_t node = object_new(AN_XML_NODE, sizeof *node), last = NULL;
  node->name = keep(root_of(parent), name);
  node->parent = parent;
  switch_xml_t before = parent->child;
  while (before && before->ordered) before = before->ordered;
  if (before) before->ordered = node;
  for (switch_xml_t child = parent->child; child; child = child->sibling) {
    last = child;
    if (strcmp(child->name, name)) continue;
    while (child->next) child = child->next;
    child->next = node;
    return node;
  }
  if (last) last->sibling = node;
  else parent->child = node;
  return node;
}

static void named(switch_xml_t list, const char *kind, const char *name, const char *value) {
  switch_xml_t node = child_add(list, kind);
  attribute(node, "name", name);
  attribute(node, "value", value);
}

/* Elements with attributes in double quotes, of all entities &quot; alone, and no text between them. */
static void elements_read(switch_xml_t parent, const char *xml) {
  switch_xml_t at = parent;
  while ((xml = strchr(xml, '<'))) {
    xml++;
    if (*xml == '/') {
      at = at->parent;
      continue;
    }
    size_t length = strcspn(xml, " />");
    char *name = strndup(xml, length);
    switch_xml_t node = child_add(at, name);
    free(name);
    for (xml += length; *(xml += strspn(xml, " \n")) && !strchr("/>", *xml);) {
      length = strcspn(xml, "=");
      char *key = strndup(xml, length);
      xml += length + 2;
      length = strcspn(xml, "\"");
      char *value = strndup(xml, length);
      for (char *quote; (quote = strstr(value, "&quot;"));) *quote = '"', memmove(quote + 1, quote + 6, strlen(quote + 5));
      xml += length + 1;
      attribute(node, key, value);
      free(key), free(value);
    }
    if (*xml == '>') at = node;
  }
}

static void nodes_free(switch_xml_t node) {
  while (node) {
    switch_xml_t same = node->next, other = node->sibling;
    nodes_free(node->child);
    nodes_free(same);
    free(node->attr);
    object_end(node, AN_XML_NODE);
    node = other;
  }
}

static void node_check(switch_xml_t node, const char *function) {
  if (!object_alive(node, AN_XML_TREE)) object_check(node, AN_XML_NODE, function);
}

switch_xml_t switch_xml_child(switch_xml_t xml, const char *name) {
  if (!xml) return NULL;
  node_check(xml, __func__);
  need(name, __func__, "the child's name");
  for (switch_xml_t child = xml->child; child; child = child->sibling)
    if (!strcmp(child->name, name)) return child;
  return NULL;
}

const char *switch_xml_attr(switch_xml_t xml, const char *name) {
  if (!xml) return NULL;
  node_check(xml, __func__);
  need(name, __func__, "the attribute's name");
  for (char **pair = xml->attr; pair && *pair; pair += 2)
    if (!strcmp(pair[0], name)) return pair[1];
  return NULL;
}

void switch_xml_free(switch_xml_t xml) {
  if (!xml) return;
  object_check(xml, AN_XML_TREE, __func__);
  big_lock();
  struct tree *tree = (struct tree *)xml;
  nodes_free(xml->child);
  free(xml->attr);
  for (struct tree_text *text = tree->texts, *next; text; text = next) {
    next = text->next;
    free(text->text);
    free(text);
  }
  object_end(tree, AN_XML_TREE);
  big_unlock();
}

switch_status_t switch_xml_locate_user_merged(const char *key, const char *user, const char *domain, const char *ip,
                                              switch_xml_t *found, switch_event_t *params) {
  may_wait(__func__);
  (void)ip;
  need(key, __func__, "the key");
  need(found, __func__, "the place for the user");
  if (params) event_check(params, __func__);
  if (!user || !domain || strcmp(key, "id")) return SWITCH_STATUS_FALSE;
  big_lock();
  struct item *takes = item_find(user, "takes", "ms");
  if (takes) take_ms(atoi(takes->value));
  if (!directory_has_user(user, domain)) {
    big_unlock();
    return SWITCH_STATUS_FALSE;
  }
  switch_xml_t root = tree_new("user");
  attribute(root, "id", user);
  switch_xml_t list = child_add(root, "params");
  named(list, "param", "password", "not for the module");
  named(list, "param", "dial-string", directory_dial_string(user));
  for (struct item *item = items; item; item = item->next)
    if (!strcasecmp(item->of, user) && !strcmp(item->kind, "param") && strcmp(item->name, "dial-string"))
      named(list, "param", item->name, item->value);
  list = child_add(root, "variables");
  if (!item_find(user, "variable", "user_context"))
    named(list, "variable", "user_context", "default");
  for (struct item *item = items; item; item = item->next)
    if (!strcasecmp(item->of, user) && !strcmp(item->kind, "variable")) named(list, "variable", item->name, item->value);
  *found = root;
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

/* Users of the directory are members as pointers; a group may hold users of its own besides. */
switch_status_t switch_xml_locate_group(const char *name, const char *domain, switch_xml_t *root, switch_xml_t *of_domain,
                                        switch_xml_t *found, switch_event_t *params) {
  may_wait(__func__);
  need(root, __func__, "the place for the tree");
  need(of_domain, __func__, "the place for the domain");
  need(found, __func__, "the place for the group");
  if (params) event_check(params, __func__);
  *root = *of_domain = *found = NULL;
  if (!name || !domain || strcasecmp(domain, DOMAIN)) return SWITCH_STATUS_FALSE;
  big_lock();
  *root = tree_new("section"); /* the module's to free, whatever follows */
  *of_domain = child_add(*root, "domain");
  switch_xml_t groups = child_add(*of_domain, "groups");
  struct item *group = item_find(name, "group", "users");
  if (group) {
    *found = child_add(groups, "group");
    switch_xml_t members = child_add(*found, "users");
    char *users = strdup(group->value), *rest = users, *id;
    while ((id = strsep(&rest, ","))) {
      switch_xml_t user = child_add(members, "user");
      attribute(user, "id", id);
      if (directory_has_user(id, domain)) attribute(user, "type", "pointer");
      else named(child_add(user, "params"), "param", "dial-string", directory_dial_string(id));
    }
    free(users);
  }
  big_unlock();
  return group ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

switch_xml_t switch_xml_open_cfg(const char *file, switch_xml_t *node, switch_event_t *params) {
  may_wait(__func__);
  need(file, __func__, "the file's name");
  need(node, __func__, "the place for the configuration");
  if (params) event_check(params, __func__);
  *node = NULL;
  if (load_fails()) return NULL;
  big_lock();
  bool any = elements && !strcmp(file, "cti.conf");
  for (struct item *item = items; item; item = item->next) any = any || !strcmp(item->of, file);
  if (!any) {
    big_unlock();
    return NULL;
  }
  switch_xml_t root = tree_new("section"), configuration = child_add(root, "configuration");
  attribute(configuration, "name", file);
  switch_xml_t settings = child_add(configuration, "settings");
  for (struct item *item = items; item; item = item->next)
    if (!strcmp(item->of, file)) named(settings, "param", item->name, item->value);
  if (elements && !strcmp(file, "cti.conf")) elements_read(configuration, elements);
  *node = configuration;
  big_unlock();
  return root;
}
