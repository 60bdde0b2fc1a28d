// A server that costs next to nothing, so that a benchmark with it measures only the client.
//
// It discards publishes and acknowledges QoS 1 and 2, with one write for each read. A subscription to
// `fire/COUNT/QOS/SIZE/#` is answered with COUNT messages of SIZE bytes at QOS, on 64 topics below that filter, with at
// most 1,000 unacknowledged. It keeps no sessions and routes nothing; invalid MQTT ends the connection.
// Usage: null_broker [PORT]      prints the port on which it listens, on 127.0.0.1; exits when its standard input ends.
// Usage: null_broker [PORT]      writes the port it listens at, on 127.0.0.1, to standard output; ends with its standard input.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOPICS = 64, WINDOW = 1000, IN_SIZE = 1 << 20, OUT_SIZE = 1 << 20, FILL = 256 << 10 };

// The messages that a subscription has requested.
struct fire {
  uint64_t left, sequence;
  uint8_t qos;
  uint16_t packet_id;
  int in_flight;
  // The packets for all topics, one after another, and the offsets of packet identifier and payload in the first one.
  uint8_t *packets;
  size_t packet_size, id_at, payload_at, payload_size;
};

struct connection {
  int socket;
  uint8_t version;
  size_t in_count, out_start, out_end;
  struct fire fire;
  bool wants_room;
  uint8_t in[IN_SIZE], out[OUT_SIZE];
};

static int poller;

static void put16(uint8_t *at, uint16_t value) { at[0] = value >> 8, at[1] = value & 255; }
static uint16_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }

// Appends bytes to send; false if there is no room, which happens only if the peer does not read.
static bool put(struct connection *c, const void *bytes, size_t count) {
  if (c->out_start == c->out_end) c->out_start = c->out_end = 0;
  if (c->out_end + count > OUT_SIZE) {
    memmove(c->out, c->out + c->out_start, c->out_end - c->out_start);
    c->out_end -= c->out_start;
    c->out_start = 0;
    if (c->out_end + count > OUT_SIZE) return false;
  }
  memcpy(c->out + c->out_end, bytes, count);
  c->out_end += count;
  return true;
}

static bool put_acknowledgement(struct connection *c, uint8_t first, const uint8_t *packet_id) {
  return put(c, (uint8_t[]){first, 2, packet_id[0], packet_id[1]}, 4);
}

// MARK: Firing

// Writes a variable byte integer; returns its size.
static size_t put_length(uint8_t *at, size_t length) {
  size_t count = 0;
  do {
    at[count++] = (length & 127) | (length > 127 ? 128 : 0);
    length >>= 7;
  } while (length > 0);
  return count;
}

static bool start_firing(struct connection *c, const char *filter) {
  struct fire *fire = &c->fire;
  unsigned long long count;
  unsigned qos, size;
  if (sscanf(filter, "fire/%llu/%u/%u/", &count, &qos, &size) != 3 || qos > 2 || size > 65536) return false;
  char topic[512];
  size_t stem = strcspn(filter, "#+");
  size_t topic_size = snprintf(topic, sizeof topic, "%.*s%02d", (int)stem, filter, 0);
  size_t length = 2 + topic_size + (qos > 0 ? 2 : 0) + (c->version == 5 ? 1 : 0) + size;
  uint8_t header[8] = {0x30 | qos << 1};
  size_t header_size = 1 + put_length(header + 1, length);
  fire->left = count, fire->sequence = 0, fire->qos = qos, fire->in_flight = 0, fire->packet_id = 0;
  fire->packet_size = header_size + length;
  fire->id_at = header_size + 2 + topic_size;
  fire->payload_at = fire->packet_size - size, fire->payload_size = size;
  free(fire->packets);
  fire->packets = calloc(TOPICS, fire->packet_size);
  for (int i = 0; i < TOPICS; i++) {
    uint8_t *packet = fire->packets + i * fire->packet_size;
    memcpy(packet, header, header_size);
    put16(packet + header_size, topic_size);
    snprintf(topic, sizeof topic, "%.*s%02d", (int)stem, filter, i);
    memcpy(packet + header_size + 2, topic, topic_size);
    // What `curlew bench` writes: its signature and sender 0, then the sequence number and the time, which is 0 here.
    if (size >= 24) memcpy(packet + fire->payload_at, "CRLW", 4);
  }
  return true;
}

// Puts as many packets into the buffer as may be in flight.
static void keep_firing(struct connection *c) {
  struct fire *fire = &c->fire;
  while (fire->left > 0 && c->out_end - c->out_start + fire->packet_size <= FILL &&
         (fire->qos == 0 || fire->in_flight < WINDOW)) {
    uint8_t *packet = fire->packets + fire->sequence % TOPICS * fire->packet_size;
    if (fire->qos > 0) {
      if (++fire->packet_id == 0) fire->packet_id = 1;
      put16(packet + fire->id_at, fire->packet_id);
      fire->in_flight++;
    }
    if (fire->payload_size >= 24) {
      uint64_t sequence = __builtin_bswap64(fire->sequence);
      memcpy(packet + fire->payload_at + 8, &sequence, 8);
    }
    put(c, packet, fire->packet_size);
    fire->sequence++;
    fire->left--;
  }
}

// MARK: Packets

static bool received_connect(struct connection *c, const uint8_t *body, size_t size) {
  if (size < 10 || get16(body) > 6) return false;
  c->version = body[2 + get16(body)];
  // A client of version 5 gets a Receive Maximum of 1,000.
  if (c->version == 5) return put(c, (uint8_t[]){0x20, 6, 0, 0, 3, 0x21, WINDOW >> 8, WINDOW & 255}, 8);
  return put(c, (uint8_t[]){0x20, 2, 0, 0}, 4);
}

// SUBSCRIBE and UNSUBSCRIBE: everything is granted.
static bool received_filters(struct connection *c, bool subscribes, const uint8_t *body, size_t size) {
  uint8_t answer[260] = {subscribes ? 0x90 : 0xB0, 0, body[0], body[1]};
  size_t at = 2, count = 4;
  if (c->version == 5) {
    if (at >= size || body[at] > 127) return false;
    at += 1 + body[at];
    answer[count++] = 0;
  }
  char filter[400] = "";
  while (at + 2 <= size && count < sizeof answer) {
    size_t length = get16(body + at);
    if (at + 2 + length + subscribes > size || length >= sizeof filter) return false;
    memcpy(filter, body + at + 2, length), filter[length] = 0;
    at += 2 + length;
    if (subscribes) answer[count++] = body[at++] & 3;
    else if (c->version == 5) answer[count++] = 0;
  }
  answer[1] = count - 2;
  if (!put(c, answer, count)) return false;
  return !subscribes || strncmp(filter, "fire/", 5) != 0 || start_firing(c, filter);
}

static bool received(struct connection *c, uint8_t first, const uint8_t *body, size_t size) {
  switch (first >> 4) {
    case 3: {
      uint8_t qos = first >> 1 & 3;
      if (qos == 0) return true;
      if (size < 4 || size < 4u + get16(body)) return false;
      return put_acknowledgement(c, qos == 1 ? 0x40 : 0x50, body + 2 + get16(body));
    }
    case 1: return received_connect(c, body, size);
    case 4:
    case 7: return c->fire.in_flight--, size >= 2;
    case 5: return size >= 2 && put_acknowledgement(c, 0x62, body);
    case 6: return size >= 2 && put_acknowledgement(c, 0x70, body);
    case 8: return size >= 5 && received_filters(c, true, body, size);
    case 10: return size >= 4 && received_filters(c, false, body, size);
    case 12: return put(c, (uint8_t[]){0xD0, 0}, 2);
    default: return false;  // such as DISCONNECT
  }
}

// Processes all complete packets that have arrived.
static bool parse(struct connection *c) {
  const uint8_t *at = c->in, *end = c->in + c->in_count;
  while (end - at >= 2) {
    size_t length = 0, header = 1;
    for (int shift = 0;; shift += 7) {
      if (header > 4) return false;
      if (at + header >= end) goto partial;
      uint8_t byte = at[header++];
      length |= (size_t)(byte & 127) << shift;
      if (byte < 128) break;
    }
    if (header + length > IN_SIZE) return false;
    if ((size_t)(end - at) < header + length) break;
    if (!received(c, at[0], at + header, length)) return false;
    at += header + length;
  }
partial:
  c->in_count = end - at;
  memmove(c->in, at, c->in_count);
  return true;
}

// MARK: Sockets

static bool flush(struct connection *c) {
  keep_firing(c);
  while (c->out_end > c->out_start) {
    ssize_t sent = send(c->socket, c->out + c->out_start, c->out_end - c->out_start, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent < 0) break;
    c->out_start += sent;
    keep_firing(c);
  }
  bool wants_room = c->out_end > c->out_start;
  if (wants_room == c->wants_room) return true;
  c->wants_room = wants_room;
  struct epoll_event event = {.events = EPOLLIN | (wants_room ? EPOLLOUT : 0), .data.ptr = c};
  return epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &event) == 0;
}

static bool ready(struct connection *c, uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    ssize_t count = recv(c->socket, c->in + c->in_count, IN_SIZE - c->in_count, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return false;
    if (count > 0) {
      c->in_count += count;
      if (!parse(c)) return false;
    }
  }
  return flush(c);
}

static void accept_one(int listener) {
  int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) return;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  struct connection *c = calloc(1, sizeof *c);
  c->socket = socket, c->version = 4;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event);
}

static void drop(struct connection *c) {
  close(c->socket);
  free(c->fire.packets);
  free(c);
}

int main(int count, char **arguments) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (count > 1) address.sin_port = htons(atoi(arguments[1]));
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
    perror("null_broker: cannot listen");
    return 1;
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  poller = epoll_create1(EPOLL_CLOEXEC);
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &listener});
  // The process that started this one holds the other end, and this one exits with it. A file is always readable, so it
  // is not watched.
  epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  struct epoll_event events[256];
  while (true) {
    int ready_count = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < ready_count; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].data.ptr == NULL) return 0;
      if (events[i].data.ptr == &listener) accept_one(listener);
      else if (!ready(c, events[i].events)) drop(c);
    }
  }
}
