"""A peer on awscrt: see peer.py for its arguments. awscrt has separate clients for MQTT 3.1.1 and 5.0, without QoS 2."""

import asyncio

from awscrt import io, mqtt, mqtt5

import peer


def tls(arguments):
    """The TLS settings with the client certificate; None without an authority."""
    if not arguments.authority:
        return None
    options = io.TlsContextOptions.create_client_with_mtls_from_path(arguments.certificate, arguments.key)
    options.override_default_trust_store_from_path(None, arguments.authority)
    return io.ClientTlsContext(options)


class Awscrt:
    """awscrt has its own threads; its callbacks pass values to the event loop."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.loop = asyncio.get_running_loop()
        self.inbox = asyncio.Queue()

    def hand(self, queue, value):
        self.loop.call_soon_threadsafe(queue.put_nowait, value)

    async def receive(self):
        return await self.inbox.get()


class Awscrt3(Awscrt):
    def __init__(self, arguments):
        super().__init__(arguments)
        options = {}
        if arguments.identifier:
            topic, payload = peer.will(arguments)
            options["will"] = mqtt.Will(topic, mqtt.QoS.AT_LEAST_ONCE, payload, False)
        self.connection = mqtt.Connection(
            mqtt.Client(tls_ctx=tls(arguments)), arguments.host, arguments.port, arguments.identifier or "awscrt",
            clean_session=not arguments.identifier, disable_metrics=True,
            use_websockets=arguments.transport == "websockets", **options)
        self.connection.on_message(
            lambda topic, payload, dup, qos, retain, **rest: self.hand(
                self.inbox, {"topic": topic, "payload": payload, "qos": int(qos), "retain": retain}))

    async def __aenter__(self):
        await asyncio.wrap_future(self.connection.connect())
        return self

    async def __aexit__(self, *error):
        await asyncio.wrap_future(self.connection.disconnect())

    async def subscribe(self, filter, qos):
        # If the subscription is refused, the future fails.
        await asyncio.wrap_future(self.connection.subscribe(filter, mqtt.QoS(qos))[0])

    async def publish(self, message):
        sent, _ = self.connection.publish(
            message["topic"], message["payload"], mqtt.QoS(message["qos"]), message["retain"])
        await asyncio.wrap_future(sent)


class Awscrt5(Awscrt):
    def __init__(self, arguments):
        super().__init__(arguments)
        self.changes = asyncio.Queue()
        connect, session = mqtt5.ConnectPacket(client_id=arguments.identifier), mqtt5.ClientSessionBehaviorType.CLEAN
        if arguments.identifier:
            topic, payload = peer.will(arguments)
            connect.session_expiry_interval_sec = peer.SESSION_EXPIRY
            connect.will = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE)
            session = mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS
        # With this function, even one that changes nothing, the client uses WebSocket.
        websocket = (lambda transform_args: transform_args.set_done()) if arguments.transport == "websockets" else None
        self.client = mqtt5.Client(mqtt5.ClientOptions(
            arguments.host, arguments.port, tls_ctx=tls(arguments), connect_options=connect, session_behavior=session,
            disable_metrics=True, websocket_handshake_transform=websocket,
            on_publish_callback_fn=lambda data: self.hand(self.inbox, self.received(data.publish_packet)),
            on_lifecycle_event_connection_success_fn=lambda data: self.hand(self.changes, None),
            on_lifecycle_event_connection_failure_fn=lambda data: self.hand(self.changes, data),
            on_lifecycle_event_stopped_fn=lambda data: self.hand(self.changes, None)))

    @staticmethod
    def received(packet):
        return {"topic": packet.topic, "payload": packet.payload or b"", "qos": int(packet.qos), "retain": packet.retain}

    async def __aenter__(self):
        self.client.start()
        failure = await self.changes.get()
        assert failure is None, f"the broker refused the connection: {failure}"
        return self

    async def __aexit__(self, *error):
        self.client.stop(mqtt5.DisconnectPacket())
        await self.changes.get()

    async def subscribe(self, filter, qos):
        packet = mqtt5.SubscribePacket(subscriptions=[mqtt5.Subscription(topic_filter=filter, qos=mqtt5.QoS(qos))])
        for code in (await asyncio.wrap_future(self.client.subscribe(packet))).reason_codes:
            assert code < 0x80, f"the broker refused the subscription: {code}"

    async def publish(self, message):
        await asyncio.wrap_future(self.client.publish(mqtt5.PublishPacket(
            topic=message["topic"], payload=message["payload"], qos=mqtt5.QoS(message["qos"]), retain=message["retain"])))


if __name__ == "__main__":
    peer.main(lambda arguments: {"3.1.1": Awscrt3, "5.0": Awscrt5}[arguments.version](arguments))
