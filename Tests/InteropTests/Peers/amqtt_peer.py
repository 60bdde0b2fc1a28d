"""A peer on amqtt's client: see peer.py for its arguments. amqtt supports MQTT 3.1.1."""

from amqtt.client import MQTTClient

import peer


class Amqtt:
    def __init__(self, arguments):
        self.url = f"mqtt://{arguments.host}:{arguments.port}"
        self.is_clean = not arguments.identifier
        options = {"auto_reconnect": False}
        if arguments.identifier:
            topic, payload = peer.will(arguments)
            options["will"] = {"topic": topic, "message": payload.decode(), "qos": 1, "retain": False}
        self.client = MQTTClient(arguments.identifier, options)

    async def __aenter__(self):
        await self.client.connect(self.url, cleansession=self.is_clean)
        return self

    async def __aexit__(self, *error):
        await self.client.disconnect()

    async def subscribe(self, filter, qos):
        for code in await self.client.subscribe([(filter, qos)]):
            assert code < 0x80, f"the broker refused the subscription: {code}"

    async def publish(self, message):
        await self.client.publish(message["topic"], message["payload"], message["qos"], message["retain"])

    async def receive(self):
        message = await self.client.deliver_message()
        return {"topic": message.topic, "payload": bytes(message.data), "qos": message.qos, "retain": bool(message.retain)}


if __name__ == "__main__":
    peer.main(Amqtt)
