// What one subscriber received from one publisher, by sequence numbers: lost, duplicate and late messages.
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Sequence numbers that were skipped: [from, to).
struct gap {
  uint64_t from, to;
};

struct stream {
  uint64_t next;
  struct gap *gaps;
  size_t gap_count, gap_room;
};

enum arrival { IN_ORDER, AFTER_GAP, LATE, TWICE };

static inline void stream_insert_gap(struct stream *stream, size_t at, struct gap gap) {
  if (stream->gap_count == stream->gap_room) {
    stream->gap_room = stream->gap_room ? stream->gap_room * 2 : 16;
    stream->gaps = allocate(stream->gaps, stream->gap_room * sizeof gap);
  }
  memmove(stream->gaps + at + 1, stream->gaps + at, (stream->gap_count - at) * sizeof gap);
  stream->gaps[at] = gap;
  stream->gap_count++;
}

// A skipped number has arrived after all: removes it from its gap.
static enum arrival stream_fill(struct stream *stream, uint64_t sequence) {
  size_t low = 0, high = stream->gap_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (stream->gaps[middle].to <= sequence) low = middle + 1;
    else high = middle;
  }
  if (low == stream->gap_count || stream->gaps[low].from > sequence) return TWICE;
  struct gap *gap = &stream->gaps[low];
  struct gap behind = {sequence + 1, gap->to};
  gap->to = sequence;
  if (behind.from < behind.to) stream_insert_gap(stream, low + 1, behind);
  return LATE;
}

// `skipped` is the number of messages missing before this one.
static inline enum arrival stream_add(struct stream *stream, uint64_t sequence, uint64_t *skipped) {
  *skipped = 0;
  if (sequence < stream->next) return stream_fill(stream, sequence);
  uint64_t expected = stream->next;
  stream->next = sequence + 1;
  if (sequence == expected) return IN_ORDER;
  *skipped = sequence - expected;
  stream_insert_gap(stream, stream->gap_count, (struct gap){expected, sequence});
  return AFTER_GAP;
}
