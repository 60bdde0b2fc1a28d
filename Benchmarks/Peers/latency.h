// A histogram of times with 64 buckets per power of two, so that a value read from it is at most 1.6 % too large.
#pragma once
#include <stdint.h>

enum { LATENCY_FINE = 6, LATENCY_BUCKETS = (40 - LATENCY_FINE) << LATENCY_FINE };

struct latency {
  uint64_t count, maximum;
  uint64_t buckets[LATENCY_BUCKETS];
};

static inline void latency_add(struct latency *latency, uint64_t nanoseconds) {
  uint64_t value = nanoseconds < 1 << LATENCY_FINE ? 1 << LATENCY_FINE : nanoseconds;
  int shift = 63 - __builtin_clzll(value) - LATENCY_FINE;
  uint64_t bucket = ((uint64_t)shift << LATENCY_FINE) + (value >> shift) - (1 << LATENCY_FINE);
  latency->buckets[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
  latency->count++;
  if (nanoseconds > latency->maximum) latency->maximum = nanoseconds;
}

// The time, in microseconds, that a `share` of all values does not exceed; 0 if there are none.
static inline double latency_quantile(const struct latency *latency, double share) {
  uint64_t wanted = share * latency->count, seen = 0;
  for (uint64_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
    seen += latency->buckets[bucket];
    if (seen <= wanted) continue;
    int shift = bucket >> LATENCY_FINE;
    uint64_t upper = ((bucket & ((1 << LATENCY_FINE) - 1)) + (1 << LATENCY_FINE) + 1) << shift;
    return (upper < latency->maximum ? upper : latency->maximum) / 1e3;
  }
  return latency->maximum / 1e3;
}
