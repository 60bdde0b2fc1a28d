// Paho C's asynchronous interface with the same work as `curlew bench`; see peer.h. A variant with a 5 selects MQTT 5.0
// instead of 3.1.1.
#include "peer.h"

#include <MQTTAsync.h>

static struct window window = EMPTY_WINDOW;
static struct window steps = EMPTY_WINDOW;
static bool is_version_5;

static void done_one(void *window, MQTTAsync_successData *data) { (void)data, one_done(window); }
static void done_one_5(void *window, MQTTAsync_successData5 *data) { (void)data, one_done(window); }
static void failed(void *window, MQTTAsync_failureData *data) { (void)window, (void)data, fail("a call"); }
static void failed_5(void *window, MQTTAsync_failureData5 *data) { (void)window, (void)data, fail("a call"); }

static MQTTAsync_responseOptions tell(struct window *window) {
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.context = window;
  if (is_version_5) options.onSuccess5 = done_one_5, options.onFailure5 = failed_5;
  else options.onSuccess = done_one, options.onFailure = failed;
  return options;
}

static void publish(MQTTAsync client, const char *topic, MQTTAsync_responseOptions *options) {
  if (MQTTAsync_send(client, topic, SIZE, payload, qos, 0, options) != MQTTASYNC_SUCCESS) fail("publishing");
}

static int on_message(void *user, char *topic, int size, MQTTAsync_message *message) {
  (void)user, (void)size;
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  one_done(&window);
  return 1;
}

static MQTTAsync connect_client(const char *name, MQTTAsync_messageArrived *arrived) {
  static long nth;
  MQTTAsync client;
  char url[64];
  snprintf(url, sizeof url, "tcp://127.0.0.1:%d", port);
  MQTTAsync_createOptions creation = MQTTAsync_createOptions_initializer5;
  creation.MQTTVersion = is_version_5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  creation.maxBufferedMessages = 2 * WINDOW;
  if (MQTTAsync_createWithOptions(&client, url, name, MQTTCLIENT_PERSISTENCE_NONE, NULL, &creation) != 0) fail("creating");
  MQTTAsync_setCallbacks(client, NULL, NULL, arrived, NULL);
  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  MQTTAsync_connectOptions options_5 = MQTTAsync_connectOptions_initializer5;
  if (is_version_5) options = options_5, options.onSuccess5 = done_one_5, options.onFailure5 = failed_5;
  else options.onSuccess = done_one, options.onFailure = failed;
  options.context = &steps;
  options.maxInflight = WINDOW;
  if (MQTTAsync_connect(client, &options) != MQTTASYNC_SUCCESS) fail("connecting");
  wait_until_done(&steps, ++nth);
  return client;
}

static void subscribe(MQTTAsync client, const char *filter, struct window *window) {
  MQTTAsync_responseOptions options = tell(window);
  if (MQTTAsync_subscribe(client, filter, qos, &options) != MQTTASYNC_SUCCESS) fail("subscribing");
}

static void publish_all(MQTTAsync client) {
  MQTTAsync_responseOptions options = tell(&window);
  start();
  for (long sent = 0; sent < count; sent++) {
    wait_for_room(&window, sent);
    publish(client, topics[sent % TOPICS], &options);
  }
  wait_until_done(&window, count);
}

static void receive_all(MQTTAsync client) {
  char filter[64];
  snprintf(filter, sizeof filter, "fire/%ld/%d/%d/#", count, qos, SIZE);
  start();
  subscribe(client, filter, &steps);
  wait_until_done(&window, count);
}

// MARK: Round trips

static MQTTAsync requester, responder;
static double *times, sent_at;

static void request(void) {
  sent_at = now();
  publish(requester, "rtt/request", NULL);
}

static int on_request(void *user, char *topic, int size, MQTTAsync_message *message) {
  (void)user, (void)size;
  publish(responder, "rtt/reply", NULL);
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

static int on_reply(void *user, char *topic, int size, MQTTAsync_message *message) {
  times[window.done] = now() - sent_at;
  on_message(user, topic, size, message);
  if (window.done < count) request();
  return 1;
}

static void round_trips(void) {
  times = calloc(count + 1, sizeof *times);
  requester = connect_client("requester", on_reply);
  responder = connect_client("responder", on_request);
  subscribe(requester, "rtt/reply", &steps);
  subscribe(responder, "rtt/request", &steps);
  wait_until_done(&steps, 4);
  start();
  request();
  wait_until_done(&window, count);
}

int main(int argument_count, char **arguments) {
  const char *work = read_arguments(argument_count, arguments);
  is_version_5 = strchr(variant, '5') != NULL;
  if (strcmp(work, "rtt") == 0) round_trips();
  else {
    MQTTAsync client = connect_client("bench", on_message);
    if (strcmp(work, "pub") == 0) publish_all(client);
    else receive_all(client);
  }
  finish(times);
}
