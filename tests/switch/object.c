/*
 * The stand-in's memory: every object the module can hold, whether it lives, and who has it.
 * Released objects are poisoned and kept, so that a late use is seen and named; under a
 * memory checker (MOD_CTI_SLOW is set) they are really freed, so that it can see raw reads too.
 */
#define _GNU_SOURCE
#include "standin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <errno.h>

static const char *const KINDS[] = {
    "session", "channel", "event", "event binding", "dial handle", "leg list", "leg", "XML tree", "XML node",
    "caller profile", "rwlock", "mutex", "pool", "module", "interface", "endpoint", "stream"};

/* ---- the one lock ---- */

static pthread_mutex_t big = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread int holding;
static int64_t began;
static bool really_free;

static void start(void) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&change, &monotonic);
  pthread_condattr_destroy(&monotonic);
  really_free = getenv("MOD_CTI_SLOW") != NULL;
}

void big_lock(void) {
  pthread_once(&once, start);
  if (holding) fatal("stand-in", "its own lock is taken twice: a bug of the stand-in");
  pthread_mutex_lock(&big);
  holding = 1;
}

void big_unlock(void) {
  holding = 0;
  pthread_mutex_unlock(&big);
}

void big_wait(int milliseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
  until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  holding = 0;
  pthread_cond_timedwait(&change, &big, &until);
  holding = 1;
}

void big_changed(void) { pthread_cond_broadcast(&change); }

static int most_jitter;
static unsigned jitter_seed;

void standin_jitter(int milliseconds, unsigned seed) {
  big_lock();
  most_jitter = milliseconds;
  jitter_seed = seed;
  big_unlock();
}

void jitter(void) {
  if (!most_jitter) return;
  /* Half of the time not at all: orders change most where only one of two is late. */
  int pause = rand_r(&jitter_seed) % (2 * most_jitter) - most_jitter;
  for (int64_t until = now_ms() + pause, left; (left = until - now_ms()) > 0;) big_wait((int)left);
}

void fatal(const char *function, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "\nSTAND-IN: %s: ", function);
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  fflush(stderr);
  va_end(arguments);
  abort();
}

void need(const void *pointer, const char *function, const char *what) {
  if (!pointer) fatal(function, "%s is NULL: FreeSWITCH would crash here", what);
}

/* ---- threads that must not wait ---- */

static __thread const char *callback_of_host;
static __thread int callbacks; /* one may lead to another */

void host_enter(const char *callback) {
  if (!callbacks++) callback_of_host = callback;
}

void host_leave(void) {
  if (!--callbacks) callback_of_host = NULL;
}

void may_wait(const char *function) {
  char name[16] = "";
  if (callback_of_host) fatal(function, "called inside %s: nothing that may wait runs on a thread of the switch's", callback_of_host);
  pthread_getname_np(pthread_self(), name, sizeof name);
  if (!strcmp(name, "cti-deadlines")) fatal(function, "called on the timer's thread: nothing that may wait runs there");
}

/* ---- registered objects ---- */

struct object {
  void *address;
  size_t size;
  enum kind kind;
  bool alive;
  struct object *next;
};
enum { BUCKETS = 16384 };
static struct object *buckets[BUCKETS];
static size_t counts[A_STREAM + 1];
/* Apart from the big lock, as objects are checked with and without it. */
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;

static struct object **bucket_of(const void *address) { return &buckets[((uintptr_t)address >> 4) % BUCKETS]; }

static struct object *object_at(const void *address) {
  struct object *object = *bucket_of(address);
  while (object && object->address != address) object = object->next;
  return object;
}

void *object_new(enum kind kind, size_t size) {
  void *address = calloc(1, size);
  if (!address) fatal("stand-in", "no memory");
  pthread_mutex_lock(&registry);
  struct object *object = object_at(address);
  if (!object) {
    object = calloc(1, sizeof *object);
    if (!object) fatal("stand-in", "no memory");
    object->address = address;
    object->next = *bucket_of(address);
    *bucket_of(address) = object;
  }
  object->kind = kind;
  object->size = size;
  object->alive = true;
  counts[kind]++;
  pthread_mutex_unlock(&registry);
  return address;
}

bool object_alive(const void *address, enum kind kind) {
  pthread_mutex_lock(&registry);
  struct object *object = object_at(address);
  bool alive = object && object->alive && object->kind == kind;
  pthread_mutex_unlock(&registry);
  return alive;
}

void object_check(const void *address, enum kind kind, const char *function) {
  if (!address) fatal(function, "the %s is NULL: FreeSWITCH would crash here", KINDS[kind]);
  pthread_mutex_lock(&registry);
  struct object *object = object_at(address);
  bool known = object && object->kind == kind, alive = known && object->alive;
  const char *is = object ? KINDS[object->kind] : NULL;
  pthread_mutex_unlock(&registry);
  if (!known) fatal(function, "%p is no %s%s%s", address, KINDS[kind], is ? " but a " : "", is ? is : "");
  if (!alive) fatal(function, "the %s %p is used after it was released", KINDS[kind], address);
}

void object_end(void *address, enum kind kind) {
  pthread_mutex_lock(&registry);
  struct object *object = object_at(address);
  if (!object || !object->alive || object->kind != kind) {
    pthread_mutex_unlock(&registry);
    fatal("stand-in", "%p is released, but is no living %s", address, KINDS[kind]);
  }
  object->alive = false;
  counts[kind]--;
  memset(address, 0xdb, object->size);
  pthread_mutex_unlock(&registry);
  if (really_free) free(address);
}

size_t object_count(enum kind kind) { return counts[kind]; }

void object_each(enum kind kind, void (*visit)(void *, void *), void *data) {
  for (size_t i = 0; i < BUCKETS; i++)
    for (struct object *object = buckets[i]; object; object = object->next)
      if (object->alive && object->kind == kind) visit(object->address, data);
}

/* ---- strings given to the module ----
 * The stand-in is preloaded where a test process is started for one scenario; then this
 * free() is everybody's, and a string of ours that never comes back is a leak. */

enum { GIVEN = 4096 };
static void *volatile given[GIVEN];
static const char *given_by[GIVEN];
static volatile int given_count;
static volatile bool free_is_ours;
extern void __libc_free(void *);
void free(void *address);

void free(void *address) {
  free_is_ours = true;
  if (address && given_count > 0) {
    for (int i = 0; i < GIVEN; i++) {
      if (given[i] == address && __sync_bool_compare_and_swap(&given[i], address, NULL)) {
        __sync_fetch_and_sub(&given_count, 1);
        break;
      }
    }
  }
  __libc_free(address);
}

char *give_string(const char *text, const char *function) {
  char *copy = strdup(text);
  if (!copy) fatal(function, "no memory");
  if (!free_is_ours) return copy;
  for (int i = 0; i < GIVEN; i++) {
    if (__sync_bool_compare_and_swap(&given[i], NULL, copy)) {
      given_by[i] = function;
      __sync_fetch_and_add(&given_count, 1);
      return copy;
    }
  }
  fatal(function, "%d strings were given to the module and never freed", GIVEN);
}

/* ---- text ---- */

void text_add(struct text *text, const char *more) {
  size_t length = strlen(more);
  text->data = realloc(text->data, text->length + length + 1);
  if (!text->data) fatal("stand-in", "no memory");
  memcpy(text->data + text->length, more, length + 1);
  text->length += length;
}

void text_format(struct text *text, const char *format, ...) {
  char *line = NULL;
  va_list arguments;
  va_start(arguments, format);
  if (vasprintf(&line, format, arguments) < 0) fatal("stand-in", "no memory");
  va_end(arguments);
  text_add(text, line);
  free(line);
}

/* ---- pools ---- */

struct pool_block {
  struct pool_block *next;
  size_t size;
};

switch_memory_pool_t *pool_new(void) { return object_new(A_POOL, sizeof(switch_memory_pool_t)); }

void *pool_alloc(switch_memory_pool_t *pool, size_t size) {
  struct pool_block *block = calloc(1, sizeof *block + size);
  if (!block) fatal("stand-in", "no memory");
  block->size = size;
  do block->next = pool->blocks;
  while (!__sync_bool_compare_and_swap(&pool->blocks, block->next, block));
  return block + 1;
}

char *pool_copy(switch_memory_pool_t *pool, const char *text) {
  if (!text) return NULL;
  size_t length = strlen(text) + 1;
  return memcpy(pool_alloc(pool, length), text, length);
}

bool pool_holds(const switch_memory_pool_t *pool, const void *address) {
  for (const struct pool_block *block = pool->blocks; block; block = block->next) {
    const char *from = (const char *)(block + 1);
    if ((const char *)address >= from && (const char *)address < from + block->size) return true;
  }
  return false;
}

void pool_end(switch_memory_pool_t *pool) {
  profiles_end(pool);
  for (struct pool_block *block = pool->blocks, *next; block; block = next) {
    next = block->next;
    memset(block + 1, 0xdb, block->size);
    free(block);
  }
  object_end(pool, A_POOL);
}

/* ---- locks of interfaces ---- */

switch_thread_rwlock_t *rwlock_new(const char *of) {
  switch_thread_rwlock_t *lock = object_new(A_RWLOCK, sizeof *lock);
  lock->of = of;
  return lock;
}

switch_mutex_t *mutex_new(void) { return object_new(A_MUTEX, sizeof(switch_mutex_t)); }

switch_status_t switch_thread_rwlock_trywrlock(switch_thread_rwlock_t *lock) {
  object_check(lock, A_RWLOCK, __func__);
  big_lock();
  bool free = !lock->readers && !lock->writer;
  if (free) lock->writer = true;
  big_unlock();
  return free ? SWITCH_STATUS_SUCCESS : SWITCH_STATUS_FALSE;
}

switch_status_t switch_thread_rwlock_unlock(switch_thread_rwlock_t *lock) {
  object_check(lock, A_RWLOCK, __func__);
  big_lock();
  if (lock->writer) {
    lock->writer = false;
    big_changed();
    big_unlock();
    return SWITCH_STATUS_SUCCESS;
  }
  if (lock->readers <= 0) fatal(__func__, "the lock of %s is not held", lock->of);
  endpoint_unlocking(lock);
  lock->readers--;
  big_changed();
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_mutex_lock(switch_mutex_t *lock) {
  object_check(lock, A_MUTEX, __func__);
  big_lock();
  while (lock->held && !pthread_equal(lock->holder, pthread_self())) big_wait(1000);
  lock->holder = pthread_self();
  lock->held++;
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

switch_status_t switch_mutex_unlock(switch_mutex_t *lock) {
  object_check(lock, A_MUTEX, __func__);
  big_lock();
  if (!lock->held || !pthread_equal(lock->holder, pthread_self())) fatal(__func__, "this thread does not hold the mutex");
  lock->held--;
  big_changed();
  big_unlock();
  return SWITCH_STATUS_SUCCESS;
}

/* ---- small things ---- */

static _Atomic int64_t clock_ahead; /* of the system's, as after a step of that one */

void standin_clock_ahead(int seconds) { clock_ahead = seconds * INT64_C(1000000); }

int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + clock_ahead;
}


int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t began_ms(void) { return began; }

bool is_empty(const char *text) { return !text || !*text; }

bool is_true(const char *text) {
  static const char *const yes[] = {"yes", "on", "true", "t", "enabled", "active", "allow"};
  if (is_empty(text)) return false;
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
    if (!strcasecmp(text, yes[i])) return true;
  char *end;
  double number = strtod(text, &end);
  return !*end && (int)number != 0;
}

/* ---- the report ---- */

static void report_lock(void *object, void *data) {
  switch_thread_rwlock_t *lock = object;
  if (lock->readers) text_format(data, "%d read locks on %s\n", lock->readers, lock->of);
  if (lock->writer) text_format(data, "a write lock on %s\n", lock->of);
}

static void report_mutex(void *object, void *data) {
  switch_mutex_t *mutex = object;
  if (mutex->held) text_add(data, "a mutex of an interface is still held\n");
}

static void report_tree(void *object, void *data) {
  (void)object;
  text_add(data, "an XML tree was not freed\n");
}

static void report_handle(void *object, void *data) {
  (void)object;
  text_add(data, "a dial handle was not destroyed\n");
}

char *standin_leftovers(bool module_loaded) {
  struct text report = {0};
  text_add(&report, "");
  big_lock();
  event_report(&report);
  session_report(&report);
  object_each(AN_XML_TREE, report_tree, &report);
  object_each(A_DIAL_HANDLE, report_handle, &report);
  object_each(A_RWLOCK, report_lock, &report);
  object_each(A_MUTEX, report_mutex, &report);
  report_modules(&report, module_loaded);
  for (int i = 0; i < GIVEN; i++)
    if (given[i]) text_format(&report, "a string given by %s was not freed: \"%s\"\n", given_by[i], (const char *)given[i]);
  big_unlock();
  return report.data;
}

void standin_release(char *text) { free(text); }

void standin_begin(void) {
  big_lock();
  began = now_ms();
  big_unlock();
}
