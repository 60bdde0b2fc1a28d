// What the peers in C share: arguments, clocks, and the line of JSON at the end, with the keys of `curlew bench
// --json`.
//
// Usage: PEER pub|sub|rtt PORT QOS COUNT [VARIANT]
//   pub  COUNT messages to 64 topics, at most 1,000 unacknowledged
//   sub  COUNT messages, sent by null_broker
//   rtt  COUNT requests, one after another, each answered on a second connection of the same process
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { TOPICS = 64, WINDOW = 1000, SIZE = 64 };

static char topics[TOPICS][32];
static const char payload[SIZE] = "what every client of the comparison sends";
static int port, qos;
static long count;
static const char *variant = "";

static inline double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static inline double cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline void fail(const char *what) {
  fprintf(stderr, "%s failed\n", what);
  exit(1);
}

static double started, cpu_started;

static inline void start(void) { started = now(), cpu_started = cpu(); }

static inline int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

// Ends the process with its result. `times` are the round trips in seconds, if any.
static inline void finish(double *times) {
  double seconds = now() - started, used = cpu() - cpu_started;
  printf("{\"count\": %ld, \"seconds\": %.6f, \"rate\": %.0f, \"cpu_us_per_message\": %.3f", count, seconds,
         count / seconds, used * 1e6 / count);
  if (times) {
    qsort(times, count, sizeof *times, ascending);
    printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f", times[count / 2] * 1e6,
           times[count * 99 / 100] * 1e6, times[count - 1] * 1e6);
  }
  printf("}\n");
  fflush(stdout);
  _Exit(0);
}

// The number of completed messages. A sender sleeps while the window is full, and is woken when half of it is free:
// waking a thread for each message would cost more than most of what is compared here.
struct window {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  _Atomic long done, wanted;
};

#define EMPTY_WINDOW {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0}

static inline void one_done(struct window *window) {
  if (++window->done != window->wanted) return;
  pthread_mutex_lock(&window->lock);
  pthread_cond_signal(&window->changed);
  pthread_mutex_unlock(&window->lock);
}

static inline void wait_until_done(struct window *window, long wanted) {
  pthread_mutex_lock(&window->lock);
  window->wanted = wanted;
  while (window->done < wanted) pthread_cond_wait(&window->changed, &window->lock);
  pthread_mutex_unlock(&window->lock);
}

// Waits until another message may be sent after `sent` messages.
static inline void wait_for_room(struct window *window, long sent) {
  if (sent - window->done >= WINDOW) wait_until_done(window, sent - WINDOW / 2);
}

static inline char *read_arguments(int argument_count, char **arguments) {
  if (argument_count < 5) {
    fprintf(stderr, "usage: %s pub|sub|rtt PORT QOS COUNT [VARIANT]\n", arguments[0]);
    exit(2);
  }
  port = atoi(arguments[2]), qos = atoi(arguments[3]), count = atol(arguments[4]);
  if (argument_count > 5) variant = arguments[5];
  for (int i = 0; i < TOPICS; i++) snprintf(topics[i], sizeof topics[i], "bench/%d", i);
  return arguments[1];
}
