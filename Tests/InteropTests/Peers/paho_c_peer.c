// A peer on the Paho library for C: connects with a kept session and a will, subscribes, publishes, receives COUNT
// messages, and disconnects. It prints "ready" when it is subscribed, and each message as a JSON object on one line.
//
//   paho_c_peer PORT VERSION IDENTIFIER FILTER COUNT [QOS RETAIN TOPIC PAYLOAD]...
//
// VERSION is 3 for MQTT 3.1, 4 for 3.1.1 and 5 for 5.0; an empty FILTER means no subscription. The will is on
// will/IDENTIFIER.

#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { timeout = 60000 };

static void check(int code, const char *what)
{
    if (code == MQTTCLIENT_SUCCESS) return;
    fprintf(stderr, "%s failed: %d\n", what, code);
    exit(1);
}

static void print_base64(const unsigned char *bytes, int count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < count; i += 3) {
        unsigned group = bytes[i] << 16 | (i + 1 < count ? bytes[i + 1] << 8 : 0) | (i + 2 < count ? bytes[i + 2] : 0);
        putchar(digits[group >> 18]);
        putchar(digits[group >> 12 & 63]);
        putchar(i + 1 < count ? digits[group >> 6 & 63] : '=');
        putchar(i + 2 < count ? digits[group & 63] : '=');
    }
}

static void connect_to(MQTTClient client, int version, const char *identifier)
{
    char topic[256];
    snprintf(topic, sizeof topic, "will/%s", identifier);
    MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
    will.topicName = topic;
    will.message = "gone";
    will.qos = 1;
    if (version < 5) {
        MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
        options.MQTTVersion = version;
        options.cleansession = 0;
        options.will = &will;
        check(MQTTClient_connect(client, &options), "connect");
        return;
    }
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer5;
    options.MQTTVersion = version;
    options.cleanstart = 0;
    options.will = &will;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = 300};
    check(MQTTProperties_add(&properties, &expiry), "property");
    MQTTResponse response = MQTTClient_connect5(client, &options, &properties, NULL);
    check(response.reasonCode, "connect");
    MQTTResponse_free(response);
    MQTTProperties_free(&properties);
}

static void subscribe_to(MQTTClient client, int version, const char *filter)
{
    if (version < 5) {
        check(MQTTClient_subscribe(client, filter, 2), "subscribe");
    } else {
        MQTTResponse response = MQTTClient_subscribe5(client, filter, 2, NULL, NULL);
        // The granted QoS is the reason code.
        check(response.reasonCode == 2 ? MQTTCLIENT_SUCCESS : response.reasonCode, "subscribe");
        MQTTResponse_free(response);
    }
    puts("ready");
    fflush(stdout);
}

static void publish(MQTTClient client, int version, char **message)
{
    int qos = atoi(message[0]), retain = atoi(message[1]);
    const char *topic = message[2], *payload = message[3];
    MQTTClient_deliveryToken token;
    if (version < 5) {
        check(MQTTClient_publish(client, topic, (int)strlen(payload), payload, qos, retain, &token), "publish");
    } else {
        MQTTResponse response =
            MQTTClient_publish5(client, topic, (int)strlen(payload), payload, qos, retain, NULL, &token);
        check(response.reasonCode, "publish");
        MQTTResponse_free(response);
    }
    if (qos > 0) check(MQTTClient_waitForCompletion(client, token, timeout), "acknowledgement");
}

static void receive(MQTTClient client)
{
    char *topic = NULL;
    int length = 0;
    MQTTClient_message *message = NULL;
    int code = MQTTClient_receive(client, &topic, &length, &message, timeout);
    if (code != MQTTCLIENT_TOPICNAME_TRUNCATED) check(code, "receive");
    if (message == NULL) check(MQTTCLIENT_FAILURE, "waiting for a message");
    printf("{\"topic\": \"%s\", \"payload\": \"", topic);
    print_base64(message->payload, message->payloadlen);
    printf("\", \"qos\": %d, \"retain\": %s}\n", message->qos, message->retained ? "true" : "false");
    fflush(stdout);
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
}

int main(int count, char **arguments)
{
    if (count < 6 || (count - 6) % 4 != 0) {
        fprintf(stderr, "usage: paho_c_peer PORT VERSION IDENTIFIER FILTER COUNT [QOS RETAIN TOPIC PAYLOAD]...\n");
        return 2;
    }
    int version = atoi(arguments[2]);
    const char *identifier = arguments[3], *filter = arguments[4];
    char server[64];
    snprintf(server, sizeof server, "tcp://127.0.0.1:%s", arguments[1]);

    MQTTClient client;
    MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
    options.MQTTVersion = version;
    check(MQTTClient_createWithOptions(&client, server, identifier, MQTTCLIENT_PERSISTENCE_NONE, NULL, &options), "create");
    connect_to(client, version, identifier);
    if (*filter != '\0') subscribe_to(client, version, filter);
    for (int i = 6; i < count; i += 4) publish(client, version, arguments + i);
    for (int i = 0; i < atoi(arguments[5]); i += 1) receive(client);
    check(version < 5 ? MQTTClient_disconnect(client, timeout)
                      : MQTTClient_disconnect5(client, timeout, MQTTREASONCODE_SUCCESS, NULL), "disconnect");
    MQTTClient_destroy(&client);
    return 0;
}
