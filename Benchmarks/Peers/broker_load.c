// A load generator for brokers that uses at most one core, so that on two cores the broker has the other to itself.
//
// One thread connects as publishers and subscribers, speaks MQTT 3.1.1 or 5.0 to 127.0.0.1, stamps each payload with
// publisher, sequence number and time, and prints one line of JSON, or one sentence and a failure. Without --rate it is
// a closed loop: no publisher has more than a window of messages that are unacknowledged, or that some subscriber has
// not received, so a broker with a bounded queue need not drop any. With --rate, messages are due at fixed times, and
// latency counts from when a message was due, so a broker that stalls is charged for everything it held up.
#include "packets.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "latency.h"
#include "load_options.h"
#include "stream.h"

enum { FILTERS_PER_PACKET = 50, OUT_MAXIMUM = 256 << 10, SETUP_SECONDS = 60, COUNT_SECONDS = 120 };
static const uint64_t second = 1000000000;

struct publisher {
  struct connection *connection;
  uint8_t *packet;
  size_t packet_size, id_at, stamp_at;
  // The number of subscribers that get each message; the only one of them, or -1 for all.
  long subscribers, only;
  // Messages: published, and completed. Deliveries: made, and missed in a gap.
  uint64_t sent, acknowledged, delivered, skipped;
};

struct subscriber {
  struct connection *connection;
  long filter_count, asked, granted;
};

// At the beginning of each payload. This process writes and reads it, so its own byte order is used.
struct stamp {
  char sign[4];
  uint32_t publisher;
  uint64_t sequence, time;
};

static struct connection *connections;
static struct publisher *publishers;
static struct subscriber *subscribers;
static struct stream *streams;  // from each publisher to each subscriber
static long connection_count, opening, open_count;
static bool is_running;

// The measured part of a run: [begin, end). `end` is 0 until --count is reached.
static uint64_t begin, end;
static struct latency latency, lateness;
static uint64_t counted, received_count, duplicates, late, last_arrival;

// MARK: The broker's cost

struct cost {
  double own, broker;
};

static struct cost cost(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  struct cost cost = {usage.ru_utime.tv_sec + usage.ru_stime.tv_sec, 0};
  cost.own += (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  if (!options.broker) return cost;
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", options.broker);
  FILE *file = fopen(path, "r");
  size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file) fclose(file);
  text[size] = 0;
  unsigned long user, system;
  char *behind_name = strrchr(text, ')');
  if (!behind_name || sscanf(behind_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    fail("process %d, the broker, is not there any more", options.broker);
  cost.broker = (double)(user + system) / sysconf(_SC_CLK_TCK);
  return cost;
}

// A line of the broker's status file, in KiB.
static long broker_memory(const char *key) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", options.broker);
  FILE *file = fopen(path, "r");
  long value = -1;
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, key, strlen(key)) == 0) value = atol(line + strlen(key) + 1);
  if (file) fclose(file);
  if (value < 0) fail("process %d, the broker, is not there any more", options.broker);
  return value;
}

// MARK: Connecting

static bool is_publisher(const struct connection *c) { return c->number < options.publishers; }
static bool is_frozen(long subscriber) { return subscriber >= options.subscribers - options.frozen; }

// Each of these filters matches exactly one of the publishers' topics; they are all different.
static void write_tree_name(char *text, long index, bool is_topic) {
  long site = index / 100;
  switch (options.wildcards ? index % 4 : 0) {
    case 0: sprintf(text, "tree/exact/%ld/%ld/value", site, index); break;
    case 1: sprintf(text, is_topic ? "tree/any/%ld/x/%ld" : "tree/any/%ld/+/%ld", site, index); break;
    case 2: sprintf(text, is_topic ? "tree/all/%ld/%ld/x/y" : "tree/all/%ld/%ld/#", site, index); break;
    default: sprintf(text, is_topic ? "tree/first/%ld/%ld" : "+/first/%ld/%ld", site, index);
  }
}

static long published_filter(long publisher) { return options.filters / 8 * 4 + publisher; }

static void write_filter(char *text, long subscriber, long index) {
  switch (options.mode) {
    case TREE: write_tree_name(text, index * options.subscribers + subscriber, false); break;
    case IDLE: sprintf(text, "idle/%ld", subscriber); break;
    case PAIRS: sprintf(text, "load/%ld", subscriber); break;
    default: strcpy(text, "load/+");
  }
}

static void prepare_publisher(struct publisher *p, long number) {
  char topic[128];
  snprintf(topic, sizeof topic, "load/%ld", number);
  if (options.mode == TREE) write_tree_name(topic, published_filter(number), true);
  size_t before = 2 + strlen(topic) + (options.qos > 0 ? 2 : 0) + (options.version == 5 ? 1 : 0);
  p->packet = calloc(1, 5 + before + options.size);
  p->packet[0] = PUBLISH << 4 | options.qos << 1;
  size_t header = 1 + put_length(p->packet + 1, before + options.size);
  put_string(p->packet + header, topic);
  p->id_at = header + 2 + strlen(topic);
  p->stamp_at = header + before;
  p->packet_size = p->stamp_at + options.size;
  memset(p->packet + p->stamp_at, '.', options.size);
  p->only = options.mode == PAIRS ? number : options.mode == TREE ? published_filter(number) % options.subscribers : -1;
  p->subscribers = p->only < 0 ? options.subscribers - options.frozen : 1;
}

static void open_connection(struct connection *c) {
  c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->socket < 0) fail("no more than %u sockets can be opened: %s; raise `ulimit -n`", c->number, strerror(errno));
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  // The less the system buffers for a subscriber that does not read, the sooner the broker must.
  if (!is_publisher(c) && is_frozen(c->number - options.publishers))
    setsockopt(c->socket, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons(options.port);
  if (connect(c->socket, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
    fail("no connection to port %d: %s", options.port, strerror(errno));
  char name[32];
  snprintf(name, sizeof name, "load-%u", c->number);
  uint8_t packet[64] = {CONNECT << 4}, *at = put_string(packet + 2, "MQTT");
  *at++ = options.version, *at++ = 2;  // a clean start
  put16(at, 300), at += 2;
  if (options.version == 5) *at++ = 0;
  at = put_string(at, name);
  packet[1] = at - packet - 2;
  memcpy(append(c, at - packet), packet, at - packet);
  c->wants_room = true;
  watch(c, EPOLL_CTL_ADD);
  opening++;
}

static void is_open(struct connection *c) {
  opening--, open_count++;
  if (is_publisher(c) || !is_frozen(c->number - options.publishers)) return;
  epoll_ctl(poller, EPOLL_CTL_DEL, c->socket, NULL);
}

static void subscribe(struct connection *c) {
  struct subscriber *s = c->role;
  static uint8_t body[FILTERS_PER_PACKET * 128];
  uint8_t *at = body, header[6] = {SUBSCRIBE << 4 | 2};
  put16(at, next_packet_id(c)), at += 2;
  if (options.version == 5) *at++ = 0;
  for (int i = 0; i < FILTERS_PER_PACKET && s->asked < s->filter_count; i++, s->asked++) {
    char filter[120];
    write_filter(filter, s - subscribers, s->asked);
    at = put_string(at, filter);
    *at++ = options.qos;
  }
  size_t header_size = 1 + put_length(header + 1, at - body);
  memcpy(append(c, header_size), header, header_size);
  memcpy(append(c, at - body), body, at - body);
}

// Receive Maximum is a window set by the broker. The properties before it are skipped by their sizes in table 2-4 of
// the standard.
static void take_receive_maximum(const uint8_t *at, const uint8_t *end) {
  while (end - at >= 2) {
    uint8_t property = *at++;
    switch (property) {
      case 0x11: case 0x27: at += 4; break;  // Session Expiry Interval, Maximum Packet Size
      case 0x13: case 0x22: at += 2; break;  // Server Keep Alive, Topic Alias Maximum
      case 0x24: case 0x25: case 0x28: case 0x29: case 0x2A: at += 1; break;  // features that are available
      case 0x21:
        if (end - at >= 2 && get16(at) < options.window) options.window = get16(at);
        return;
      case 0x26:  // User Property: two strings
        at += 2 + get16(at);
        if (end - at < 2) return;
        __attribute__((fallthrough));
      default: at += 2 + get16(at);
    }
  }
}

static void connected(struct connection *c, const uint8_t *body, size_t size) {
  if (size < 2 || body[1] != 0) fail("the broker refused connection %u with code %d", c->number, size < 2 ? -1 : body[1]);
  if (c->version == 5 && is_publisher(c)) take_receive_maximum(body + 3, body + size);
  if (is_publisher(c)) is_open(c);
  else subscribe(c);
}

static void subscribed(struct connection *c, const uint8_t *body, size_t size) {
  struct subscriber *s = c->role;
  for (size_t at = c->version == 5 ? 3 + (size_t)body[2] : 2; at < size; at++, s->granted++)
    if (body[at] != options.qos) fail("the broker granted %d in place of QoS %d", body[at], options.qos);
  if (s->asked < s->filter_count) return subscribe(c);
  if (s->granted != s->filter_count) fail("the broker granted %ld of %ld subscriptions", s->granted, s->filter_count);
  is_open(c);
}

// MARK: Messages

// Whether a message stamped or received at this time is measured.
static bool counts(uint64_t time) { return time >= begin && (end == 0 || time < end); }

static void publish(struct publisher *p, uint64_t time) {
  struct stamp stamp = {"LOAD", p - publishers, p->sent++, time};
  if (options.qos > 0) put16(p->packet + p->id_at, next_packet_id(p->connection));
  memcpy(p->packet + p->stamp_at, &stamp, sizeof stamp);
  memcpy(append(p->connection, p->packet_size), p->packet, p->packet_size);
}

static void message(struct subscriber *s, const uint8_t *payload, size_t size) {
  struct stamp stamp;
  if (size == options.size) memcpy(&stamp, payload, sizeof stamp);
  if (size != options.size || memcmp(stamp.sign, "LOAD", 4) != 0 || stamp.publisher >= options.publishers)
    fail("a message came that nobody sent");
  struct publisher *p = &publishers[stamp.publisher];
  long number = s - subscribers;
  if (stamp.sequence >= p->sent || (p->only >= 0 && p->only != number)) fail("a message came that was for nobody here");

  uint64_t time = last_arrival = now_ns(), skipped;
  received_count++;
  if (counts(time)) counted++;
  if (counts(stamp.time)) latency_add(&latency, time - stamp.time);
  switch (stream_add(&streams[stamp.publisher * options.subscribers + number], stamp.sequence, &skipped)) {
    case TWICE: duplicates++; return;
    case LATE: late++, p->skipped--; break;
    case AFTER_GAP: p->skipped += skipped; break;
    case IN_ORDER: break;
  }
  p->delivered++;
}

static bool received(struct connection *c, uint8_t first, const uint8_t *body, size_t size) {
  int type = first >> 4, qos = first >> 1 & 3;
  if (size < 2 && type < 12) fail("the broker sent a packet of type %d that is too short", type);
  switch (type) {
    case PUBLISH: {
      size_t topic = 2 + (size_t)get16(body), at = topic + (qos > 0 ? 2 : 0);
      if (c->version == 5 && at < size) at += 1 + (size_t)body[at];
      if (is_publisher(c) || at > size || qos != options.qos) fail("the broker sent a message that nobody asked for");
      if (qos > 0) append_acknowledgement(c, (qos == 1 ? PUBACK : PUBREC) << 4, body + topic);
      message(c->role, body + at, size - at);
      return true;
    }
    case CONNACK: return connected(c, body, size), true;
    case SUBACK: return subscribed(c, body, size), true;
    case PUBREC:
      if (size > 2 && body[2] > 127) fail("the broker refused a message with code %d", body[2]);
      return append_acknowledgement(c, PUBREL << 4 | 2, body), true;
    case PUBREL: return append_acknowledgement(c, PUBCOMP << 4, body), true;
    case PUBACK:
      if (size > 2 && body[2] > 127) fail("the broker refused a message with code %d", body[2]);
      __attribute__((fallthrough));
    case PUBCOMP: return ((struct publisher *)c->role)->acknowledged++, true;
    default: fail("the broker sent a packet of type %d, with code %d", type, size > 0 ? body[0] : 0);
  }
}

// MARK: The loop

__attribute__((noreturn)) static void ended(const struct connection *c) {
  const char *who = is_publisher(c) ? "publisher" : "subscriber";
  long number = is_publisher(c) ? c->number : c->number - options.publishers;
  fail("the broker ended the connection of %s %ld%s%s", who, number, errno ? ": " : "", errno ? strerror(errno) : "");
}

static void ready(struct connection *c, uint32_t events) {
  errno = 0;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !read_packets(c)) ended(c);
  if (!flush(c)) ended(c);
}

// Handles packets until `time` at the latest.
//
// The pause has the effect of a network card that gathers interrupts. Without it, a broker that writes messages one by
// one would wake this process for each of them, at a cost to the broker that, on a virtual machine, equals that of the
// message itself.
static void handle_events(uint64_t time) {
  if (is_running && options.gather) nanosleep(&(struct timespec){0, options.gather * 1000}, NULL);
  struct epoll_event events[256];
  uint64_t now = now_ns(), left = time > now ? time - now : 0;
  struct timespec limit = {left / second, left % second};
  int count = epoll_pwait2(poller, events, 256, &limit, NULL);
  for (int i = 0; i < count; i++) ready(events[i].data.ptr, events[i].events);
}

static bool has_room(const struct publisher *p) {
  if (p->connection->out_end - p->connection->out_start > OUT_MAXIMUM) return false;
  if (options.qos > 0 && p->sent - p->acknowledged >= (uint64_t)options.window) return false;
  if (options.flood || options.rate > 0) return true;
  return p->sent * p->subscribers - p->delivered - p->skipped < (uint64_t)options.window * p->subscribers;
}

static void publish_all_there_is_room_for(void) {
  for (long i = 0; i < options.publishers; i++) {
    struct publisher *p = &publishers[i];
    if (!has_room(p)) continue;
    uint64_t time = now_ns();
    do publish(p, time);
    while (has_room(p));
    if (!flush(p->connection)) ended(p->connection);
  }
}

// Publishes all due messages, and returns when the next one is due. The publishers take turns.
static uint64_t publish_what_is_due(uint64_t start, uint64_t stop) {
  double interval = second / options.rate;
  uint64_t next = UINT64_MAX;
  for (long i = 0; i < options.publishers; i++) {
    struct publisher *p = &publishers[i];
    uint64_t now = now_ns(), due, before = p->sent;
    while ((due = start + (uint64_t)((p->sent * options.publishers + i) * interval)) <= now && due < stop && has_room(p)) {
      if (counts(due)) latency_add(&lateness, now - due);
      publish(p, due);
    }
    if (due < next && due > now) next = due;
    if (p->sent != before && !flush(p->connection)) ended(p->connection);
  }
  return next;
}

static bool is_all_done(void) {
  for (struct publisher *p = publishers; p < publishers + options.publishers; p++) {
    if (p->sent * p->subscribers > p->delivered + p->skipped) return false;
    if (options.qos > 0 && p->sent > p->acknowledged) return false;
  }
  return true;
}

static double open_all(void) {
  uint64_t start = now_ns(), deadline = start + SETUP_SECONDS * second;
  long next = 0;
  while (open_count < connection_count) {
    while (next < connection_count && opening < options.connecting) open_connection(&connections[next++]);
    handle_events(deadline);
    if (now_ns() > deadline) fail("only %ld of %ld connections were there after a minute", open_count, connection_count);
  }
  return (now_ns() - start) / 1e9;
}

struct result {
  struct cost cost;
  double seconds;
};

// Publishes during the warm-up and the measured time, and then waits for messages still on their way.
static struct result run(void) {
  uint64_t start = now_ns(), now = start;
  begin = start + options.warm_up * second;
  end = options.count ? 0 : begin + options.duration * second;
  last_arrival = start;
  struct cost before = {0, 0}, after;
  bool has_begun = false;
  is_running = true;
  while (end == 0 || now < end) {
    uint64_t next = now + second / 50;
    if (options.rate > 0) {
      uint64_t due = publish_what_is_due(start, end ? end : UINT64_MAX);
      if (due < next) next = due;
    } else publish_all_there_is_room_for();
    uint64_t edge = has_begun ? end : begin;
    handle_events(edge && edge < next ? edge : next);
    now = now_ns();
    if (!has_begun && now >= begin) has_begun = true, before = cost(), begin = now;
    if (options.count && counted >= (uint64_t)options.count) end = now;
    if (options.count && now > begin + COUNT_SECONDS * second) fail("%ld messages did not come in two minutes", options.count);
    if (!options.flood && now > last_arrival + 10 * second) fail("no message came for ten seconds");
  }
  after = cost();
  double seconds = (now - begin) / 1e9;

  uint64_t patience = options.flood ? second : 5 * second;
  for (last_arrival = now; !is_all_done() && now < last_arrival + patience && now < end + 30 * second; now = now_ns())
    handle_events(now + second / 50);
  return (struct result){{after.own - before.own, after.broker - before.broker}, seconds};
}

// MARK: Beginning and end

static void report_latency(const char *prefix, const struct latency *latency) {
  static const char *const names[] = {"p50", "p90", "p99", "p999"};
  static const double shares[] = {0.5, 0.9, 0.99, 0.999};
  for (int i = 0; i < 4; i++) printf(", \"%s%s_us\": %.1f", prefix, names[i], latency_quantile(latency, shares[i]));
  printf(", \"%smax_us\": %.1f", prefix, latency->maximum / 1e3);
}

// The number of non-reading subscribers that the broker has disconnected.
static long count_dropped(void) {
  long dropped = 0;
  for (long i = options.subscribers - options.frozen; i < options.subscribers; i++) {
    struct pollfd state = {.fd = subscribers[i].connection->socket, .events = POLLRDHUP};
    if (poll(&state, 1, 0) > 0) dropped++;
  }
  return dropped;
}

static void report(struct result result) {
  uint64_t published = 0, expected = 0, unique = received_count - duplicates;
  for (struct publisher *p = publishers; p < publishers + options.publishers; p++)
    published += p->sent, expected += p->sent * p->subscribers;
  printf(", \"published\": %lu, \"received\": %lu, \"lost\": %lu, \"duplicated\": %lu, \"reordered\": %lu", published,
         received_count, expected - unique, duplicates, late);
  printf(", \"seconds\": %.3f, \"rate\": %.0f", result.seconds, counted / result.seconds);
  report_latency("", &latency);
  if (options.rate > 0) report_latency("late_", &lateness);
  printf(", \"generator_cpu\": %.3f", result.cost.own / result.seconds);
  if (options.frozen) printf(", \"dropped_connections\": %ld", count_dropped());
  if (!options.broker) return;
  printf(", \"broker_cpu\": %.3f, \"broker_cpu_us_per_message\": %.3f, \"broker_rss_kib\": %ld, \"broker_peak_kib\": %ld",
         result.cost.broker / result.seconds, counted ? result.cost.broker * 1e6 / counted : 0, broker_memory("VmRSS"),
         broker_memory("VmHWM"));
}

static void prepare(void) {
  connection_count = options.publishers + options.subscribers;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if ((long)files.rlim_max < connection_count + 16) fail("%ld connections need a higher `ulimit -n`", connection_count);
  poller = epoll_create1(EPOLL_CLOEXEC);
  connections = calloc(connection_count, sizeof *connections);
  publishers = calloc(options.publishers + 1, sizeof *publishers);
  subscribers = calloc(options.subscribers, sizeof *subscribers);
  streams = calloc(options.publishers * options.subscribers + 1, sizeof *streams);
  if (!connections || !publishers || !subscribers || !streams) fail("there is not enough memory");
  for (long i = 0; i < connection_count; i++) {
    struct connection *c = &connections[i];
    c->number = i, c->version = options.version;
    if (is_publisher(c)) {
      prepare_publisher(&publishers[i], i);
      publishers[i].connection = c, c->role = &publishers[i];
    } else {
      long s = i - options.publishers;
      subscribers[s].connection = c, c->role = &subscribers[s];
      subscribers[s].filter_count = 1;
      // The filters are dealt to the subscribers in turn.
      if (options.mode == TREE)
        subscribers[s].filter_count = (options.filters - s + options.subscribers - 1) / options.subscribers;
    }
  }
  prctl(PR_SET_TIMERSLACK, 1);
}

static void took_too_long(int signal) {
  (void)signal;
  static const char text[] = "error: the broker let the load wait for too long\n";
  if (write(STDERR_FILENO, text, sizeof text - 1)) {}
  _exit(1);
}

int main(int count, char **arguments) {
  read_options(count, arguments);
  signal(SIGALRM, took_too_long);
  alarm(SETUP_SECONDS + COUNT_SECONDS + 90 + options.warm_up);
  prepare();
  double seconds = open_all();
  printf("{\"mode\": \"%s\", \"version\": \"%s\", \"qos\": %d", modes[options.mode],
         options.version == 5 ? "5" : "3.1.1", options.qos);
  printf(", \"connections\": %ld, \"open_seconds\": %.3f", connection_count, seconds);
  if (options.mode != IDLE) report(run());
  else if (options.broker) printf(", \"broker_rss_kib\": %ld", broker_memory("VmRSS"));
  printf("}\n");
  fflush(stdout);
  // The caller now inspects the broker, and ends this process by closing its standard input.
  for (char byte; options.mode == IDLE && read(STDIN_FILENO, &byte, 1) > 0;) {}
  return 0;
}
