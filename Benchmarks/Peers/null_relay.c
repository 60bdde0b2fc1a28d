// A broker that costs next to nothing: it shows the maximum that broker_load can do.
//
// It forwards messages, with one flush for each round of reads, and acknowledges at once. It keeps no sessions, no
// message state and no queue. It grants each client one subscription, and supports no wildcard except a `+` at the end.
//
// Usage: null_relay      prints the port on which it listens, on 127.0.0.1; exits when its standard input ends.
#include "packets.h"

enum { CONNECTIONS = 20000 };

static struct connection *connections[CONNECTIONS], *dirty[CONNECTIONS];
static long connection_count, dirty_count;

// A connection's subscription, a single filter, and the connections that its last topic goes to.
struct peer {
  char filter[128], topic[128];
  size_t topic_size;
  struct connection **targets;
  long target_count;
};

static void answer(struct connection *c) {
  if (!c->is_dirty) dirty[dirty_count++] = c;
  c->is_dirty = true;
}

static bool matches(const char *filter, const char *topic) {
  size_t stem = strlen(filter);
  if (stem == 0 || filter[stem - 1] != '+') return strcmp(filter, topic) == 0;
  return strncmp(filter, topic, stem - 1) == 0 && !strchr(topic + stem - 1, '/');
}

static void find_targets(struct peer *peer, const uint8_t *topic, size_t size) {
  memcpy(peer->topic, topic, size), peer->topic[size] = 0;
  peer->topic_size = size, peer->target_count = 0;
  peer->targets = allocate(peer->targets, CONNECTIONS * sizeof *peer->targets);
  for (long i = 0; i < connection_count; i++) {
    const struct peer *other = connections[i]->role;
    if (matches(other->filter, peer->topic)) peer->targets[peer->target_count++] = connections[i];
  }
}

static bool publish(struct connection *c, uint8_t first, const uint8_t *body, size_t size) {
  struct peer *peer = c->role;
  size_t topic = get16(body), qos = first >> 1 & 3;
  if (size < 2 + topic || topic >= sizeof peer->topic) return false;
  if (topic != peer->topic_size || memcmp(body + 2, peer->topic, topic) != 0) find_targets(peer, body + 2, topic);
  if (qos > 0) append_acknowledgement(c, (qos == 1 ? PUBACK : PUBREC) << 4, body + 2 + topic), answer(c);
  uint8_t header[6] = {first};
  size_t header_size = 1 + put_length(header + 1, size);
  for (long i = 0; i < peer->target_count; i++) {
    struct connection *target = peer->targets[i];
    uint8_t *at = append(target, header_size + size);
    memcpy(at, header, header_size), memcpy(at + header_size, body, size);
    if (qos > 0) put16(at + header_size + 2 + topic, next_packet_id(target));
    answer(target);
  }
  return true;
}

static bool subscribe(struct connection *c, const uint8_t *body, size_t size) {
  struct peer *peer = c->role;
  const uint8_t *filter = body + (c->version == 5 ? 3 : 2);
  size_t length = get16(filter);
  if (filter + 2 + length + 1 != body + size || length >= sizeof peer->filter) return false;
  memcpy(peer->filter, filter + 2, length), peer->filter[length] = 0;
  uint8_t granted = filter[2 + length] & 3;
  uint8_t answer5[] = {SUBACK << 4, 4, body[0], body[1], 0, granted}, answer4[] = {SUBACK << 4, 3, body[0], body[1], granted};
  if (c->version == 5) memcpy(append(c, 6), answer5, 6);
  else memcpy(append(c, 5), answer4, 5);
  return true;
}

static bool received(struct connection *c, uint8_t first, const uint8_t *body, size_t size) {
  int type = first >> 4;
  if (size < 2) return false;  // such as DISCONNECT
  if (type == PUBLISH) return publish(c, first, body, size);
  if (type == PUBACK || type == PUBCOMP) return true;
  answer(c);
  switch (type) {
    case CONNECT:
      if (size < 10) return false;
      c->version = body[6];
      if (c->version == 5) memcpy(append(c, 5), (uint8_t[]){CONNACK << 4, 3, 0, 0, 0}, 5);
      else memcpy(append(c, 4), (uint8_t[]){CONNACK << 4, 2, 0, 0}, 4);
      return true;
    case SUBSCRIBE: return subscribe(c, body, size);
    case PUBREC: return append_acknowledgement(c, PUBREL << 4 | 2, body), true;
    case PUBREL: return append_acknowledgement(c, PUBCOMP << 4, body), true;
    default: return false;
  }
}

static void accept_one(int listener) {
  int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) return;
  if (connection_count == CONNECTIONS) fail("there is no room for more than %d connections", CONNECTIONS);
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  struct connection *c = calloc(1, sizeof *c);
  c->socket = socket, c->role = calloc(1, sizeof(struct peer));
  connections[connection_count++] = c;
  watch(c, EPOLL_CTL_ADD);
}

// Its memory is kept until the end, since others may still refer to it.
static void drop(struct connection *c) {
  close(c->socket);
  c->socket = -1;
  ((struct peer *)c->role)->filter[0] = 0;
  for (long i = 0; i < connection_count; i++) ((struct peer *)connections[i]->role)->topic_size = 0;
}

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) < 0)
    fail("null_relay cannot listen: %s", strerror(errno));
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  poller = epoll_create1(EPOLL_CLOEXEC);
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &listener});
  // The process that started this one holds the other end, and this one exits with it.
  epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  struct epoll_event events[256];
  while (true) {
    int ready_count = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < ready_count; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].data.ptr == NULL) return 0;
      if (events[i].data.ptr == &listener) accept_one(listener);
      else if (!read_packets(c) || !flush(c)) drop(c);
    }
    for (; dirty_count > 0; dirty_count--) {
      dirty[dirty_count - 1]->is_dirty = false;
      flush(dirty[dirty_count - 1]);
    }
  }
}
