// libmosquitto with the same work as `curlew bench`; see peer.h. Variants: `threaded`, with mosquitto_loop_start's
// thread while the main thread publishes; `single`, with mosquitto_loop in the publishing thread. A 5 at the end
// selects MQTT 5.0 instead of 3.1.1.
#include "peer.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

static struct window window = EMPTY_WINDOW;
static struct window connected = EMPTY_WINDOW, subscribed = EMPTY_WINDOW;
static bool threaded;

static void on_connect(struct mosquitto *client, void *user, int code) {
  (void)client, (void)user;
  if (code != 0) fail("connecting");
  one_done(&connected);
}

static void on_subscribe(struct mosquitto *client, void *user, int id, int qos_count, const int *granted) {
  (void)client, (void)user, (void)id, (void)qos_count, (void)granted;
  one_done(&subscribed);
}

static void on_publish(struct mosquitto *client, void *user, int id) {
  (void)client, (void)user, (void)id;
  one_done(&window);
}

static void on_message(struct mosquitto *client, void *user, const struct mosquitto_message *message) {
  (void)client, (void)user, (void)message;
  one_done(&window);
}

static void publish(struct mosquitto *client, const char *topic) {
  if (mosquitto_publish(client, NULL, topic, SIZE, payload, qos, false) != MOSQ_ERR_SUCCESS) fail("publishing");
}

// Waits until `wanted` messages are completed.
static void await(struct mosquitto *client, struct window *window, long wanted) {
  if (threaded) return wait_until_done(window, wanted);
  while (window->done < wanted)
    if (mosquitto_loop(client, 1000, 1) != MOSQ_ERR_SUCCESS) fail("the connection");
}

static struct mosquitto *connect_client(const char *name, long nth) {
  struct mosquitto *client = mosquitto_new(name, true, NULL);
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, strchr(variant, '5') ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, WINDOW);
  mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, WINDOW);
  mosquitto_max_inflight_messages_set(client, WINDOW);
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_publish_callback_set(client, on_publish);
  mosquitto_message_callback_set(client, on_message);
  if (mosquitto_connect(client, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS) fail("connecting");
  if (threaded) mosquitto_loop_start(client);
  await(client, &connected, nth);
  return client;
}

static void publish_all(struct mosquitto *client) {
  start();
  for (long sent = 0; sent < count; sent++) {
    if (threaded) wait_for_room(&window, sent);
    else if (sent - window.done >= WINDOW) await(client, &window, sent - WINDOW / 2);
    publish(client, topics[sent % TOPICS]);
  }
  await(client, &window, count);
}

static void receive_all(struct mosquitto *client) {
  char filter[64];
  snprintf(filter, sizeof filter, "fire/%ld/%d/%d/#", count, qos, SIZE);
  start();
  mosquitto_subscribe(client, NULL, filter, qos);
  await(client, &window, count);
}

// MARK: Round trips

static struct mosquitto *requester, *responder;
static double *times, sent_at;

static void request(void) {
  sent_at = now();
  publish(requester, "rtt/request");
}

static void on_request(struct mosquitto *client, void *user, const struct mosquitto_message *message) {
  (void)user, (void)message;
  publish(client, "rtt/reply");
}

static void on_reply(struct mosquitto *client, void *user, const struct mosquitto_message *message) {
  (void)client, (void)user, (void)message;
  times[window.done] = now() - sent_at;
  one_done(&window);
  if (window.done < count) request();
}

static void round_trips(void) {
  threaded = true;
  times = calloc(count + 1, sizeof *times);
  requester = connect_client("requester", 1);
  responder = connect_client("responder", 2);
  mosquitto_publish_callback_set(requester, NULL), mosquitto_publish_callback_set(responder, NULL);
  mosquitto_message_callback_set(requester, on_reply);
  mosquitto_message_callback_set(responder, on_request);
  mosquitto_subscribe(requester, NULL, "rtt/reply", qos);
  mosquitto_subscribe(responder, NULL, "rtt/request", qos);
  wait_until_done(&subscribed, 2);
  start();
  request();
  wait_until_done(&window, count);
}

int main(int argument_count, char **arguments) {
  const char *work = read_arguments(argument_count, arguments);
  threaded = strncmp(variant, "single", 6) != 0;
  mosquitto_lib_init();
  if (strcmp(work, "rtt") == 0) round_trips();
  else {
    struct mosquitto *client = connect_client("bench", 1);
    if (strcmp(work, "pub") == 0) publish_all(client);
    else receive_all(client);
  }
  finish(times);
}
