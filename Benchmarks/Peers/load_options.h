// The options of broker_load.
#pragma once
#include <getopt.h>

static const char usage[] =
    "usage: broker_load MODE --port PORT [OPTIONS]\n"
    "  fan-in   10 publishers, each to its own topic, 1 subscriber to them all\n"
    "  fan-out  1 publisher, 20 subscribers\n"
    "  pairs    50 publishers, 50 subscribers, each to the topic of one\n"
    "  frozen   1 publisher, 10 subscribers, the last of which never reads: 4,096 bytes at 2,000 a second\n"
    "  tree     4 publishers to topics that one of --filters matches, 10 subscribers that share these\n"
    "  idle     10,000 subscribers, each to its own topic; says when all are there, holds until standard input ends\n"
    "options:\n"
    "  -p, --port PORT         where the broker listens, on 127.0.0.1\n"
    "  -V, --version VERSION   3.1.1 (default) or 5\n"
    "  -q, --qos QOS           of publishing and subscribing (default: 0)\n"
    "  -s, --size BYTES        of the payload, at least 24 (default: 64)\n"
    "  -P, --publishers COUNT, -S, --subscribers COUNT, -z, --frozen COUNT (of the subscribers)\n"
    "  -w, --window COUNT      in flight for each publisher (default: 100; with --rate 500, not acknowledged)\n"
    "  -r, --rate RATE         messages published per second, by all together\n"
    "  -g, --gather US         pause before each read in microseconds (default: 50; with --rate none)\n"
    "  -f, --flood             QoS 0 as fast as the sockets take it, without a window\n"
    "  -u, --warm-up SECONDS   not counted (default: 0.5)\n"
    "  -d, --duration SECONDS  counted (default: 2)\n"
    "  -n, --count COUNT       messages received that are counted, in place of a duration\n"
    "  -F, --filters COUNT     of mode tree (default: 100)\n"
    "  -W, --wildcards         in three of four filters of mode tree\n"
    "  -c, --connecting COUNT  connections made at once (default: 100)\n"
    "  -b, --broker PID        also measure the processor time and memory of that process\n";

enum { STAMP_SIZE = 24 };
enum mode { FAN_IN, FAN_OUT, PAIRS, FROZEN, TREE, IDLE };
static const char *const modes[] = {"fan-in", "fan-out", "pairs", "frozen", "tree", "idle"};

static struct {
  enum mode mode;
  int port, qos, version;
  size_t size;
  long publishers, subscribers, frozen, window, gather, filters, connecting, count;
  double rate, warm_up, duration;
  bool flood, wildcards;
  pid_t broker;
} options = {.version = 4, .size = 64, .gather = -1, .filters = 100, .connecting = 100, .warm_up = 0.5, .duration = 2};

static double read_number(const char *text, double minimum, double maximum, const char *what) {
  char *behind;
  double value = strtod(text, &behind);
  if (behind == text || *behind || !(value >= minimum && value <= maximum))
    fail("%s is a number from %.0f to %.0f, not \"%s\"", what, minimum, maximum, text);
  return value;
}

// The first argument is the mode, which determines the defaults of the other options.
static void read_options(int count, char **arguments) {
  size_t mode = 0;
  while (count > 1 && mode < 6 && strcmp(arguments[1], modes[mode]) != 0) mode++;
  if (count < 2 || mode == 6) {
    fputs(usage, stderr);
    exit(2);
  }
  static const long presets[][2] = {{10, 1}, {1, 20}, {50, 50}, {1, 10}, {4, 10}, {0, 10000}};
  options.mode = mode, options.publishers = presets[mode][0], options.subscribers = presets[mode][1];
  if (options.mode == FROZEN) options.frozen = 1, options.size = 4096, options.rate = 2000;
  static const struct option names[] = {
      {"port", 1, 0, 'p'},        {"version", 1, 0, 'V'},   {"qos", 1, 0, 'q'},      {"size", 1, 0, 's'},
      {"publishers", 1, 0, 'P'},  {"subscribers", 1, 0, 'S'}, {"frozen", 1, 0, 'z'}, {"window", 1, 0, 'w'},
      {"rate", 1, 0, 'r'},        {"gather", 1, 0, 'g'},    {"flood", 0, 0, 'f'},    {"warm-up", 1, 0, 'u'},
      {"duration", 1, 0, 'd'},    {"count", 1, 0, 'n'},     {"filters", 1, 0, 'F'},  {"wildcards", 0, 0, 'W'},
      {"connecting", 1, 0, 'c'},  {"broker", 1, 0, 'b'},    {0}};
  int option;
  static const char letters[] = "p:V:q:s:P:S:z:w:r:g:fu:d:n:F:Wc:b:";
  while ((option = getopt_long(count - 1, arguments + 1, letters, names, NULL)) != -1) {
    switch (option) {
      case 'p': options.port = read_number(optarg, 1, 65535, "--port"); break;
      case 'V':
        if (strcmp(optarg, "5") != 0 && strcmp(optarg, "3.1.1") != 0) fail("--version is 3.1.1 or 5, not \"%s\"", optarg);
        options.version = optarg[0] == '5' ? 5 : 4;
        break;
      case 'q': options.qos = read_number(optarg, 0, 2, "--qos"); break;
      case 's': options.size = read_number(optarg, STAMP_SIZE, 65536, "--size"); break;
      case 'P': options.publishers = read_number(optarg, 1, 10000, "--publishers"); break;
      case 'S': options.subscribers = read_number(optarg, 1, 60000, "--subscribers"); break;
      case 'z': options.frozen = read_number(optarg, 0, 10000, "--frozen"); break;
      case 'w': options.window = read_number(optarg, 1, 30000, "--window"); break;
      case 'r': options.rate = read_number(optarg, 1, 1e7, "--rate"); break;
      case 'g': options.gather = read_number(optarg, 0, 100000, "--gather"); break;
      case 'f': options.flood = true; break;
      case 'u': options.warm_up = read_number(optarg, 0, 60, "--warm-up"); break;
      case 'd': options.duration = read_number(optarg, 0.1, 120, "--duration"); break;
      case 'n': options.count = read_number(optarg, 1, 1e9, "--count"); break;
      case 'F': options.filters = read_number(optarg, 8, 1e7, "--filters"); break;
      case 'W': options.wildcards = true; break;
      case 'c': options.connecting = read_number(optarg, 1, 10000, "--connecting"); break;
      case 'b': options.broker = read_number(optarg, 1, 1e9, "--broker"); break;
      default: fputs(usage, stderr), exit(2);
    }
  }
  if (!options.port) fail("--port is missing");
  if (optind < count - 1) fail("there is no argument \"%s\"", arguments[optind + 1]);
  if (options.mode == IDLE) options.publishers = 0;
  if (options.mode == PAIRS && options.publishers != options.subscribers) fail("pairs take as many publishers as subscribers");
  if (options.frozen >= options.subscribers) fail("at least one subscriber has to read");
  if (options.frozen && options.mode != FROZEN) fail("--frozen is for mode frozen");
  if (options.flood && (options.qos > 0 || options.rate > 0)) fail("--flood takes QoS 0 and no --rate");
  if (options.publishers * options.subscribers > 10000000) fail("that are too many publishers and subscribers");
  if (!options.window) options.window = options.rate > 0 ? 500 : 100;
  if (options.gather < 0) options.gather = options.rate > 0 ? 0 : 50;
  if (options.mode == TREE && options.publishers > options.filters / 2) fail("mode tree takes more --filters than publishers");
}
