// What broker_load and null_relay share: clocks, and a connection that sends and receives MQTT packets at little cost.
//
// A connection holds memory only for bytes that the socket did not take and for an incomplete packet at the end of a
// read, so ten thousand connections need little. The including file defines how to handle a packet.
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK };
enum { READ_SIZE = 256 << 10, PACKET_MAXIMUM = 128 << 10 };

struct connection {
  int socket;
  uint32_t number;
  uint8_t version;
  bool wants_room, is_dirty;
  uint16_t packet_id;
  // The incomplete packet that was read last.
  uint8_t *partial;
  size_t partial_count;
  // Bytes that the socket has not taken yet: [out_start, out_end).
  uint8_t *out;
  size_t out_start, out_end, out_room;
  // The including file's own data.
  void *role;
};

static int poller;

// Handles a complete packet; false to end the connection.
static bool received(struct connection *c, uint8_t first, const uint8_t *body, size_t size);

static inline uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "error: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  _Exit(1);
}

static void *allocate(void *old, size_t size) {
  void *memory = realloc(old, size);
  if (!memory) fail("there is no memory left for %zu bytes", size);
  return memory;
}

static inline void put16(uint8_t *at, uint16_t value) { at[0] = value >> 8, at[1] = value & 255; }
static inline uint16_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }

// Writes a variable byte integer; returns its size.
static inline size_t put_length(uint8_t *at, size_t length) {
  size_t count = 0;
  do {
    at[count++] = (length & 127) | (length > 127 ? 128 : 0);
    length >>= 7;
  } while (length > 0);
  return count;
}

// Writes a string with its length before it; returns the position after it.
static inline uint8_t *put_string(uint8_t *at, const char *text) {
  size_t size = strlen(text);
  put16(at, size);
  memcpy(at + 2, text, size);
  return at + 2 + size;
}

static inline uint16_t next_packet_id(struct connection *c) {
  if (++c->packet_id == 0) c->packet_id = 1;
  return c->packet_id;
}

// Returns the place for the next `count` bytes to send.
static inline uint8_t *append(struct connection *c, size_t count) {
  if (c->out_start == c->out_end) c->out_start = c->out_end = 0;
  if (c->out_end + count > c->out_room) {
    if (c->out_start > 0) memmove(c->out, c->out + c->out_start, c->out_end - c->out_start);
    c->out_end -= c->out_start, c->out_start = 0;
    if (c->out_end + count > c->out_room) {
      c->out_room = (c->out_end + count) * 2;
      c->out = allocate(c->out, c->out_room);
    }
  }
  uint8_t *at = c->out + c->out_end;
  c->out_end += count;
  return at;
}

static inline void append_acknowledgement(struct connection *c, uint8_t first, const uint8_t *packet_id) {
  memcpy(append(c, 4), (uint8_t[]){first, 2, packet_id[0], packet_id[1]}, 4);
}

static inline void watch(struct connection *c, int operation) {
  struct epoll_event event = {.events = EPOLLIN | (c->wants_room ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(poller, operation, c->socket, &event) < 0) fail("a socket cannot be watched: %s", strerror(errno));
}

// Sends what the socket takes, and waits for room for the rest; false if the connection has ended.
static inline bool flush(struct connection *c) {
  while (c->out_end > c->out_start) {
    ssize_t sent = send(c->socket, c->out + c->out_start, c->out_end - c->out_start, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent < 0) break;
    c->out_start += sent;
  }
  bool wants_room = c->out_end > c->out_start;
  if (wants_room == c->wants_room) return true;
  c->wants_room = wants_room;
  watch(c, EPOLL_CTL_MOD);
  return true;
}

// Processes all complete packets of one read; false if the connection has ended, with an error if `errno` is not 0.
static inline bool read_packets(struct connection *c) {
  static uint8_t buffer[READ_SIZE + PACKET_MAXIMUM];
  if (c->partial_count) memcpy(buffer, c->partial, c->partial_count);
  ssize_t count = recv(c->socket, buffer + c->partial_count, READ_SIZE, 0);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0) return errno = 0, false;
  const uint8_t *at = buffer, *end = buffer + c->partial_count + count;
  while (end - at >= 2) {
    size_t length = at[1] & 127, header = 2;
    for (int shift = 7; at[header - 1] > 127; shift += 7) {
      if (header > 4) return false;
      if (at + header >= end) goto partial;
      length |= (size_t)(at[header++] & 127) << shift;
    }
    if (header + length > PACKET_MAXIMUM) return false;
    if ((size_t)(end - at) < header + length) break;
    if (!received(c, at[0], at + header, length)) return false;
    at += header + length;
  }
partial:
  c->partial_count = end - at;
  if (c->partial_count) {
    if (!c->partial) c->partial = allocate(NULL, PACKET_MAXIMUM);
    memcpy(c->partial, at, c->partial_count);
  }
  return true;
}
